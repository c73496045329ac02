"""An HTTP client for VK that checks every request and response with the schema and the models.

Tests of services use it by default: `Clients(lambda _: checked_client())`.
"""

import json
from collections.abc import Collection
from typing import Any
from urllib.parse import parse_qsl

import httpx

from tests import vk_models, vk_schema

FORM = "application/x-www-form-urlencoded"


class CheckedTransport(httpx.AsyncBaseTransport):
    """Raise AssertionError at each bad request or response, and again when the client is closed:
    a worker that retries may have hidden the first error.

    Methods in `unchecked_methods` are not checked: for tests that send wrong requests on purpose.
    """

    def __init__(self, unchecked_methods: Collection[str] = ()) -> None:
        self.unchecked_methods = unchecked_methods
        self.calls: list[tuple[str, dict[str, str]]] = []  # (method, form) in order
        self.failures: list[str] = []
        self._network = httpx.AsyncHTTPTransport(verify=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Check the request, send it and check the response."""
        try:
            return await self._send_checked(request)
        except AssertionError as error:
            self.failures.append(str(error))
            raise

    async def aclose(self) -> None:
        """Close the client. Raises AssertionError if any check failed before."""
        await self._network.aclose()
        assert not self.failures, "\n".join(self.failures)

    async def _send_checked(self, request: httpx.Request) -> httpx.Response:
        method = _method(request)
        form: dict[str, str] = {}
        if method:
            form = dict(parse_qsl((await request.aread()).decode(), keep_blank_values=True))
            self.calls.append((method, form))
            if method not in self.unchecked_methods:
                check_call(method, request, form)
        response = await self._network.handle_async_request(request)
        body = await _json_object(response) if method not in self.unchecked_methods else {}
        if method and body.keys() & {"response", "error"}:
            vk_schema.check_response(method, body)
            await vk_models.check_response(method, form, body)
        elif not method and request.url.params.get("act") == "a_check":
            for event in body.get("updates", []):
                vk_schema.check_event(event)
                vk_models.check_event(event)
        return response


def checked_client(unchecked_methods: Collection[str] = ()) -> httpx.AsyncClient:
    """Return an HTTP client for `sigma.channels.vk.client.VkClients`."""
    return httpx.AsyncClient(transport=CheckedTransport(unchecked_methods), timeout=10)


def check_call(method: str, request: httpx.Request, form: dict[str, str]) -> None:
    """Check how Sigma calls VK: a form, the API version, the access key only in a header.

    Raises AssertionError.
    """
    assert request.method == "POST", f"{method}: {request.method}"
    assert request.headers.get("content-type") == FORM, f"{method}: not a form"
    assert request.headers.get("authorization", "").startswith("Bearer "), f"{method}: no key"
    assert not request.url.query, f"{method}: parameters in the URL get into logs"
    assert "access_token" not in form, f"{method}: the access key must be in the header"
    assert form.get("v") == "5.199", f"{method}: version {form.get('v')}"
    assert form.get("lang") in ("ru", "en"), f"{method}: without the shop's language"
    vk_schema.check_request(method, form)


def _method(request: httpx.Request) -> str:
    """Return the called API method; empty for uploads and long polls."""
    return request.url.path.partition("/method/")[2]


async def _json_object(response: httpx.Response) -> dict[str, Any]:
    """Return the response body if it is a JSON object, else {}: a test may inject broken bodies."""
    if response.status_code != 200:
        return {}
    body = await response.aread()  # a truncated response fails here as it would later
    try:
        decoded = json.loads(body)
    except ValueError:
        return {}
    return decoded if isinstance(decoded, dict) else {}
