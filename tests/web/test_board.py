"""The board's pages without a script: what stands there, the one deed of each line, what is said
when it cannot be done.
"""

import re
from dataclasses import replace
from typing import Any

from sigma.domain.accounts.member import Role
from sigma.domain.billing.mail import Mail, Status
from sigma.domain.change import Change
from sigma.services.accounts import users
from sigma.store import changes
from sigma.store.engine.statements import text_statement
from sigma.store.messaging import conversations
from tests.dialog_money import card_of, greeted, in_dialog, issued, opens, pays
from tests.vk_world import VkWorld
from tests.web.cabinet_stage import Browser, words
from tests.world import ASK

ROLE = text_statement("UPDATE members SET role = :role WHERE shop_id = :shop_id", "role", "shop_id")


def lines(page: str) -> list[str]:
    """The lines of the board, as a person reads them."""
    return [words(one) for one in re.findall(r'<li class="board-line".*?</li>', page, re.DOTALL)]


async def becomes(vk: VkWorld, **facts: Any) -> None:
    """The client's dialog becomes something else."""
    known = await vk.conversation()
    async with vk.ctx.db.write() as tx:
        locked = await conversations.lock(tx, known.id)
        await changes.write(tx, Change((replace(locked, **facts),)), vk.ctx.now())


async def unmailed(vk: VkWorld, payment_id: str) -> None:
    """The letter with the receipt did not go."""
    new_id, now = vk.ctx.new_id("mail", vk.shop.id), vk.ctx.now()
    mail = Mail(new_id, vk.shop.id, "receipt", payment_id, payment_id, now, 7)
    failed = replace(
        mail, status=Status.FAILED, to_masked="c***@example.net", answer="550 <b>no</b>"
    )
    await changes.commit(vk.ctx.db, Change((failed,)), now)


async def test_an_empty_board_says_so_and_leads_on(answerer: Browser, vk: VkWorld) -> None:
    page = await answerer.open("/board")
    assert page.status_code == 200
    assert "Никто никого не ждёт" in words(page.text)
    assert 'href="/inbox"' in page.text
    for group, said in (("unanswered", "Все клиенты получили ответ"), ("mail", "Все письма дошли")):
        assert said in words((await answerer.open(f"/board?only={group}")).text)
    assert "Кто кого ждёт" not in words((await answerer.open("/")).text)


async def test_the_first_page_counts_and_leads_to_the_parts(answerer: Browser, vk: VkWorld) -> None:
    await greeted(vk)
    home = await answerer.open("/")
    assert "Ждут ответа 1" in words(home.text)
    assert 'href="/board?only=unanswered"' in home.text
    assert 'href="/board"' in (await answerer.open("/inbox")).text


async def test_each_line_says_who_what_how_much_and_has_one_deed(
    answerer: Browser, vk: VkWorld
) -> None:
    invoice = await in_dialog(vk, questions=ASK)
    await greeted(vk)
    await becomes(vk, name="Анна <i>Ковалёва</i>")
    dialog = await vk.conversation()
    page = await answerer.open("/board")
    waits, link = lines(page.text)
    assert "Анна <i>Ковалёва</i> Здравствуйте Написали только что" in waits
    assert waits.endswith("Ответить")
    assert f'href="/inbox/{dialog.id}"' in page.text
    assert "1 500 ₽" in link.replace("\xa0", " ")
    assert f"№ {invoice.number} Маникюр" in link
    assert link.endswith("Напомнить")
    assert "<i>" not in page.text
    payment = await pays(vk, invoice)
    await vk.work()
    await unmailed(vk, payment.id)
    page = await answerer.open("/board")
    assert f'href="/payments/{payment.id}">Открыть операцию' in page.text
    assert lines(page.text)[2].endswith("Отправить снова")
    assert "550 <b>no</b>" in lines(page.text)[2]
    assert "<b>no" not in page.text


async def test_a_filter_shows_one_part_and_nonsense_shows_all(
    answerer: Browser, vk: VkWorld
) -> None:
    invoice = await in_dialog(vk)
    await opens(vk, invoice)
    await greeted(vk)
    assert len(lines((await answerer.open("/board")).text)) == 2
    only = await answerer.open("/board?only=opened")
    assert len(lines(only.text)) == 1
    assert 'aria-current="true">Открыли, не оплатили' in only.text
    for odd in ("?only=x", "?only=", "?only=UNANSWERED", "?cursor=x", "?only=x&cursor=1.a"):
        page = await answerer.open(f"/board{odd}")
        assert (page.status_code, len(lines(page.text))) == (200, 2), odd
    for cursor in ("x", "99999999999999999999.a", "1", "-1.x", "1.%00", "1.'"):
        page = await answerer.open(f"/board?only=opened&cursor={cursor}")
        assert page.status_code in (200, 400), cursor


