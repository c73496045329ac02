"""Payments from the link to the receipt: capture, decline, resume, two-stage capture, refund."""

from dataclasses import replace

import pytest

from sigma.domain.accounts.member import Role
from sigma.domain.billing.payment import Attention, Status
from sigma.domain.billing.question import BUILT_IN_KINDS, Question, QuestionKind
from sigma.domain.billing.refund import Status as RefundStatus
from sigma.domain.ledger import Account
from sigma.domain.money import Money
from sigma.services.billing import invoices, payments, refunds
from sigma.services.billing.payment_details import get_details
from sigma.services.checkout import checkout
from sigma.store.schema.tables import ledger
from sigma_sandbox.bank.cards import TEST_CARDS, ListedCard
from tests.reconciliation import fetch_rows
from tests.services.actions import (
    check_reconciled,
    deliver_notice,
    mail_kinds,
    make_notice,
    make_payment_notice,
    member_with_role,
    payment_details,
    refusal_code,
    reload_payment,
    request_refund,
    run_until_idle,
    try_advance,
)
from tests.world import World

pytestmark = pytest.mark.both_databases


DECLINED = "5555555555554600"


async def ledger_balances(world: World) -> dict[str, int]:
    """Return the nonzero balance of each ledger account, in minor units."""
    balances: dict[str, int] = {}
    for posting in await fetch_rows(world.ctx.db, ledger, world.shop.id):
        balances[posting["account"]] = balances.get(posting["account"], 0) + posting["amount_minor"]
    return {account: minor for account, minor in balances.items() if minor}


async def test_captured_payment_has_receipt_mail_ledger_entry_and_timeline(world: World) -> None:
    invoice = await world.create_invoice(150_000)
    payment = await world.start_payment(invoice)
    assert payment.status is Status.PENDING
    assert payment.provider_id
    assert payment.provider_id in payment.confirmation_url
    assert (await checkout.get_public(world.ctx, payment.token)).receipt is None

    await world.pay(payment)
    view = await checkout.refresh(world.ctx, payment.token)

    assert view.payment.status is Status.CAPTURED
    assert view.invoice.status == "paid"
    assert view.receipt is not None
    assert view.receipt.token == payment.token
    assert view.mail is not None
    assert view.payment.method is not None
    assert view.payment.method.mask == "220247******2987"
    assert await ledger_balances(world) == {
        Account.ACQUIRER: 144_750,
        Account.FEES: 5_250,
        Account.SALES: -150_000,
    }
    await run_until_idle(world)
    after = await payment_details(world, payment)
    assert [event.kind for event in after.timeline.data] == [
        "payment.captured",
        "payment.pending",
        "payment.started",
    ]
    assert mail_kinds(after.mails) == ["receipt"]
    assert after.mails[0].status == "sent"
    assert [str(answer.value) for answer in after.answers] == [
        "client@example.net",
        "+79167654321",
        "без лака",
    ]
    assert len(after.consents) == 1
    assert after.refundable == Money(150_000)
    await check_reconciled(world)


async def test_client_return_alone_captures_nothing(world: World) -> None:
    payment = await world.start_payment()
    for _ in range(3):
        view = await checkout.refresh(world.ctx, payment.token)
        assert view.payment.status is Status.PENDING
        assert view.receipt is None
        world.clock.advance(seconds=5)


async def test_forged_notice_captures_nothing(world: World) -> None:
    payment = await world.start_payment()
    forged = {"id": payment.provider_id, "status": "succeeded", "paid": True}
    amount = {"value": "1500.00", "currency": "RUB"}
    await deliver_notice(
        world, await make_notice(world, "payment.succeeded", forged | {"amount": amount})
    )
    await world.run_jobs()
    assert (await reload_payment(world, payment)).status is Status.PENDING


async def test_notice_captures_the_payment_without_the_client(world: World) -> None:
    payment = await world.start_payment()
    await world.pay(payment)
    assert payment.provider_id
    await deliver_notice(world, await make_payment_notice(world, payment.provider_id))
    await world.run_jobs()
    assert (await reload_payment(world, payment)).status is Status.CAPTURED
    assert len((await payment_details(world, payment)).notices.data) == 1


