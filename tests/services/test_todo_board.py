"""The to-do board: which items each section lists and why, when they leave, and the reminder."""

from dataclasses import replace
from typing import Any

import pytest

from sigma.domain.accounts.member import Role
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.mail import Mail
from sigma.domain.billing.mail import Status as MailStatus
from sigma.domain.billing.payment import Payment
from sigma.domain.billing.payment import Status as PaymentStatus
from sigma.domain.billing.refund import Refund
from sigma.domain.billing.refund import Status as RefundStatus
from sigma.domain.change import Change
from sigma.domain.messaging.auto_reply import AutoReplySettings
from sigma.domain.messaging.message import Status as MessageStatus
from sigma.domain.money import Money
from sigma.domain.time_units import HOUR_US, MINUTE_US
from sigma.services.billing import invoices, mails, payment_acceptance, payments, refunds
from sigma.services.conversations import inbox
from sigma.services.invoice_cards import auto_reply, todo_board
from sigma.services.invoice_cards.todo_board import MONEY_KINDS, Action, Item, Kind
from sigma.store import changes
from sigma.store.billing import mails as mail_rows
from sigma.store.billing import payments as payment_rows
from sigma.store.billing import refunds as refund_rows
from sigma.store.messaging import messages
from tests.conversation_invoices import (
    get_card,
    issue_and_send,
    issue_invoice,
    open_payment_link,
    pay_invoice,
    start_conversation,
)
from tests.services.actions import member_with_role, refusal_code
from tests.services.board_items import list_items, only_item
from tests.services.test_payment_acceptance import extra_payment
from tests.vk_world import VkWorld
from tests.world import QUESTIONS

pytestmark = pytest.mark.both_databases


async def nonzero_counts(world: VkWorld) -> dict[str, int]:
    """Return the counts above zero, by section."""
    counts_by_kind = await todo_board.counts(world.ctx, world.member)
    return {str(kind): n for kind, n in counts_by_kind.items() if n}


async def add_failed_mail(world: VkWorld, payment: Payment) -> Mail:
    """Store a receipt mail that the mail server refused."""
    ctx = world.ctx
    mail = Mail(
        ctx.new_id("mail", world.shop.id),
        world.shop.id,
        "receipt",
        payment.id,
        payment.id,
        ctx.now_us(),
        number=1 + await _last_mail_number(world, payment),
        status=MailStatus.FAILED,
        recipient_masked="c***@example.net",
        server_reply="550 no such user",
    )
    await changes.commit(ctx.db, Change((mail,)), ctx.now_us())
    return mail


async def _last_mail_number(world: VkWorld, payment: Payment) -> int:
    async with world.ctx.db.read() as tx:
        return await mail_rows.last_number(tx, "receipt", payment.id)


async def add_refund(world: VkWorld, payment: Payment, **fields: Any) -> Refund:
    """Store a refund with these fields; no job is enqueued and the bank is not called."""
    ctx = world.ctx
    refund = Refund(
        id=ctx.new_id("ref", world.shop.id),
        shop_id=world.shop.id,
        payment_id=payment.id,
        invoice_id=payment.invoice_id,
        connection_id=payment.connection_id,
        operation_key=ctx.new_id("op"),
        amount=Money(100),
        status=RefundStatus.PENDING,
        created_at_us=ctx.now_us(),
        created_by=world.member.actor,
    )
    refund = replace(refund, **fields)
    await changes.commit(ctx.db, Change((refund,)), ctx.now_us())
    return refund


async def test_new_shop_has_an_empty_board(vk_world: VkWorld) -> None:
    board = await todo_board.load(vk_world.ctx, vk_world.member, limit=5)
    assert board.sections == []
    assert set(board.counts.values()) == {0}


async def test_unanswered_conversations_are_ordered_by_waiting_time(vk_world: VkWorld) -> None:
    first_client, second_client = vk_world.client_id, await vk_world.create_client()
    await vk_world.write_as_client("Первый", first_client)
    await vk_world.poll_events()
    await vk_world.advance_clocks(minutes=3)
    await vk_world.write_as_client("Второй", second_client)
    await vk_world.poll_events()
    await vk_world.advance_clocks(minutes=3)
    await vk_world.write_as_client("Я всё ещё жду", first_client)
    await vk_world.poll_events()
    longest, shortest = await list_items(vk_world, Kind.UNANSWERED)
    assert [longest.preview, shortest.preview] == ["Я всё ещё жду", "Второй"]
    assert shortest.at_us - longest.at_us >= 2 * MINUTE_US
    assert longest.action is Action.ANSWER
    assert longest.client
    assert longest.client.conversation_id == (await vk_world.conversation(first_client)).id