async def test_a_long_part_is_cut_and_goes_on(answerer: Browser, vk: VkWorld) -> None:
    await greeted(vk)
    dialog = await vk.conversation()
    many = [
        replace(
            dialog,
            id=vk.ctx.new_id("dlg", vk.shop.id),
            peer_id=10_000 + n,
            name=f"Клиент {n}",
            waiting_since=dialog.waiting_since + n,
            version=0,
        )
        for n in range(1, 120)
    ]
    await changes.commit(vk.ctx.db, Change(tuple(many)), vk.ctx.now())
    board = await answerer.open("/board")
    assert len(lines(board.text)) == 5
    assert "Показать все: 99+" in words(board.text)
    seen, url = [], "/board?only=unanswered"
    while url:
        page = await answerer.open(url)
        seen += lines(page.text)
        more = re.search(r'class="button" href="(/board\?[^"]+)"', page.text)
        url = more[1].replace("&amp;", "&") if more else ""
        assert len(lines(page.text)) <= 50
    assert len(seen) == len(set(seen)) == 120


async def test_a_reminder_is_sent_from_the_board_once_a_day(answerer: Browser, vk: VkWorld) -> None:
    card = await card_of(vk, await in_dialog(vk))
    await answerer.open("/board?only=unopened")
    sent = await answerer.send(f"/board/cards/{card.id}/remind", only="unopened")
    assert (sent.status_code, sent.headers["location"]) == (303, "/board?only=unopened")
    page = await answerer.open("/board?only=unopened")
    assert "Напоминание отправлено в диалог" in words(page.text)
    assert "сегодня уже напомнили" in lines(page.text)[0]
    assert "/remind" not in page.text
    again = await answerer.send(f"/board/cards/{card.id}/remind", only="//evil.example")
    assert again.headers["location"] == "/board"
    assert "Сегодня этому клиенту уже напоминали" in words((await answerer.open("/board")).text)
    await vk.work()
    assert sum("Напоминаем" in one for one in await vk.texts_at_vk()) == 1


async def test_why_a_reminder_cannot_be_sent_is_said_on_the_board(
    answerer: Browser, vk: VkWorld
) -> None:
    invoice, other = await in_dialog(vk), await issued(vk)
    card, second = await card_of(vk, invoice), await card_of(vk, other)
    await answerer.open("/board")
    await pays(vk, other)
    await answerer.send(f"/board/cards/{second.id}/remind")
    assert "счёт уже оплачен" in words((await answerer.open("/board")).text)
    await becomes(vk, closed="901")
    page = await answerer.open("/board?only=unopened")
    assert "не разрешает сообществу писать" in lines(page.text)[0]
    assert lines(page.text)[0].endswith("Открыть диалог")
    await answerer.send(f"/board/cards/{card.id}/remind")
    assert "он запретил сообщения сообщества" in words((await answerer.open("/board")).text)
    for wrong in ("crd_nobody", "x", "inv_1"):
        assert (await answerer.send(f"/board/cards/{wrong}/remind")).status_code == 404


async def test_a_letter_is_sent_again_from_the_board(answerer: Browser, vk: VkWorld) -> None:
    payment = await pays(vk, await in_dialog(vk, questions=ASK))
    await vk.work()
    await unmailed(vk, payment.id)
    await answerer.open("/board?only=mail")
    sent = await answerer.send(f"/board/mails/{payment.id}/again", only="mail")
    assert sent.status_code == 303
    page = await answerer.open(sent.headers["location"])
    assert "Письмо с чеком поставлено в очередь" in words(page.text)
    assert lines(page.text) == []


async def test_a_viewer_sees_money_and_no_names(answerer: Browser, vk: VkWorld) -> None:
    payment = await pays(vk, await in_dialog(vk, questions=ASK))
    await unmailed(vk, payment.id)
    await greeted(vk)
    card = await card_of(vk, await issued(vk))
    name = (await vk.conversation()).name
    async with vk.ctx.db.write() as tx:
        await tx.execute(ROLE, role=Role.VIEWER, shop_id=vk.shop.id)
    for url in ("/board", "/"):
        page = await answerer.open(url)
        assert page.status_code == 200
        assert name not in page.text
        assert "Ждут ответа" not in page.text
        assert "/inbox" not in page.text
    paid, mail = lines((await answerer.open("/board")).text)
    assert paid.endswith("Открыть операцию")
    assert mail.endswith("Открыть операцию")
    assert (await answerer.open("/board?only=unanswered")).status_code == 403
    assert (await answerer.send(f"/board/cards/{card.id}/remind")).status_code == 403
    assert (await answerer.send(f"/board/mails/{payment.id}/again")).status_code == 403


async def test_the_board_is_for_those_who_signed_in(answerer: Browser, vk: VkWorld) -> None:
    card = await card_of(vk, await in_dialog(vk))
    forged = await answerer.send(f"/board/cards/{card.id}/remind", csrf="forged")
    assert forged.status_code == 403
    await users.sign_out(vk.ctx, answerer.http.cookies["sigma_session"])
    away = await answerer.open("/board")
    assert away.status_code in (302, 303)
    assert away.headers["location"].startswith("/sign-in")
