"""Amounts and currencies outside the acquirer's limits, and invoices that nobody can pay."""

from typing import Any

import pytest

from sigma.domain.billing.invoice import Draft, Status
from sigma.domain.errors import RefusedError
from sigma.domain.money import Money
from sigma.services.billing import connections, invoices
from sigma.services.billing.payment_limits import list_warnings
from tests.services.actions import refusal_code
from tests.world import World

LIVE_SECRET = "live_secret"


async def problem(world: World, amount: Money) -> tuple[str, dict[str, Any]]:
    """Return code and parameters of the problem with an amount; ("", {}) if it is issued."""
    try:
        await world.create_invoice(amount=amount)
    except RefusedError as error:
        (found,) = error.problems
        assert found.field == "amount"
        return found.code, found.params
    return "", {}


@pytest.mark.parametrize("minor", [1, 99, 350_000_01, 700_000_00, 700_000_01, 10**12])
async def test_amount_outside_the_limits_of_a_test_shop_is_refused_with_the_limits(
    world: World, minor: int
) -> None:
    code, params = await problem(world, Money(minor))
    assert code == "amount_not_accepted"
    assert (params["smallest"], params["largest"]) == (Money(1_00), Money(350_000_00))


@pytest.mark.parametrize(
    ("minor", "code"),
    [(99, "amount_not_accepted"), (100, ""), (700_000_00, ""), (700_000_01, "amount_not_accepted")],
)
async def test_live_shop_takes_what_sbp_takes(world: World, minor: int, code: str) -> None:
    await world.set_acquirer_secret(LIVE_SECRET)
    assert (await problem(world, Money(minor)))[0] == code


@pytest.mark.parametrize("minor", [1_00, 1_01, 349_999_99, 350_000_00])
async def test_amount_within_the_limits_is_issued_and_started_at_the_bank(
    world: World, minor: int
) -> None:
    payment = await world.start_payment(await world.create_invoice(minor))
    assert payment.confirmation_url


@pytest.mark.parametrize("currency", ["USD", "EUR", "CNY", "KZT", "BYN"])
async def test_currency_that_the_acquirer_does_not_take_is_refused_by_name(
    world: World, currency: str
) -> None:
    code, params = await problem(world, Money(100_00, currency))
    assert (code, params["currency"], params["accepted"]) == (
        "currency_not_accepted",
        currency,
        "RUB",
    )


async def test_draft_outside_the_limits_is_saved_and_refused_when_issued(world: World) -> None:
    draft = Draft(title="Маникюр", amount=Money(99))
    saved = await invoices.create(world.ctx, world.member, draft, is_issued=False)
    assert await refusal_code(invoices.issue(world.ctx, world.member, saved.id)) == "validation"
    assert (await invoices.get(world.ctx, world.member, saved.id)).status is Status.DRAFT


async def test_amount_is_checked_again_when_paying(world: World) -> None:
    await world.set_acquirer_secret(LIVE_SECRET)
    invoice = await world.create_invoice(600_000_00)
    await world.set_acquirer_secret("test_secret")
    assert await refusal_code(world.start_payment(invoice)) == "amount_not_accepted"
    assert await world.list_at_bank() == []
    assert (await invoices.get_public(world.ctx, invoice.token)).provider is None
    warnings = await list_warnings(world.ctx, world.member, invoice)
    assert warnings == {invoice.id: ("amount_not_accepted",)}


async def test_only_open_invoices_without_a_connection_are_warned_about(world: World) -> None:
    opened, voided = await world.create_invoice(), await world.create_invoice()
    voided = await invoices.void(world.ctx, world.member, voided.id)
    both = (opened, voided)
    expected: dict[str, tuple[str, ...]] = {opened.id: (), voided.id: ()}
    assert await list_warnings(world.ctx, world.member, *both) == expected
    await connections.set_active(world.ctx, world.member, world.connection.id, False)
    expected[opened.id] = ("no_connection",)
    assert await list_warnings(world.ctx, world.member, *both) == expected
    # Without an acquirer there are no limits to check.
    assert await problem(world, Money(100_00, "USD")) == ("", {})


@pytest.mark.parametrize(
    ("value", "currency", "parameter"),
    [
        ("0.99", "RUB", "amount.value"),
        ("350000.01", "RUB", "amount.value"),
        ("10.00", "USD", "amount.currency"),
        ("10.00", "CNY", "amount.currency"),
    ],
)
async def test_sandbox_bank_refuses_what_yookassa_refuses(
    world: World, value: str, currency: str, parameter: str
) -> None:
    response = await world.http.post(
        f"{world.sandbox.base_url}/bank/v3/payments",
        json={
            "amount": {"value": value, "currency": currency},
            "capture": True,
            "confirmation": {"type": "redirect", "return_url": "https://shop.example"},
        },
        headers={"Idempotence-Key": f"{value} {currency}"},
        auth=(world.account, "test_secret"),
    )
    assert (response.status_code, response.json()["parameter"]) == (400, parameter)
