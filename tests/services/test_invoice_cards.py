"""Invoice cards: the message in the conversation follows the state of the invoice, and nothing is
sent twice.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from sigma.domain.accounts.member import Member, Role
from sigma.domain.billing.invoice import Draft
from sigma.domain.change import Change
from sigma.domain.errors import RefusedError
from sigma.domain.messaging.card import CardState
from sigma.domain.money import Money
from sigma.services.billing import invoices, payments
from sigma.services.invoice_cards import cards
from sigma.store import changes
from sigma.store.messaging import cards as rows
from sigma.store.messaging import inbox
from tests.conversation_invoices import (
    AMOUNT_MINOR,
    community_texts,
    get_card,
    issue_and_send,
    issue_invoice,
    link_signature,
    only_button,
    open_payment_link,
    pay_invoice,
    refresh_card,
    refund_part,
    reload_invoice,
    start_conversation,
)
from tests.vk_world import VkWorld


async def test_card_follows_its_invoice_from_issue_to_full_refund(vk_world: VkWorld) -> None:
    await start_conversation(vk_world)
    assert (await vk_world.conversation()).is_unanswered
    invoice = await issue_invoice(vk_world)
    conversation = await vk_world.conversation()
    assert not conversation.is_unanswered
    assert conversation.handled_by_operator, "issuing an invoice pauses auto-replies"
    await vk_world.run_jobs()

    message = (await vk_world.fetch_vk_conversation())["messages"][-1]
    assert "Счёт № 1. Маникюр\nСумма: 1 500,00 ₽" in message["text"].replace("\xa0", " ")
    link = only_button(message)["link"]
    assert only_button(message)["type"] == "open_link"
    assert link in message["text"], "not every app shows buttons"
    assert link.startswith(f"{vk_world.ctx.settings.base_url}/i/{invoice.token}?d=")

    await open_payment_link(vk_world, invoice)
    assert "Ссылка открыта" in (await community_texts(vk_world))[-1]
    payment = await pay_invoice(vk_world, invoice)
    assert payment.conversation_id == conversation.id
    await vk_world.run_jobs()
    card, receipt = (await vk_world.fetch_vk_conversation())["messages"][-2:]
    assert "Оплачен" in card["text"]
    assert link not in card["text"], "a paid invoice needs no payment link"
    receipt_url = f"{vk_world.ctx.settings.base_url}/r/{payment.token}"
    assert only_button(card)["link"] == only_button(receipt)["link"] == receipt_url
    assert receipt_url in receipt["text"]

    await refund_part(vk_world, payment, 50_000)
    assert "возвращено 500,00" in (await community_texts(vk_world))[0].replace("\xa0", " ")
    await refund_part(vk_world, payment, 25_000)
    assert "возвращено 750,00" in (await community_texts(vk_world))[0].replace("\xa0", " ")
    await refund_part(vk_world, payment, AMOUNT_MINOR - 75_000)
    assert "Деньги возвращены" in (await community_texts(vk_world))[0]
    assert len(await community_texts(vk_world)) == 2, "one card and one receipt"
    await vk_world.poll_events()  # VK reports our own messages as events
    assert len(await vk_world.messages()) == 3
    assert (await get_card(vk_world, invoice)).state is CardState.REFUNDED


async def test_repeated_card_refresh_sends_nothing_new(vk_world: VkWorld) -> None:
    invoice = await issue_and_send(vk_world)
    await pay_invoice(vk_world, invoice)
    for _ in range(3):
        await refresh_card(vk_world, invoice.id)
    await asyncio.gather(*(cards.refresh(vk_world.ctx, invoice.id) for _ in range(4)))
    await vk_world.run_jobs()
    assert len(await community_texts(vk_world)) == 2


async def test_concurrent_card_refreshes_send_one_receipt(vk_world: VkWorld) -> None:
    invoice = await issue_and_send(vk_world)
    await pay_invoice(vk_world, invoice)
    results = await asyncio.gather(
        *(cards.refresh(vk_world.ctx, invoice.id) for _ in range(4)), return_exceptions=True
    )
    assert [result for result in results if not isinstance(result, Exception)]
    await refresh_card(vk_world, invoice.id)
    texts = await community_texts(vk_world)
    assert len(texts) == 2
    assert "Оплачен" in texts[0]
    assert (await get_card(vk_world, invoice)).message_fingerprint.startswith("paid:")


async def test_card_overwritten_by_a_slow_worker_is_refreshed_again(vk_world: VkWorld) -> None:
    """A slow worker overwrites the message with an outdated text; the next refresh corrects it."""
    invoice = await issue_and_send(vk_world)
    await open_payment_link(vk_world, invoice)
    outdated = await cards._load_facts(vk_world.ctx, invoice.id)
    assert outdated is not None
    payment = await pay_invoice(vk_world, invoice)
    await vk_world.run_jobs()
    outdated_facts = replace(outdated, cards=[replace(outdated.cards[0], message_fingerprint="")])
    await cards._refresh_message(vk_world.ctx, outdated_facts, outdated_facts.cards[0])
    assert "ждём оплату" in (await community_texts(vk_world))[0]
    await vk_world.run_jobs()
    assert "Оплачен" in (await community_texts(vk_world))[0]
    assert (
        payment.token in (await community_texts(vk_world))[0]
        or payment.token in (await community_texts(vk_world))[1]
    )


async def test_only_the_first_opening_is_recorded(vk_world: VkWorld) -> None:
    invoice = await issue_and_send(vk_world)
    await open_payment_link(vk_world, invoice)
    first = await get_card(vk_world, invoice)
    await vk_world.advance_clocks(minutes=5)
    signature = await link_signature(vk_world)
    await asyncio.gather(
        *(cards.mark_opened(vk_world.ctx, invoice.token, signature, f"b{n}") for n in range(3))
    )
    reloaded = await get_card(vk_world, invoice)
    assert (reloaded.opened_at_us, reloaded.payer_hash) == (first.opened_at_us, first.payer_hash)
    timeline = await invoices.timeline(vk_world.ctx, vk_world.member, invoice.id)
    assert [event.kind for event in timeline.data].count("invoice.opened") == 1


async def test_existing_invoice_is_sent_into_a_conversation_once(vk_world: VkWorld) -> None:
    await start_conversation(vk_world)
    conversation = await vk_world.conversation()
    invoice = await vk_world.create_invoice()
    cards_created = await asyncio.gather(
        *(
            cards.send_invoice(vk_world.ctx, vk_world.member, conversation.id, invoice.id)
            for _ in range(3)
        )
    )
    assert len({card.id for card in cards_created}) == 1
    await vk_world.run_jobs()
    assert (await reload_invoice(vk_world, invoice)).conversation_id == conversation.id
    await open_payment_link(vk_world, invoice)
    await pay_invoice(vk_world, invoice)
    await vk_world.run_jobs()
    card, receipt = await community_texts(vk_world)
    assert "Оплачен" in card
    assert "Квитанция" in receipt


@pytest.mark.parametrize("state", ["void", "paid", "draft", "expired"])
async def test_unpayable_invoice_is_not_sent(vk_world: VkWorld, state: str) -> None:
    await start_conversation(vk_world)
    conversation = await vk_world.conversation()
    invoice = await vk_world.create_invoice(expires_at_us=vk_world.ctx.now_us() + 3600 * 1_000_000)
    if state == "draft":
        draft = Draft("Маникюр", Money(AMOUNT_MINOR))
        invoice = await invoices.create(vk_world.ctx, vk_world.member, draft, is_issued=False)
    elif state == "void":
        await invoices.void(vk_world.ctx, vk_world.member, invoice.id)
    elif state == "paid":
        await pay_invoice(vk_world, invoice)
    else:
        await vk_world.advance_clocks(hours=2)
    with pytest.raises(RefusedError) as refusal:
        await cards.send_invoice(vk_world.ctx, vk_world.member, conversation.id, invoice.id)
    assert refusal.value.code.startswith("invoice_")
    async with vk_world.ctx.db.read() as tx:
        assert await rows.list_for_invoice(tx, invoice.id) == []


async def test_card_shows_expiry_and_a_late_payment(vk_world: VkWorld) -> None:
    await start_conversation(vk_world)
    invoice = await issue_invoice(vk_world, expires_at_us=vk_world.ctx.now_us() + 3600 * 1_000_000)
    await vk_world.run_jobs()
    assert "Оплатить до" in (await community_texts(vk_world))[0]
    payment = await vk_world.start_payment(invoice)
    await vk_world.advance_clocks(minutes=61)
    await vk_world.run_jobs()
    assert "Срок оплаты истёк" in (await community_texts(vk_world))[0]
    await vk_world.pay(payment)
    paid = await payments.advance(vk_world.ctx, payment.id)
    await vk_world.run_jobs()
    assert "Оплачен" in (await community_texts(vk_world))[0]
    await refund_part(vk_world, paid, AMOUNT_MINOR)
    assert "Деньги возвращены" in (await community_texts(vk_world))[0]


async def test_shared_invoice_shows_each_client_only_their_own_payment(vk_world: VkWorld) -> None:
    second_client, third_client = await vk_world.create_client(), await vk_world.create_client()
    clients = (0, second_client, third_client)
    for client in clients:
        await start_conversation(vk_world, client)
    invoice = await issue_invoice(vk_world, max_payments=2)
    for client in clients[1:]:
        conversation = await vk_world.conversation(client)
        await cards.send_invoice(vk_world.ctx, vk_world.member, conversation.id, invoice.id)
    await vk_world.run_jobs()
    await open_payment_link(vk_world, invoice, "first")
    await open_payment_link(vk_world, invoice, "second", second_client)
    payment = await pay_invoice(vk_world, invoice, "second")
    await vk_world.run_jobs()
    assert [len(await community_texts(vk_world, client)) for client in clients] == [1, 2, 1]
    assert payment.token in (await community_texts(vk_world, second_client))[1]
    assert "ждём оплату" in (await community_texts(vk_world))[0]

    await pay_invoice(vk_world, invoice, "a stranger")
    await vk_world.run_jobs()
    assert [len(await community_texts(vk_world, client)) for client in clients] == [1, 2, 1]
    assert "Оплачен" in (await community_texts(vk_world, second_client))[0]
    for client in (0, third_client):
        assert "уже приняты" in (await community_texts(vk_world, client))[0]
    await refund_part(vk_world, payment, AMOUNT_MINOR)
    assert "Деньги возвращены" in (await community_texts(vk_world, second_client))[0]


async def test_refund_of_an_extra_payment_keeps_the_card_paid(vk_world: VkWorld) -> None:
    invoice = await issue_and_send(vk_world)
    first = await vk_world.start_payment(invoice, payer="one")
    second = await vk_world.start_payment(invoice, payer="two")
    for payment in (first, second):
        await vk_world.pay(payment)
        await payments.advance(vk_world.ctx, payment.id)
    await vk_world.run_jobs()
    assert len(await community_texts(vk_world)) == 3, "two payments, two receipts"
    await refund_part(vk_world, second, AMOUNT_MINOR)
    card = (await vk_world.fetch_vk_conversation())["messages"][1]
    assert "Оплачен" in card["text"]
    assert only_button(card)["link"].endswith(first.token)


async def test_cards_are_not_accessible_to_strangers_and_viewers(vk_world: VkWorld) -> None:
    invoice = await issue_and_send(vk_world)
    stranger = Member("usr_x", "shp_other", Role.OWNER)
    viewer = Member("usr_v", vk_world.shop.id, Role.VIEWER)
    conversation = await vk_world.conversation()
    draft = Draft("Маникюр", Money(AMOUNT_MINOR), conversation_id=conversation.id)
    calls: list[tuple[Callable[[], Awaitable[object]], str]] = [
        (lambda: cards.issue(vk_world.ctx, stranger, draft), "not_found"),
        (
            lambda: cards.send_invoice(vk_world.ctx, stranger, conversation.id, invoice.id),
            "not_found",
        ),
        (
            lambda: cards.send_invoice(vk_world.ctx, vk_world.member, "cnv_no", invoice.id),
            "not_found",
        ),
        (lambda: cards.list_for_invoice(vk_world.ctx, stranger, invoice.id), "not_found"),
        (lambda: cards.issue(vk_world.ctx, viewer, draft), "forbidden"),
        (
            lambda: cards.send_invoice(vk_world.ctx, viewer, conversation.id, invoice.id),
            "forbidden",
        ),
    ]
    for call, code in calls:
        with pytest.raises(RefusedError) as refusal:
            await call()
        assert refusal.value.code == code
    assert await cards.list_for_invoice(vk_world.ctx, viewer, invoice.id) == []
    assert len(await community_texts(vk_world)) == 1


async def test_title_with_markup_is_sent_as_plain_text(vk_world: VkWorld) -> None:
    title = '<script>alert(1)</script> "{sum}" & {url}'
    invoice = await issue_and_send(vk_world, title=title)
    (card,) = await community_texts(vk_world)
    assert f"Счёт № {invoice.number}. {title}" in card


async def test_app_without_buttons_gets_the_payment_link_as_text(vk_world: VkWorld) -> None:
    await start_conversation(vk_world)
    async with vk_world.ctx.db.write() as tx:
        conversation = replace(await vk_world.conversation(), supported_buttons="text")
        await changes.write(tx, Change((conversation,)), vk_world.ctx.now_us())
    invoice = await issue_invoice(vk_world)
    await vk_world.run_jobs()
    card = (await vk_world.fetch_vk_conversation())["messages"][-1]
    assert not card.get("keyboard")
    assert f"/i/{invoice.token}?d=" in card["text"]


async def test_receipt_is_sent_to_its_payer_only(vk_world: VkWorld) -> None:
    """One invoice in two conversations: both show it as paid, only the payer gets the receipt."""
    other_client = await vk_world.create_client()
    await start_conversation(vk_world, other_client)
    invoice = await issue_and_send(vk_world)
    other_conversation = await vk_world.conversation(other_client)
    await cards.send_invoice(vk_world.ctx, vk_world.member, other_conversation.id, invoice.id)
    await vk_world.run_jobs()
    await open_payment_link(vk_world, invoice, "second", other_client)
    payment = await pay_invoice(vk_world, invoice, "second")
    await vk_world.run_jobs()
    (stranger,) = (await vk_world.fetch_vk_conversation())["messages"][1:]
    assert "Оплачен" in stranger["text"]
    assert not stranger.get("keyboard")
    card, receipt = (await vk_world.fetch_vk_conversation(other_client))["messages"][1:]
    assert only_button(card)["link"].endswith(payment.token)
    assert payment.token in receipt["text"]
    for conversation in (await vk_world.conversation(), other_conversation):
        async with vk_world.ctx.db.read() as tx:
            found_invoices = await inbox.list_invoices(tx, conversation.id, 9)
            found_payments = await inbox.list_payments(tx, conversation.id, 9)
        assert [row.id for row in found_invoices] == [invoice.id]
        assert [row.id for row, *_ in found_payments] == [payment.id]
