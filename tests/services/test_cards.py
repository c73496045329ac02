"""An invoice in a dialog: its card says what the invoice is, and nothing is told twice."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from sigma.domain.accounts.member import Member, Role
from sigma.domain.billing.invoice import Draft
from sigma.domain.change import Change
from sigma.domain.errors import Refused
from sigma.domain.messaging.card import Face
from sigma.domain.money import Money
from sigma.services.billing import invoices, payments
from sigma.services.invoice_cards import cards
from sigma.store import changes
from sigma.store.messaging import cards as rows
from sigma.store.messaging import inbox
from tests.dialog_money import (
    SUM,
    button,
    card_of,
    greeted,
    in_dialog,
    issued,
    mark_at_vk,
    now_of,
    opens,
    ours,
    pays,
    refresh,
    refunds_some,
)
from tests.vk_world import VkWorld


async def test_the_whole_road_from_the_dialog_to_money_and_back(vk_world: VkWorld) -> None:
    await greeted(vk_world)
    assert (await vk_world.conversation()).unanswered
    invoice = await issued(vk_world)
    dialog = await vk_world.conversation()
    assert not dialog.unanswered
    assert dialog.by_hand, "a person deals with it from now on"
    await vk_world.work()

    sent = (await vk_world.dialog_at_vk())["messages"][-1]
    assert "Счёт № 1. Маникюр\nСумма: 1 500,00 ₽" in sent["text"].replace("\xa0", " ")
    link = button(sent)["link"]
    assert button(sent)["type"] == "open_link"
    assert link in sent["text"], "not every app shows buttons"
    assert link.startswith(f"{vk_world.ctx.settings.base_url}/i/{invoice.token}?d=")

    await opens(vk_world, invoice)
    assert "Ссылка открыта" in (await ours(vk_world))[-1]
    payment = await pays(vk_world, invoice)
    assert payment.conversation_id == dialog.id
    await vk_world.work()
    card, receipt = (await vk_world.dialog_at_vk())["messages"][-2:]
    assert "Оплачен" in card["text"]
    assert link not in card["text"], "it is paid: there is nothing to open"
    there = f"{vk_world.ctx.settings.base_url}/r/{payment.token}"
    assert button(card)["link"] == button(receipt)["link"] == there
    assert there in receipt["text"]

    await refunds_some(vk_world, payment, 50_000)
    assert "возвращено 500,00" in (await ours(vk_world))[0].replace("\xa0", " ")
    await refunds_some(vk_world, payment, 25_000)
    assert "возвращено 750,00" in (await ours(vk_world))[0].replace("\xa0", " ")
    await refunds_some(vk_world, payment, SUM - 75_000)
    assert "Деньги возвращены" in (await ours(vk_world))[0]
    assert len(await ours(vk_world)) == 2, "the card and the receipt, each once"
    await vk_world.hear()  # VK tells of all this; it is known
    assert len(await vk_world.messages()) == 3
    assert (await card_of(vk_world, invoice)).face is Face.REFUNDED


async def test_news_told_again_say_nothing_again(vk_world: VkWorld) -> None:
    invoice = await in_dialog(vk_world)
    await pays(vk_world, invoice)
    for _ in range(3):
        await refresh(vk_world, invoice.id)
    await asyncio.gather(*(cards.refresh(vk_world.ctx, invoice.id) for _ in range(4)))
    await vk_world.work()
    assert len(await ours(vk_world)) == 2


async def test_workers_who_look_at_the_same_moment_tell_a_receipt_once(vk_world: VkWorld) -> None:
    invoice = await in_dialog(vk_world)
    await pays(vk_world, invoice)
    done = await asyncio.gather(
        *(cards.refresh(vk_world.ctx, invoice.id) for _ in range(4)), return_exceptions=True
    )
    assert [one for one in done if not isinstance(one, Exception)]
    await refresh(vk_world, invoice.id)
    said = await ours(vk_world)
    assert len(said) == 2
    assert "Оплачен" in said[0]
    assert (await card_of(vk_world, invoice)).shown.startswith("paid:")


async def test_a_card_that_somebody_else_changed_meanwhile_is_told_once_more(
    vk_world: VkWorld,
) -> None:
    """A worker that was slow writes old words over new ones; the next look mends them."""
    invoice = await in_dialog(vk_world)
    await opens(vk_world, invoice)
    slow = await cards._facts(vk_world.ctx, invoice.id)
    assert slow is not None
    payment = await pays(vk_world, invoice)
    await vk_world.work()
    old = replace(slow, cards=[replace(slow.cards[0], shown="")])
    await cards._show(vk_world.ctx, old, old.cards[0])
    assert "ждём оплату" in (await ours(vk_world))[0]
    await vk_world.work()
    assert "Оплачен" in (await ours(vk_world))[0]
    assert payment.token in (await ours(vk_world))[0] or payment.token in (await ours(vk_world))[1]


async def test_the_first_opening_counts_and_only_the_first(vk_world: VkWorld) -> None:
    invoice = await in_dialog(vk_world)
    await opens(vk_world, invoice)
    first = await card_of(vk_world, invoice)
    await vk_world.move(minutes=5)
    mark = await mark_at_vk(vk_world)
    await asyncio.gather(
        *(cards.opened(vk_world.ctx, invoice.token, mark, f"b{n}") for n in range(3))
    )
    again = await card_of(vk_world, invoice)
    assert (again.opened_at, again.payer) == (first.opened_at, first.payer)
    story = await invoices.timeline(vk_world.ctx, vk_world.member, invoice.id)
    assert [one.kind for one in story].count("invoice.opened") == 1


async def test_an_invoice_of_a_program_is_sent_into_a_dialog(vk_world: VkWorld) -> None:
    await greeted(vk_world)
    dialog = await vk_world.conversation()
    invoice = await vk_world.invoice()
    made = await asyncio.gather(
        *(cards.show(vk_world.ctx, vk_world.member, dialog.id, invoice.id) for _ in range(3))
    )
    assert len({card.id for card in made}) == 1
    await vk_world.work()
    assert (await now_of(vk_world, invoice)).conversation_id == dialog.id
    await opens(vk_world, invoice)
    await pays(vk_world, invoice)
    await vk_world.work()
    card, receipt = await ours(vk_world)
    assert "Оплачен" in card
    assert "Чек" in receipt


@pytest.mark.parametrize("state", ["void", "paid", "draft", "expired"])
async def test_what_cannot_be_paid_is_not_sent_into_a_dialog(vk_world: VkWorld, state: str) -> None:
    await greeted(vk_world)
    dialog = await vk_world.conversation()
    invoice = await vk_world.invoice(expires_at=vk_world.ctx.now() + 3600 * 1_000_000)
    if state == "draft":
        draft = Draft("Маникюр", Money(SUM))
        invoice = await invoices.create(vk_world.ctx, vk_world.member, draft, issued=False)
    elif state == "void":
        await invoices.void(vk_world.ctx, vk_world.member, invoice.id)
    elif state == "paid":
        await pays(vk_world, invoice)
    else:
        await vk_world.move(hours=2)
    with pytest.raises(Refused) as no:
        await cards.show(vk_world.ctx, vk_world.member, dialog.id, invoice.id)
    assert no.value.code.startswith("invoice_")
    async with vk_world.ctx.db.read() as tx:
        assert await rows.of_invoice(tx, invoice.id) == []


async def test_a_lapsed_invoice_is_told_and_a_late_payment_too(vk_world: VkWorld) -> None:
    await greeted(vk_world)
    invoice = await issued(vk_world, expires_at=vk_world.ctx.now() + 3600 * 1_000_000)
    await vk_world.work()
    assert "Оплатить до" in (await ours(vk_world))[0]
    payment = await vk_world.started(invoice)
    await vk_world.move(minutes=61)
    await vk_world.work()
    assert "Срок оплаты прошёл" in (await ours(vk_world))[0]
    await vk_world.pay(payment)
    paid = await payments.advance(vk_world.ctx, payment.id)
    await vk_world.work()
    assert "Оплачен" in (await ours(vk_world))[0]
    await refunds_some(vk_world, paid, SUM)
    assert "Деньги возвращены" in (await ours(vk_world))[0]


async def test_one_invoice_for_many_tells_each_client_of_his_own_payment(
    vk_world: VkWorld,
) -> None:
    other, third = await vk_world.new_person(), await vk_world.new_person()
    people = (0, other, third)
    for person in people:
        await greeted(vk_world, person)
    invoice = await issued(vk_world, max_payments=2)
    for person in people[1:]:
        dialog = await vk_world.conversation(person)
        await cards.show(vk_world.ctx, vk_world.member, dialog.id, invoice.id)
    await vk_world.work()
    await opens(vk_world, invoice, "first")
    await opens(vk_world, invoice, "second", other)
    payment = await pays(vk_world, invoice, "second")
    await vk_world.work()
    assert [len(await ours(vk_world, person)) for person in people] == [1, 2, 1]
    assert payment.token in (await ours(vk_world, other))[1]
    assert "ждём оплату" in (await ours(vk_world))[0]

    await pays(vk_world, invoice, "a stranger")
    await vk_world.work()
    assert [len(await ours(vk_world, person)) for person in people] == [1, 2, 1]
    assert "Оплачен" in (await ours(vk_world, other))[0]
    for person in (0, third):
        assert "уже приняты" in (await ours(vk_world, person))[0]
    await refunds_some(vk_world, payment, SUM)
    assert "Деньги возвращены" in (await ours(vk_world, other))[0]


async def test_one_payment_too_many_is_given_back_and_the_invoice_stays_paid(
    vk_world: VkWorld,
) -> None:
    invoice = await in_dialog(vk_world)
    one = await vk_world.started(invoice, payer="one")
    two = await vk_world.started(invoice, payer="two")
    for payment in (one, two):
        await vk_world.pay(payment)
        await payments.advance(vk_world.ctx, payment.id)
    await vk_world.work()
    assert len(await ours(vk_world)) == 3, "two payments, two receipts"
    await refunds_some(vk_world, two, SUM)
    card = (await vk_world.dialog_at_vk())["messages"][1]
    assert "Оплачен" in card["text"]
    assert button(card)["link"].endswith(one.token)


async def test_a_dialog_of_another_shop_or_of_nobody_is_not_there(vk_world: VkWorld) -> None:
    invoice = await in_dialog(vk_world)
    stranger = Member("usr_x", "shp_other", Role.OWNER)
    viewer = Member("usr_v", vk_world.shop.id, Role.VIEWER)
    dialog = await vk_world.conversation()
    draft = Draft("Маникюр", Money(SUM), conversation_id=dialog.id)
    acts: list[tuple[Callable[[], Awaitable[object]], str]] = [
        (lambda: cards.issue(vk_world.ctx, stranger, draft), "not_found"),
        (lambda: cards.show(vk_world.ctx, stranger, dialog.id, invoice.id), "not_found"),
        (lambda: cards.show(vk_world.ctx, vk_world.member, "dlg_no", invoice.id), "not_found"),
        (lambda: cards.places(vk_world.ctx, stranger, invoice.id), "not_found"),
        (lambda: cards.issue(vk_world.ctx, viewer, draft), "forbidden"),
        (lambda: cards.show(vk_world.ctx, viewer, dialog.id, invoice.id), "forbidden"),
    ]
    for act, code in acts:
        with pytest.raises(Refused) as no:
            await act()
        assert no.value.code == code
    assert await cards.places(vk_world.ctx, viewer, invoice.id) == []
    assert len(await ours(vk_world)) == 1


async def test_a_title_is_words_to_vk_whatever_it_holds(vk_world: VkWorld) -> None:
    title = '<script>alert(1)</script> "{sum}" & {url}'
    invoice = await in_dialog(vk_world, title=title)
    (card,) = await ours(vk_world)
    assert f"Счёт № {invoice.number}. {title}" in card


async def test_an_app_without_buttons_gets_the_link_in_words(vk_world: VkWorld) -> None:
    await greeted(vk_world)
    async with vk_world.ctx.db.write() as tx:
        dialog = replace(await vk_world.conversation(), buttons="text")
        await changes.write(tx, Change((dialog,)), vk_world.ctx.now())
    invoice = await issued(vk_world)
    await vk_world.work()
    card = (await vk_world.dialog_at_vk())["messages"][-1]
    assert not card.get("keyboard")
    assert f"/i/{invoice.token}?d=" in card["text"]


async def test_a_receipt_is_shown_to_its_payer_only(vk_world: VkWorld) -> None:
    """One invoice in two dialogs: both see that it is paid, one sees the receipt."""
    other = await vk_world.new_person()
    await greeted(vk_world, other)
    invoice = await in_dialog(vk_world)
    second = await vk_world.conversation(other)
    await cards.show(vk_world.ctx, vk_world.member, second.id, invoice.id)
    await vk_world.work()
    await opens(vk_world, invoice, "second", other)
    payment = await pays(vk_world, invoice, "second")
    await vk_world.work()
    (stranger,) = (await vk_world.dialog_at_vk())["messages"][1:]
    assert "Оплачен" in stranger["text"]
    assert not stranger.get("keyboard")
    card, receipt = (await vk_world.dialog_at_vk(other))["messages"][1:]
    assert button(card)["link"].endswith(payment.token)
    assert payment.token in receipt["text"]
    for dialog in (await vk_world.conversation(), second):
        async with vk_world.ctx.db.read() as tx:
            assert [one.id for one in await inbox.invoices_of(tx, dialog.id, 9)] == [invoice.id]
            assert [one.id for one, *_ in await inbox.payments_of(tx, dialog.id, 9)] == [payment.id]
