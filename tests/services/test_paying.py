"""From the link to the receipt: paying, being declined, trying again, holding, giving back."""

import pytest

from sigma.domain.accounts.member import Role
from sigma.domain.billing.payment import Attention, Status
from sigma.domain.billing.refund import Status as RefundStatus
from sigma.domain.ledger import Account
from sigma.domain.money import Money
from sigma.services.billing import invoices, payments, refunds
from sigma.services.checkout import checkout
from sigma.store.schema.tables import ledger
from sigma_sandbox.bank.cards import TEST_CARDS, ListedCard
from tests.books import rows
from tests.services.acts import (
    advanced,
    all_is_well,
    as_role,
    details,
    fresh,
    kinds,
    notice,
    refund,
    refused,
    settle_down,
    tell,
    told_of,
)
from tests.world import World

DECLINED = "5555555555554600"


async def booked(world: World) -> dict[str, int]:
    """The sum of each account in the books."""
    sums: dict[str, int] = {}
    for line in await rows(world.ctx.db, ledger, world.shop.id):
        sums[line["account"]] = sums.get(line["account"], 0) + line["amount_minor"]
    return {account: minor for account, minor in sums.items() if minor}


async def test_a_paid_link_has_its_receipt_its_mail_its_entry_and_its_story(world: World) -> None:
    invoice = await world.invoice(150_000)
    payment = await world.started(invoice)
    assert payment.status is Status.PENDING
    assert payment.provider_id in payment.confirmation_url
    assert (await checkout.seen(world.ctx, payment.token)).receipt is None

    await world.pay(payment)
    seen = await checkout.refresh(world.ctx, payment.token)

    assert seen.payment.status is Status.CAPTURED
    assert seen.invoice.status == "paid"
    assert seen.receipt is not None
    assert seen.receipt.token == payment.token
    assert seen.mail is not None
    assert seen.payment.method is not None
    assert seen.payment.method.mask == "220247******2987"
    assert await booked(world) == {
        Account.ACQUIRER: 144_750,
        Account.FEES: 5_250,
        Account.SALES: -150_000,
    }
    await settle_down(world)
    told = await details(world, payment)
    assert [h.kind for h in told.timeline] == [
        "payment.started",
        "payment.pending",
        "payment.captured",
    ]
    assert kinds(told.mails) == ["receipt"]
    assert told.mails[0].status == "sent"
    assert [str(shown.value) for shown in told.answers] == [
        "client@example.net",
        "+79167654321",
        "без лака",
    ]
    assert len(told.consents) == 1
    assert told.left == Money(150_000)
    await all_is_well(world)


async def test_the_return_from_the_bank_alone_pays_nothing(world: World) -> None:
    payment = await world.started()
    for _ in range(3):
        seen = await checkout.refresh(world.ctx, payment.token)
        world.clock.move(seconds=5)
    assert seen.payment.status is Status.PENDING
    assert seen.receipt is None


async def test_a_notice_that_lies_pays_nothing(world: World) -> None:
    payment = await world.started()
    thing = {"id": payment.provider_id, "status": "succeeded", "paid": True}
    amount = {"value": "1500.00", "currency": "RUB"}
    await tell(world, await notice(world, "payment.succeeded", thing | {"amount": amount}))
    await world.work()
    assert (await fresh(world, payment)).status is Status.PENDING


async def test_a_notice_makes_the_payment_known_without_the_client(world: World) -> None:
    payment = await world.started()
    await world.pay(payment)
    assert payment.provider_id
    await tell(world, await told_of(world, payment.provider_id))
    await world.work()
    assert (await fresh(world, payment)).status is Status.CAPTURED
    assert len((await details(world, payment)).notices) == 1


async def test_the_worker_learns_of_a_payment_nobody_tells_of(world: World) -> None:
    payment = await world.started()
    await world.pay(payment)
    world.clock.move(seconds=30)
    await world.work()
    assert (await fresh(world, payment)).status is Status.CAPTURED


@pytest.mark.parametrize("card", TEST_CARDS, ids=lambda card: card.number[:6] + card.number[-4:])
async def test_every_listed_card_gives_its_outcome_and_the_invoice_can_be_paid_afterwards(
    world: World, card: ListedCard
) -> None:
    invoice = await world.invoice()
    first = await world.started(invoice)
    await world.pay(first, card.number)
    first = await advanced(world, first)
    if card.reason is None:
        assert first.status is Status.CAPTURED
    else:
        assert (first.status, first.failure) == (Status.FAILED, card.reason)
        assert (await invoices.get(world.ctx, world.member, invoice.id)).status == "open"
        second = await world.paid(invoice)
        assert second.id != first.id
        assert second.status is Status.CAPTURED
    assert (await invoices.get(world.ctx, world.member, invoice.id)).status == "paid"
    await all_is_well(world)


