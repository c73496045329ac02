"""What people and the bank do around a payment, in one call each."""

import itertools
from collections.abc import Awaitable
from typing import Any

import httpx
import msgspec

from sigma.domain.accounts.member import Member, Role
from sigma.domain.billing.mail import Mail
from sigma.domain.billing.payment import Payment
from sigma.domain.billing.refund import Refund
from sigma.domain.errors import Refused
from sigma.domain.money import Money
from sigma.providers.base import Unknown
from sigma.services.billing import acquirer_notices, payments, refunds
from sigma.services.billing.payments import Details
from tests.books import disagreements
from tests.world import World

NUMBERS = itertools.count(1)


def as_role(world: World, role: Role) -> Member:
    """Somebody else of the same shop."""
    return Member("usr_other", world.shop.id, role)


async def details(world: World, payment: Payment) -> Details:
    """Everything that the owner sees of a payment."""
    return await payments.details(world.ctx, world.member, payment.id)


async def fresh(world: World, payment: Payment) -> Payment:
    """The payment as it is stored now."""
    return await payments.get(world.ctx, world.member, payment.id)


async def refund(world: World, payment: Payment, minor: int, reason: str = "") -> Refund:
    """The owner gives money back; the job has not run yet."""
    return await refunds.request(world.ctx, world.member, payment.id, Money(minor), reason)


async def refused(doing: Awaitable[Any]) -> str:
    """The code with which Sigma says no, or "" when it does not."""
    try:
        await doing
    except Refused as no:
        return no.code
    return ""


async def advanced(world: World, payment: Payment) -> Payment:
    """Asks the bank; a lost answer is no trouble."""
    return await payments.try_advance(world.ctx, payment.id)


async def ask_bank(world: World, path: str) -> dict[str, Any]:
    """One object of the bank by GET, past all misbehaviour of ours."""
    url = f"{world.sandbox.base_url}/bank/v3/{path}"
    answer = await world.http.get(url, auth=(world.account, "test_secret"))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def notice(world: World, event: str, thing: dict[str, Any]) -> bytes:
    """The words of a notice. Each has bytes of its own, as if the bank had told anew."""
    told = {"type": "notification", "event": event, "object": thing, "n": next(NUMBERS)}
    return msgspec.json.encode(told)


async def tell(world: World, body: bytes) -> None:
    """A notice comes to our door."""
    await acquirer_notices.take(world.ctx, "yookassa", world.connection.id, body)


async def told_of(world: World, provider_id: str, event: str = "payment.succeeded") -> bytes:
    """A notice about a payment as the bank knows it now."""
    return await notice(world, event, await ask_bank(world, f"payments/{provider_id}"))


async def settle_down(world: World, days: float = 0) -> None:
    """Time goes by until the worker has nothing more to do but wait for expiries."""
    world.clock.move(days=days)
    for _ in range(60):
        await world.work()
        if not [line for line in await disagreements(world) if " is queued" in line]:
            return
        world.clock.move(minutes=7)


async def all_is_well(world: World, **more: Any) -> None:
    """The bank's books and ours are equal and nothing is left undone."""
    await settle_down(world)
    found = await disagreements(world, **more)
    assert not found, "\n".join(found)


def kinds(mails: tuple[Mail, ...]) -> list[str]:
    """What was mailed, oldest first."""
    return [mail.kind for mail in mails]


def lost(result: object) -> bool:
    """Whether a gathered call ended with a lost answer or a refusal, not with a surprise."""
    if isinstance(result, BaseException) and not isinstance(result, Unknown | Refused):
        raise result
    return isinstance(result, BaseException)


async def letters(world: World, to: str) -> list[dict[str, Any]]:
    """What lies in a mailbox, newest first, of this shop's name only."""
    url = f"{world.sandbox.base_url}/mail/api/messages"
    async with httpx.AsyncClient(timeout=5) as http:
        found: list[dict[str, Any]] = (await http.get(url, params={"to": to})).json()
    return found
