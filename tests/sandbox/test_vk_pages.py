"""Pages of the sandbox VK over HTTP, as a browser without JavaScript uses them."""

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from PIL import Image

from sigma_sandbox.app import Sandbox
from sigma_sandbox.vk.actions.client_actions import Vk
from sigma_sandbox.vk.world.models import Community, MarketItem, Message

OWNER = 1001


@dataclass(frozen=True)
class Visit:
    """A new community and the browser of a client who has not written to it."""

    vk: Vk
    http: httpx.AsyncClient
    community: Community
    person_id: int

    @property
    def conversation_path(self) -> str:
        return f"/vk/write-{self.community.id}"

    def messages(self) -> list[Message]:
        """Return the messages of the conversation, oldest first."""
        return self.vk.list_messages(self.community.id, self.person_id)

    def send_from_community(self, text: str, keyboard: dict[str, Any] | None = None) -> Message:
        return self.vk.add_message(
            self.community.id, self.person_id, is_outgoing=True, text=text, keyboard=keyboard
        )

    def current_community(self) -> Community:
        return self.vk.communities[self.community.id]

    def add_service(self, title: str = "Укладка", **more: Any) -> MarketItem:
        more.setdefault("price_minor", 150_000)
        return self.vk.add_item(
            self.community.id, title, "Вечером и утром.", is_service=True, **more
        )


@pytest.fixture
async def visit(sandbox: Sandbox) -> AsyncIterator[Visit]:
    vk = sandbox.vk
    switches = {"messages": True, "bots_capabilities": True, "services": True}
    community = vk.add_community("Салон «Тишина»", OWNER, **switches)
    person = vk.list_clients()[0]
    async with httpx.AsyncClient(base_url=sandbox.base_url, follow_redirects=True) as http:
        await http.post("/vk/me", data={"person": str(person.id)})
        yield Visit(vk, http, community, person.id)


def button(kind: str, label: str, **more: str) -> dict[str, Any]:
    return {"action": {"type": kind, "label": label, **more}}


def inline(*buttons: dict[str, Any]) -> dict[str, Any]:
    return {"inline": True, "buttons": [[one] for one in buttons]}


async def test_community_is_found_by_id_and_by_screen_name(visit: Visit) -> None:
    named = visit.vk.add_community("Дом «Лён»", OWNER, screen_name=f"len{visit.community.id}")
    for address in (f"/vk/club{named.id}", f"/vk/len{visit.community.id}"):
        page = await visit.http.get(address)
        assert page.status_code == 200
        assert "<h1>Дом «Лён»</h1>" in page.text
    assert (await visit.http.get("/vk/nobody")).status_code == 404
    home = (await visit.http.get("/vk/")).text
    assert f'href="/vk/len{visit.community.id}"' in home


async def test_available_services_are_listed_with_price_and_next_link(visit: Visit) -> None:
    first = visit.add_service("Укладка", price_minor=150_000)
    visit.add_service("Стрижка", price_minor=99_950, price_type=2)
    visit.add_service("Свадьба", price_minor=0, price_type=3)
    visit.add_service("Забытое", availability=1)
    page = (await visit.http.get(f"/vk/club{visit.community.id}")).text
    for price in ("1\u00a0500\u00a0₽", "от 999,50\u00a0₽", "Цена по договорённости"):
        assert price in page
    assert "Забытое" not in page
    service_page = (await visit.http.get(f"/vk/service/{visit.community.id}/{first.id}")).text
    assert f'rel="next" href="/vk/service/{visit.community.id}/{first.id + 1}"' in service_page
    assert 'rel="prev"' not in service_page


async def test_services_are_hidden_when_section_is_off(visit: Visit) -> None:
    visit.add_service("Укладка")
    visit.vk.put_community(replace(visit.current_community(), services=False))
    assert "Укладка" not in (await visit.http.get(f"/vk/club{visit.community.id}")).text


async def test_first_message_about_service_has_it_attached(visit: Visit) -> None:
    item = visit.add_service("Укладка")
    service_page = (await visit.http.get(f"{visit.conversation_path}?item={item.id}")).text
    assert "Здравствуйте! Меня интересует «Укладка»." in service_page
    sent = await visit.http.post(
        visit.conversation_path, data={"text": "Свободно в среду?", "item": item.id}
    )
    assert sent.url.path == visit.conversation_path
    assert "Свободно в среду?" in sent.text
    [message] = visit.messages()
    assert (message.is_outgoing, message.text) == (False, "Свободно в среду?")
    [attachment] = message.attachments
    assert (attachment.type, attachment.owner_id, attachment.id) == (
        "market",
        -visit.community.id,
        item.id,
    )


