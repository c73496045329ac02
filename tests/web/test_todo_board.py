"""The to-do board without JavaScript: its items, the action of each item, refused actions."""

import re
from dataclasses import replace
from typing import Any

from sigma.domain.accounts.member import Role
from sigma.domain.billing.mail import Mail, Status
from sigma.domain.change import Change
from sigma.services.accounts import users
from sigma.services.billing import payments
from sigma.services.billing.payment_details import get_details
from sigma.store import changes
from sigma.store.engine.statements import text_statement
from sigma.store.messaging import conversations
from tests.conversation_invoices import (
    get_card,
    issue_and_send,
    issue_invoice,
    open_payment_link,
    pay_invoice,
    start_conversation,
)
from tests.services.test_payment_acceptance import extra_payment
from tests.vk_world import VkWorld
from tests.web.cabinet_harness import CabinetBrowser, visible_text
from tests.world import QUESTIONS

SET_ROLE = text_statement(
    "UPDATE members SET role = :role WHERE shop_id = :shop_id", "role", "shop_id"
)


def board_items(page: str) -> list[str]:
    """Return the visible text of each item of the board."""
    return [
        visible_text(item)
        for item in re.findall(r'<li class="board-item".*?</li>', page, re.DOTALL)
    ]


async def change_conversation(vk: VkWorld, **fields: Any) -> None:
    """Change fields of the client's conversation."""
    conversation = await vk.conversation()
    async with vk.ctx.db.write() as tx:
        locked = await conversations.lock(tx, conversation.id)
        await changes.write(tx, Change((replace(locked, **fields),)), vk.ctx.now_us())


async def store_failed_mail(vk: VkWorld, payment_id: str) -> None:
    """Store a failed receipt e-mail of this payment."""
    new_id, now_us = vk.ctx.new_id("mail", vk.shop.id), vk.ctx.now_us()
    mail = Mail(new_id, vk.shop.id, "receipt", payment_id, payment_id, now_us, 7)
    failed = replace(
        mail,
        status=Status.FAILED,
        recipient_masked="c***@example.net",
        server_reply="550 <b>no</b>",
    )
    await changes.commit(vk.ctx.db, Change((failed,)), now_us)


