"""The pages of the dialogs without a script: what they show, what may be done, what is refused."""

import re
from dataclasses import replace
from typing import Any

from sigma.domain.billing.connection import Status as ConnectionStatus
from sigma.domain.change import Change
from sigma.domain.messaging.message import STEP, Body, Message, Shown, Status
from sigma.services.conversations import message_codec
from sigma.store import changes
from sigma.store.engine.statements import text_statement
from sigma.store.messaging import communities
from sigma.web.security import Policy
from tests.vk_world import VkWorld
from tests.web.cabinet_stage import BASE, Browser, words


async def talked(vk: VkWorld, text: str = "Здравствуйте, сколько стоит маникюр?") -> str:
    """A client has written; the address of the dialog."""
    await vk.client_writes(text)
    await vk.hear()
    return f"/inbox/{(await vk.conversation()).id}"


async def said(vk: VkWorld, *messages: tuple[Body, dict[str, Any]]) -> None:
    """Messages written into the dialog as rows, after those that are there."""
    talk = await vk.conversation()
    rows = []
    for n, (body, more) in enumerate(messages, 100):
        row = Message(
            id=vk.ctx.new_id("msg", vk.shop.id),
            shop_id=vk.shop.id,
            conversation_id=talk.id,
            out=False,
            author="client",
            body_sealed=message_codec.seal(vk.ctx.sealer, body),
            at=vk.ctx.now(),
            place=n * STEP,
            cmid=n,
        )
        rows.append(replace(row, **more))
    await changes.commit(vk.ctx.db, Change(tuple(rows)), vk.ctx.now())


def bubbles(page: str) -> list[str]:
    """What the messages of a page say."""
    said = page.partition('id="messages"')[2].partition("</ol>")[0]
    return [words(b) for b in re.findall(r'<li class="bubble .*?</li>', said, re.DOTALL)]


async def test_an_empty_inbox_says_what_to_do(answerer: Browser, vk: VkWorld) -> None:
    page = await answerer.open("/inbox")
    assert page.status_code == 200
    assert "Как только клиент напишет сообществу" in words(page.text)
    found = await answerer.open("/inbox?q=никто")
    assert "Ничего не нашлось" in words(found.text)


async def test_a_shop_without_a_community_is_led_to_connecting_one(
    answerer: Browser, vk: VkWorld
) -> None:
    async with vk.ctx.db.write() as tx:
        kept = await communities.lock_connection(tx, vk.community_id)
        off = replace(kept, status=ConnectionStatus.OFF)
        await changes.write(tx, Change((off,)), vk.ctx.now())
    page = (await answerer.open("/inbox")).text
    assert 'href="/vk"' in page
    assert "Подключить сообщество" in page


async def test_the_list_shows_a_dialog_and_the_menu_counts_it(
    answerer: Browser, vk: VkWorld
) -> None:
    url = await talked(vk)
    page = (await answerer.open("/inbox")).text
    assert f'href="{url}"' in page
    shown = words(page)
    assert "Иван Клиентов" in shown
    assert "Здравствуйте, сколько стоит маникюр?" in shown
    assert "Ждёт ответа" in shown
    assert "Непрочитанных диалогов: 1" in shown
    assert "Непрочитанных диалогов: 1" in words((await answerer.open("/")).text), "on every page"


async def test_the_list_is_narrowed_by_its_address(answerer: Browser, vk: VkWorld) -> None:
    url = await talked(vk)
    assert url in (await answerer.open("/inbox?only=unread")).text
    assert url in (await answerer.open("/inbox?q=маникюр&only=unanswered")).text
    assert url not in (await answerer.open("/inbox?q=педикюр")).text
    assert f"{url}?only=unread" in (await answerer.open("/inbox?only=unread")).text, (
        "kept in a dialog"
    )


async def test_opening_a_dialog_reads_it_and_looking_for_news_does_not(
    answerer: Browser, vk: VkWorld
) -> None:
    url = await talked(vk)
    await answerer.open(url, **{"hx-request": "true"})
    assert (await vk.conversation()).unread == 1
    page = await answerer.open(url)
    assert (await vk.conversation()).unread == 0
    assert "Непрочитанных диалогов: 1" not in words(page.text), "the page knows it already"
    await vk.work()
    assert (await vk.dialog_at_vk())["in_read"] == (await vk.conversation()).last_cmid


async def test_what_clients_write_is_shown_as_text_and_never_runs(
    answerer: Browser, vk: VkWorld
) -> None:
    evil = "<script>alert(1)</script> <b>x</b> [id1|Павел] https://ok.example/a?b=1&c=2."
    url = await talked(vk, evil)
    bad = Shown("link", "<i>t</i>", "javascript:alert(1)", "data:text/html,x")
    good = Shown("doc", "договор.pdf", "https://vk.example/doc", "", "pdf 120 КБ")
    photo = Shown("photo", "", 'https://vk.example/"onload="x', "https://vk.example/p.jpg")
    await said(vk, (Body("", (bad, good, photo)), {}))
    page = (await answerer.open(url)).text
    assert "<script>alert" not in page
    assert "<b>x</b>" not in page
    assert "javascript:" not in page
    assert "data:text/html" not in page
    assert '"onload="' not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "Павел" in page
    assert "[id1|" not in page
    link = '<a href="https://ok.example/a?b=1&amp;c=2" target="_blank" rel="noopener noreferrer'
    assert link in page
    assert 'href="https://vk.example/doc" target="_blank" rel="noopener noreferrer' in page
    assert 'src="https://vk.example/p.jpg"' in page