async def test_worker_captures_a_payment_without_any_notice(world: World) -> None:
    payment = await world.start_payment()
    await world.pay(payment)
    world.clock.advance(seconds=30)
    await world.run_jobs()
    assert (await reload_payment(world, payment)).status is Status.CAPTURED


@pytest.mark.parametrize("card", TEST_CARDS, ids=lambda card: card.number[:6] + card.number[-4:])
async def test_each_test_card_has_its_outcome_and_a_decline_can_be_retried(
    world: World, card: ListedCard
) -> None:
    invoice = await world.create_invoice()
    first = await world.start_payment(invoice)
    await world.pay(first, card.number)
    first = await try_advance(world, first)
    if card.decline_reason is None:
        assert first.status is Status.CAPTURED
    else:
        assert (first.status, first.failure) == (Status.FAILED, card.decline_reason)
        assert (await invoices.get(world.ctx, world.member, invoice.id)).status == "open"
        second = await world.complete_payment(invoice)
        assert second.id != first.id
        assert second.status is Status.CAPTURED
    assert (await invoices.get(world.ctx, world.member, invoice.id)).status == "paid"
    await check_reconciled(world)


async def test_answers_survive_a_decline_for_the_same_browser_only(world: World) -> None:
    invoice = await world.create_invoice()
    payment = await world.start_payment(invoice, payer="mine", wish="матовый")
    await world.pay(payment, DECLINED)
    assert (await try_advance(world, payment)).status is Status.FAILED
    saved = (await checkout.saved_form(world.ctx, invoice.id, "mine")).answers
    assert saved == {"email": "client@example.net", "phone": "+79167654321", "wish": "матовый"}
    assert await checkout.saved_form(world.ctx, invoice.id, "another") == checkout.SavedForm()
    assert await checkout.saved_form(world.ctx, invoice.id, "") == checkout.SavedForm()


async def test_resumed_payment_takes_the_new_answers(world: World) -> None:
    invoice = await world.create_invoice()
    first = await world.start_payment(invoice, payer="mine", wish="красный")
    resumed = await world.start_payment(invoice, payer="mine", wish="синий")
    assert resumed.id == first.id
    assert resumed.confirmation_url == first.confirmation_url
    assert len(await world.list_at_bank()) == 1
    after = await payment_details(world, first)
    assert [answer.value for answer in after.answers][2] == "синий"
    assert after.timeline.data[0].kind == "payment.resumed"
    await world.pay(resumed)
    await try_advance(world, resumed)
    await check_reconciled(world)


async def test_expired_bank_payment_is_replaced_by_a_new_one(world: World) -> None:
    invoice = await world.create_invoice()
    first = await world.start_payment(invoice, payer="mine")
    await world.inject_faults(clock_offset_s=3700)
    second = await world.start_payment(invoice, payer="mine")
    assert second.id != first.id
    assert second.status is Status.PENDING
    assert (await reload_payment(world, first)).status in (Status.FAILED, Status.CANCELED)


async def test_retry_in_another_language_reuses_the_first_bank_request(world: World) -> None:
    invoice = await world.create_invoice()
    form = world.pay_form("mine")
    await world.inject_faults(cut_answer={"on": "create", "times": 1})
    lost = await checkout.start(world.ctx, invoice.token, form)
    assert lost.is_outcome_unknown
    english = replace(form, locale="en", nonce="another")
    resumed = await checkout.start(world.ctx, invoice.token, english)
    assert resumed.id == lost.id
    assert resumed.confirmation_url
    assert not resumed.is_outcome_unknown


async def test_invoice_with_a_limit_is_paid_after_its_last_payment(world: World) -> None:
    invoice = await world.create_invoice(max_payments=2)
    await world.complete_payment(invoice, payer="one")
    assert (await invoices.get(world.ctx, world.member, invoice.id)).status == "open"
    await world.complete_payment(invoice, payer="two")
    paid = await invoices.get(world.ctx, world.member, invoice.id)
    assert (paid.status, paid.paid_count) == ("paid", 2)
    assert (
        await refusal_code(world.start_payment(invoice, payer="three")) == "invoice_limit_reached"
    )
    await check_reconciled(world)


