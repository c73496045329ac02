"""Whatever VK refuses, loses or forbids: the card says in the end what the invoice is."""

from dataclasses import replace

import pytest

from sigma.channels.vk.errors import Later
from sigma.domain.change import Change
from sigma.domain.messaging.card import Face
from sigma.domain.messaging.message import AUTO, Status
from sigma.services.billing import invoices
from sigma.services.communities import communities, event_subscription
from sigma.services.conversations import outbox
from sigma.services.invoice_cards import cards
from sigma.store import changes
from sigma.store.messaging import cards as rows
from sigma_sandbox.vk.actions import outgoing
from tests.dialog_money import (
    SUM,
    card_of,
    greeted,
    in_dialog,
    issued,
    opens,
    ours,
    pays,
    refresh,
    refunds_some,
)
from tests.vk_world import VkWorld


async def test_an_invoice_paid_before_its_message_went_is_sent_as_paid(vk_world: VkWorld) -> None:
    await greeted(vk_world)
    await vk_world.vk_control(vk_error={"on": "messages.send", "value": 9})
    invoice = await issued(vk_world)
    await vk_world.work()
    payment = await pays(vk_world, invoice)
    await vk_world.work()
    assert await ours(vk_world) == []
    await vk_world.vk_control(vk_error=None)
    await vk_world.move(minutes=30)
    await vk_world.work()
    card, receipt = await ours(vk_world)
    assert "Оплачен" in card
    assert payment.token in receipt


async def test_a_message_that_may_be_there_already_is_edited_when_it_is_known(
    vk_world: VkWorld,
) -> None:
    await greeted(vk_world)
    await vk_world.vk_control(vk_cut_answer={"on": "messages.send"})
    invoice = await issued(vk_world)
    await vk_world.work()
    waits = (await vk_world.messages())[-1]
    assert (waits.status, waits.tried_at is not None) == (Status.QUEUED, True)
    await invoices.void(vk_world.ctx, vk_world.member, invoice.id)
    with pytest.raises(Later):
        await cards.refresh(vk_world.ctx, invoice.id)
    await vk_world.vk_control(vk_cut_answer=None)
    await vk_world.move(hours=1)
    await vk_world.work()
    await vk_world.move(hours=1)
    await vk_world.work()
    (card,) = await ours(vk_world)
    assert "Счёт отменён" in card


@pytest.mark.parametrize("trouble", ["vk_http_500", "vk_cut_answer", "vk_cut_request"])
async def test_a_lost_answer_to_an_edit_is_asked_again(vk_world: VkWorld, trouble: str) -> None:
    invoice = await in_dialog(vk_world)
    await vk_world.vk_control(**{trouble: {"on": "messages.edit", "times": 9}})
    await pays(vk_world, invoice)
    await vk_world.work()
    assert (await card_of(vk_world, invoice)).face is Face.ISSUED
    assert len(await ours(vk_world)) == 2, "the receipt does not wait for the card"
    await vk_world.vk_control(**{trouble: None})
    await vk_world.move(minutes=20)
    await vk_world.work()
    said = await ours(vk_world)
    assert len(said) == 2
    assert "Оплачен" in said[0]


@pytest.mark.parametrize("code", [909, 920, 100])
async def test_where_vk_refuses_the_edit_a_new_message_says_it_once(
    vk_world: VkWorld, code: int
) -> None:
    invoice = await in_dialog(vk_world)
    await vk_world.vk_control(vk_error={"on": "messages.edit", "value": code})
    await invoices.void(vk_world.ctx, vk_world.member, invoice.id)
    for _ in range(3):
        await refresh(vk_world, invoice.id)
    said = await ours(vk_world)
    assert len(said) == 2
    assert "Счёт отменён" in said[1]


async def test_after_a_day_the_news_come_in_new_messages_which_are_edited_from_then_on(
    vk_world: VkWorld,
) -> None:
    invoice = await in_dialog(vk_world)
    await vk_world.client_writes("Можно в субботу?")
    await vk_world.hear()
    await vk_world.move(hours=25)
    await opens(vk_world, invoice)
    assert len(await ours(vk_world)) == 1, "that it was opened is no news to the client"
    assert (await card_of(vk_world, invoice)).face is Face.OPENED
    payment = await pays(vk_world, invoice)
    await vk_world.work()
    said = await ours(vk_world)
    assert len(said) == 3
    assert "Оплачен" in said[1]
    assert payment.token in said[2]
    dialog = await vk_world.conversation()
    assert dialog.unanswered, "nobody has answered the client's question"
    assert [one.author for one in (await vk_world.messages())[-2:]] == [AUTO, AUTO]
    await refunds_some(vk_world, payment, SUM)
    said = await ours(vk_world)
    assert len(said) == 3
    assert "Деньги возвращены" in said[1]


