"""Shared by the acquirer calls of payments and refunds: access, and the search for lost calls."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sigma.domain.billing.connection import Connection
from sigma.domain.billing.payment import Payment, PaymentReply
from sigma.domain.billing.refund import Refund, RefundReply
from sigma.domain.errors import RefusedError
from sigma.domain.time_units import MINUTE_US
from sigma.domain.urls import origin_of
from sigma.providers.base import ConnectionAccess, Provider, RejectedError, connection_access
from sigma.providers.guarded import GuardedProvider
from sigma.services.connection_secrets import decrypt_secret
from sigma.services.context import Context
from sigma.store.billing import connections

ReplyT = TypeVar("ReplyT", PaymentReply, RefundReply)
ResultT = TypeVar("ResultT")

SHOP_REJECTION_CODES = ("credentials", "forbidden")  # the shop is rejected, not this operation
# A call without a response may still reach the acquirer within this time after it was made.
LOST_CALL_WINDOW_US = 10 * MINUTE_US


async def open_connection(
    ctx: Context, connection_id: str
) -> tuple[Connection, Provider, ConnectionAccess]:
    """Return a connection, its provider and the decrypted access for one call.

    The provider's calls go through a circuit breaker, see `guard_calls`. Raises DecryptionError.
    """
    async with ctx.db.read() as tx:
        connection = await connections.get(tx, connection_id)
    assert connection is not None, "a connection with payments is never deleted"
    provider = ctx.providers[connection.provider]
    secret = decrypt_secret(ctx.cipher, connection)
    access = connection_access(provider, connection, secret)
    return connection, guard_calls(ctx, provider), access


def guard_calls(ctx: Context, provider: Provider) -> Provider:
    """Return the provider with a circuit breaker for each host that its calls go to.

    A call raises CircuitOpenError, an UnknownOutcomeError, instead of waiting for a host that does
    not respond. The acquirer is not called then, so that nothing is marked as unknown.
    """

    async def call(access: ConnectionAccess, work: Callable[[], Awaitable[ResultT]]) -> ResultT:
        return await ctx.circuits.call(
            origin_of(access.base_url),
            work,
            lane=ctx.lane,
            now_us=ctx.now_us,
            is_response=lambda error: isinstance(error, RejectedError),
        )

    return GuardedProvider(provider, call)


async def find_lost(
    ctx: Context,
    operation: Payment | Refund,
    rejection: RejectedError,
    find: Callable[[], Awaitable[ReplyT | None]],
) -> ReplyT | None:
    """Find a rejected operation at the acquirer with `find`, None if it was never started.

    A rejection proves nothing about an earlier call that may have been lost. Raises
    RefusedError("acquirer_refused") while such a call can still be under way, or when the search
    for it was rejected.
    """
    try:
        found, is_searched = await find(), True
    except RejectedError:
        found, is_searched = None, False
    if found is None and operation.is_outcome_unknown:
        lost_at_us = operation.lost_call_at_us or operation.created_at_us
        if not is_searched or ctx.now_us() - lost_at_us < LOST_CALL_WINDOW_US:
            raise RefusedError("acquirer_refused", reason=rejection.code) from rejection
    return found


def is_stale_rejection(
    reply: PaymentReply | RefundReply, stored: Payment | Refund, snapshot: Payment | Refund
) -> bool:
    """Return whether a concurrent call has started, or lost, the operation since `snapshot`.

    `stored` is the row under the lock. Only a reply without an id, a rejection, can be stale.
    """
    return not reply.provider_id and bool(
        stored.provider_id or stored.is_outcome_unknown > snapshot.is_outcome_unknown
    )
