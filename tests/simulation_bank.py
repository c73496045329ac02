"""The bank's side of a simulation: money given back outside Sigma."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sigma import worker
from sigma.domain.billing.payment import Status
from sigma.domain.money import Money
from sigma_sandbox.bank import refunds
from sigma_sandbox.bank.errors import ApiError
from tests.simulation_script import Action
from tests.world import World

if TYPE_CHECKING:
    from tests.simulation_actors import Actors


async def refund_at_bank(actors: Actors, action: Action) -> None:
    """Refund in the acquirer's cabinet, or charge back, while one of ours may be under way."""
    paid = actors.pick(await actors.list_payments(Status.CAPTURED), action)
    if paid is None:
        return
    calls: list[Awaitable[Any]] = []
    if percent := action.params["ours_percent"]:
        amount = Money(max(paid["amount_minor"] * percent // 100, 1))
        key = f"{actors.action_number}-ours"
        request = actors.request_refund(actors.process(), paid["id"], amount, key)
        actors.accepted_refund_ids |= {r for r in await actors.gather(request) if r}
        calls.append(worker.run_due_jobs(actors.process(), 60))
    for percent in action.params["percents"]:
        minor = max(paid["amount_minor"] * percent // 100, 1)
        calls.append(_give_back(actors.world, paid["provider_id"], minor, action.params["by"]))
    await actors.gather(*calls)


async def _give_back(world: World, provider_id: str, amount_minor: int, by: str) -> None:
    bank = world.sandbox.bank
    amount = {"value": Money(amount_minor).to_decimal_text(), "currency": "RUB"}
    body = {"payment_id": provider_id, "amount": amount}
    with suppress(ApiError):  # nothing is left of the payment
        if by == "cabinet":
            refunds.create(bank, bank.get_or_create_shop(world.account), body)
        else:
            refunds.charge_back(bank, bank.payments[provider_id], body)
