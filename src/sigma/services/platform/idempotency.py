"""Idempotency keys: a repeated request under the same key gets the stored first response."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from sigma.domain.errors import RefusedError
from sigma.domain.idempotency import Idempotency, StoredResponse
from sigma.services.context import Context
from sigma.store import idempotency as stored_responses
from sigma.store.engine.interface import ConflictError

ResultT = TypeVar("ResultT")


async def run_once(
    ctx: Context, idempotency: Idempotency[ResultT], action: Callable[[], Awaitable[ResultT]]
) -> tuple[StoredResponse, bool]:
    """Run an action at most once per key. Returns the response and whether it is a repeat.

    The action must pass `idempotency` to the service that it calls: the response is stored in the
    transaction of the work, so only work that was done uses up a key. A refusal and a failure
    store nothing. A repeat in another process waits for the first request: by the lock of the row
    that both change, or at the latest by the unique key of the stored response. Raises
    RefusedError: "idempotency_key_reused" when the key was used with another request
    (`fingerprint`), "idempotency_in_flight" while this process handles the first one.
    """
    key_pair = (idempotency.shop_id, idempotency.key)
    if key_pair in ctx.in_flight:
        raise RefusedError("idempotency_in_flight")
    ctx.in_flight.add(key_pair)
    try:
        return idempotency.response(await action(), ctx.now_us()), False
    except ConflictError as conflict:
        if conflict.constraint != stored_responses.UNIQUE_KEY:
            raise
        return await _load_stored(ctx, idempotency, conflict), True
    except RefusedError as refused:
        # The first request may have caused this refusal: its stored response wins.
        return await _load_stored(ctx, idempotency, refused), True
    finally:
        ctx.in_flight.discard(key_pair)


async def _load_stored(
    ctx: Context, idempotency: Idempotency[Any], error: Exception
) -> StoredResponse:
    # The error arrived after the commit that it conflicts with, so that the row is visible.
    async with ctx.db.read() as tx:
        response = await stored_responses.get(tx, idempotency.shop_id, idempotency.key)
    if response is None:
        raise error
    if response.fingerprint != idempotency.fingerprint:
        raise RefusedError("idempotency_key_reused")
    return response
