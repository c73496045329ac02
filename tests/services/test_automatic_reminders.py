"""Automatic reminders on the wire: the sandbox VK and a real SMTP server."""

import asyncio
import re
from dataclasses import replace
from typing import Any

import pytest

from sigma.domain.accounts.quota import Quotas
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.mail import Status as MailStatus
from sigma.domain.change import Change
from sigma.domain.errors import RefusedError
from sigma.domain.messaging.message import CANCELED_FAILURE
from sigma.domain.messaging.message import Status as MessageStatus
from sigma.domain.reminders.reminder import ReminderKind, ReminderSettings
from sigma.domain.time_units import DAY_US, HOUR_US
from sigma.services.accounts import installation
from sigma.services.accounts.installation import Administrator
from sigma.services.billing import invoice_mails, invoices, mails, payments
from sigma.services.checkout import checkout
from sigma.services.communities import event_intake
from sigma.services.conversations import delivery
from sigma.services.invoice_cards import cards, reminders, todo_board
from sigma.services.reminders import facts, stops
from sigma.services.reminders import settings as reminder_settings
from sigma.store import changes
from sigma.store.billing import invoices as invoice_rows
from sigma.store.billing import reminders as reminder_rows
from tests.conversation_invoices import (
    get_card,
    issue_and_send,
    issue_invoice,
    open_payment_link,
    pay_invoice,
    start_conversation,
)
from tests.services.actions import list_mails, refusal_code
from tests.services.board_items import change_conversation
from tests.vk_world import VkWorld

pytestmark = pytest.mark.both_databases
ALL_ON = ReminderSettings(opened=True, expires=True, rest=True)
TEXT = "Напоминаем: счёт «Маникюр» на 1\xa0500,00\xa0₽ ждёт оплаты."


async def at_noon(world: VkWorld) -> None:
    """Move the clocks to 12:00 in Moscow, within the hours of reminders."""
    world.clock.stop()
    past_us = (world.ctx.now_us() + 3 * HOUR_US) % DAY_US
    await world.advance_clocks(hours=((12 * HOUR_US - past_us) % DAY_US) / HOUR_US)


async def opened_invoice(world: VkWorld, **more: Any) -> Invoice:
    """Issue an invoice whose client has opened the link a day ago, at noon."""
    await at_noon(world)
    await reminder_settings.save(world.ctx, world.member, ALL_ON)
    invoice = await issue_and_send(world, **more)
    await world.advance_clocks(minutes=1)
    await open_payment_link(world, invoice)
    await world.advance_clocks(days=1, minutes=1)
    return invoice


async def reminded_texts(world: VkWorld) -> list[str]:
    """Return the automatic reminders that VK has."""
    return [text for text in await world.vk_texts() if "Больше не напоминать" in text]


async def queue_reminder(world: VkWorld, invoice: Invoice) -> str:
    """Decide that a reminder is due; its message is not sent yet. Returns the message's id."""
    await reminders.remind(world.ctx, invoice.id)
    async with world.ctx.db.read() as tx:
        (reminder,) = await reminder_rows.list_for_invoice(tx, invoice.id)
    assert reminder.kind is ReminderKind.OPENED
    return reminder.message_id


async def test_opened_invoice_is_reminded_of_once_in_the_conversation(vk_world: VkWorld) -> None:
    invoice = await opened_invoice(vk_world)
    await vk_world.run_jobs()
    (text,) = await reminded_texts(vk_world)
    assert text.startswith(TEXT)
    assert f"/i/{invoice.token}?d=" in text
    assert "/stop/" in text
    events = {event.kind for event in (await _timeline(vk_world, invoice))}
    assert "invoice.reminded_conversation_opened" in events
    # An operator's button and a repeated job find the same message of today.
    card = await get_card(vk_world, invoice)
    assert not await todo_board.remind(vk_world.ctx, vk_world.member, card.id)
    await asyncio.gather(*(reminders.remind(vk_world.ctx, invoice.id) for _ in range(3)))
    await vk_world.advance_clocks(days=2)
    await vk_world.run_jobs()
    assert len(await reminded_texts(vk_world)) == 1


async def _timeline(world: VkWorld, invoice: Invoice) -> list[Any]:
    return (await invoices.timeline(world.ctx, world.member, invoice.id)).data