async def test_answers_survive_a_decline_and_belong_to_their_browser(world: World) -> None:
    invoice = await world.invoice()
    payment = await world.started(invoice, payer="mine", wish="матовый")
    await world.pay(payment, DECLINED)
    assert (await advanced(world, payment)).status is Status.FAILED
    kept = await checkout.saved_answers(world.ctx, invoice.id, "mine")
    assert kept == {"email": "client@example.net", "phone": "+79167654321", "wish": "матовый"}
    assert await checkout.saved_answers(world.ctx, invoice.id, "another") == {}
    assert await checkout.saved_answers(world.ctx, invoice.id, "") == {}


async def test_coming_back_to_an_unfinished_payment_keeps_it_and_takes_new_answers(
    world: World,
) -> None:
    invoice = await world.invoice()
    first = await world.started(invoice, payer="mine", wish="красный")
    again = await world.started(invoice, payer="mine", wish="синий")
    assert again.id == first.id
    assert again.confirmation_url == first.confirmation_url
    assert len(await world.bank_list()) == 1
    told = await details(world, first)
    assert [shown.value for shown in told.answers][2] == "синий"
    assert [h.kind for h in told.timeline][-1] == "payment.resumed"
    await world.pay(again)
    await advanced(world, again)
    await all_is_well(world)


async def test_coming_back_to_a_payment_that_the_bank_has_let_go_opens_another(
    world: World,
) -> None:
    invoice = await world.invoice()
    first = await world.started(invoice, payer="mine")
    await world.control(clock_offset_s=3700)
    again = await world.started(invoice, payer="mine")
    assert again.id != first.id
    assert again.status is Status.PENDING
    assert (await fresh(world, first)).status in (Status.FAILED, Status.CANCELED)


async def test_coming_back_in_another_language_asks_the_bank_the_same_question(
    world: World,
) -> None:
    invoice = await world.invoice()
    form = world.form("mine")
    await world.control(cut_answer={"on": "create", "times": 1})
    lost = await checkout.start(world.ctx, invoice.token, form)
    assert lost.unknown
    english = type(form)(**(vars_of(form) | {"locale": "en", "nonce": "another"}))
    found = await checkout.start(world.ctx, invoice.token, english)
    assert found.id == lost.id
    assert found.confirmation_url
    assert not found.unknown


def vars_of(form: checkout.PayForm) -> dict[str, object]:
    return {name: getattr(form, name) for name in form.__slots__}


async def test_an_invoice_for_many_is_paid_until_its_number_is_full(world: World) -> None:
    invoice = await world.invoice(max_payments=2)
    await world.paid(invoice, payer="one")
    assert (await invoices.get(world.ctx, world.member, invoice.id)).status == "open"
    await world.paid(invoice, payer="two")
    full = await invoices.get(world.ctx, world.member, invoice.id)
    assert (full.status, full.paid_count) == ("paid", 2)
    assert await refused(world.started(invoice, payer="three")) == "invoice_limit_reached"
    await all_is_well(world)


async def test_an_invoice_without_a_limit_is_never_full(world: World) -> None:
    invoice = await world.invoice(max_payments=None)
    for payer in ("one", "two", "three"):
        await world.paid(invoice, payer=payer)
    open_ = await invoices.get(world.ctx, world.member, invoice.id)
    assert (open_.status, open_.paid_count) == ("open", 3)
    await all_is_well(world)


async def test_a_part_is_given_back_and_then_the_rest(world: World) -> None:
    payment = await world.paid()
    part = await refund(world, payment, 50_000, "Не подошёл цвет")
    assert part.status is RefundStatus.PENDING
    await world.work()
    told = await details(world, payment)
    assert [r.status for r in told.refunds] == [RefundStatus.SUCCEEDED]
    assert (told.refunded, told.left) == (Money(50_000), Money(100_000))
    assert await refused(refund(world, payment, 100_001)) == "refund_too_large"
    await refund(world, payment, 100_000)
    await world.work()
    told = await details(world, payment)
    assert (told.refunded, told.left) == (Money(150_000), Money(0))
    assert kinds(told.mails).count("refund") == 2
    assert await booked(world) == {Account.ACQUIRER: -5_250, Account.FEES: 5_250}
    assert (await checkout.seen(world.ctx, payment.token)).refunds == told.refunds
    await all_is_well(world)


async def test_a_refund_that_the_bank_declines_calls_a_person_and_can_be_tried_again(
    world: World,
) -> None:
    payment = await world.paid()
    await world.control(refund_decline={"times": 1, "value": "insufficient_funds"})
    await refund(world, payment, 150_000)
    await settle_down(world)
    told = await details(world, payment)
    assert [(r.status, r.failure) for r in told.refunds] == [("failed", "insufficient_funds")]
    assert told.payment.attention is Attention.REFUND_FAILED
    assert "attention" in kinds(told.mails)
    assert told.left == Money(150_000)
    await refund(world, payment, 150_000)
    await settle_down(world)
    assert (await fresh(world, payment)).attention is None
    await all_is_well(world)


