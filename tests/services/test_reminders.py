"""Reminders of unpaid invoices, sent from the to-do board."""

import asyncio

import pytest

from sigma.domain.accounts.member import Role
from sigma.services.invoice_cards import todo_board
from sigma.services.invoice_cards.todo_board import Action, Kind
from tests.conversation_invoices import (
    get_card,
    issue_and_send,
    pay_invoice,
    start_conversation,
)
from tests.services.actions import member_with_role, refusal_code
from tests.services.board_items import change_conversation, only_item
from tests.vk_world import VkWorld

pytestmark = pytest.mark.both_databases


async def test_reminder_is_sent_once_a_day(vk_world: VkWorld) -> None:
    invoice = await issue_and_send(vk_world)
    card = await get_card(vk_world, invoice)
    reminders = (todo_board.remind(vk_world.ctx, vk_world.member, card.id) for _ in range(3))
    assert sorted(await asyncio.gather(*reminders)) == [False, False, True]
    await vk_world.run_jobs()
    texts = await vk_world.vk_texts()
    assert texts[-1].startswith("Напоминаем: счёт «Маникюр» на 1\xa0500,00\xa0₽ ждёт оплаты.")
    assert f"/i/{invoice.token}?d=" in texts[-1]
    assert (await only_item(vk_world, Kind.UNOPENED)).reminded_at_us is not None
    await vk_world.advance_clocks(days=1)
    assert (await only_item(vk_world, Kind.UNOPENED)).reminded_at_us is None
    assert await todo_board.remind(vk_world.ctx, vk_world.member, card.id)
    await vk_world.run_jobs()
    assert len(await vk_world.vk_texts()) == len(texts) + 1


async def test_reminder_does_not_count_as_a_reply(vk_world: VkWorld) -> None:
    invoice = await issue_and_send(vk_world)
    await start_conversation(vk_world)
    before = await only_item(vk_world, Kind.UNANSWERED)
    paused = (await vk_world.conversation()).handled_by_operator
    await todo_board.remind(vk_world.ctx, vk_world.member, (await get_card(vk_world, invoice)).id)
    await vk_world.run_jobs()
    after = await vk_world.conversation()
    assert (after.is_unanswered, after.unread_count, after.handled_by_operator) == (True, 1, paused)
    assert (await only_item(vk_world, Kind.UNANSWERED)).at_us == before.at_us


async def test_reminder_is_refused_when_blocked_forbidden_or_paid(vk_world: VkWorld) -> None:
    invoice = await issue_and_send(vk_world)
    card = await get_card(vk_world, invoice)
    await change_conversation(vk_world, blocked_reason="901")
    item = await only_item(vk_world, Kind.UNOPENED)
    assert item.action is Action.ANSWER
    assert item.client
    assert item.client.blocked_reason == "901"
    reminding = todo_board.remind(vk_world.ctx, vk_world.member, card.id)
    assert await refusal_code(reminding) == "cannot_write"
    await change_conversation(vk_world, blocked_reason="")
    viewer = member_with_role(vk_world, Role.VIEWER)
    assert await refusal_code(todo_board.remind(vk_world.ctx, viewer, card.id)) == "forbidden"
    await pay_invoice(vk_world, invoice)
    reminding = todo_board.remind(vk_world.ctx, vk_world.member, card.id)
    assert await refusal_code(reminding) == "invoice_already_paid"
