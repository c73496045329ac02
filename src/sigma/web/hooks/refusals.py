"""The limit of refused hook requests per address: forged notices and events, guessed URLs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from litestar import Request

from sigma.domain.errors import RefusedError
from sigma.domain.limits import HOOK_REFUSALS
from sigma.services.context import Context
from sigma.services.limits import client_network
from sigma.web.request_identity import remote_ip


@asynccontextmanager
async def counting_refusals(ctx: Context, request: Request[Any, Any, Any]) -> AsyncIterator[None]:
    """Count a RefusedError of the block for the client's address.

    Above the limit it is replaced by RefusedError("too_many_requests").
    """
    try:
        yield
    except RefusedError as refused:
        if refused.code != "too_many_requests":
            ip = remote_ip(request)
            await ctx.limiter.require(HOOK_REFUSALS, client_network(ip))
        raise
