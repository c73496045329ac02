"""An invoice in a dialog: its card says in the end what the invoice is, whatever VK answers, and
nothing is told twice.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from sigma.channels.vk.errors import Later
from sigma.domain.card import Face
from sigma.domain.change import Change, Job
from sigma.domain.errors import Refused
from sigma.domain.invoice import Draft
from sigma.domain.member import Member, Role
from sigma.domain.message import AUTO, Status
from sigma.domain.money import Money
from sigma.services import cards, communities, hearing, invoices, outbox, payments
from sigma.store import cards as rows
from sigma.store import changes
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
    pays,
    refunds_some,
)
from tests.vk_world import VkWorld


async def ours(world: VkWorld, person: int = 0) -> list[str]:
    """What the community has said in VK: the last line but the links of each message."""
    found = (await world.dialog_at_vk(person))["messages"]
    return [one["text"] for one in found if one["out"]]


async def refresh(world: VkWorld, invoice_id: str) -> None:
    """The dialogs are looked at again, as the clock would have it."""
    job = Job("card.refresh", invoice_id, world.shop.id)
    await changes.commit(world.ctx.db, Change(jobs=(job,)), world.ctx.now())
    await world.work()


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
    assert f"/i/{invoice.token}?d=crd_" in link

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
    assert (await card_of(vk_world, invoice)).face is Face.ISSUED
    given = {"rights": ["manage", "messages", "photos"]}
    made = await vk_world.vk_test(f"communities/{vk_world.group_id}/keys", **given)
    await communities.mend(vk_world.ctx, vk_world.member, vk_world.community_id, made["token"])
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
    given = {"rights": ["manage", "messages", "photos"]}
    made = await vk_world.vk_test(f"communities/{vk_world.group_id}/keys", **given)
    await communities.connect(vk_world.ctx, vk_world.member, made["token"])
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


async def test_what_waits_for_another_community_is_not_woken(vk_world: VkWorld) -> None:
    await in_dialog(vk_world)
    await hearing.resume(vk_world.ctx, vk_world.community_id)
    assert await outbox.resume(vk_world.ctx, vk_world.community_id) == 0
    async with vk_world.ctx.db.read() as tx:
        assert await rows.behind(tx, vk_world.community_id) == ()
        assert await rows.behind(tx, vk_world.connection.id) == ()