async def test_reply_removes_a_conversation_until_the_next_message(vk_world: VkWorld) -> None:
    await start_conversation(vk_world)
    await vk_world.post_message("Здравствуйте")
    await vk_world.run_jobs()
    assert await nonzero_counts(vk_world) == {}
    await vk_world.advance_clocks(hours=2)
    await start_conversation(vk_world)
    assert vk_world.ctx.now_us() - (await only_item(vk_world, Kind.UNANSWERED)).at_us < HOUR_US
    conversation = await vk_world.conversation()
    await inbox.mark_answered(vk_world.ctx, vk_world.member, conversation.id)
    assert await nonzero_counts(vk_world) == {}


async def test_auto_reply_keeps_the_conversation_unanswered(vk_world: VkWorld) -> None:
    await auto_reply.save_settings(vk_world.ctx, vk_world.member, AutoReplySettings(enabled=True))
    await vk_world.write_as_client("Есть место\nв субботу?")
    await vk_world.poll_events()
    assert (await vk_world.conversation()).is_last_outgoing
    assert (await only_item(vk_world, Kind.UNANSWERED)).preview == "Есть место в субботу?"


async def test_card_moves_from_unopened_to_opened_to_paid(vk_world: VkWorld) -> None:
    invoice = await issue_and_send(vk_world)
    item = await only_item(vk_world, Kind.UNOPENED)
    assert (item.invoice_number, item.title, item.amount) == (
        invoice.number,
        "Маникюр",
        invoice.amount,
    )
    assert item.action is Action.REMIND
    await open_payment_link(vk_world, invoice)
    assert await nonzero_counts(vk_world) == {"opened": 1}
    assert (await only_item(vk_world, Kind.OPENED)).action is Action.REMIND
    payment = await pay_invoice(vk_world, invoice)
    await vk_world.run_jobs()
    assert await nonzero_counts(vk_world) == {"paid": 1}
    paid = await only_item(vk_world, Kind.PAID)
    assert (paid.action, paid.payment_id, paid.client is not None) == (
        Action.PAYMENT,
        payment.id,
        True,
    )
    vk_world.clock.advance(hours=25)
    assert await nonzero_counts(vk_world) == {}


async def test_void_and_expired_invoices_leave_the_board(vk_world: VkWorld) -> None:
    soon = vk_world.ctx.now_us() + HOUR_US
    void, late = await issue_and_send(vk_world), await issue_invoice(vk_world, expires_at_us=soon)
    await vk_world.run_jobs()
    assert await nonzero_counts(vk_world) == {"unopened": 2}
    await invoices.void(vk_world.ctx, vk_world.member, void.id)
    assert (await only_item(vk_world, Kind.UNOPENED)).invoice_number == late.number
    vk_world.clock.advance(hours=2)
    assert await nonzero_counts(vk_world) == {}


async def test_payment_without_a_conversation_is_listed_without_a_client(vk_world: VkWorld) -> None:
    payment = await vk_world.complete_payment()
    item = await only_item(vk_world, Kind.PAID)
    assert (item.client, item.payment_id, item.title) == (None, payment.id, "Маникюр")


async def test_card_shows_a_pending_payment_or_a_failed_message(vk_world: VkWorld) -> None:
    invoice = await issue_and_send(vk_world)
    await open_payment_link(vk_world, invoice)
    payment = await vk_world.start_payment(invoice)
    assert (await only_item(vk_world, Kind.OPENED)).status == "pending"
    await vk_world.pay(payment, card="5555555555554600")
    card = await get_card(vk_world, invoice)
    assert card.message_id is not None
    async with vk_world.ctx.db.write() as tx:
        message = await messages.get(tx, card.message_id)
        assert message is not None
        lost = replace(message, status=MessageStatus.FAILED, failure="917")
        await changes.write(tx, Change((lost,)), vk_world.ctx.now_us())
    assert (await only_item(vk_world, Kind.OPENED)).status == "lost"


async def test_authorized_payment_offers_no_reminder(vk_world: VkWorld) -> None:
    invoice = await issue_and_send(vk_world)
    payment = await vk_world.start_payment(invoice)
    async with vk_world.ctx.db.write() as tx:
        stored = await payment_rows.get(tx, payment.id)
        assert stored is not None
        held = replace(stored, status=PaymentStatus.AUTHORIZED)
        await changes.write(tx, Change((held,)), vk_world.ctx.now_us())
    item = await only_item(vk_world, Kind.UNOPENED)
    assert (item.action, item.payment_id, item.status) == (Action.PAYMENT, payment.id, "authorized")


