"""The inbox without JavaScript: conversation list, messages, replies, permissions."""

import re
from dataclasses import replace
from typing import Any

from sigma.domain.accounts.member import Role
from sigma.domain.billing.connection import Status as ConnectionStatus
from sigma.domain.change import Change
from sigma.domain.messaging.message import (
    POSITION_STEP,
    Message,
    MessageAttachment,
    MessageBody,
    Status,
)
from sigma.services.conversations import message_codec
from sigma.store import changes
from sigma.store.messaging import communities
from sigma.web.middleware.security import SecurityHeaders
from tests.vk_world import VkWorld
from tests.web.cabinet_harness import BASE_URL, CabinetBrowser, set_role, visible_text


async def receive_message(vk: VkWorld, text: str = "Здравствуйте, сколько стоит маникюр?") -> str:
    """Receive a message from the client; return the URL of the conversation."""
    await vk.write_as_client(text)
    await vk.poll_events()
    return f"/inbox/{(await vk.conversation()).id}"


async def store_messages(vk: VkWorld, *messages: tuple[MessageBody, dict[str, Any]]) -> None:
    """Store messages in the conversation after the existing ones."""
    conversation = await vk.conversation()
    rows = []
    for n, (body, fields) in enumerate(messages, 100):
        message_id = vk.ctx.new_id("msg", vk.shop.id)
        row = Message(
            id=message_id,
            shop_id=vk.shop.id,
            conversation_id=conversation.id,
            is_outgoing=False,
            author="client",
            body_encrypted=message_codec.encrypt_body(vk.ctx.cipher, message_id, body),
            written_at_us=vk.ctx.now_us(),
            position=n * POSITION_STEP,
            cmid=n,
        )
        rows.append(replace(row, **fields))
    await changes.commit(vk.ctx.db, Change(tuple(rows)), vk.ctx.now_us())


def message_texts(page: str) -> list[str]:
    """Return the visible text of each message of the page."""
    list_html = page.partition('id="messages"')[2].partition("</ol>")[0]
    return [
        visible_text(item)
        for item in re.findall(r'<li class="bubble .*?</li>', list_html, re.DOTALL)
    ]