async def test_empty_board_shows_a_message_and_a_link_to_the_inbox(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    page = await vk_owner_browser.open("/board")
    assert page.status_code == 200
    assert "Всё сделано" in visible_text(page.text)
    assert 'href="/inbox"' in page.text
    for section, text in (
        ("unanswered", "Все клиенты получили ответ"),
        ("mail", "Все письма дошли"),
    ):
        assert text in visible_text((await vk_owner_browser.open(f"/board?only={section}")).text)
    assert "Требуют действий" not in visible_text((await vk_owner_browser.open("/")).text)


async def test_home_page_counts_items_and_links_to_board_sections(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    await start_conversation(vk_world)
    home = await vk_owner_browser.open("/")
    assert "Ждут ответа 1" in visible_text(home.text)
    assert 'href="/board?only=unanswered"' in home.text
    assert 'href="/board"' in (await vk_owner_browser.open("/inbox")).text


async def test_board_item_shows_client_subject_amount_and_one_action(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    invoice = await issue_and_send(vk_world, questions=QUESTIONS)
    await start_conversation(vk_world)
    await change_conversation(vk_world, name="Анна <i>Ковалёва</i>")
    conversation = await vk_world.conversation()
    page = await vk_owner_browser.open("/board")
    unanswered_item, invoice_item = board_items(page.text)
    assert "Анна <i>Ковалёва</i> Здравствуйте Написали только что" in unanswered_item
    assert unanswered_item.endswith("Ответить")
    assert f'href="/inbox/{conversation.id}"' in page.text
    assert "1 500 ₽" in invoice_item.replace("\xa0", " ")
    assert f"№ {invoice.number} Маникюр" in invoice_item
    assert invoice_item.endswith("Напомнить")
    assert "<i>" not in page.text
    payment = await pay_invoice(vk_world, invoice)
    await vk_world.run_jobs()
    await store_failed_mail(vk_world, payment.id)
    page = await vk_owner_browser.open("/board")
    assert f'href="/payments/{payment.id}">Открыть платёж' in page.text
    assert board_items(page.text)[2].endswith("Отправить ещё раз")
    assert "550 <b>no</b>" in board_items(page.text)[2]
    assert "<b>no" not in page.text


async def test_filter_shows_one_section_and_unknown_filter_shows_all(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    invoice = await issue_and_send(vk_world)
    await open_payment_link(vk_world, invoice)
    await start_conversation(vk_world)
    assert len(board_items((await vk_owner_browser.open("/board")).text)) == 2
    filtered = await vk_owner_browser.open("/board?only=opened")
    assert len(board_items(filtered.text)) == 1
    assert 'aria-current="true">Открыли, не оплатили' in filtered.text
    for query in ("?only=x", "?only=", "?only=UNANSWERED", "?cursor=x", "?only=x&cursor=1.a"):
        page = await vk_owner_browser.open(f"/board{query}")
        assert (page.status_code, len(board_items(page.text))) == (200, 2), query
    for cursor in ("x", "99999999999999999999.a", "1", "-1.x", "1.%00", "1.'"):
        page = await vk_owner_browser.open(f"/board?only=opened&cursor={cursor}")
        assert page.status_code in (200, 400), cursor


async def test_long_section_is_shortened_and_paged(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    await start_conversation(vk_world)
    conversation = await vk_world.conversation()
    rows = [
        replace(
            conversation,
            id=vk_world.ctx.new_id("cnv", vk_world.shop.id),
            peer_id=10_000 + n,
            name=f"Клиент {n}",
            waiting_since_us=conversation.waiting_since_us + n,
            version=0,
        )
        for n in range(1, 120)
    ]
    await changes.commit(vk_world.ctx.db, Change(tuple(rows)), vk_world.ctx.now_us())
    board = await vk_owner_browser.open("/board")
    assert len(board_items(board.text)) == 5
    assert "Показать все: 99+" in visible_text(board.text)
    items, url = [], "/board?only=unanswered"
    while url:
        page = await vk_owner_browser.open(url)
        items += board_items(page.text)
        next_link = re.search(r'class="button" href="(/board\?[^"]+)"', page.text)
        url = next_link[1].replace("&amp;", "&") if next_link else ""
        assert len(board_items(page.text)) <= 50
    assert len(items) == len(set(items)) == 120


async def test_reminder_is_sent_from_the_board_once_a_day(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    card = await get_card(vk_world, await issue_and_send(vk_world))
    await vk_owner_browser.open("/board?only=unopened")
    response = await vk_owner_browser.submit(f"/board/cards/{card.id}/remind", only="unopened")
    assert (response.status_code, response.headers["location"]) == (303, "/board?only=unopened")
    page = await vk_owner_browser.open("/board?only=unopened")
    assert "Напоминание отправлено" in visible_text(page.text)
    assert "напомнили" in board_items(page.text)[0]
    assert "/remind" not in page.text
    again = await vk_owner_browser.submit(f"/board/cards/{card.id}/remind", only="//evil.example")
    assert again.headers["location"] == "/board"
    assert "Сегодня этому клиенту уже напоминали" in visible_text(
        (await vk_owner_browser.open("/board")).text
    )
    await vk_world.run_jobs()
    assert sum("Напоминаем" in text for text in await vk_world.vk_texts()) == 1


async def test_refused_reminder_shows_the_reason_on_the_board(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    invoice, other = await issue_and_send(vk_world), await issue_invoice(vk_world)
    card, second = await get_card(vk_world, invoice), await get_card(vk_world, other)
    await vk_owner_browser.open("/board")
    await pay_invoice(vk_world, other)
    await vk_owner_browser.submit(f"/board/cards/{second.id}/remind")
    assert "счёт уже оплачен" in visible_text((await vk_owner_browser.open("/board")).text)
    await change_conversation(vk_world, blocked_reason="901")
    page = await vk_owner_browser.open("/board?only=unopened")
    assert "запретил сообщения сообщества. Другие способы" in board_items(page.text)[0]
    assert board_items(page.text)[0].endswith("Открыть диалог")
    await vk_owner_browser.submit(f"/board/cards/{card.id}/remind")
    assert "Напоминание не отправлено: клиент запретил сообщения" in visible_text(
        (await vk_owner_browser.open("/board")).text
    )
    for unknown_id in ("crd_nobody", "x", "inv_1"):
        assert (
            await vk_owner_browser.submit(f"/board/cards/{unknown_id}/remind")
        ).status_code == 404


async def test_failed_mail_is_sent_again_from_the_board(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    payment = await pay_invoice(vk_world, await issue_and_send(vk_world, questions=QUESTIONS))
    await vk_world.run_jobs()
    await store_failed_mail(vk_world, payment.id)
    await vk_owner_browser.open("/board?only=mail")
    response = await vk_owner_browser.submit(f"/board/mails/{payment.id}/again", only="mail")
    assert response.status_code == 303
    page = await vk_owner_browser.open(response.headers["location"])
    assert "Квитанция в очереди на отправку" in visible_text(page.text)
    assert board_items(page.text) == []


async def test_extra_payment_is_accepted_or_refunded_from_the_board_with_one_press(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    _, accepted = await extra_payment(vk_world)
    _, refunded = await extra_payment(vk_world)
    page = await vk_owner_browser.open("/board")
    refund_item, accept_item = (item for item in board_items(page.text) if "Лишний" in item)
    for item in (refund_item, accept_item):
        assert item.endswith("Принять платёж Вернуть всё: 1 500,00 ₽")
    for payment, way, text in (
        (accepted, "accept", "Платёж принят и учтён в счёте"),
        (refunded, "refund-all", "Возврат принят и отправляется в банк"),
        (accepted, "refund-all", "Решение по этому платежу уже принято"),
    ):
        url = f"/board/payments/{payment.id}/{way}"
        response = await vk_owner_browser.submit(url, only="attention")
        page = await vk_owner_browser.open(response.headers["location"])
        assert text in visible_text(page.text)
    assert board_items(page.text) == []
    await vk_world.run_jobs()
    details = await get_details(vk_world.ctx, vk_world.member, refunded.id)
    assert [(r.amount.minor, r.status) for r in details.refunds] == [(150_000, "succeeded")]


async def test_viewer_sees_payments_but_no_client_names(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    payment = await pay_invoice(vk_world, await issue_and_send(vk_world, questions=QUESTIONS))
    await store_failed_mail(vk_world, payment.id)
    await start_conversation(vk_world)
    card = await get_card(vk_world, await issue_invoice(vk_world))
    name = (await vk_world.conversation()).name
    async with vk_world.ctx.db.write() as tx:
        await tx.execute(SET_ROLE, role=Role.VIEWER, shop_id=vk_world.shop.id)
    for url in ("/board", "/"):
        page = await vk_owner_browser.open(url)
        assert page.status_code == 200
        assert name not in page.text
        assert "Ждут ответа" not in page.text
        assert "/inbox" not in page.text
    payment_item, mail_item = board_items((await vk_owner_browser.open("/board")).text)
    assert payment_item.endswith("Открыть платёж")
    assert mail_item.endswith("Открыть платёж")
    assert (await vk_owner_browser.open("/board?only=unanswered")).status_code == 403
    assert (await vk_owner_browser.submit(f"/board/cards/{card.id}/remind")).status_code == 403
    assert (await vk_owner_browser.submit(f"/board/mails/{payment.id}/again")).status_code == 403


async def test_board_requires_a_session_and_a_csrf_token(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    card = await get_card(vk_world, await issue_and_send(vk_world))
    forged = await vk_owner_browser.submit(f"/board/cards/{card.id}/remind", csrf="forged")
    assert forged.status_code == 403
    secret = vk_owner_browser.http.cookies["sigma_session"]
    session = await users.find_session(vk_world.ctx, secret)
    assert session
    await users.sign_out(vk_world.ctx, session, ip="192.0.2.1")
    redirect = await vk_owner_browser.open("/board")
    assert redirect.status_code in (302, 303)
    assert redirect.headers["location"].startswith("/sign-in")


async def test_extra_payment_is_on_the_board_with_what_to_decide(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    invoice = await vk_world.create_invoice()
    pair = [await vk_world.start_payment(invoice, payer=name) for name in ("a", "b")]
    for payment in pair:
        await vk_world.pay(payment)
        await payments.advance(vk_world.ctx, payment.id)
    page = (await vk_owner_browser.open("/board")).text
    extra, paid = board_items(page)
    assert "Лишний платёж: счёт уже был оплачен" in extra
    assert extra.count(f"№ {invoice.number}") == paid.count(f"№ {invoice.number}") == 1
    assert extra.endswith("Принять платёж Вернуть всё: 1 500,00 ₽")
    home = visible_text((await vk_owner_browser.open("/")).text)
    assert "Оплатили 1" in home
    assert home.count("Требует внимания") == 1, "the home page lists the payment itself"
