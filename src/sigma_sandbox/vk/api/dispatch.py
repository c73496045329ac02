"""Dispatch of VK API calls: authentication, rate limit, faults, rights, the method, the response.

The order of steps is fixed: method name, version, access key, rate limit, delay, injected failures,
rights, the method, cut connection. So `vk_cut_answer` loses the response of a call that was
carried out. API errors are sent with HTTP status 200, as in VK.
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
from sigma_sandbox.responses import AnyRequest, json_response
from sigma_sandbox.server import abort_connection
from sigma_sandbox.vk.actions.client_actions import Vk
from sigma_sandbox.vk.api import event_settings, groups, market, messages, orders, photos
from sigma_sandbox.vk.api.request import ApiCall, ApiMethod
from sigma_sandbox.vk.api.uploads import PendingUploads
from sigma_sandbox.vk.delivery.callback import CallbackSender
from sigma_sandbox.vk.wire.errors import VkApiError, error_json
from sigma_sandbox.vk.world.models import AccessKey

METHODS: dict[str, ApiMethod] = {
    **groups.METHODS,
    **event_settings.METHODS,
    **messages.METHODS,
    **photos.METHODS,
    **market.METHODS,
    **orders.METHODS,
    "utils.getServerTime": ApiMethod(lambda call: call.vk.now_us() // 1_000_000, "", ""),
}
VERSION_PATTERN = re.compile(r"\d{1,3}(\.\d{1,4})?")
COMMUNITY_CALLS_PER_S = 20
USER_CALLS_PER_S = 3


class ApiDispatcher:
    """All API methods over one `Vk`, with the recent call times of every access key."""

    def __init__(self, vk: Vk, callbacks: CallbackSender, uploads: PendingUploads) -> None:
        self.vk = vk
        self._callbacks = callbacks
        self._uploads = uploads
        self._call_times: dict[str, deque[float]] = {}

    async def serve(self, request: AnyRequest, name: str) -> Response[bytes]:
        """Serve one call of the method `name`; API errors become the error envelope."""
        params = await read_params(request)
        faults = self.vk.faults
        try:
            access_key = self._authenticate(name, params)
            shop = _fault_shop(access_key, params)
            await asyncio.sleep((faults.consume(Effect.VK_DELAY_MS, name, shop) or 0) / 1000)
            if faults.consume(Effect.VK_CUT_REQUEST, name, shop):
                await abort_connection(request.scope)
            elif not faults.consume(Effect.VK_HTTP_500, name, shop):
                result = await self._run_method(name, access_key, params, shop)
                if faults.consume(Effect.VK_CUT_ANSWER, name, shop):
                    await abort_connection(request.scope)
                return json_response({"response": result})
        except VkApiError as error:
            return json_response(error_json(error, params, name))
        return Response(b"<html>502 Bad Gateway</html>", status_code=500, media_type="text/html")

    def _authenticate(self, name: str, params: dict[str, str]) -> AccessKey:
        if name not in METHODS:
            raise VkApiError(3)
        version = params.get("v", "")
        if not VERSION_PATTERN.fullmatch(version):
            raise VkApiError(8, "v (version) is required")
        if not params.get("access_token"):
            raise VkApiError(15, "token required")
        access_key = self.vk.access_keys.get(params["access_token"])
        if access_key is None or access_key.is_revoked:
            raise VkApiError(5)
        self._enforce_rate_limit(access_key)
        return access_key

    def _enforce_rate_limit(self, access_key: AccessKey) -> None:
        """Count the call. Raises VkApiError (6) above the rate of the access key."""
        call_times, now_s = self._call_times.setdefault(access_key.token, deque()), time.monotonic()
        while call_times and call_times[0] <= now_s - 1:
            call_times.popleft()
        if len(call_times) >= (COMMUNITY_CALLS_PER_S if access_key.group_id else USER_CALLS_PER_S):
            raise VkApiError(6)
        call_times.append(now_s)

    async def _run_method(
        self, name: str, access_key: AccessKey, params: dict[str, str], shop: str | None
    ) -> Any:
        code = self.vk.faults.consume(Effect.VK_ERROR, name, shop)
        if code is not None:
            raise VkApiError(code)
        method = METHODS[name]
        self._require_right(name, method, access_key, shop)
        call = ApiCall(self.vk, self._callbacks, self._uploads, access_key, params)
        if inspect.iscoroutinefunction(method.handler):
            return await method.handler(call)
        with self.vk.transaction():
            return method.handler(call)

    def _require_right(
        self, name: str, method: ApiMethod, access_key: AccessKey, shop: str | None
    ) -> None:
        right = method.community_right if access_key.group_id else method.user_right
        if access_key.group_id and name.startswith("market.") and right is None:
            if not self.vk.faults.consume(Effect.VK_MARKET_OPEN, name, shop):
                raise VkApiError(27)
            right = method.user_right
        if right is None and access_key.group_id:
            raise VkApiError(27)
        if right is None:
            raise VkApiError(15, "method is available with a community key only")
        if right and right not in access_key.rights:
            raise VkApiError(
                15,
                "no access to call this method. It cannot be called with current scopes.",
                1133,
            )


def _fault_shop(access_key: AccessKey, params: dict[str, str]) -> str | None:
    """Return the community id that fault rules are matched by, as text, or None."""
    named_id = params.get("group_id") or params.get("owner_id", "").removeprefix("-")
    return str(access_key.group_id) if access_key.group_id else named_id or None


async def read_params(request: AnyRequest) -> dict[str, str]:
    """Return the parameters of the query and of a form body. JSON bodies are ignored.

    A token from the Authorization header is returned as `access_token`.
    """
    params = dict(parse_qsl(request.url.query, keep_blank_values=True))
    content_type = request.headers.get("content-type", "")
    if "urlencoded" in content_type:
        params |= parse_qsl((await request.body()).decode("utf-8", "replace"), True)
    elif "multipart" in content_type:
        params |= {name: str(value) for name, value in (await request.form()).items()}
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and bearer:
        params["access_token"] = bearer.strip()
    return params


@route("/{name:str}", http_method=[HttpMethod.GET, HttpMethod.POST], status_code=200)
async def call_method(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    """Serve `/method/messages.send` and every other method."""
    api: ApiDispatcher = request.app.state["vk_api"]
    return await api.serve(request, name)


HANDLERS = [call_method]
