"""The door of the API: one call from the key to the answer, with what /control spoils on the way.

The order is fixed: version, method, key, rate, delay, refusals told to /control, rights, work, the
lost answer. So "done, but the answer is lost" is exactly that. HTTP is 200 for refusals too.
"""

import asyncio
import inspect
import re
import time
from collections import deque
from typing import Any
from urllib.parse import parse_qsl

from litestar import HttpMethod, Response, route
from litestar.params import FromPath

from sigma_sandbox.faults import Effect
from sigma_sandbox.responses import Asked, json_response
from sigma_sandbox.server import cut
from sigma_sandbox.vk.actions.client_actions import Vk
from sigma_sandbox.vk.api import event_settings, groups, market, messages, orders, photos
from sigma_sandbox.vk.api.request import Call, Method
from sigma_sandbox.vk.api.uploads import Uploads
from sigma_sandbox.vk.delivery.callback import Postman
from sigma_sandbox.vk.wire.errors import VkRefused, error_json
from sigma_sandbox.vk.world.models import Token

METHODS: dict[str, Method] = {
    **groups.METHODS,
    **event_settings.METHODS,
    **messages.METHODS,
    **photos.METHODS,
    **market.METHODS,
    **orders.METHODS,
    "utils.getServerTime": Method(lambda call: call.vk.now() // 1_000_000, "", ""),
}
VERSION = re.compile(r"\d{1,3}(\.\d{1,4})?")
GROUP_RATE = 20
USER_RATE = 3


class Api:
    """The methods over one world, with a memory of how often each key called."""

    def __init__(self, vk: Vk, postman: Postman, uploads: Uploads) -> None:
        self.vk = vk
        self._postman = postman
        self._uploads = uploads
        self._calls: dict[str, deque[float]] = {}

    async def answer(self, request: Asked, name: str) -> Response[bytes]:
        """Serve one call."""
        params = await read_params(request)
        control = self.vk.control
        try:
            token = self._sign_in(name, params)
            shop = _shop(token, params)
            await asyncio.sleep((control.take(Effect.VK_DELAY_MS, name, shop) or 0) / 1000)
            if control.take(Effect.VK_CUT_REQUEST, name, shop):
                await cut(request.scope)
            elif not control.take(Effect.VK_HTTP_500, name, shop):
                done = await self._work(name, token, params, shop)
                if control.take(Effect.VK_CUT_ANSWER, name, shop):
                    await cut(request.scope)
                return json_response({"response": done})
        except VkRefused as refused:
            return json_response(error_json(refused, params, name))
        return Response(b"<html>502 Bad Gateway</html>", status_code=500, media_type="text/html")

    def _sign_in(self, name: str, params: dict[str, str]) -> Token:
        if name not in METHODS:
            raise VkRefused(3)
        version = params.get("v", "")
        if not VERSION.fullmatch(version):
            raise VkRefused(8, "v (version) is required")
        if not params.get("access_token"):
            raise VkRefused(15, "token required")
        token = self.vk.tokens.get(params["access_token"])
        if token is None or token.revoked:
            raise VkRefused(5)
        self._slow_down(token)
        return token

    def _slow_down(self, token: Token) -> None:
        """Raises VkRefused (6) above the rate of the key."""
        calls, now = self._calls.setdefault(token.token, deque()), time.monotonic()
        while calls and calls[0] <= now - 1:
            calls.popleft()
        if len(calls) >= (GROUP_RATE if token.group_id else USER_RATE):
            raise VkRefused(6)
        calls.append(now)

    async def _work(self, name: str, token: Token, params: dict[str, str], shop: str | None) -> Any:
        code = self.vk.control.take(Effect.VK_ERROR, name, shop)
        if code is not None:
            raise VkRefused(code)
        method = METHODS[name]
        self._check_right(name, method, token, shop)
        call = Call(self.vk, self._postman, self._uploads, token, params)
        if inspect.iscoroutinefunction(method.work):
            return await method.work(call)
        with self.vk.together():
            return method.work(call)

    def _check_right(self, name: str, method: Method, token: Token, shop: str | None) -> None:
        right = method.group if token.group_id else method.user
        if token.group_id and name.startswith("market.") and right is None:
            if not self.vk.control.take(Effect.VK_MARKET_OPEN, name, shop):
                raise VkRefused(27)
            right = method.user
        if right is None and token.group_id:
            raise VkRefused(27)
        if right is None:
            raise VkRefused(15, "method is available with a community key only")
        if right and right not in token.rights:
            raise VkRefused(
                15,
                "no access to call this method. It cannot be called with current scopes.",
                1133,
            )


def _shop(token: Token, params: dict[str, str]) -> str | None:
    """The community the call is about, as /control names it."""
    said = params.get("group_id") or params.get("owner_id", "").removeprefix("-")
    return str(token.group_id) if token.group_id else said or None


async def read_params(request: Asked) -> dict[str, str]:
    """Parameters of the query and of a form body, and the key wherever it is. JSON is not read."""
    params = dict(parse_qsl(request.url.query, keep_blank_values=True))
    kind = request.headers.get("content-type", "")
    if "urlencoded" in kind:
        params |= parse_qsl((await request.body()).decode("utf-8", "replace"), True)
    elif "multipart" in kind:
        params |= {name: str(value) for name, value in (await request.form()).items()}
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and bearer:
        params["access_token"] = bearer.strip()
    return params


@route("/{name:str}", http_method=[HttpMethod.GET, HttpMethod.POST], status_code=200)
async def method(request: Asked, name: FromPath[str]) -> Response[bytes]:
    """`/method/messages.send` and all the others."""
    api: Api = request.app.state["vk_api"]
    return await api.answer(request, name)


HANDLERS = [method]