async def test_only_first_message_after_link_has_ref(
    visit: Visit,
) -> None:
    link = f"/vk/me/{visit.community.screen_name}?ref=svc_1&ref_source=post"
    page = await visit.http.get(link)
    assert str(page.url).endswith(f"{visit.conversation_path}?ref=svc_1&ref_source=post")
    assert '<input type="hidden" name="ref" value="svc_1">' in page.text
    sent = await visit.http.post(
        visit.conversation_path, data={"text": "Привет", "ref": "svc_1", "ref_source": "post"}
    )
    assert 'name="ref"' not in sent.text
    await visit.http.post(visit.conversation_path, data={"text": "Ещё раз"})
    assert [(m.ref, m.ref_source) for m in visit.messages()] == [("svc_1", "post"), (None, None)]


async def test_message_text_is_escaped_and_links_are_clickable(visit: Visit) -> None:
    visit.send_from_community("<b>жирно</b> https://shop.example/?a=1&b=2. Вот")
    page = (await visit.http.get(visit.conversation_path)).text
    assert "&lt;b&gt;жирно&lt;/b&gt;" in page
    assert "<b>" not in page
    assert (
        '<a href="https://shop.example/?a=1&amp;b=2" target="_blank" rel="noopener">'
        "https://shop.example/?a=1&amp;b=2</a>. Вот"
    ) in page


async def test_link_button_with_javascript_url_has_no_link(visit: Visit) -> None:
    keyboard = inline(
        button("open_link", "Оплатить", link="https://pay.example/i/1"),
        button("open_link", "Плохая", link="javascript:alert(1)"),
    )
    visit.send_from_community("Счёт", keyboard)
    page = (await visit.http.get(visit.conversation_path)).text
    assert 'href="https://pay.example/i/1" target="_blank" rel="noopener">Оплатить' in page
    assert "javascript:" not in page


async def test_text_button_sends_label_and_payload(visit: Visit) -> None:
    message = visit.send_from_community(
        "Когда?", inline(button("text", "Завтра", payload='{"day":1}'))
    )
    await visit.http.post(
        f"{visit.conversation_path}/press", data={"cmid": message.cmid, "place": "0,0"}
    )
    sent = visit.messages()[-1]
    assert (sent.is_outgoing, sent.text, sent.payload) == (False, "Завтра", '{"day":1}')


async def test_unknown_button_is_refused_with_explanation(visit: Visit) -> None:
    message = visit.send_from_community("Когда?", inline(button("text", "Завтра")))
    for position in ("1,0", "x", ""):
        pressed = await visit.http.post(
            f"{visit.conversation_path}/press", data={"cmid": message.cmid, "place": position}
        )
        assert pressed.status_code == 422
        assert "Этой кнопки больше нет." in pressed.text


async def test_callback_button_shows_answer_of_community(visit: Visit) -> None:
    message = visit.send_from_community(
        "Счёт", inline(button("callback", "Я оплатил", payload="{}"))
    )
    data = {"cmid": message.cmid, "place": "0,0"}
    events: list[dict[str, Any]] = []

    def record(community: Community, event: str, event_object: dict[str, Any]) -> None:
        if community.id == visit.community.id:
            events.append({"event": event} | event_object)

    visit.vk.event_listeners.append(record)
    try:
        pressed = await visit.http.post(f"{visit.conversation_path}/press", data=data)
    finally:
        visit.vk.event_listeners.remove(record)
    assert "Ждём ответа сообщества…" in pressed.text
    [event] = [one for one in events if one["event"] == "message_event"]
    press = visit.vk.button_presses[event["event_id"]]
    visit.vk.put_button_press(
        replace(press, answer={"type": "show_snackbar", "text": "Деньги пришли"})
    )
    assert "Деньги пришли" in (await visit.http.get(str(pressed.url))).text
    link = {"type": "open_link", "link": "https://pay.example/i/1"}
    visit.vk.put_button_press(replace(press, answer=link))
    response = await visit.http.get(f"{visit.conversation_path}/press/{press.id}")
    assert response.json() == {
        "text": "",
        "link": "https://pay.example/i/1",
        "pending_id": "",
    }
    assert len(visit.messages()) == 1