async def test_a_waiting_refund_is_followed_to_its_end_without_any_notice(world: World) -> None:
    payment = await world.paid()
    await world.control(refund_pending=2)
    await refund(world, payment, 10_000)
    await world.work()
    assert [r.status for r in (await details(world, payment)).refunds] == ["pending"]
    await settle_down(world)
    assert [r.status for r in (await details(world, payment)).refunds] == ["succeeded"]
    await all_is_well(world)


async def test_held_money_is_taken_when_the_shop_says_so(
    two_stage: World,
) -> None:
    world = two_stage
    payment = await world.started()
    await world.pay(payment)
    assert (await advanced(world, payment)).status is Status.AUTHORIZED
    assert await booked(world) == {}
    again = world.started(
        await invoices.get(world.ctx, world.member, payment.invoice_id), payer="x"
    )
    assert await refused(again) == "invoice_has_live_payment"
    taken = await payments.capture(world.ctx, world.member, payment.id)
    assert taken.status is Status.CAPTURED
    assert (await invoices.get(world.ctx, world.member, payment.invoice_id)).status == "paid"
    assert await refused(payments.cancel(world.ctx, world.member, payment.id)) == (
        "payment_not_authorized"
    )
    await all_is_well(world)


async def test_held_money_is_let_go_and_the_invoice_can_be_paid_again(two_stage: World) -> None:
    world = two_stage
    payment = await world.started()
    await world.pay(payment)
    await advanced(world, payment)
    gone = await payments.cancel(world.ctx, world.member, payment.id)
    assert (gone.status, gone.failure) == (Status.CANCELED, "canceled_by_merchant")
    invoice = await invoices.get(world.ctx, world.member, payment.invoice_id)
    second = await world.started(invoice, payer="another")
    await world.pay(second)
    await advanced(world, second)
    await payments.capture(world.ctx, world.member, second.id)
    await all_is_well(world)


async def test_money_held_in_time_may_be_taken_after_the_invoice_has_lapsed(
    two_stage: World,
) -> None:
    world = two_stage
    invoice = await world.invoice(expires_at=world.clock() + 3_600_000_000)
    payment = await world.started(invoice)
    await world.pay(payment)
    await advanced(world, payment)
    world.clock.move(hours=2)
    await world.control(clock_offset_s=7200)
    await world.work()
    assert (await invoices.get(world.ctx, world.member, invoice.id)).status == "expired"
    taken = await payments.capture(world.ctx, world.member, payment.id)
    assert (taken.status, taken.attention) == (Status.CAPTURED, None)
    assert (await invoices.get(world.ctx, world.member, invoice.id)).status == "paid"
    await all_is_well(world)


async def test_a_viewer_sees_no_answers_and_only_some_roles_give_money_back(world: World) -> None:
    payment = await world.paid()
    shown = await payments.details(world.ctx, as_role(world, Role.VIEWER), payment.id)
    assert [(one.value, one.masked) for one in shown.answers] == [("•••", True)] * 3
    for role in (Role.VIEWER, Role.OPERATOR):
        asked = refunds.request(world.ctx, as_role(world, role), payment.id, Money(100), "")
        assert await refused(asked) == "forbidden"
    assert await refused(world_invoice(world, Role.VIEWER)) == "forbidden"
    clear = await payments.details(world.ctx, as_role(world, Role.OPERATOR), payment.id)
    assert clear.answers[0].value == "client@example.net"


async def world_invoice(world: World, role: Role) -> None:
    invoice = await world.invoice()
    await invoices.void(world.ctx, as_role(world, role), invoice.id)


async def test_a_stranger_of_another_shop_finds_nothing(world: World) -> None:
    payment = await world.paid()
    stranger = type(world.member)("usr_x", "shp_another", Role.OWNER)
    assert await refused(payments.details(world.ctx, stranger, payment.id)) == "not_found"
    asked = refunds.request(world.ctx, stranger, payment.id, Money(100), "")
    assert await refused(asked) == "not_found"
    assert await refused(invoices.void(world.ctx, stranger, payment.invoice_id)) == "not_found"


async def test_a_page_that_is_filled_wrongly_starts_nothing(world: World) -> None:
    invoice = await world.invoice()
    assert await refused(world.started(invoice, email="client@")) == "validation"
    form = world.form()
    unticked = type(form)(**(vars_of(form) | {"consent": False}))
    assert await refused(checkout.start(world.ctx, invoice.token, unticked)) == "validation"
    assert await world.bank_list() == []