async def test_invoice_without_a_limit_stays_open(world: World) -> None:
    invoice = await world.create_invoice(max_payments=None)
    for payer in ("one", "two", "three"):
        await world.complete_payment(invoice, payer=payer)
    stored = await invoices.get(world.ctx, world.member, invoice.id)
    assert (stored.status, stored.paid_count) == ("open", 3)
    await check_reconciled(world)


async def test_payment_is_refunded_in_parts(world: World) -> None:
    payment = await world.complete_payment()
    partial = await request_refund(world, payment, 50_000, "Не подошёл цвет")
    assert partial.status is RefundStatus.PENDING
    await world.run_jobs()
    after = await payment_details(world, payment)
    assert [item.status for item in after.refunds] == [RefundStatus.SUCCEEDED]
    assert (after.refunded, after.refundable) == (Money(50_000), Money(100_000))
    assert await refusal_code(request_refund(world, payment, 100_001)) == "refund_too_large"
    await request_refund(world, payment, 100_000)
    await world.run_jobs()
    after = await payment_details(world, payment)
    assert (after.refunded, after.refundable) == (Money(150_000), Money(0))
    assert mail_kinds(after.mails).count("refund") == 2
    assert await ledger_balances(world) == {Account.ACQUIRER: -5_250, Account.FEES: 5_250}
    assert (await checkout.get_public(world.ctx, payment.token)).refunds == after.refunds
    await check_reconciled(world)


async def test_declined_refund_is_flagged_and_can_be_retried(world: World) -> None:
    payment = await world.complete_payment()
    await world.inject_faults(refund_decline={"times": 1, "value": "insufficient_funds"})
    await request_refund(world, payment, 150_000)
    await run_until_idle(world)
    after = await payment_details(world, payment)
    assert [(item.status, item.failure) for item in after.refunds] == [
        ("failed", "insufficient_funds")
    ]
    assert after.payment.attention is Attention.REFUND_FAILED
    assert "attention" in mail_kinds(after.mails)
    assert after.refundable == Money(150_000)
    await request_refund(world, payment, 150_000)
    await run_until_idle(world)
    assert (await reload_payment(world, payment)).attention is None
    await check_reconciled(world)


async def test_pending_refund_succeeds_without_a_notice(world: World) -> None:
    payment = await world.complete_payment()
    await world.inject_faults(refund_pending=2)
    await request_refund(world, payment, 10_000)
    await world.run_jobs()
    assert [item.status for item in (await payment_details(world, payment)).refunds] == ["pending"]
    await run_until_idle(world)
    assert [item.status for item in (await payment_details(world, payment)).refunds] == [
        "succeeded"
    ]
    await check_reconciled(world)


async def test_authorized_payment_is_captured_on_request(two_stage_world: World) -> None:
    world = two_stage_world
    payment = await world.start_payment()
    await world.pay(payment)
    assert (await try_advance(world, payment)).status is Status.AUTHORIZED
    assert await ledger_balances(world) == {}
    second = world.start_payment(
        await invoices.get(world.ctx, world.member, payment.invoice_id), payer="x"
    )
    assert await refusal_code(second) == "invoice_has_live_payment"
    captured = await payments.capture(world.ctx, world.member, payment.id)
    assert captured.status is Status.CAPTURED
    assert (await invoices.get(world.ctx, world.member, payment.invoice_id)).status == "paid"
    assert await refusal_code(payments.cancel(world.ctx, world.member, payment.id)) == (
        "payment_not_authorized"
    )
    await check_reconciled(world)


async def test_authorized_payment_can_be_canceled_and_the_invoice_paid_again(
    two_stage_world: World,
) -> None:
    world = two_stage_world
    payment = await world.start_payment()
    await world.pay(payment)
    await try_advance(world, payment)
    canceled = await payments.cancel(world.ctx, world.member, payment.id)
    assert (canceled.status, canceled.failure) == (Status.CANCELED, "canceled_by_merchant")
    invoice = await invoices.get(world.ctx, world.member, payment.invoice_id)
    second = await world.start_payment(invoice, payer="another")
    await world.pay(second)
    await try_advance(world, second)
    await payments.capture(world.ctx, world.member, second.id)
    await check_reconciled(world)


