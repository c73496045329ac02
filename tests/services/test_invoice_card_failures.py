"""Invoice cards when VK fails: after refusals and lost answers the card is correct again."""

from dataclasses import replace

import pytest

from sigma.channels.vk.errors import RetryLaterError
from sigma.domain.change import Change
from sigma.domain.messaging.card import CardState
from sigma.domain.messaging.message import AUTHOR_AUTO_REPLY, Status
from sigma.services.billing import invoices
from sigma.services.communities import communities, event_subscription
from sigma.services.conversations import outbox
from sigma.services.invoice_cards import cards
from sigma.store import changes
from sigma.store.messaging import cards as rows
from sigma_sandbox.vk.actions import outgoing
from tests.conversation_invoices import (
    AMOUNT_MINOR,
    community_texts,
    get_card,
    issue_and_send,
    issue_invoice,
    open_payment_link,
    pay_invoice,
    refresh_card,
    refund_part,
    start_conversation,
)
from tests.vk_world import VkWorld


async def test_invoice_paid_before_its_message_is_sent_arrives_as_paid(vk_world: VkWorld) -> None:
    await start_conversation(vk_world)
    await vk_world.inject_vk_faults(vk_error={"on": "messages.send", "value": 9})
    invoice = await issue_invoice(vk_world)
    await vk_world.run_jobs()
    payment = await pay_invoice(vk_world, invoice)
    await vk_world.run_jobs()
    assert await community_texts(vk_world) == []
    await vk_world.inject_vk_faults(vk_error=None)
    await vk_world.advance_clocks(minutes=30)
    await vk_world.run_jobs()
    card, receipt = await community_texts(vk_world)
    assert "Оплачен" in card
    assert payment.token in receipt


async def test_card_with_unknown_delivery_is_edited_once_delivery_is_known(
    vk_world: VkWorld,
) -> None:
    await start_conversation(vk_world)
    await vk_world.inject_vk_faults(vk_cut_answer={"on": "messages.send"})
    invoice = await issue_invoice(vk_world)
    await vk_world.run_jobs()
    queued = (await vk_world.messages())[-1]
    assert (queued.status, queued.first_attempt_at_us is not None) == (Status.QUEUED, True)
    await invoices.void(vk_world.ctx, vk_world.member, invoice.id)
    with pytest.raises(RetryLaterError):
        await cards.refresh(vk_world.ctx, invoice.id)
    await vk_world.inject_vk_faults(vk_cut_answer=None)
    await vk_world.advance_clocks(hours=1)
    await vk_world.run_jobs()
    await vk_world.advance_clocks(hours=1)
    await vk_world.run_jobs()
    (card,) = await community_texts(vk_world)
    assert "Счёт отменён" in card


@pytest.mark.parametrize("fault", ["vk_http_500", "vk_cut_answer", "vk_cut_request"])
async def test_edit_with_a_lost_answer_is_retried(vk_world: VkWorld, fault: str) -> None:
    invoice = await issue_and_send(vk_world)
    await vk_world.inject_vk_faults(**{fault: {"on": "messages.edit", "times": 9}})
    await pay_invoice(vk_world, invoice)
    await vk_world.run_jobs()
    assert (await get_card(vk_world, invoice)).state is CardState.ISSUED
    assert len(await community_texts(vk_world)) == 2, (
        "the receipt is sent even though the card edit failed"
    )
    await vk_world.inject_vk_faults(**{fault: None})
    await vk_world.advance_clocks(minutes=20)
    await vk_world.run_jobs()
    texts = await community_texts(vk_world)
    assert len(texts) == 2
    assert "Оплачен" in texts[0]


@pytest.mark.parametrize("code", [909, 920, 100])
async def test_refused_edit_is_replaced_by_one_new_message(vk_world: VkWorld, code: int) -> None:
    invoice = await issue_and_send(vk_world)
    await vk_world.inject_vk_faults(vk_error={"on": "messages.edit", "value": code})
    await invoices.void(vk_world.ctx, vk_world.member, invoice.id)
    for _ in range(3):
        await refresh_card(vk_world, invoice.id)
    texts = await community_texts(vk_world)
    assert len(texts) == 2
    assert "Счёт отменён" in texts[1]