async def test_start_button_is_in_empty_conversation_only(visit: Visit) -> None:
    assert "Начать" not in (await visit.http.get(visit.conversation_path)).text
    visit.vk.put_community(replace(visit.current_community(), bots_start_button=True))
    assert "Начать" in (await visit.http.get(visit.conversation_path)).text
    sent = await visit.http.post(visit.conversation_path, data={"start": "1", "ref": "svc_9"})
    assert 'name="start"' not in sent.text
    [message] = visit.messages()
    assert (message.text, message.payload) == ("Начать", '{"command":"start"}')
    assert message.ref == "svc_9"


async def test_community_with_messages_off_refuses_message(visit: Visit) -> None:
    visit.vk.put_community(replace(visit.current_community(), messages=False))
    sent = await visit.http.post(visit.conversation_path, data={"text": "Вы тут?"})
    assert sent.status_code == 422
    assert "Сообщество не принимает сообщения." in sent.text
    assert visit.messages() == []


async def test_client_forbids_and_allows_messages(visit: Visit) -> None:
    await visit.http.post(visit.conversation_path, data={"text": "Привет"})
    forbidden = await visit.http.post(f"{visit.conversation_path}/allow", data={"allow": "0"})
    assert "Разрешить сообщения" in forbidden.text
    assert visit.vk.get_conversation(visit.community.id, visit.person_id).is_allowed is False
    await visit.http.post(f"{visit.conversation_path}/allow", data={"allow": "1"})
    assert visit.vk.get_conversation(visit.community.id, visit.person_id).is_allowed is True


async def test_feed_returns_new_and_edited_messages(visit: Visit) -> None:
    feed = f"{visit.conversation_path}/feed"
    version = (await visit.http.get(feed, params={"version": "nothing"})).json()["version"]
    assert (await visit.http.get(feed, params={"version": version})).status_code == 204
    waiting = asyncio.create_task(visit.http.get(feed, params={"version": version}))
    await asyncio.sleep(0.1)
    message = visit.send_from_community("Ждём вас")
    update = (await waiting).json()
    assert "Ждём вас" in update["feed"]
    conversation = visit.vk.get_conversation(visit.community.id, visit.person_id)
    assert conversation.out_read == message.cmid  # displayed messages are read
    visit.vk.put_message(replace(message, text="Ждём в пять", edited_at_us=message.sent_at_us))
    visit.vk.put_conversation(conversation)
    edited = (await visit.http.get(feed, params={"version": update["version"]})).json()["feed"]
    assert "Ждём в пять" in edited
    assert "изменено" in edited


async def test_each_client_has_own_conversation(visit: Visit) -> None:
    await visit.http.post(visit.conversation_path, data={"text": "Это Мария"})
    other_client = visit.vk.list_clients()[1]
    await visit.http.post("/vk/me", data={"person": str(other_client.id)})
    assert "Это Мария" not in (await visit.http.get(visit.conversation_path)).text
    await visit.http.post(visit.conversation_path, data={"text": "А это Дмитрий"})
    assert [m.text for m in visit.vk.list_messages(visit.community.id, other_client.id)] == [
        "А это Дмитрий"
    ]
    assert [m.text for m in visit.messages()] == ["Это Мария"]


async def test_owner_edits_community_settings(visit: Visit) -> None:
    manage = f"/vk/club{visit.community.id}/manage"
    events: list[dict[str, Any]] = []
    visit.vk.event_listeners.append(
        lambda community, event, event_object: events.append({"event": event} | event_object)
    )
    try:
        about = {"name": "Салон «Шёпот»", "description": "Тихо и чисто"}
        assert "Описание сохранено." in (await visit.http.post(f"{manage}/about", data=about)).text
        contact = {"desc": "Мастер", "phone": "+7 900 000-00-00", "email": "m@example.ru"}
        await visit.http.post(f"{manage}/contact", data=contact)
        await visit.http.post(f"{manage}/messages", data={"bots": "1"})
        await visit.http.post(f"{manage}/sections", data={})
    finally:
        visit.vk.event_listeners.pop()
    community = visit.current_community()
    assert (community.name, community.description) == ("Салон «Шёпот»", "Тихо и чисто")
    [first] = community.contacts
    assert (first.user_id, first.phone) == (OWNER, "+7 900 000-00-00")
    assert (community.messages, community.bots_capabilities, community.services) == (
        False,
        True,
        False,
    )
    changes = [one["changes"] for one in events if one["event"] == "group_change_settings"]
    assert {"messages": {"old_value": 1, "new_value": 0}} in changes