async def test_a_message_says_who_wrote_it_and_what_became_of_it(
    answerer: Browser, vk: VkWorld
) -> None:
    url = await talked(vk)
    keyboard = {"buttons": [[{"action": {"type": "open_link", "label": "Оплатить", "link": "x"}}]]}
    ours = {"out": True, "author": vk.member.actor, "status": Status.SENT}
    failed = ours | {"status": Status.FAILED, "failure": "902", "cmid": None}
    queued = ours | {"status": Status.QUEUED, "cmid": None}
    await said(
        vk,
        (Body("автомат", keyboard=keyboard), ours | {"author": "auto"}),
        (Body("изменил"), ours | {"edited_at": 1}),
        (Body("с телефона"), ours | {"author": "vk:77"}),
        (Body("не ушло"), failed),
        (Body("в пути"), queued),
        (Body("часто"), queued | {"failure": "waits:9"}),
        (Body("отключено"), queued | {"failure": "waits:no_community"}),
    )
    page = (await answerer.open(url)).text
    auto, edited, phone, wrong, waits, slow, off = bubbles(page)[1:]
    assert auto.startswith("Написано автоматически автомат Оплатить")
    assert edited.startswith("Вы изменил изменено")
    assert phone.startswith("Написано во ВКонтакте с телефона")
    assert "Не отправлено. Клиент закрыл личные сообщения" in wrong
    assert "Отправляется" in waits
    assert "ВКонтакте просит писать реже" in slow
    assert "Сообщество отключено" in off
    assert re.search(r'action="/inbox/\w+/messages/\w+/again"', page)
    assert 'href="mailto:?body=' in page


async def test_an_answer_goes_to_the_client_once_however_often_the_form_comes(
    answerer: Browser, vk: VkWorld
) -> None:
    url = await talked(vk)
    await answerer.open(url)
    for _ in range(2):
        answer = await answerer.send(f"{url}/send", text="Две с половиной", key="one-key-of-a-form")
        assert (answer.status_code, answer.headers["location"]) == (303, url)
    await vk.work()
    assert (await vk.texts_at_vk())[1:] == ["Две с половиной"]
    page = (await answerer.open(url)).text
    assert bubbles(page)[-1].startswith("Вы Две с половиной")
    assert "Ждёт ответа" not in words(page)


async def test_a_photo_is_sent_and_anything_else_is_refused(answerer: Browser, vk: VkWorld) -> None:
    url = await talked(vk)
    await answerer.open(url)
    form = {"csrf": answerer.csrf, "text": "Вот работа", "key": "key-of-a-photo"}
    own = {"origin": BASE, "sec-fetch-site": "same-origin"}
    wrong = {"photo": ("a.svg", b"<svg onload='x'/>", "image/svg+xml")}
    refused = await answerer.http.post(f"{url}/send", data=form, files=wrong, headers=own)
    assert refused.status_code == 422
    assert "Подойдёт фото JPG, PNG или GIF" in refused.text
    assert "Вот работа</textarea>" in refused.text, "what was typed stays"
    good = {"photo": ("a.png", PNG, "image/png")}
    sent = await answerer.http.post(f"{url}/send", data=form, files=good, headers=own)
    assert sent.status_code == 303
    await vk.work()
    message = (await vk.dialog_at_vk())["messages"][-1]
    assert message["text"] == "Вот работа"
    assert "Фото" in bubbles((await answerer.open(url)).text)[-1]


async def test_an_empty_answer_and_a_closed_dialog_keep_what_was_typed(
    answerer: Browser, vk: VkWorld
) -> None:
    url = await talked(vk)
    await answerer.open(url)
    empty = await answerer.send(f"{url}/send", text="  ", key="key-number-one")
    assert empty.status_code == 422
    assert "Напишите текст или приложите фото" in empty.text
    await vk.client_does("deny")
    await vk.hear()
    talk = await vk.conversation()
    closed = replace(talk, closed="901")
    await changes.commit(vk.ctx.db, Change((closed,)), vk.ctx.now())
    shut = await answerer.send(f"{url}/send", text="Вы здесь?", key="key-number-two")
    assert shut.status_code == 409
    assert "Попросите его написать первым" in words(shut.text)
    assert "Вы здесь?</textarea>" in shut.text
    assert 'name="key" value="key-number-two"' in shut.text
    script = await answerer.send(
        f"{url}/send", {"hx-request": "true"}, text="Вы здесь?", key="key-number-two"
    )
    assert script.status_code == 409
    assert "Попросите его написать первым" in script.json()["error"]