async def test_buttons_that_vk_does_not_take_are_left_out_of_an_edit(vk_world: VkWorld) -> None:
    invoice = await in_dialog(vk_world)
    await pays(vk_world, invoice)
    await vk_world.vk_control(vk_error={"on": "messages.edit", "value": 912, "times": 1})
    await vk_world.work()
    card, receipt = (await vk_world.dialog_at_vk())["messages"][-2:]
    assert "Оплачен" in card["text"]
    assert not card.get("keyboard")
    assert "Чек" in receipt["text"]


async def test_a_broken_key_waits_and_goes_on_at_once_when_it_is_mended(
    vk_world: VkWorld,
) -> None:
    invoice = await in_dialog(vk_world)
    await vk_world.vk_test(f"communities/{vk_world.group_id}/revoke")
    payment = await pays(vk_world, invoice)
    await vk_world.work()
    assert (await vk_world.community()).trouble == "5"
    again = await cards.refresh(vk_world.ctx, invoice.id)
    assert again is not None, "it waits as long as it takes"
    assert again > vk_world.ctx.now()
    assert (await card_of(vk_world, invoice)).face is Face.ISSUED
    made = await vk_world.new_key("manage", "messages", "photos")
    await communities.mend(vk_world.ctx, vk_world.member, vk_world.community_id, made)
    await vk_world.work()
    card, receipt = await ours(vk_world)
    assert "Оплачен" in card
    assert payment.token in receipt


async def test_a_community_that_was_disconnected_is_told_when_it_is_connected_again(
    vk_world: VkWorld,
) -> None:
    invoice = await in_dialog(vk_world)
    await communities.disconnect(vk_world.ctx, vk_world.member, vk_world.community_id)
    payment = await pays(vk_world, invoice)
    await vk_world.work()
    assert len(await ours(vk_world)) == 1
    assert await cards.refresh(vk_world.ctx, invoice.id) is not None, "it waits, and is not dead"
    made = await vk_world.new_key("manage", "messages", "photos")
    await communities.connect(vk_world.ctx, vk_world.member, made)
    await vk_world.work()
    card, receipt = await ours(vk_world)
    assert "Оплачен" in card
    assert payment.token in receipt


async def test_trouble_of_one_dialog_does_not_hold_up_another(vk_world: VkWorld) -> None:
    other = await vk_world.new_person()
    await greeted(vk_world, other)
    invoice = await in_dialog(vk_world)
    dialog = await vk_world.conversation(other)
    await cards.show(vk_world.ctx, vk_world.member, dialog.id, invoice.id)
    await vk_world.work()
    await vk_world.vk_control(vk_error={"on": "messages.edit", "value": 9, "times": 1})
    await invoices.void(vk_world.ctx, vk_world.member, invoice.id)
    await vk_world.work()
    said = [(await ours(vk_world))[0], (await ours(vk_world, other))[0]]
    assert ["отменён" in one for one in said] == [False, True]
    await vk_world.move(minutes=11)
    await vk_world.work()
    assert "отменён" in (await ours(vk_world))[0]


async def test_a_closed_dialog_gets_no_message_and_the_invoice_all_the_same(
    vk_world: VkWorld,
) -> None:
    await greeted(vk_world)
    await vk_world.client_does("deny")
    await vk_world.hear()
    invoice = await issued(vk_world)
    card = await card_of(vk_world, invoice)
    assert card.message_id is None
    payment = await pays(vk_world, invoice)
    await vk_world.work()
    assert (await card_of(vk_world, invoice)).face is Face.PAID
    assert await ours(vk_world) == []
    await vk_world.client_writes("Оплатила, а чек?")
    await vk_world.hear()
    (receipt,) = await ours(vk_world)
    assert payment.token in receipt, "what could not be told is told when the dialog is open again"