async def test_failed_mail_is_listed_until_it_is_resent_or_expires(vk_world: VkWorld) -> None:
    payment = await pay_invoice(vk_world, await issue_and_send(vk_world, questions=QUESTIONS))
    await vk_world.run_jobs()
    assert Kind.MAIL not in await nonzero_counts(vk_world)
    await add_failed_mail(vk_world, payment)
    item = await only_item(vk_world, Kind.MAIL)
    assert (item.action, item.payment_id) == (Action.MAIL, payment.id)
    assert (item.status, item.detail) == ("550 no such user", "c***@example.net")
    await mails.resend(vk_world.ctx, vk_world.member, payment.id)
    assert Kind.MAIL not in await nonzero_counts(vk_world)
    await add_failed_mail(vk_world, payment)
    vk_world.clock.advance(days=31)
    assert await nonzero_counts(vk_world) == {}


@pytest.mark.parametrize(
    ("fields", "age_us", "note"),
    [
        ({}, 59 * MINUTE_US, ""),
        ({}, 61 * MINUTE_US, "pending"),
        ({"is_outcome_unknown": True}, 0, "unknown"),
        ({"status": RefundStatus.FAILED, "failure": "insufficient_funds"}, 0, "failed"),
        ({"status": RefundStatus.SUCCEEDED}, 61 * MINUTE_US, ""),
    ],
)
async def test_slow_unknown_and_failed_refunds_are_listed(
    vk_world: VkWorld, fields: dict[str, Any], age_us: int, note: str
) -> None:
    payment = await vk_world.complete_payment()
    await add_refund(vk_world, payment, created_at_us=vk_world.ctx.now_us() - age_us, **fields)
    items = await list_items(vk_world, Kind.REFUND)
    assert [item.status for item in items] == ([note] if note else [])
    assert all(item.action is Action.REFUND and item.payment_id == payment.id for item in items)


async def test_failed_refund_leaves_the_board_when_another_is_requested(vk_world: VkWorld) -> None:
    payment = await vk_world.complete_payment()
    failed = await add_refund(vk_world, payment, status=RefundStatus.FAILED)
    assert (await only_item(vk_world, Kind.REFUND)).id == failed.id
    second = await refunds.request(vk_world.ctx, vk_world.member, payment.id, Money(100), "")
    assert await list_items(vk_world, Kind.REFUND) == []
    await vk_world.run_jobs()
    async with vk_world.ctx.db.read() as tx:
        stored = await refund_rows.get(tx, second.id)
    assert stored
    assert stored.status is RefundStatus.SUCCEEDED


async def test_payments_wait_for_a_decision_until_somebody_makes_it(vk_world: VkWorld) -> None:
    ctx, member = vk_world.ctx, vk_world.member
    _, extra = await extra_payment(vk_world)
    _, other = await extra_payment(vk_world)
    voided = await vk_world.create_invoice()
    late = await vk_world.start_payment(voided)
    await invoices.void(ctx, member, voided.id)
    await vk_world.pay(late)
    await payments.advance(ctx, late.id)
    items = await list_items(vk_world, Kind.ATTENTION)
    assert [(item.payment_id, item.status, item.action) for item in items] == [
        (late.id, "voided", Action.REFUND_ALL),
        (other.id, "extra", Action.DECIDE),
        (extra.id, "extra", Action.DECIDE),
    ]
    viewer = member_with_role(vk_world, Role.VIEWER)
    board = await todo_board.load(ctx, viewer, Kind.ATTENTION, limit=2)
    assert {item.action for item in board.sections[0].items} == {Action.PAYMENT}
    cursor = board.sections[0].next_cursor
    below = await todo_board.load(ctx, viewer, Kind.ATTENTION, limit=2, cursor=cursor)
    assert [item.payment_id for item in below.sections[0].items] == [extra.id]
    await payment_acceptance.accept(ctx, member, extra.id)
    await payment_acceptance.refund_all(ctx, member, late.id)
    await refunds.request(ctx, member, other.id, Money(100), "")
    assert await list_items(vk_world, Kind.ATTENTION) == []
    await vk_world.run_jobs()
    left = await only_item(vk_world, Kind.ATTENTION)  # a part of it is refunded
    assert (left.payment_id, left.action) == (other.id, Action.PAYMENT)


