"""Sigma's own line to VK, watched: every request and every answer passes both oracles.

Tests of services get it by default: `Clients(lambda _: checked_client())`.
"""

import json
from collections.abc import Collection
from typing import Any
from urllib.parse import parse_qsl

import httpx

from tests import vk_oracle, vk_schema

FORM = "application/x-www-form-urlencoded"


class Checked(httpx.AsyncBaseTransport):
    """Raises AssertionError at the first bad request or answer, and once more when it is closed:
    a worker that tries again may have hidden the first time.

    Methods in `odd` go unchecked: a test that asks wrongly on purpose names them.
    """

    def __init__(self, odd: Collection[str] = ()) -> None:
        self.odd = odd
        self.asked: list[tuple[str, dict[str, str]]] = []  # the methods and their forms, in order
        self.broken: list[str] = []
        self._network = httpx.AsyncHTTPTransport(verify=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends it on, between two checks."""
        try:
            return await self._watched(request)
        except AssertionError as error:
            self.broken.append(str(error))
            raise

    async def aclose(self) -> None:
        """Raises AssertionError when anything was wrong."""
        await self._network.aclose()
        assert not self.broken, "\n".join(self.broken)

    async def _watched(self, request: httpx.Request) -> httpx.Response:
        method = _method(request)
        form: dict[str, str] = {}
        if method:
            form = dict(parse_qsl((await request.aread()).decode(), keep_blank_values=True))
            self.asked.append((method, form))
            if method not in self.odd:
                check_asked(method, request, form)
        response = await self._network.handle_async_request(request)
        said = await _said(response) if method not in self.odd else {}
        if method and said.keys() & {"response", "error"}:
            vk_schema.check_answer(method, said)
            await vk_oracle.check_answer(method, form, said)
        elif not method and request.url.params.get("act") == "a_check":
            for event in said.get("updates", []):
                vk_schema.check_event(event)
                vk_oracle.check_event(event)
        return response


def checked_client(odd: Collection[str] = ()) -> httpx.AsyncClient:
    """An HTTP client for `sigma.channels.vk.client.Clients`; VK is where the connection says."""
    return httpx.AsyncClient(transport=Checked(odd), timeout=10)


def check_asked(method: str, request: httpx.Request, form: dict[str, str]) -> None:
    """How Sigma asks: a form, the version, the key in a header only. Raises AssertionError."""
    assert request.method == "POST", f"{method}: {request.method}"
    assert request.headers.get("content-type") == FORM, f"{method} is no form"
    assert request.headers.get("authorization", "").startswith("Bearer "), f"{method}: no key"
    assert not request.url.query, f"{method}: parameters in the address get into logs"
    assert "access_token" not in form, f"{method}: the key goes in the header"
    assert form.get("v") == "5.199", f"{method}: version {form.get('v')}"
    vk_schema.check_request(method, form)


def _method(request: httpx.Request) -> str:
    """The API method that is called; empty for uploads and long polls."""
    return request.url.path.partition("/method/")[2]


async def _said(response: httpx.Response) -> dict[str, Any]:
    """The answer when it is a JSON object; the sandbox sends rubbish too when a test wants it."""
    if response.status_code != 200:
        return {}
    body = await response.aread()  # an answer cut short breaks here as it would later
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