async def test_card_older_than_a_day_continues_in_a_new_message(vk_world: VkWorld) -> None:
    invoice = await issue_and_send(vk_world)
    await vk_world.write_as_client("Можно в субботу?")
    await vk_world.poll_events()
    await vk_world.advance_clocks(hours=25)
    await open_payment_link(vk_world, invoice)
    assert len(await community_texts(vk_world)) == 1, (
        "opening the link sends no message to the client"
    )
    assert (await get_card(vk_world, invoice)).state is CardState.OPENED
    payment = await pay_invoice(vk_world, invoice)
    await vk_world.run_jobs()
    texts = await community_texts(vk_world)
    assert len(texts) == 3
    assert "Оплачен" in texts[1]
    assert payment.token in texts[2]
    conversation = await vk_world.conversation()
    assert conversation.is_unanswered, "no operator has answered the client's question"
    assert [message.author for message in (await vk_world.messages())[-2:]] == [
        AUTHOR_AUTO_REPLY,
        AUTHOR_AUTO_REPLY,
    ]
    await refund_part(vk_world, payment, AMOUNT_MINOR)
    texts = await community_texts(vk_world)
    assert len(texts) == 3
    assert "Деньги возвращены" in texts[1]


async def test_edit_is_sent_without_buttons_when_vk_refuses_them(vk_world: VkWorld) -> None:
    invoice = await issue_and_send(vk_world)
    await pay_invoice(vk_world, invoice)
    await vk_world.inject_vk_faults(vk_error={"on": "messages.edit", "value": 912, "times": 1})
    await vk_world.run_jobs()
    card, receipt = (await vk_world.fetch_vk_conversation())["messages"][-2:]
    assert "Оплачен" in card["text"]
    assert not card.get("keyboard")
    assert "Квитанция" in receipt["text"]


async def test_card_refresh_waits_for_a_working_access_key(vk_world: VkWorld) -> None:
    invoice = await issue_and_send(vk_world)
    await vk_world.call_vk_test_api(f"communities/{vk_world.group_id}/revoke")
    payment = await pay_invoice(vk_world, invoice)
    await vk_world.run_jobs()
    assert (await vk_world.community()).error_code == "5"
    next_run_at_us = await cards.refresh(vk_world.ctx, invoice.id)
    assert next_run_at_us is not None, "the job is rescheduled without a limit"
    assert next_run_at_us > vk_world.ctx.now_us()
    assert (await get_card(vk_world, invoice)).state is CardState.ISSUED
    new_key = await vk_world.create_access_key("manage", "messages", "photos")
    await communities.replace_key(vk_world.ctx, vk_world.member, vk_world.community_id, new_key)
    await vk_world.run_jobs()
    card, receipt = await community_texts(vk_world)
    assert "Оплачен" in card
    assert payment.token in receipt


async def test_card_is_refreshed_when_its_community_is_connected_again(vk_world: VkWorld) -> None:
    invoice = await issue_and_send(vk_world)
    await communities.disconnect(vk_world.ctx, vk_world.member, vk_world.community_id)
    payment = await pay_invoice(vk_world, invoice)
    await vk_world.run_jobs()
    assert len(await community_texts(vk_world)) == 1
    assert await cards.refresh(vk_world.ctx, invoice.id) is not None, "rescheduled, not dead"
    new_key = await vk_world.create_access_key("manage", "messages", "photos")
    await communities.connect(vk_world.ctx, vk_world.member, new_key)
    await vk_world.run_jobs()
    card, receipt = await community_texts(vk_world)
    assert "Оплачен" in card
    assert payment.token in receipt


async def test_failed_edit_in_one_conversation_does_not_delay_another(vk_world: VkWorld) -> None:
    other_client = await vk_world.create_client()
    await start_conversation(vk_world, other_client)
    invoice = await issue_and_send(vk_world)
    conversation = await vk_world.conversation(other_client)
    await cards.send_invoice(vk_world.ctx, vk_world.member, conversation.id, invoice.id)
    await vk_world.run_jobs()
    await vk_world.inject_vk_faults(vk_error={"on": "messages.edit", "value": 9, "times": 1})
    await invoices.void(vk_world.ctx, vk_world.member, invoice.id)
    await vk_world.run_jobs()
    texts = [
        (await community_texts(vk_world))[0],
        (await community_texts(vk_world, other_client))[0],
    ]
    assert ["отменён" in text for text in texts] == [False, True]
    await vk_world.advance_clocks(minutes=11)
    await vk_world.run_jobs()
    assert "отменён" in (await community_texts(vk_world))[0]


async def test_blocked_conversation_gets_the_invoice_without_a_message(vk_world: VkWorld) -> None:
    await start_conversation(vk_world)
    await vk_world.act_as_client("deny")
    await vk_world.poll_events()
    invoice = await issue_invoice(vk_world)
    card = await get_card(vk_world, invoice)
    assert card.message_id is None
    payment = await pay_invoice(vk_world, invoice)
    await vk_world.run_jobs()
    assert (await get_card(vk_world, invoice)).state is CardState.PAID
    assert await community_texts(vk_world) == []
    await vk_world.write_as_client("Оплатила, а чек?")
    await vk_world.poll_events()
    (receipt,) = await community_texts(vk_world)
    assert payment.token in receipt, "the receipt is sent as soon as the client allows messages"