async def test_nothing_is_sent_while_the_switches_are_off(vk_world: VkWorld) -> None:
    invoice = await opened_invoice(vk_world)
    await reminder_settings.save(vk_world.ctx, vk_world.member, ReminderSettings())
    await vk_world.run_jobs()
    assert await reminders.remind(vk_world.ctx, invoice.id) is None
    assert await reminded_texts(vk_world) == []


@pytest.mark.parametrize("obstacle", ["writes", "stops", "pays", "silenced", "paying", "blocked"])
async def test_reminder_is_canceled(vk_world: VkWorld, obstacle: str) -> None:
    """Both before the decision and while the message waits for VK."""
    world = vk_world
    invoice = await opened_invoice(world)
    message_id = await queue_reminder(world, invoice)
    if obstacle in ("writes", "stops"):
        await world.write_as_client("стоп" if obstacle == "stops" else "Заплачу вечером")
        for event in await world.take_events():
            await world.deliver_callback(event)
        conversation = await world.conversation()
        key = f"{conversation.connection_id}:peer:{conversation.peer_id}"
        await event_intake.process_conversation(world.ctx, key)
    elif obstacle == "pays":
        await pay_invoice(world, invoice)
    elif obstacle == "paying":
        await checkout.start(world.ctx, invoice.token, world.pay_form("client"))
    elif obstacle == "silenced":
        await reminder_settings.set_silenced(world.ctx, world.member, invoice.id, is_silenced=True)
    else:
        await change_conversation(world, blocked_reason="901")
    await delivery.send(world.ctx, message_id)
    message = next(one for one in await world.messages() if one.id == message_id)
    assert message.status is MessageStatus.FAILED
    assert message.failure == ("901" if obstacle == "blocked" else CANCELED_FAILURE)
    assert await reminded_texts(world) == []


async def test_reminder_that_waits_over_the_night_is_not_sent(vk_world: VkWorld) -> None:
    invoice = await opened_invoice(vk_world)
    message_id = await queue_reminder(vk_world, invoice)
    await vk_world.advance_clocks(hours=10)
    await delivery.send(vk_world.ctx, message_id)
    assert await reminded_texts(vk_world) == []


async def test_client_whom_vk_refuses_is_not_written_to(vk_world: VkWorld) -> None:
    invoice = await opened_invoice(vk_world)
    await change_conversation(vk_world, blocked_reason="901")
    assert await reminders.remind(vk_world.ctx, invoice.id) is None
    await vk_world.run_jobs()
    assert await reminded_texts(vk_world) == []


async def test_reminder_never_follows_a_payment_that_is_settled_at_the_same_time(
    vk_world: VkWorld,
) -> None:
    """Whoever gets the invoice's lock first: a reminder is written before the payment or never.

    VK gets no reminder either way: its delivery takes the lock again.
    """
    world = vk_world
    for round_number in range(4):
        world.client_id = await world.create_client()
        invoice = await opened_invoice(world)
        payment = await checkout.start(world.ctx, invoice.token, world.pay_form(f"p{round_number}"))
        await world.pay(payment)
        await asyncio.gather(
            payments.advance(world.ctx, payment.id), reminders.remind(world.ctx, invoice.id)
        )
        await world.run_jobs()
        assert await reminded_texts(world) == []


async def test_decision_and_settlement_wait_for_each_other(vk_world: VkWorld) -> None:
    """The decision is made under the lock that settles payments.

    A payment that is settled between the first look and the lock ends the reminder: without the
    second look, or without the lock, a message would be written.
    """
    world = vk_world
    invoice = await opened_invoice(world)
    locked, settled = asyncio.Event(), asyncio.Event()

    async def settle() -> None:
        async with world.ctx.db.write() as tx:
            row = await invoice_rows.lock(tx, invoice.id)
            locked.set()
            await asyncio.wait_for(settled.wait(), 10)
            paid = replace(row, status=type(row.status).PAID, paid_count=1)
            await changes.write(tx, Change((paid,)), world.ctx.now_us())

    settling = asyncio.create_task(settle())
    await locked.wait()
    reminding = asyncio.create_task(reminders.remind(world.ctx, invoice.id))
    # With the lock it cannot end here, however long it is waited for; without it, it writes.
    await asyncio.wait([reminding], timeout=1)
    settled.set()
    await asyncio.gather(settling, reminding)
    async with world.ctx.db.read() as tx:
        assert await reminder_rows.list_for_invoice(tx, invoice.id) == []
    assert await reminded_texts(world) == []