async def test_a_failed_message_is_tried_again_by_a_person(answerer: Browser, vk: VkWorld) -> None:
    url = await talked(vk)
    await vk.vk_control(vk_error={"on": "messages.send", "value": 902})
    await answerer.open(url)
    await answerer.send(f"{url}/send", text="Пришёл ответ", key="key-to-fail")
    await vk.work()
    page = (await answerer.open(url)).text
    assert "Клиент закрыл личные сообщения" in words(page)
    await vk.vk_control(vk_error=None)
    [again] = re.findall(r'action="(/inbox/\w+/messages/\w+/again)"', page)
    assert (await answerer.send(again)).status_code == 303
    await vk.work()
    assert (await vk.texts_at_vk())[-1] == "Пришёл ответ"


async def test_no_answer_needed_and_taking_over_are_buttons(answerer: Browser, vk: VkWorld) -> None:
    url = await talked(vk)
    page = (await answerer.open(url)).text
    assert f'action="{url}/answered"' in page
    assert (await answerer.send(f"{url}/answered")).headers["location"] == url
    assert not (await vk.conversation()).unanswered
    assert f'action="{url}/answered"' not in (await answerer.open(url)).text
    assert (await answerer.send(f"{url}/hand", by="person")).status_code == 303
    assert (await vk.conversation()).by_hand
    assert (await answerer.send(f"{url}/hand", by="nobody")).status_code == 422


async def test_signs_of_a_page_are_taken_quietly(answerer: Browser, vk: VkWorld) -> None:
    url = await talked(vk)
    await answerer.open("/inbox")
    assert (await answerer.send(f"{url}/answering", typing="yes")).status_code == 204
    assert (await vk.conversation()).answering_by == vk.member.actor
    last = str((await vk.conversation()).last_cmid)
    assert (await answerer.send(f"{url}/read", last=last)).status_code == 204
    assert (await vk.conversation()).unread == 0
    assert (await answerer.send(f"{url}/read", last="x")).status_code == 204
    assert (await answerer.send("/inbox/dlg_unknown/read", last="1")).status_code == 404


async def test_earlier_messages_open_without_a_script(answerer: Browser, vk: VkWorld) -> None:
    url = await talked(vk)
    await said(vk, *((Body(f"строка {n}"), {}) for n in range(50)))
    page = (await answerer.open(url)).text
    assert "строка 49" in page
    assert "строка 3<" not in page
    [earlier] = re.findall(r'href="([^"]+before=\d+)"', page)
    more = (await answerer.open(earlier)).text
    assert "строка 3<" in more
    assert "К последним" in more
    part = (await answerer.open(earlier, **{"hx-request": "true"})).text
    assert "строка 3<" in part
    assert "<html" not in part


async def test_a_viewer_finds_no_dialogs_anywhere(answerer: Browser, vk: VkWorld) -> None:
    url = await talked(vk)
    await become(vk, "viewer")
    home = await answerer.open("/settings")
    assert "/inbox" not in home.text
    for address in ("/inbox", url, "/inbox/live"):
        page = await answerer.open(address)
        assert page.status_code == 403
        assert "маникюр" not in page.text
    for what in ("send", "read", "answering", "answered", "hand"):
        answer = await answerer.send(f"{url}/{what}", text="х", by="person", last="1")
        assert answer.status_code == 403, what
    assert await vk.texts() == ["Здравствуйте, сколько стоит маникюр?"]


async def test_a_form_of_another_site_does_nothing(answerer: Browser, vk: VkWorld) -> None:
    url = await talked(vk)
    await answerer.open(url)
    foreign = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    assert (await answerer.send(f"{url}/send", foreign, text="х")).status_code == 403
    answerer.csrf = "guessed"
    assert (await answerer.send(f"{url}/send", text="х")).status_code == 403
    assert len(await vk.messages()) == 1


async def test_dialogs_speak_english_too(answerer: Browser, vk: VkWorld) -> None:
    url = await talked(vk, "Hello")
    await answerer.send("/locale", locale="en", next="/inbox")
    for address in ("/inbox", url, "/inbox?q=zzz"):
        page = (await answerer.open(address)).text
        cyrillic = re.sub(r"Иван Клиентов|Студия «Лак»|Студия|Пётр|Русский|ИК", "", words(page))
        assert not re.search("[а-яё]", cyrillic, re.IGNORECASE), address


def test_pictures_of_strangers_may_come_into_the_dialogs_alone() -> None:
    def pictures(path: str, *, secure: bool) -> str:
        policy = dict(Policy(secure=secure).of(path))[b"content-security-policy"].decode()
        return str(re.findall("img-src ([^;]+)", policy)[0])

    assert pictures("/inbox", secure=True) == "'self' data: https:"
    assert pictures("/inbox/dlg_1", secure=False) == "'self' data: https: http:"
    for path in ("/", "/inboxes", "/invoices", "/i/x", "/settings"):
        assert pictures(path, secure=True) == "'self' data:", path


PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)


async def become(vk: VkWorld, role: str) -> None:
    """The owner is from now on something less."""
    change = text_statement("UPDATE members SET role = :role", "role")
    async with vk.ctx.db.write() as tx:
        await tx.execute(change, role=role)