async def test_avatar_is_drawn_or_uploaded(visit: Visit) -> None:
    form_path = f"/vk/club{visit.community.id}/manage/avatar"
    avatar = f"/vk/pictures/communities/{visit.community.id}.svg"
    await visit.http.post(form_path, data={"drawn": "#3f7fbf"})
    assert "#3f7fbf" in (await visit.http.get(avatar)).text
    out = io.BytesIO()
    Image.effect_noise((800, 800), 90).save(out, "PNG")  # larger than the body limit of other forms
    await visit.http.post(form_path, files={"file": ("me.png", out.getvalue(), "image/png")})
    assert (await visit.http.get(avatar)).content == out.getvalue()
    assert visit.current_community().has_photo
    refused = await visit.http.post(form_path, files={"file": ("me.png", b"text", "image/png")})
    assert refused.status_code == 422
    assert "Файл не похож на картинку" in refused.text


async def test_access_key_is_created_with_rights_and_revoked(visit: Visit) -> None:
    tokens = f"/vk/club{visit.community.id}/tokens"
    refused = await visit.http.post(tokens, data={})
    assert refused.status_code == 422
    created = await visit.http.post(tokens, data={"manage": "1", "messages": "1"})
    [key] = visit.vk.list_community_keys(visit.community.id)
    assert (key.rights, key.is_revoked) == (["manage", "messages"], False)
    assert f'value="{key.token}"' in created.text
    revoked = await visit.http.post(f"{tokens}/revoke", data={"key": key.token})
    assert key.token not in revoked.text
    assert visit.vk.access_keys[key.token].is_revoked


async def test_cross_site_message_is_refused(visit: Visit) -> None:
    cross_site = {"Sec-Fetch-Site": "cross-site"}
    sent = await visit.http.post(
        visit.conversation_path, data={"text": "Привет"}, headers=cross_site
    )
    assert sent.status_code == 403
    assert visit.messages() == []


async def test_owner_adds_edits_and_deletes_service(visit: Visit) -> None:
    services = f"/vk/club{visit.community.id}/services"
    form = {"title": "Укладка", "description": "Вечером и утром.", "kind": "2", "price": "1 500,5"}
    saved = await visit.http.post(services, data=form | {"available": "1"})
    assert "от 1\u00a0500,50\u00a0₽" in saved.text
    [item] = visit.vk.list_items(visit.community.id)
    assert (item.price_minor, item.price_type, item.is_service, item.availability) == (
        150_050,
        2,
        True,
        0,
    )
    assert item.photo_ids[0] in visit.vk.photos
    service_page = (await visit.http.get(f"{services}?id={item.id}")).text
    assert 'value="1500,50"' in service_page
    await visit.http.post(services, data=form | {"id": str(item.id), "price": "900"})
    [changed] = visit.vk.list_items(visit.community.id)
    assert (changed.price_minor, changed.availability) == (90_000, 2)
    assert changed.photo_ids == item.photo_ids
    deleted = await visit.http.post(f"{services}/delete", data={"id": str(item.id)})
    assert "Услуг пока нет." in deleted.text


async def test_invalid_service_is_refused_with_error_at_each_field(visit: Visit) -> None:
    form = {"title": "Лак", "description": "Коротко", "kind": "0", "price": "ноль"}
    refused = await visit.http.post(f"/vk/club{visit.community.id}/services", data=form)
    assert refused.status_code == 422
    for error in ("В названии от 4 до 100", "не меньше 10 знаков", "Введите сумму"):
        assert error in refused.text
    assert 'value="ноль"' in refused.text
    assert visit.vk.list_items(visit.community.id) == []


async def test_new_community_has_everything_off(visit: Visit) -> None:
    refused = await visit.http.post("/vk/create", data={"name": " "})
    assert refused.status_code == 422
    created = await visit.http.post("/vk/create", data={"name": "Первая"})
    community = visit.vk.communities[max(visit.vk.communities)]
    assert created.url.path == f"/vk/club{community.id}/manage"
    assert (community.name, community.messages, community.services) == ("Первая", False, False)
    assert "Сообщество не принимает" in (await visit.http.get(f"/vk/club{community.id}")).text