async def mailed_invoice(world: VkWorld, address: str, **more: Any) -> Invoice:
    """Send an invoice by e-mail at noon; its letter has arrived."""
    await at_noon(world)
    await reminder_settings.save(world.ctx, world.member, ALL_ON)
    invoice = await world.create_invoice(**more)
    await invoice_mails.send(world.ctx, world.member, invoice.id, address)
    await world.run_jobs()
    return invoice


async def open_letter(world: VkWorld, invoice: Invoice, letter: dict[str, Any]) -> None:
    """Open the link of a letter as its reader."""
    match = re.search(rf"/i/{invoice.token}\?d=([\w-]{{24}})", letter["text"])
    assert match, letter["text"]
    await cards.mark_opened(world.ctx, invoice.token, match[1], "")


async def test_invoice_arrives_by_mail_and_is_reminded_of(vk_world: VkWorld) -> None:
    world, address = vk_world, f"reader-{vk_world.account}@example.net"
    invoice = await mailed_invoice(world, f" <{address}> ")
    (letter,) = await list_mails(world, address)
    assert letter["subject"] == "Счёт на 1\xa0500,00\xa0₽: Маникюр"
    for part in ("Маникюр", "1\xa0500,00", "Проверкин", f"/i/{invoice.token}?d=", "/stop/"):
        assert part in letter["text"]
        assert part in letter["html"]
    headers = letter["headers"]
    assert re.fullmatch(
        r"<http://127\.0\.0\.1:8000/stop/shp_\w+/[0-9a-f]{40}/[\w-]{24}>",
        headers["List-Unsubscribe"],
    )
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    await open_letter(world, invoice, letter)
    await world.advance_clocks(days=1, minutes=1)
    await world.run_jobs()
    newest, _ = await list_mails(world, address)
    assert newest["subject"].startswith("Счёт на 1\xa0500,00\xa0₽ ждёт оплаты")
    (sent,) = await invoice_mails.list_for_invoice(world.ctx, world.member, invoice.id)
    assert [mail.status for mail in sent.mails] == [MailStatus.SENT, MailStatus.SENT]
    assert sent.address == address
    assert sent.recipient.opened_at_us is not None


async def test_letters_are_not_sent_after_the_payment(vk_world: VkWorld) -> None:
    world, address = vk_world, f"reader-{vk_world.account}@example.net"
    invoice = await mailed_invoice(world, address)
    (letter,) = await list_mails(world, address)
    await open_letter(world, invoice, letter)
    await world.advance_clocks(days=1, minutes=1)
    await reminders.remind(world.ctx, invoice.id)
    again = await invoice_mails.send(world.ctx, world.member, invoice.id, address)
    await pay_invoice(world, invoice)
    await world.run_jobs()
    assert len(await list_mails(world, address)) == 1
    (sent,) = await invoice_mails.list_for_invoice(world.ctx, world.member, invoice.id)
    assert {mail.status for mail in sent.mails[1:]} == {MailStatus.CANCELED}
    assert await mails.send(world.ctx, again.id) is None
    sending = invoice_mails.send(world.ctx, world.member, invoice.id, address)
    assert await refusal_code(sending) == "invoice_already_paid"


async def test_stop_link_ends_letters_and_survives(vk_world: VkWorld) -> None:
    world, address = vk_world, f"reader-{vk_world.account}@example.net"
    invoice = await mailed_invoice(world, address)
    (letter,) = await list_mails(world, address)
    link = letter["headers"]["List-Unsubscribe"].strip("<>").split("/")[-3:]
    await open_letter(world, invoice, letter)
    await world.advance_clocks(days=1, minutes=1)
    await reminders.remind(world.ctx, invoice.id)  # the letter waits
    await stops.stop(world.ctx, *link)
    await world.run_jobs()
    assert len(await list_mails(world, address)) == 1
    other = await world.create_invoice()
    sending = invoice_mails.send(world.ctx, world.member, other.id, address.upper())
    assert await refusal_code(sending) == "mail_stopped"
    with pytest.raises(RefusedError):
        await stops.stop(world.ctx, link[0], link[1], "A" * 24)
    await stops.stop(world.ctx, *link, is_stopped=False)
    await invoice_mails.send(world.ctx, world.member, other.id, address)


