"""Limits of sign-ins: failures are counted before the password is verified."""

from sigma.domain.errors import RefusedError
from sigma.domain.limits import (
    SIGN_IN_ACCOUNT,
    SIGN_IN_ADDRESS,
    SIGN_IN_ADDRESS_IN_FLOOD,
    SIGN_IN_ALL,
    SIGN_IN_DEVICE,
    GrowingDelay,
    Limit,
)
from sigma.services.context import Context
from sigma.services.limits import client_network

FailureCounts = list[tuple[Limit | GrowingDelay, str]]


async def count_sign_in(ctx: Context, login: str, ip: str, device_id: str | None) -> FailureCounts:
    """Count an attempt as a failure; return what to uncount when it succeeds.

    Raises RefusedError("too_many_requests").
    """
    limiter = ctx.limiter
    if device_id is not None:
        subject = f"{login} {device_id}"
        await limiter.require_after_delay(SIGN_IN_DEVICE, subject)
        return [(SIGN_IN_DEVICE, subject)]
    # The attempt stays counted for the address when a limit below refuses it. So a flood from one
    # address soon ends at this limit.
    network = client_network(ip)
    await limiter.require(SIGN_IN_ADDRESS, network)
    if await limiter.is_allowed(SIGN_IN_ALL, ""):
        shared: tuple[Limit | GrowingDelay, str] = (SIGN_IN_ALL, "")
    else:
        await limiter.require_after_delay(SIGN_IN_ADDRESS_IN_FLOOD, network)
        shared = (SIGN_IN_ADDRESS_IN_FLOOD, network)
    try:
        await limiter.require_after_delay(SIGN_IN_ACCOUNT, login)
    except RefusedError:
        await limiter.undo(*shared)  # nothing was tried: others must not wait for it
        raise
    return [(SIGN_IN_ADDRESS, network), shared, (SIGN_IN_ACCOUNT, login)]


async def undo_sign_in(ctx: Context, counted: FailureCounts) -> None:
    """Take counted failures back: the sign-in succeeded, or was not tried."""
    for limit, subject in counted:
        await ctx.limiter.undo(limit, subject)