async def test_payment_to_decide_about_is_not_listed_for_delivery(vk_world: VkWorld) -> None:
    invoice = await vk_world.create_invoice()
    pair = [await vk_world.start_payment(invoice, payer=name) for name in ("a", "b")]
    for payment in pair:
        await vk_world.pay(payment)
        await payments.advance(vk_world.ctx, payment.id)
    item = await only_item(vk_world, Kind.ATTENTION)
    assert (item.payment_id, item.status) == (pair[1].id, "extra")
    assert item.action is Action.DECIDE
    assert (await only_item(vk_world, Kind.PAID)).payment_id == pair[0].id
    await payment_acceptance.accept(vk_world.ctx, vk_world.member, pair[1].id)
    assert await list_items(vk_world, Kind.ATTENTION) == []
    assert len(await list_items(vk_world, Kind.PAID)) == 2


async def test_fully_refunded_payment_is_not_listed_for_delivery(vk_world: VkWorld) -> None:
    payment = await vk_world.complete_payment()
    await refunds.request(vk_world.ctx, vk_world.member, payment.id, Money(100_00), "")
    assert (await only_item(vk_world, Kind.PAID)).payment_id == payment.id, "a part is left"
    rest = Money(payment.amount.minor - 100_00)
    await refunds.request(vk_world.ctx, vk_world.member, payment.id, rest, "")
    assert await list_items(vk_world, Kind.PAID) == [], "the refund is still pending"
    await vk_world.run_jobs()
    assert await list_items(vk_world, Kind.PAID) == []


async def test_viewer_sees_payments_and_mails_without_clients(vk_world: VkWorld) -> None:
    viewer = member_with_role(vk_world, Role.VIEWER)
    payment = await pay_invoice(vk_world, await issue_and_send(vk_world))
    await add_failed_mail(vk_world, payment)
    await start_conversation(vk_world)
    board = await todo_board.load(vk_world.ctx, viewer, limit=5)
    assert tuple(board.counts) == MONEY_KINDS
    paid, mail = board.sections
    assert [paid.kind, mail.kind] == [Kind.PAID, Kind.MAIL]
    assert {item.client for section in board.sections for item in section.items} == {None}
    assert mail.items[0].action is Action.PAYMENT, "a viewer cannot resend the mail"
    for kind in (Kind.UNANSWERED, Kind.UNOPENED, Kind.OPENED):
        assert (
            await refusal_code(todo_board.load(vk_world.ctx, viewer, kind, limit=5)) == "forbidden"
        )


async def test_pages_of_a_section_have_no_gaps_and_no_repeats(vk_world: VkWorld) -> None:
    invoice = await issue_and_send(vk_world)
    conversation = await vk_world.conversation()
    now_us = vk_world.ctx.now_us()
    copies = [
        replace(
            conversation,
            id=vk_world.ctx.new_id("cnv", vk_world.shop.id),
            peer_id=10_000 + n,
            is_unanswered=True,
            waiting_since_us=now_us - n // 2,  # pairs share one time, so the cursor must break ties
            version=0,
        )
        for n in range(23)
    ]
    await changes.commit(vk_world.ctx.db, Change(tuple(copies)), now_us)
    await _add_unknown_refunds(vk_world, invoice)
    for kind, total in ((Kind.UNANSWERED, 23), (Kind.REFUND, 7)):
        listed: list[Item] = []
        cursor: str | None = None
        while True:
            board = await todo_board.load(
                vk_world.ctx, vk_world.member, kind, limit=5, cursor=cursor
            )
            listed += board.sections[0].items
            cursor = board.sections[0].next_cursor
            if cursor is None:
                break
        assert len({item.id for item in listed}) == len(listed) == total
        times = [item.at_us for item in listed]
        assert times == sorted(times, reverse=kind is Kind.REFUND)


async def _add_unknown_refunds(world: VkWorld, invoice: Invoice) -> None:
    payment = await pay_invoice(world, invoice)
    for _ in range(7):
        await add_refund(world, payment, is_outcome_unknown=True)


async def test_another_shop_sees_no_items_and_cannot_remind(vk_world: VkWorld) -> None:
    invoice = await issue_and_send(vk_world)
    card = await get_card(vk_world, invoice)
    other_shop = replace(vk_world.shop, id=vk_world.ctx.new_id("shp"), slug=None, version=0)
    await changes.commit(vk_world.ctx.db, Change((other_shop,)), vk_world.ctx.now_us())
    stranger = replace(member_with_role(vk_world, Role.OWNER), shop_id=other_shop.id)
    assert set((await todo_board.counts(vk_world.ctx, stranger)).values()) == {0}
    assert await refusal_code(todo_board.remind(vk_world.ctx, stranger, card.id)) == "not_found"