async def test_empty_inbox_explains_the_next_step(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    page = await vk_owner_browser.open("/inbox")
    assert page.status_code == 200
    assert "Как только клиент напишет сообществу" in visible_text(page.text)
    search_page = await vk_owner_browser.open("/inbox?q=никто")
    assert "Ничего не найдено" in visible_text(search_page.text)


async def test_inbox_without_a_community_links_to_connecting_one(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    async with vk_world.ctx.db.write() as tx:
        connection = await communities.lock_connection(tx, vk_world.community_id)
        switched_off = replace(connection, status=ConnectionStatus.OFF)
        await changes.write(tx, Change((switched_off,)), vk_world.ctx.now_us())
    page = (await vk_owner_browser.open("/inbox")).text
    assert 'href="/vk"' in page
    assert "Подключить сообщество" in page


async def test_conversation_is_listed_and_counted_in_the_menu(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    url = await receive_message(vk_world)
    page = (await vk_owner_browser.open("/inbox")).text
    assert f'href="{url}"' in page
    text = visible_text(page)
    assert "Иван Клиентов" in text
    assert "Здравствуйте, сколько стоит маникюр?" in text
    assert "Ждёт ответа" in text
    assert "Непрочитанных диалогов: 1" in text
    assert "Непрочитанных диалогов: 1" in visible_text((await vk_owner_browser.open("/")).text), (
        "on every page"
    )


async def test_conversations_are_filtered_by_query_parameters(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    url = await receive_message(vk_world)
    assert url in (await vk_owner_browser.open("/inbox?only=unread")).text
    assert url in (await vk_owner_browser.open("/inbox?q=маникюр&only=unanswered")).text
    assert url not in (await vk_owner_browser.open("/inbox?q=педикюр")).text
    assert f"{url}?only=unread" in (await vk_owner_browser.open("/inbox?only=unread")).text, (
        "the conversation link keeps the filter"
    )


async def test_opening_a_conversation_marks_it_read_but_polling_does_not(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    url = await receive_message(vk_world)
    await vk_owner_browser.open(url, **{"hx-request": "true"})
    assert (await vk_world.conversation()).unread_count == 1
    page = await vk_owner_browser.open(url)
    assert (await vk_world.conversation()).unread_count == 0
    assert "Непрочитанных диалогов: 1" not in visible_text(page.text), (
        "the page counts it as read already"
    )
    await vk_world.run_jobs()
    assert (await vk_world.fetch_vk_conversation())["in_read"] == (
        await vk_world.conversation()
    ).last_cmid


async def test_client_message_and_attachments_are_escaped(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    hostile_text = "<script>alert(1)</script> <b>x</b> [id1|Павел] https://ok.example/a?b=1&c=2."
    url = await receive_message(vk_world, hostile_text)
    hostile_link = MessageAttachment("link", "<i>t</i>", "javascript:alert(1)", "data:text/html,x")
    document = MessageAttachment("doc", "договор.pdf", "https://vk.example/doc", "", "pdf 120 КБ")
    photo = MessageAttachment(
        "photo", "", 'https://vk.example/"onload="x', "https://vk.example/p.jpg"
    )
    await store_messages(vk_world, (MessageBody("", (hostile_link, document, photo)), {}))
    page = (await vk_owner_browser.open(url)).text
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


async def test_message_shows_its_author_and_delivery_status(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    url = await receive_message(vk_world)
    keyboard = {"buttons": [[{"action": {"type": "open_link", "label": "Оплатить", "link": "x"}}]]}
    outgoing = {"is_outgoing": True, "author": vk_world.member.actor, "status": Status.SENT}
    failed = outgoing | {"status": Status.FAILED, "failure": "902", "cmid": None}
    queued = outgoing | {"status": Status.QUEUED, "cmid": None}
    await store_messages(
        vk_world,
        (MessageBody("автомат", keyboard=keyboard), outgoing | {"author": "auto"}),
        (MessageBody("изменил"), outgoing | {"edited_at_us": 1}),
        (MessageBody("с телефона"), outgoing | {"author": "vk:77"}),
        (MessageBody("не ушло"), failed),
        (MessageBody("в пути"), queued),
        (MessageBody("часто"), queued | {"failure": "postponed:9"}),
        (MessageBody("отключено"), queued | {"failure": "postponed:no_community"}),
    )
    page = (await vk_owner_browser.open(url)).text
    texts = message_texts(page)[1:]
    auto, edited, from_vk, undelivered, pending, rate_limited, disconnected = texts
    assert auto.startswith("Автоответ автомат Оплатить")
    assert edited.startswith("Вы изменил изменено")
    assert from_vk.startswith("Отправлено из ВКонтакте с телефона")
    assert "Не отправлено. Клиент закрыл личные сообщения" in undelivered
    assert "Отправляется" in pending
    assert "ВКонтакте ограничила частоту сообщений" in rate_limited
    assert "Сообщество отключено" in disconnected
    assert re.search(r'action="/inbox/\w+/messages/\w+/again"', page)
    assert 'href="mailto:?body=' in page


async def test_reply_form_sent_twice_sends_one_message(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    url = await receive_message(vk_world)
    await vk_owner_browser.open(url)
    for _ in range(2):
        response = await vk_owner_browser.submit(
            f"{url}/send", text="Две с половиной", key="one-key-of-a-form"
        )
        assert (response.status_code, response.headers["location"]) == (303, url)
    await vk_world.run_jobs()
    assert (await vk_world.vk_texts())[1:] == ["Две с половиной"]
    page = (await vk_owner_browser.open(url)).text
    assert message_texts(page)[-1].startswith("Вы Две с половиной")
    assert "Ждёт ответа" not in visible_text(page)


async def test_photo_is_sent_and_other_files_are_refused(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    url = await receive_message(vk_world)
    await vk_owner_browser.open(url)
    form = {"csrf": vk_owner_browser.csrf, "text": "Вот работа", "key": "key-of-a-photo"}
    same_origin = {"origin": BASE_URL, "sec-fetch-site": "same-origin"}
    svg_file = {"photo": ("a.svg", b"<svg onload='x'/>", "image/svg+xml")}
    refused = await vk_owner_browser.http.post(
        f"{url}/send", data=form, files=svg_file, headers=same_origin
    )
    assert refused.status_code == 422
    assert "Подойдут JPEG, PNG и WebP" in refused.text
    assert "Вот работа</textarea>" in refused.text, "the typed text stays"
    png_file = {"photo": ("a.png", PNG, "image/png")}
    accepted = await vk_owner_browser.http.post(
        f"{url}/send", data=form, files=png_file, headers=same_origin
    )
    assert accepted.status_code == 303
    await vk_world.run_jobs()
    message = (await vk_world.fetch_vk_conversation())["messages"][-1]
    assert message["text"] == "Вот работа"
    assert "Фото" in message_texts((await vk_owner_browser.open(url)).text)[-1]


async def test_refused_reply_keeps_the_typed_text(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    url = await receive_message(vk_world)
    await vk_owner_browser.open(url)
    empty = await vk_owner_browser.submit(f"{url}/send", text="  ", key="key-number-one")
    assert empty.status_code == 422
    assert "Напишите текст или приложите фото" in empty.text
    await vk_world.act_as_client("deny")
    await vk_world.poll_events()
    conversation = await vk_world.conversation()
    blocked = replace(conversation, blocked_reason="901")
    await changes.commit(vk_world.ctx.db, Change((blocked,)), vk_world.ctx.now_us())
    refused = await vk_owner_browser.submit(f"{url}/send", text="Вы здесь?", key="key-number-two")
    assert refused.status_code == 409
    assert "Попросите его написать первым" in visible_text(refused.text)
    assert "Вы здесь?</textarea>" in refused.text
    assert 'name="key" value="key-number-two"' in refused.text
    htmx_refused = await vk_owner_browser.submit(
        f"{url}/send", {"hx-request": "true"}, text="Вы здесь?", key="key-number-two"
    )
    assert htmx_refused.status_code == 409
    assert "Попросите его написать первым" in htmx_refused.json()["error"]


async def test_failed_message_is_sent_again_by_button(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    url = await receive_message(vk_world)
    await vk_world.inject_vk_faults(vk_error={"on": "messages.send", "value": 902})
    await vk_owner_browser.open(url)
    await vk_owner_browser.submit(f"{url}/send", text="Пришёл ответ", key="key-to-fail")
    await vk_world.run_jobs()
    page = (await vk_owner_browser.open(url)).text
    assert "Клиент закрыл личные сообщения" in visible_text(page)
    await vk_world.inject_vk_faults(vk_error=None)
    [send_again_url] = re.findall(r'action="(/inbox/\w+/messages/\w+/again)"', page)
    assert (await vk_owner_browser.submit(send_again_url)).status_code == 303
    await vk_world.run_jobs()
    assert (await vk_world.vk_texts())[-1] == "Пришёл ответ"


async def test_buttons_mark_answered_and_pause_auto_replies(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    url = await receive_message(vk_world)
    page = (await vk_owner_browser.open(url)).text
    assert f'action="{url}/answered"' in page
    assert (await vk_owner_browser.submit(f"{url}/answered")).headers["location"] == url
    assert not (await vk_world.conversation()).is_unanswered
    assert f'action="{url}/answered"' not in (await vk_owner_browser.open(url)).text
    assert (await vk_owner_browser.submit(f"{url}/hand", by="person")).status_code == 303
    assert (await vk_world.conversation()).handled_by_operator
    assert (await vk_owner_browser.submit(f"{url}/hand", by="nobody")).status_code == 422


async def test_typing_and_read_signals_are_recorded(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    url = await receive_message(vk_world)
    await vk_owner_browser.open("/inbox")
    assert (await vk_owner_browser.submit(f"{url}/answering", typing="yes")).status_code == 204
    assert (await vk_world.conversation()).typing_user_id == vk_world.member.actor
    last = str((await vk_world.conversation()).last_cmid)
    assert (await vk_owner_browser.submit(f"{url}/read", last=last)).status_code == 204
    assert (await vk_world.conversation()).unread_count == 0
    assert (await vk_owner_browser.submit(f"{url}/read", last="x")).status_code == 204
    assert (await vk_owner_browser.submit("/inbox/cnv_unknown/read", last="1")).status_code == 404


async def test_earlier_messages_open_without_javascript(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    url = await receive_message(vk_world)
    await store_messages(vk_world, *((MessageBody(f"строка {n}"), {}) for n in range(50)))
    page = (await vk_owner_browser.open(url)).text
    assert "строка 49" in page
    assert "строка 3<" not in page
    [earlier_url] = re.findall(r'href="([^"]+before=\d+)"', page)
    earlier_page = (await vk_owner_browser.open(earlier_url)).text
    assert "строка 3<" in earlier_page
    assert "К последним сообщениям" in earlier_page
    fragment = (await vk_owner_browser.open(earlier_url, **{"hx-request": "true"})).text
    assert "строка 3<" in fragment
    assert "<html" not in fragment


async def test_viewer_cannot_open_conversations(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    url = await receive_message(vk_world)
    await set_role(vk_world.ctx, Role.VIEWER)
    home = await vk_owner_browser.open("/settings")
    assert "/inbox" not in home.text
    for address in ("/inbox", url, "/inbox/live"):
        page = await vk_owner_browser.open(address)
        assert page.status_code == 403
        assert "маникюр" not in page.text
    for action in ("send", "read", "answering", "answered", "hand"):
        response = await vk_owner_browser.submit(f"{url}/{action}", text="х", by="person", last="1")
        assert response.status_code == 403, action
    assert await vk_world.texts() == ["Здравствуйте, сколько стоит маникюр?"]


async def test_reply_from_another_site_is_refused(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    url = await receive_message(vk_world)
    await vk_owner_browser.open(url)
    foreign_headers = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    assert (
        await vk_owner_browser.submit(f"{url}/send", foreign_headers, text="х")
    ).status_code == 403
    vk_owner_browser.csrf = "guessed"
    assert (await vk_owner_browser.submit(f"{url}/send", text="х")).status_code == 403
    assert len(await vk_world.messages()) == 1


async def test_inbox_pages_are_shown_in_english(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    url = await receive_message(vk_world, "Hello")
    await vk_owner_browser.submit("/locale", locale="en", next="/inbox")
    for address in ("/inbox", url, "/inbox?q=zzz"):
        page = (await vk_owner_browser.open(address)).text
        cyrillic = re.sub(
            r"Иван Клиентов|Студия «Лак»|Студия|Пётр|Русский|ИК", "", visible_text(page)
        )
        assert not re.search("[а-яё]", cyrillic, re.IGNORECASE), address


def test_external_images_are_allowed_only_where_clients_have_pictures() -> None:
    def image_policy(path: str, *, secure: bool) -> str:
        policy = dict(SecurityHeaders(secure=secure).for_path(path))[
            b"content-security-policy"
        ].decode()
        return str(re.findall("img-src ([^;]+)", policy)[0])

    assert image_policy("/inbox", secure=True) == "'self' data: https:"
    assert image_policy("/inbox/cnv_1", secure=False) == "'self' data: https: http:"
    for path in ("/customers", "/customers/cus_1/merge", "/payments", "/invoices"):
        assert image_policy(path, secure=True) == "'self' data: https:", path
    for path in ("/", "/inboxes", "/invoices/new", "/payments/pay_1", "/i/x", "/settings"):
        assert image_policy(path, secure=True) == "'self' data:", path


PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c49444154789c63f8cfc0000003010100"
    "c9fe92ef0000000049454e44ae426082"  # pragma: allowlist secret
)
