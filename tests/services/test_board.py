"""Who waits for whom: what stands on the board and why, what leaves it, and the reminder."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from sigma.domain.accounts.member import Role
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.mail import Mail
from sigma.domain.billing.mail import Status as MailStatus
from sigma.domain.billing.payment import Payment
from sigma.domain.billing.refund import Refund
from sigma.domain.billing.refund import Status as RefundStatus
from sigma.domain.change import Change
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.money import Money
from sigma.services.billing import invoices, mails, refunds
from sigma.services.context import HOUR, MINUTE
from sigma.services.conversations import inbox
from sigma.services.invoice_cards import auto_reply, todo_board
from sigma.services.invoice_cards.auto_reply import AutoAnswers
from sigma.services.invoice_cards.todo_board import MONEY, Act, Group, Line
from sigma.store import changes
from sigma.store.billing import mails as mail_rows
from sigma.store.billing import payments as payment_rows
from sigma.store.billing import refunds as refund_rows
from sigma.store.messaging import conversations
from tests.dialog_money import card_of, greeted, in_dialog, issued, opens, pays
from tests.services.acts import as_role, refused
from tests.vk_world import VkWorld
from tests.world import ASK


async def lines(world: VkWorld, group: Group, **more: Any) -> list[Line]:
    """One part of the board as the owner sees it."""
    found = await todo_board.view(world.ctx, world.member, group, limit=50, **more)
    (part,) = found.parts
    assert found.counts[group] == len(part.lines) or more
    return part.lines


async def counts(world: VkWorld) -> dict[str, int]:
    """What is counted on the first page, where there is something."""
    found = await todo_board.counts(world.ctx, world.member)
    return {str(group): n for group, n in found.items() if n}


async def change(world: VkWorld, person: int = 0, **facts: Any) -> Conversation:
    """A dialog becomes something else."""
    known = await world.conversation(person)
    async with world.ctx.db.write() as tx:
        locked = await conversations.lock(tx, known.id)
        after = replace(locked, **facts)
        await changes.write(tx, Change((after,)), world.ctx.now())
    return after


async def line_of(world: VkWorld, group: Group) -> Line:
    """The only line of a part."""
    (line,) = await lines(world, group)
    return line


async def failed_mail(world: VkWorld, payment: Payment) -> Mail:
    """The server did not take the letter with the receipt."""
    ctx = world.ctx
    mail = Mail(
        ctx.new_id("mail", world.shop.id),
        world.shop.id,
        "receipt",
        payment.id,
        payment.id,
        ctx.now(),
        number=1 + await _mailed(world, payment),
        status=MailStatus.FAILED,
        to_masked="c***@example.net",
        answer="550 no such user",
    )
    await changes.commit(ctx.db, Change((mail,)), ctx.now())
    return mail


async def _mailed(world: VkWorld, payment: Payment) -> int:
    async with world.ctx.db.read() as tx:
        return await mail_rows.last_number(tx, "receipt", payment.id)


async def asked_back(world: VkWorld, payment: Payment, **facts: Any) -> Refund:
    """Money that is promised back, in some state; nobody asks the bank."""
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
        created_at=ctx.now(),
        created_by=world.member.actor,
    )
    refund = replace(refund, **facts)
    await changes.commit(ctx.db, Change((refund,)), ctx.now())
    return refund


async def test_an_empty_shop_has_an_empty_board(vk_world: VkWorld) -> None:
    found = await todo_board.view(vk_world.ctx, vk_world.member, limit=5)
    assert found.parts == []
    assert set(found.counts.values()) == {0}


async def test_who_waits_longest_comes_first_and_writing_again_is_no_step_back(
    vk_world: VkWorld,
) -> None:
    first, second = vk_world.person, await vk_world.new_person()
    await vk_world.client_writes("Первый", first)
    await vk_world.hear()
    await vk_world.move(minutes=3)
    await vk_world.client_writes("Второй", second)
    await vk_world.hear()
    await vk_world.move(minutes=3)
    await vk_world.client_writes("Я всё ещё жду", first)
    await vk_world.hear()
    one, two = await lines(vk_world, Group.UNANSWERED)
    assert [one.said, two.said] == ["Я всё ещё жду", "Второй"]
    assert two.at - one.at >= 2 * MINUTE
    assert one.act is Act.ANSWER
    assert one.who
    assert one.who.conversation_id == (await vk_world.conversation(first)).id


async def test_an_answer_takes_a_dialog_off_and_the_next_word_begins_anew(
    vk_world: VkWorld,
) -> None:
    await greeted(vk_world)
    await vk_world.write("Здравствуйте")
    await vk_world.work()
    assert await counts(vk_world) == {}
    await vk_world.move(hours=2)
    await greeted(vk_world)
    assert vk_world.ctx.now() - (await line_of(vk_world, Group.UNANSWERED)).at < HOUR
    dialog = await vk_world.conversation()
    await inbox.answer_not_needed(vk_world.ctx, vk_world.member, dialog.id)
    assert await counts(vk_world) == {}


async def test_an_automatic_answer_answers_nobody_and_hides_no_words(vk_world: VkWorld) -> None:
    await auto_reply.save(vk_world.ctx, vk_world.member, AutoAnswers(on=True))
    await vk_world.client_writes("Есть место\nв субботу?")
    await vk_world.hear()
    assert (await vk_world.conversation()).last_out
    assert (await line_of(vk_world, Group.UNANSWERED)).said == "Есть место в субботу?"


async def test_a_sent_link_is_unopened_then_opened_then_paid(vk_world: VkWorld) -> None:
    invoice = await in_dialog(vk_world)
    line = await line_of(vk_world, Group.UNOPENED)
    assert (line.number, line.title, line.amount) == (invoice.number, "Маникюр", invoice.amount)
    assert line.act is Act.REMIND
    await opens(vk_world, invoice)
    assert await counts(vk_world) == {"opened": 1}
    assert (await line_of(vk_world, Group.OPENED)).act is Act.REMIND
    payment = await pays(vk_world, invoice)
    await vk_world.work()
    assert await counts(vk_world) == {"paid": 1}
    paid = await line_of(vk_world, Group.PAID)
    assert (paid.act, paid.payment_id, paid.who is not None) == (Act.PAYMENT, payment.id, True)
    vk_world.clock.move(hours=25)
    assert await counts(vk_world) == {}


async def test_a_link_that_cannot_be_paid_any_more_waits_for_nobody(vk_world: VkWorld) -> None:
    soon = vk_world.ctx.now() + HOUR
    void, late = await in_dialog(vk_world), await issued(vk_world, expires_at=soon)
    await vk_world.work()
    assert await counts(vk_world) == {"unopened": 2}
    await invoices.void(vk_world.ctx, vk_world.member, void.id)
    assert (await line_of(vk_world, Group.UNOPENED)).number == late.number
    vk_world.clock.move(hours=2)
    assert await counts(vk_world) == {}


async def test_a_payment_without_a_dialog_stands_there_by_its_number(vk_world: VkWorld) -> None:
    payment = await vk_world.paid()
    line = await line_of(vk_world, Group.PAID)
    assert (line.who, line.payment_id, line.title) == (None, payment.id, "Маникюр")


async def test_a_declined_try_is_told_and_a_lost_message_too(vk_world: VkWorld) -> None:
    invoice = await in_dialog(vk_world)
    await opens(vk_world, invoice)
    payment = await vk_world.started(invoice)
    assert (await line_of(vk_world, Group.OPENED)).note == "pending"
    await vk_world.pay(payment, card="5555555555554600")
    card = await card_of(vk_world, invoice)
    assert card.message_id is not None
    async with vk_world.ctx.db.write() as tx:
        message = await conversations.message(tx, card.message_id)
        assert message is not None
        lost = replace(message, status="failed", failure="917")
        await changes.write(tx, Change((lost,)), vk_world.ctx.now())
    assert (await line_of(vk_world, Group.OPENED)).note == "lost"


async def test_held_money_is_to_be_taken_not_asked_for(vk_world: VkWorld) -> None:
    invoice = await in_dialog(vk_world)
    payment = await vk_world.started(invoice)
    async with vk_world.ctx.db.write() as tx:
        known = await payment_rows.get(tx, payment.id)
        assert known is not None
        held = replace(known, status="authorized")
        await changes.write(tx, Change((held,)), vk_world.ctx.now())
    line = await line_of(vk_world, Group.UNOPENED)
    assert (line.act, line.payment_id, line.note) == (Act.PAYMENT, payment.id, "authorized")


async def test_a_letter_that_failed_stands_there_until_it_is_sent_again(vk_world: VkWorld) -> None:
    payment = await pays(vk_world, await in_dialog(vk_world, questions=ASK))
    await vk_world.work()
    assert Group.MAIL not in await counts(vk_world)
    await failed_mail(vk_world, payment)
    line = await line_of(vk_world, Group.MAIL)
    assert (line.act, line.payment_id) == (Act.MAIL, payment.id)
    assert (line.note, line.reason) == ("550 no such user", "c***@example.net")
    await mails.resend(vk_world.ctx, vk_world.member, payment.id)
    assert Group.MAIL not in await counts(vk_world)
    await failed_mail(vk_world, payment)
    vk_world.clock.move(days=31)
    assert await counts(vk_world) == {}


@pytest.mark.parametrize(
    ("facts", "age", "note"),
    [
        ({}, 59 * MINUTE, ""),
        ({}, 61 * MINUTE, "pending"),
        ({"unknown": True}, 0, "unknown"),
        ({"status": RefundStatus.FAILED, "failure": "insufficient_funds"}, 0, "failed"),
        ({"status": RefundStatus.SUCCEEDED}, 61 * MINUTE, ""),
    ],
)
async def test_a_refund_is_stuck_when_it_is_slow_lost_or_refused(
    vk_world: VkWorld, facts: dict[str, Any], age: int, note: str
) -> None:
    payment = await vk_world.paid()
    await asked_back(vk_world, payment, created_at=vk_world.ctx.now() - age, **facts)
    found = await lines(vk_world, Group.REFUND)
    assert [line.note for line in found] == ([note] if note else [])
    assert all(line.act is Act.REFUND and line.payment_id == payment.id for line in found)


async def test_a_refused_refund_leaves_when_another_is_asked(vk_world: VkWorld) -> None:
    payment = await vk_world.paid()
    no = await asked_back(vk_world, payment, status=RefundStatus.FAILED)
    assert (await line_of(vk_world, Group.REFUND)).id == no.id
    again = await refunds.request(vk_world.ctx, vk_world.member, payment.id, Money(100), "")
    assert await lines(vk_world, Group.REFUND) == []
    await vk_world.work()
    async with vk_world.ctx.db.read() as tx:
        done = await refund_rows.get(tx, again.id)
    assert done
    assert done.status is RefundStatus.SUCCEEDED


async def test_who_may_not_read_dialogs_sees_money_without_names(vk_world: VkWorld) -> None:
    viewer = as_role(vk_world, Role.VIEWER)
    payment = await pays(vk_world, await in_dialog(vk_world))
    await failed_mail(vk_world, payment)
    await greeted(vk_world)
    found = await todo_board.view(vk_world.ctx, viewer, limit=5)
    assert tuple(found.counts) == MONEY
    paid, mail = found.parts
    assert [paid.group, mail.group] == [Group.PAID, Group.MAIL]
    assert {line.who for part in found.parts for line in part.lines} == {None}
    assert mail.lines[0].act is Act.PAYMENT, "who may not send, looks"
    for group in (Group.UNANSWERED, Group.UNOPENED, Group.OPENED):
        assert await refused(todo_board.view(vk_world.ctx, viewer, group, limit=5)) == "forbidden"


async def test_a_long_list_goes_on_where_it_ended(vk_world: VkWorld) -> None:
    invoice = await in_dialog(vk_world)
    dialog = await vk_world.conversation()
    now = vk_world.ctx.now()
    many = [
        replace(
            dialog,
            id=vk_world.ctx.new_id("dlg", vk_world.shop.id),
            peer_id=10_000 + n,
            unanswered=True,
            waiting_since=now - n // 2,  # two of each moment
            version=0,
        )
        for n in range(23)
    ]
    await changes.commit(vk_world.ctx.db, Change(tuple(many)), now)
    await _refunds_many(vk_world, invoice)
    for group, total in ((Group.UNANSWERED, 23), (Group.REFUND, 7)):
        seen: list[Line] = []
        cursor: str | None = None
        while True:
            found = await todo_board.view(
                vk_world.ctx, vk_world.member, group, limit=5, cursor=cursor
            )
            seen += found.parts[0].lines
            cursor = found.parts[0].next_cursor
            if cursor is None:
                break
        assert len({line.id for line in seen}) == len(seen) == total
        order = [line.at for line in seen]
        assert order == sorted(order, reverse=group is Group.REFUND)


async def _refunds_many(world: VkWorld, invoice: Invoice) -> None:
    payment = await pays(world, invoice)
    for _ in range(7):
        await asked_back(world, payment, unknown=True)


async def test_another_shop_sees_nothing_of_it(vk_world: VkWorld) -> None:
    invoice = await in_dialog(vk_world)
    card = await card_of(vk_world, invoice)
    other = replace(vk_world.shop, id=vk_world.ctx.new_id("shp"), slug=None, version=0)
    await changes.commit(vk_world.ctx.db, Change((other,)), vk_world.ctx.now())
    stranger = replace(as_role(vk_world, Role.OWNER), shop_id=other.id)
    assert set((await todo_board.counts(vk_world.ctx, stranger)).values()) == {0}
    assert await refused(todo_board.remind(vk_world.ctx, stranger, card.id)) == "not_found"


async def test_a_reminder_goes_into_the_dialog_once_a_day(vk_world: VkWorld) -> None:
    invoice = await in_dialog(vk_world)
    card = await card_of(vk_world, invoice)
    both = (todo_board.remind(vk_world.ctx, vk_world.member, card.id) for _ in range(3))
    assert sorted(await asyncio.gather(*both)) == [False, False, True]
    await vk_world.work()
    texts = await vk_world.texts_at_vk()
    assert texts[-1].startswith("Напоминаем: счёт «Маникюр» на 1\xa0500,00\xa0₽ ждёт оплаты.")
    assert f"/i/{invoice.token}?d=" in texts[-1]
    assert (await line_of(vk_world, Group.UNOPENED)).reminded_at is not None
    await vk_world.move(days=1)
    assert (await line_of(vk_world, Group.UNOPENED)).reminded_at is None
    assert await todo_board.remind(vk_world.ctx, vk_world.member, card.id)
    await vk_world.work()
    assert len(await vk_world.texts_at_vk()) == len(texts) + 1


async def test_a_reminder_is_no_answer_to_a_question(vk_world: VkWorld) -> None:
    invoice = await in_dialog(vk_world)
    await greeted(vk_world)
    before = await line_of(vk_world, Group.UNANSWERED)
    hand = (await vk_world.conversation()).by_hand
    await todo_board.remind(vk_world.ctx, vk_world.member, (await card_of(vk_world, invoice)).id)
    await vk_world.work()
    after = await vk_world.conversation()
    assert (after.unanswered, after.unread, after.by_hand) == (True, 1, hand)
    assert (await line_of(vk_world, Group.UNANSWERED)).at == before.at


async def test_who_cannot_be_written_to_is_not_reminded_and_it_is_said_why(
    vk_world: VkWorld,
) -> None:
    invoice = await in_dialog(vk_world)
    card = await card_of(vk_world, invoice)
    await change(vk_world, closed="901")
    line = await line_of(vk_world, Group.UNOPENED)
    assert line.act is Act.ANSWER
    assert line.who
    assert line.who.closed == "901"
    reminding = todo_board.remind(vk_world.ctx, vk_world.member, card.id)
    assert await refused(reminding) == "cannot_write"
    await change(vk_world, closed="")
    viewer = as_role(vk_world, Role.VIEWER)
    assert await refused(todo_board.remind(vk_world.ctx, viewer, card.id)) == "forbidden"
    await pays(vk_world, invoice)
    reminding = todo_board.remind(vk_world.ctx, vk_world.member, card.id)
    assert await refused(reminding) == "invoice_already_paid"
