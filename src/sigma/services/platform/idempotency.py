"""Idempotency: the same question under the same key is answered once, and again with the same
words.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from sigma.domain.accounts.member import Member
from sigma.domain.errors import Refused
from sigma.services.context import Context
from sigma.store import idempotency
from sigma.store.engine.interface import Conflict
from sigma.store.idempotency import Answered

Remember = Callable[[int, str], Answered]


async def once(
    ctx: Context,
    member: Member,
    key: str,
    fingerprint: str,
    act: Callable[[Remember], Awaitable[Any]],
) -> tuple[Answered, bool]:
    """Acts at most once for a key. Returns the answer, and whether it is a repeat.

    `act` must write the Answered in the same transaction as its work. Refused with
    idempotency_key_reused when the key came with another question, idempotency_in_flight while
    this process is still answering it; a repeat in another process waits for the first.
    """
    place = (member.shop_id, key)
    if place in ctx.in_flight:
        raise Refused("idempotency_in_flight")
    made: list[Answered] = []

    def remember(status: int, body: str) -> Answered:
        answered = Answered(member.shop_id, key, fingerprint, status, body, ctx.now())
        made.append(answered)
        return answered

    ctx.in_flight.add(place)
    try:
        await act(remember)
        return made[-1], False
    except Conflict as conflict:
        if conflict.constraint != idempotency.KEY:
            raise
        return await _earlier(ctx, member, key, fingerprint, conflict), True
    except Refused as refused:
        # The first one may have changed what this one met: its answer is the answer.
        return await _earlier(ctx, member, key, fingerprint, refused), True
    finally:
        ctx.in_flight.discard(place)


async def _earlier(
    ctx: Context, member: Member, key: str, fingerprint: str, why: Exception
) -> Answered:
    async with ctx.db.write() as tx:  # not read(): what was in the way may be on its way to disk
        answered = await idempotency.get(tx, member.shop_id, key)
    if answered is None:
        raise why
    if answered.fingerprint != fingerprint:
        raise Refused("idempotency_key_reused")
    return answered
