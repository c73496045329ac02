"""Actions of people and of the bank around a payment, one call each."""

import itertools
from collections.abc import Awaitable
from typing import Any

import httpx
import msgspec

from sigma.domain.accounts.member import Member, Role
from sigma.domain.billing.mail import Mail
from sigma.domain.billing.payment import Payment
from sigma.domain.billing.refund import Refund
from sigma.domain.errors import RefusedError
from sigma.domain.money import Money
from sigma.providers.base import UnknownOutcomeError
from sigma.services.billing import acquirer_notices, payments, refunds
from sigma.services.billing.payment_details import PaymentDetails, get_details
from tests.reconciliation import find_mismatches
from tests.world import World

_notice_numbers = itertools.count(1)


def member_with_role(world: World, role: Role) -> Member:
    """Return another member of the same shop with this role."""
    return Member("usr_other", world.shop.id, role)


async def payment_details(world: World, payment: Payment) -> PaymentDetails:
    """Return what the owner sees on the page of a payment."""
    return await get_details(world.ctx, world.member, payment.id)


async def reload_payment(world: World, payment: Payment) -> Payment:
    """Return the payment as it is stored now."""
    return await payments.get(world.ctx, world.member, payment.id)


async def request_refund(
    world: World, payment: Payment, amount_minor: int, reason: str = ""
) -> Refund:
    """Request a refund as the owner; its job does not run yet."""
    return await refunds.request(world.ctx, world.member, payment.id, Money(amount_minor), reason)


async def refusal_code(call: Awaitable[Any]) -> str:
    """Return the code of the domain's refusal, or "" if the call succeeds."""
    try:
        await call
    except RefusedError as error:
        return error.code
    return ""


async def try_advance(world: World, payment: Payment) -> Payment:
    """Advance the payment; an unknown outcome is not an error."""
    return await payments.try_advance(world.ctx, payment.id)


async def fetch_from_bank(world: World, path: str) -> dict[str, Any]:
    """Fetch one object from the bank directly, without Sigma's adapter."""
    url = f"{world.sandbox.base_url}/bank/v3/{path}"
    response = await world.http.get(url, auth=(world.account, "test_secret"))
    assert response.status_code == 200, response.text
    decoded: dict[str, Any] = response.json()
    return decoded


async def make_notice(world: World, event: str, body: dict[str, Any]) -> bytes:
    """Return a notice about an object. Each call gives different bytes: it is no duplicate."""
    encoded = {"type": "notification", "event": event, "object": body, "n": next(_notice_numbers)}
    return msgspec.json.encode(encoded)


async def deliver_notice(world: World, body: bytes) -> None:
    """Deliver a notice to Sigma; its job does not run yet."""
    await acquirer_notices.accept(world.ctx, world.connection, body)


async def make_payment_notice(
    world: World, provider_id: str, event: str = "payment.succeeded"
) -> bytes:
    """Return a notice with the payment's present state at the bank."""
    return await make_notice(world, event, await fetch_from_bank(world, f"payments/{provider_id}"))


async def run_until_idle(world: World, days: float = 0) -> None:
    """Run the worker and advance the clock until only expiry jobs are left."""
    world.clock.advance(days=days)
    for _ in range(60):
        await world.run_jobs()
        if not [text for text in await find_mismatches(world) if " is queued" in text]:
            return
        world.clock.advance(minutes=7)


async def check_reconciled(world: World, *, allow_resent_receipts: bool = False) -> None:
    """Run all jobs, then check that Sigma and the bank agree and no job is left."""
    await run_until_idle(world)
    mismatches = await find_mismatches(world, allow_resent_receipts=allow_resent_receipts)
    assert not mismatches, "\n".join(mismatches)


def mail_kinds(mails: tuple[Mail, ...]) -> list[str]:
    """Return the kinds of mails in the given order."""
    return [mail.kind for mail in mails]


def is_lost_or_refused(result: object) -> bool:
    """Whether a gathered call ended with an unknown outcome or a refusal.

    Raises any other exception.
    """
    if isinstance(result, BaseException) and not isinstance(
        result, UnknownOutcomeError | RefusedError
    ):
        raise result
    return isinstance(result, BaseException)


async def list_mails(world: World, recipient: str) -> list[dict[str, Any]]:
    """Return the sandbox mailbox's mails to an address, newest first."""
    url = f"{world.sandbox.base_url}/mail/api/messages"
    async with httpx.AsyncClient(timeout=5) as http:
        mails: list[dict[str, Any]] = (await http.get(url, params={"to": recipient})).json()
    return mails