async def test_unsent_invoice_can_be_sent_again_once_the_client_allows(vk_world: VkWorld) -> None:
    await start_conversation(vk_world)
    await vk_world.act_as_client("deny")
    await vk_world.poll_events()
    invoice = await issue_invoice(vk_world)
    conversation = await vk_world.conversation()
    card = await cards.send_invoice(vk_world.ctx, vk_world.member, conversation.id, invoice.id)
    assert card.message_id is None
    await vk_world.act_as_client("allow")  # no event arrives: Sigma must ask VK
    card = await cards.send_invoice(vk_world.ctx, vk_world.member, conversation.id, invoice.id)
    assert card.message_id is not None
    for _ in range(2):
        await cards.send_invoice(vk_world.ctx, vk_world.member, conversation.id, invoice.id)
    await vk_world.run_jobs()
    assert len(await community_texts(vk_world)) == 1


async def test_permission_to_write_is_rechecked_when_an_invoice_is_issued(
    vk_world: VkWorld,
) -> None:
    await start_conversation(vk_world)
    await vk_world.act_as_client("deny")
    await vk_world.poll_events()
    await vk_world.act_as_client("allow")
    await issue_invoice(vk_world)
    await vk_world.run_jobs()
    assert len(await community_texts(vk_world)) == 1


async def test_card_with_a_failed_message_is_sent_again_on_request(vk_world: VkWorld) -> None:
    await start_conversation(vk_world)
    await vk_world.inject_vk_faults(vk_error={"on": "messages.send", "value": 914, "times": 1})
    invoice = await issue_invoice(vk_world)
    await vk_world.run_jobs()
    failed = (await vk_world.messages())[-1]
    assert failed.status is Status.FAILED
    await cards.send_invoice(vk_world.ctx, vk_world.member, failed.conversation_id, invoice.id)
    await vk_world.run_jobs()
    assert len(await community_texts(vk_world)) == 1


async def test_missed_card_message_is_sent_when_unblocked(vk_world: VkWorld) -> None:
    invoice = await issue_and_send(vk_world)
    await vk_world.act_as_client("deny")
    await vk_world.poll_events()
    await vk_world.advance_clocks(hours=25)
    await vk_world.poll_events()
    await invoices.void(vk_world.ctx, vk_world.member, invoice.id)
    await vk_world.run_jobs()
    assert (await get_card(vk_world, invoice)).state is CardState.VOID
    assert len(await community_texts(vk_world)) == 1
    await vk_world.act_as_client("allow")
    await vk_world.poll_events()
    texts = await community_texts(vk_world)
    assert len(texts) == 2
    assert "отменён" in texts[1]


async def test_resuming_a_community_enqueues_no_current_cards(vk_world: VkWorld) -> None:
    await issue_and_send(vk_world)
    await event_subscription.resume_waiting_work(vk_world.ctx, vk_world.community_id)
    assert await outbox.resume(vk_world.ctx, vk_world.community_id) == 0
    async with vk_world.ctx.db.read() as tx:
        assert await rows.list_outdated(tx, vk_world.community_id) == []
        assert await rows.list_outdated(tx, vk_world.connection.id) == []


async def test_old_card_is_not_sent_again_when_the_client_app_loses_buttons(
    vk_world: VkWorld,
) -> None:
    invoice = await issue_and_send(vk_world)
    await vk_world.advance_clocks(hours=25)
    async with vk_world.ctx.db.write() as tx:
        conversation = replace(await vk_world.conversation(), supported_buttons="text")
        await changes.write(tx, Change((conversation,)), vk_world.ctx.now_us())
    await refresh_card(vk_world, invoice.id)
    assert len(await community_texts(vk_world)) == 1


async def test_card_without_a_fingerprint_is_edited_again(vk_world: VkWorld) -> None:
    """A slow worker's edit reached VK after the newer one: an empty fingerprint forces an edit."""
    invoice = await issue_and_send(vk_world)
    await invoices.void(vk_world.ctx, vk_world.member, invoice.id)
    await vk_world.run_jobs()
    vk_message = vk_world.sandbox.vk.find_message(vk_world.group_id, vk_world.client_id, 2)
    assert vk_message is not None
    outgoing.edit_message(vk_world.sandbox.vk, vk_message, text="Старые слова")
    async with vk_world.ctx.db.write() as tx:
        card = replace(await get_card(vk_world, invoice), message_fingerprint="")
        await changes.write(tx, Change((card,)), vk_world.ctx.now_us())
    await refresh_card(vk_world, invoice.id)
    (text,) = await community_texts(vk_world)
    assert "Счёт отменён" in text