async def test_stop_word_ends_reminders_of_every_invoice(vk_world: VkWorld) -> None:
    await start_conversation(vk_world)
    await vk_world.write_as_client("Стоп")
    await vk_world.poll_events()
    invoice = await opened_invoice(vk_world)
    # issue_and_send lets the client write again: only the word counts.
    assert await reminders.remind(vk_world.ctx, invoice.id) is None
    card = await get_card(vk_world, invoice)
    reminding = todo_board.remind(vk_world.ctx, vk_world.member, card.id)
    assert await refusal_code(reminding) == "reminders_stopped"


async def sent_invoice(world: VkWorld, **more: Any) -> Invoice:
    """Issue an invoice a minute after its client has written, at noon."""
    await at_noon(world)
    await reminder_settings.save(world.ctx, world.member, ALL_ON)
    await start_conversation(world)
    await world.advance_clocks(minutes=1)
    invoice = await issue_invoice(world, **more)
    await world.run_jobs()
    return invoice


async def test_expiry_is_reminded_of_on_the_day_before(vk_world: VkWorld) -> None:
    expires_at_us = vk_world.ctx.now_us() + 4 * DAY_US
    await sent_invoice(vk_world, expires_at_us=expires_at_us)
    for _ in range(5):
        await vk_world.advance_clocks(days=1)
        await vk_world.run_jobs()
    (text,) = await reminded_texts(vk_world)
    assert "можно оплатить до" in text


async def test_rest_is_reminded_of_three_days_after_a_payment(vk_world: VkWorld) -> None:
    # The bank's clock is not moved: the payment comes before the clocks are.
    await reminder_settings.save(vk_world.ctx, vk_world.member, ALL_ON)
    invoice = await issue_and_send(vk_world, max_payments=3)
    await pay_invoice(vk_world, invoice)
    await vk_world.run_jobs()
    await at_noon(vk_world)
    await vk_world.advance_clocks(days=2)
    await vk_world.run_jobs()
    assert await reminded_texts(vk_world) == []
    await vk_world.advance_clocks(days=2)
    await vk_world.run_jobs()
    (text,) = await reminded_texts(vk_world)
    assert "Осталось доплатить 3\xa0000,00\xa0₽" in text


async def test_shared_link_that_somebody_has_paid_is_not_reminded_of(vk_world: VkWorld) -> None:
    """Who of two clients has paid from an unknown browser cannot be told apart."""
    invoice = await sent_invoice(vk_world, max_payments=None)
    await open_payment_link(vk_world, invoice)
    first = vk_world.client_id
    vk_world.client_id = await vk_world.create_client()
    await start_conversation(vk_world)
    conversation = await vk_world.conversation()
    await cards.send_invoice(vk_world.ctx, vk_world.member, conversation.id, invoice.id)
    await pay_invoice(vk_world, invoice, payer="somebody")
    await vk_world.advance_clocks(days=1, minutes=1)
    await vk_world.run_jobs()
    vk_world.client_id = first
    assert await reminded_texts(vk_world) == []


async def test_reminder_above_the_quota_of_messages_is_sent_when_there_is_room(
    vk_world: VkWorld,
) -> None:
    await opened_invoice(vk_world)
    admin = Administrator(vk_world.member.actor)
    await installation.set_quotas(vk_world.ctx, admin, vk_world.shop.id, Quotas(messages_per_day=0))
    await vk_world.run_jobs()
    assert await reminded_texts(vk_world) == []
    await installation.set_quotas(vk_world.ctx, admin, vk_world.shop.id, Quotas())
    await vk_world.advance_clocks(hours=1)
    await vk_world.run_jobs()
    assert len(await reminded_texts(vk_world)) == 1


async def test_attempt_reads_only_the_client_whom_it_is_for(vk_world: VkWorld) -> None:
    """A link may have been sent to hundreds: each attempt must not read all under its lock."""
    other_id = await vk_world.create_client()
    await start_conversation(vk_world, other_id)
    invoice = await opened_invoice(vk_world, max_payments=None)
    other = await vk_world.conversation(other_id)
    await cards.send_invoice(vk_world.ctx, vk_world.member, other.id, invoice.id)
    await vk_world.run_jobs()
    for client_id in (0, other_id):
        card = await get_card(vk_world, invoice, client_id)
        async with vk_world.ctx.db.write() as tx:
            locked = await invoice_rows.lock(tx, invoice.id)
            every = await facts.load(vk_world.ctx, tx, locked, vk_world.shop)
            only = await facts.load(vk_world.ctx, tx, locked, vk_world.shop, card.id)
        assert [one.facts for one in only] == [one.facts for one in every if one.id == card.id]
        assert (len(every), len(only)) == (2, 1)