async def test_an_invoice_that_could_not_be_sent_is_sent_by_the_same_button_later(
    vk_world: VkWorld,
) -> None:
    await greeted(vk_world)
    await vk_world.client_does("deny")
    await vk_world.hear()
    invoice = await issued(vk_world)
    dialog = await vk_world.conversation()
    card = await cards.show(vk_world.ctx, vk_world.member, dialog.id, invoice.id)
    assert card.message_id is None
    await vk_world.client_does("allow")  # Sigma has not heard of it; the right is asked for anew
    card = await cards.show(vk_world.ctx, vk_world.member, dialog.id, invoice.id)
    assert card.message_id is not None
    for _ in range(2):
        await cards.show(vk_world.ctx, vk_world.member, dialog.id, invoice.id)
    await vk_world.work()
    assert len(await ours(vk_world)) == 1


async def test_the_right_to_write_is_looked_at_before_an_invoice_is_issued(
    vk_world: VkWorld,
) -> None:
    await greeted(vk_world)
    await vk_world.client_does("deny")
    await vk_world.hear()
    await vk_world.client_does("allow")
    await issued(vk_world)
    await vk_world.work()
    assert len(await ours(vk_world)) == 1


async def test_a_card_that_vk_refused_to_send_is_tried_again_when_it_is_sent_again(
    vk_world: VkWorld,
) -> None:
    await greeted(vk_world)
    await vk_world.vk_control(vk_error={"on": "messages.send", "value": 914, "times": 1})
    invoice = await issued(vk_world)
    await vk_world.work()
    failed = (await vk_world.messages())[-1]
    assert failed.status is Status.FAILED
    await cards.show(vk_world.ctx, vk_world.member, failed.conversation_id, invoice.id)
    await vk_world.work()
    assert len(await ours(vk_world)) == 1


async def test_news_of_a_closed_dialog_are_told_when_it_opens(vk_world: VkWorld) -> None:
    invoice = await in_dialog(vk_world)
    await vk_world.client_does("deny")
    await vk_world.hear()
    await vk_world.move(hours=25)
    await vk_world.hear()
    await invoices.void(vk_world.ctx, vk_world.member, invoice.id)
    await vk_world.work()
    assert (await card_of(vk_world, invoice)).face is Face.VOID
    assert len(await ours(vk_world)) == 1
    await vk_world.client_does("allow")
    await vk_world.hear()
    said = await ours(vk_world)
    assert len(said) == 2
    assert "отменён" in said[1]


async def test_what_waits_for_another_community_is_not_woken(vk_world: VkWorld) -> None:
    await in_dialog(vk_world)
    await event_subscription.resume(vk_world.ctx, vk_world.community_id)
    assert await outbox.resume(vk_world.ctx, vk_world.community_id) == 0
    async with vk_world.ctx.db.read() as tx:
        assert await rows.behind(tx, vk_world.community_id) == ()
        assert await rows.behind(tx, vk_world.connection.id) == ()


async def test_an_old_card_is_not_sent_anew_because_the_client_has_another_app(
    vk_world: VkWorld,
) -> None:
    invoice = await in_dialog(vk_world)
    await vk_world.move(hours=25)
    async with vk_world.ctx.db.write() as tx:
        dialog = replace(await vk_world.conversation(), buttons="text")
        await changes.write(tx, Change((dialog,)), vk_world.ctx.now())
    await refresh(vk_world, invoice.id)
    assert len(await ours(vk_world)) == 1


async def test_words_of_which_nobody_is_sure_are_said_again(vk_world: VkWorld) -> None:
    """An edit of a worker that was slow reached VK after the newer one."""
    invoice = await in_dialog(vk_world)
    await invoices.void(vk_world.ctx, vk_world.member, invoice.id)
    await vk_world.work()
    there = vk_world.sandbox.vk.message(vk_world.group_id, vk_world.person, 2)
    assert there is not None
    outgoing.rewrite(vk_world.sandbox.vk, there, text="Старые слова")
    async with vk_world.ctx.db.write() as tx:
        card = replace(await card_of(vk_world, invoice), shown="")
        await changes.write(tx, Change((card,)), vk_world.ctx.now())
    await refresh(vk_world, invoice.id)
    (said,) = await ours(vk_world)
    assert "Счёт отменён" in said