async def test_payment_authorized_in_time_can_be_captured_after_expiry(
    two_stage_world: World,
) -> None:
    world = two_stage_world
    invoice = await world.create_invoice(expires_at_us=world.clock() + 3_600_000_000)
    payment = await world.start_payment(invoice)
    await world.pay(payment)
    await try_advance(world, payment)
    world.clock.advance(hours=2)
    await world.inject_faults(clock_offset_s=7200)
    await world.run_jobs()
    assert (await invoices.get(world.ctx, world.member, invoice.id)).status == "expired"
    captured = await payments.capture(world.ctx, world.member, payment.id)
    assert (captured.status, captured.attention) == (Status.CAPTURED, None)
    assert (await invoices.get(world.ctx, world.member, invoice.id)).status == "paid"
    await check_reconciled(world)


async def test_every_kind_of_answer_is_masked_for_a_viewer(world: World) -> None:
    """Also a checkbox, and whether an optional question was answered."""
    options = {QuestionKind.SELECT: ("S", "M"), QuestionKind.MULTISELECT: ("S", "M")}
    questions = tuple(
        Question(
            str(kind) if kind in BUILT_IN_KINDS else f"own_{kind}",
            kind,
            "" if kind in BUILT_IN_KINDS else "Вопрос",
            options=options.get(kind, ()),
        )
        for kind in QuestionKind
    )
    invoice = await world.create_invoice(questions=questions)
    payment = await world.start_payment(invoice, own_checkbox="yes", own_select="M")
    view = await get_details(world.ctx, member_with_role(world, Role.VIEWER), payment.id)
    assert len(view.answers) == len(QuestionKind)
    assert {(answer.value, answer.is_masked) for answer in view.answers} == {("•••", True)}
    owner_view = await get_details(world.ctx, world.member, payment.id)
    assert True in [answer.value for answer in owner_view.answers]


async def test_viewer_sees_masked_answers_and_cannot_refund_or_void(world: World) -> None:
    payment = await world.complete_payment()
    masked_view = await get_details(world.ctx, member_with_role(world, Role.VIEWER), payment.id)
    assert [(answer.value, answer.is_masked) for answer in masked_view.answers] == [
        ("•••", True)
    ] * 3
    for role in (Role.VIEWER, Role.OPERATOR):
        request = refunds.request(
            world.ctx, member_with_role(world, role), payment.id, Money(100), ""
        )
        assert await refusal_code(request) == "forbidden"
    assert await refusal_code(void_as(world, Role.VIEWER)) == "forbidden"
    full_view = await get_details(world.ctx, member_with_role(world, Role.OPERATOR), payment.id)
    assert full_view.answers[0].value == "client@example.net"


async def void_as(world: World, role: Role) -> None:
    invoice = await world.create_invoice()
    await invoices.void(world.ctx, member_with_role(world, role), invoice.id)


async def test_member_of_another_shop_finds_nothing(world: World) -> None:
    payment = await world.complete_payment()
    stranger = type(world.member)("usr_x", "shp_another", Role.OWNER)
    assert await refusal_code(get_details(world.ctx, stranger, payment.id)) == "not_found"
    request = refunds.request(world.ctx, stranger, payment.id, Money(100), "")
    assert await refusal_code(request) == "not_found"
    assert await refusal_code(invoices.void(world.ctx, stranger, payment.invoice_id)) == "not_found"


async def test_invalid_form_starts_no_payment(world: World) -> None:
    invoice = await world.create_invoice()
    assert await refusal_code(world.start_payment(invoice, email="client@")) == "validation"
    form = world.pay_form()
    unticked = replace(form, has_consented=False)
    assert await refusal_code(checkout.start(world.ctx, invoice.token, unticked)) == "validation"
    assert await world.list_at_bank() == []
