"""The client's view of VKontakte: pages and forms over real HTTP, as a browser without scripts."""

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
from sigma_sandbox.vk.world.models import Community, Item, Message

OWNER = 1001


@dataclass(frozen=True)
class Visit:
    """A fresh community, and a browser of a client of whom it has not heard."""

    vk: Vk
    http: httpx.AsyncClient
    club: Community
    person_id: int

    @property
    def talk(self) -> str:
        return f"/vk/write-{self.club.id}"

    def said(self) -> list[Message]:
        return self.vk.messages(self.club.id, self.person_id)

    def club_says(self, text: str, keyboard: dict[str, Any] | None = None) -> Message:
        return self.vk.add_message(
            self.club.id, self.person_id, out=True, text=text, keyboard=keyboard
        )

    def now(self) -> Community:
        return self.vk.communities[self.club.id]

    def service(self, title: str = "Укладка", **more: Any) -> Item:
        more.setdefault("price", 150_000)
        return self.vk.add_item(self.club.id, title, "Вечером и утром.", service=True, **more)


@pytest.fixture
async def visit(sandbox: Sandbox) -> AsyncIterator[Visit]:
    vk = sandbox.vk
    switches = {"messages": True, "bots_capabilities": True, "services": True}
    club = vk.add_community("Салон «Тишина»", OWNER, **switches)
    person = vk.clients()[0]
    async with httpx.AsyncClient(base_url=sandbox.base_url, follow_redirects=True) as http:
        await http.post("/vk/me", data={"person": str(person.id)})
        yield Visit(vk, http, club, person.id)


def button(kind: str, label: str, **more: str) -> dict[str, Any]:
    return {"action": {"type": kind, "label": label, **more}}


def inline(*buttons: dict[str, Any]) -> dict[str, Any]:
    return {"inline": True, "buttons": [[one] for one in buttons]}


async def test_the_community_is_found_by_number_and_by_name(visit: Visit) -> None:
    named = visit.vk.add_community("Дом «Лён»", OWNER, screen_name=f"len{visit.club.id}")
    for address in (f"/vk/club{named.id}", f"/vk/len{visit.club.id}"):
        shown = await visit.http.get(address)
        assert shown.status_code == 200
        assert "<h1>Дом «Лён»</h1>" in shown.text
    assert (await visit.http.get("/vk/nobody")).status_code == 404
    listed = (await visit.http.get("/vk/")).text
    assert f'href="/vk/len{visit.club.id}"' in listed


async def test_services_are_leafed_through_with_prices_as_vk_prints_them(visit: Visit) -> None:
    first = visit.service("Укладка", price=150_000)
    visit.service("Стрижка", price=99_950, price_type=2)
    visit.service("Свадьба", price=0, price_type=3)
    visit.service("Забытое", availability=1)
    shown = (await visit.http.get(f"/vk/club{visit.club.id}")).text
    for price in ("1\u00a0500\u00a0₽", "от 999,50\u00a0₽", "Цена по договорённости"):
        assert price in shown
    assert "Забытое" not in shown
    opened = (await visit.http.get(f"/vk/service/{visit.club.id}/{first.id}")).text
    assert f'rel="next" href="/vk/service/{visit.club.id}/{first.id + 1}"' in opened
    assert 'rel="prev"' not in opened


async def test_a_community_without_services_shows_none(visit: Visit) -> None:
    visit.service("Укладка")
    visit.vk.put_community(replace(visit.now(), services=False))
    assert "Укладка" not in (await visit.http.get(f"/vk/club{visit.club.id}")).text


async def test_writing_about_a_service_sends_it_along(visit: Visit) -> None:
    item = visit.service("Укладка")
    opened = (await visit.http.get(f"{visit.talk}?item={item.id}")).text
    assert "Здравствуйте! Меня интересует «Укладка»." in opened
    sent = await visit.http.post(visit.talk, data={"text": "Свободно в среду?", "item": item.id})
    assert sent.url.path == visit.talk
    assert "Свободно в среду?" in sent.text
    [message] = visit.said()
    assert (message.out, message.text) == (False, "Свободно в среду?")
    [attached] = message.attachments
    assert (attached.type, attached.owner_id, attached.id) == ("market", -visit.club.id, item.id)


async def test_only_the_first_message_after_a_link_tells_where_the_client_came_from(
    visit: Visit,
) -> None:
    link = f"/vk/me/{visit.club.screen_name}?ref=svc_1&ref_source=post"
    opened = await visit.http.get(link)
    assert str(opened.url).endswith(f"{visit.talk}?ref=svc_1&ref_source=post")
    assert '<input type="hidden" name="ref" value="svc_1">' in opened.text
    sent = await visit.http.post(
        visit.talk, data={"text": "Привет", "ref": "svc_1", "ref_source": "post"}
    )
    assert 'name="ref"' not in sent.text
    await visit.http.post(visit.talk, data={"text": "Ещё раз"})
    assert [(m.ref, m.ref_source) for m in visit.said()] == [("svc_1", "post"), (None, None)]


async def test_words_of_people_are_not_read_as_html(visit: Visit) -> None:
    visit.club_says("<b>жирно</b> https://shop.example/?a=1&b=2. Вот")
    shown = (await visit.http.get(visit.talk)).text
    assert "&lt;b&gt;жирно&lt;/b&gt;" in shown
    assert "<b>" not in shown
    assert (
        '<a href="https://shop.example/?a=1&amp;b=2" target="_blank" rel="noopener">'
        "https://shop.example/?a=1&amp;b=2</a>. Вот"
    ) in shown


async def test_a_link_button_opens_only_web_addresses(visit: Visit) -> None:
    keyboard = inline(
        button("open_link", "Оплатить", link="https://pay.example/i/1"),
        button("open_link", "Плохая", link="javascript:alert(1)"),
    )
    visit.club_says("Счёт", keyboard)
    shown = (await visit.http.get(visit.talk)).text
    assert 'href="https://pay.example/i/1" target="_blank" rel="noopener">Оплатить' in shown
    assert "javascript:" not in shown


async def test_a_text_button_says_its_label_with_its_payload(visit: Visit) -> None:
    asked = visit.club_says("Когда?", inline(button("text", "Завтра", payload='{"day":1}')))
    await visit.http.post(f"{visit.talk}/press", data={"cmid": asked.cmid, "place": "0,0"})
    said = visit.said()[-1]
    assert (said.out, said.text, said.payload) == (False, "Завтра", '{"day":1}')


async def test_a_button_that_is_gone_is_refused_in_words(visit: Visit) -> None:
    asked = visit.club_says("Когда?", inline(button("text", "Завтра")))
    for place in ("1,0", "x", ""):
        pressed = await visit.http.post(
            f"{visit.talk}/press", data={"cmid": asked.cmid, "place": place}
        )
        assert pressed.status_code == 422
        assert "Этой кнопки больше нет." in pressed.text


async def test_a_callback_button_shows_what_the_community_answers(visit: Visit) -> None:
    asked = visit.club_says("Счёт", inline(button("callback", "Я оплатил", payload="{}")))
    data = {"cmid": asked.cmid, "place": "0,0"}
    told: list[dict[str, Any]] = []

    def hear(club: Community, event: str, thing: dict[str, Any]) -> None:
        if club.id == visit.club.id:
            told.append({"event": event} | thing)

    visit.vk.on_event.append(hear)
    try:
        pressed = await visit.http.post(f"{visit.talk}/press", data=data)
    finally:
        visit.vk.on_event.remove(hear)
    assert "Ждём ответа сообщества…" in pressed.text
    [event] = [one for one in told if one["event"] == "message_event"]
    press = visit.vk.presses[event["event_id"]]
    visit.vk.put_press(replace(press, answer={"type": "show_snackbar", "text": "Деньги пришли"}))
    assert "Деньги пришли" in (await visit.http.get(str(pressed.url))).text
    link = {"type": "open_link", "link": "https://pay.example/i/1"}
    visit.vk.put_press(replace(press, answer=link))
    by_script = await visit.http.get(f"{visit.talk}/press/{press.id}")
    assert by_script.json() == {"say": "", "link": "https://pay.example/i/1", "wait": ""}
    assert len(visit.said()) == 1


async def test_the_start_button_is_in_an_empty_dialog_only(visit: Visit) -> None:
    assert "Начать" not in (await visit.http.get(visit.talk)).text
    visit.vk.put_community(replace(visit.now(), bots_start_button=True))
    assert "Начать" in (await visit.http.get(visit.talk)).text
    sent = await visit.http.post(visit.talk, data={"start": "1", "ref": "svc_9"})
    assert 'name="start"' not in sent.text
    [message] = visit.said()
    assert (message.text, message.payload) == ("Начать", '{"command":"start"}')
    assert message.ref == "svc_9"


async def test_a_closed_community_keeps_what_was_typed(visit: Visit) -> None:
    visit.vk.put_community(replace(visit.now(), messages=False))
    sent = await visit.http.post(visit.talk, data={"text": "Вы тут?"})
    assert sent.status_code == 422
    assert "Сообщество не принимает сообщения." in sent.text
    assert visit.said() == []


async def test_the_client_forbids_and_allows_messages(visit: Visit) -> None:
    await visit.http.post(visit.talk, data={"text": "Привет"})
    forbidden = await visit.http.post(f"{visit.talk}/allow", data={"allow": "0"})
    assert "Разрешить сообщения" in forbidden.text
    assert visit.vk.dialog(visit.club.id, visit.person_id).allowed is False
    await visit.http.post(f"{visit.talk}/allow", data={"allow": "1"})
    assert visit.vk.dialog(visit.club.id, visit.person_id).allowed is True


async def test_an_open_dialog_hears_of_a_new_and_of_an_edited_message(visit: Visit) -> None:
    feed = f"{visit.talk}/feed"
    mark = (await visit.http.get(feed, params={"mark": "nothing"})).json()["mark"]
    assert (await visit.http.get(feed, params={"mark": mark})).status_code == 204
    waiting = asyncio.create_task(visit.http.get(feed, params={"mark": mark}))
    await asyncio.sleep(0.1)
    message = visit.club_says("Ждём вас")
    heard = (await waiting).json()
    assert "Ждём вас" in heard["feed"]
    dialog = visit.vk.dialog(visit.club.id, visit.person_id)
    assert dialog.out_read == message.cmid  # what is shown is read
    visit.vk.put_message(replace(message, text="Ждём в пять", edited_at=message.at))
    visit.vk.put_dialog(dialog)
    edited = (await visit.http.get(feed, params={"mark": heard["mark"]})).json()["feed"]
    assert "Ждём в пять" in edited
    assert "изменено" in edited


async def test_each_person_has_a_dialog_of_their_own(visit: Visit) -> None:
    await visit.http.post(visit.talk, data={"text": "Это Мария"})
    other = visit.vk.clients()[1]
    await visit.http.post("/vk/me", data={"person": str(other.id)})
    assert "Это Мария" not in (await visit.http.get(visit.talk)).text
    await visit.http.post(visit.talk, data={"text": "А это Дмитрий"})
    assert [m.text for m in visit.vk.messages(visit.club.id, other.id)] == ["А это Дмитрий"]
    assert [m.text for m in visit.said()] == ["Это Мария"]


async def test_the_owner_fills_the_community_in(visit: Visit) -> None:
    manage = f"/vk/club{visit.club.id}/manage"
    heard: list[dict[str, Any]] = []
    visit.vk.on_event.append(lambda club, event, thing: heard.append({"event": event} | thing))
    try:
        about = {"name": "Салон «Шёпот»", "description": "Тихо и чисто"}
        assert "Описание сохранено." in (await visit.http.post(f"{manage}/about", data=about)).text
        contact = {"desc": "Мастер", "phone": "+7 900 000-00-00", "email": "m@example.ru"}
        await visit.http.post(f"{manage}/contact", data=contact)
        await visit.http.post(f"{manage}/messages", data={"bots": "1"})
        await visit.http.post(f"{manage}/sections", data={})
    finally:
        visit.vk.on_event.pop()
    club = visit.now()
    assert (club.name, club.description) == ("Салон «Шёпот»", "Тихо и чисто")
    [first] = club.contacts
    assert (first.user_id, first.phone) == (OWNER, "+7 900 000-00-00")
    assert (club.messages, club.bots_capabilities, club.services) == (False, True, False)
    changes = [one["changes"] for one in heard if one["event"] == "group_change_settings"]
    assert {"messages": {"old_value": 1, "new_value": 0}} in changes


async def test_an_avatar_is_drawn_or_uploaded(visit: Visit) -> None:
    save = f"/vk/club{visit.club.id}/manage/avatar"
    avatar = f"/vk/pictures/communities/{visit.club.id}.svg"
    await visit.http.post(save, data={"drawn": "#3f7fbf"})
    assert "#3f7fbf" in (await visit.http.get(avatar)).text
    out = io.BytesIO()
    Image.effect_noise((800, 800), 90).save(out, "PNG")  # more than other forms may weigh
    await visit.http.post(save, files={"file": ("me.png", out.getvalue(), "image/png")})
    assert (await visit.http.get(avatar)).content == out.getvalue()
    assert visit.now().has_photo
    refused = await visit.http.post(save, files={"file": ("me.png", b"text", "image/png")})
    assert refused.status_code == 422
    assert "Файл не похож на картинку" in refused.text


async def test_a_key_is_made_with_the_ticked_rights_and_revoked(visit: Visit) -> None:
    tokens = f"/vk/club{visit.club.id}/tokens"
    refused = await visit.http.post(tokens, data={})
    assert refused.status_code == 422
    made = await visit.http.post(tokens, data={"manage": "1", "messages": "1"})
    [key] = visit.vk.keys_of(visit.club.id)
    assert (key.rights, key.revoked) == (["manage", "messages"], False)
    assert f'value="{key.token}"' in made.text
    gone = await visit.http.post(f"{tokens}/revoke", data={"key": key.token})
    assert key.token not in gone.text
    assert visit.vk.tokens[key.token].revoked


async def test_a_page_of_another_site_cannot_speak_for_the_client(visit: Visit) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site"}
    sent = await visit.http.post(visit.talk, data={"text": "Привет"}, headers=foreign)
    assert sent.status_code == 403
    assert visit.said() == []


async def test_the_owner_adds_changes_and_takes_away_a_service(visit: Visit) -> None:
    services = f"/vk/club{visit.club.id}/services"
    typed = {"title": "Укладка", "description": "Вечером и утром.", "kind": "2", "price": "1 500,5"}
    made = await visit.http.post(services, data=typed | {"available": "1"})
    assert "от 1\u00a0500,50\u00a0₽" in made.text
    [item] = visit.vk.items_of(visit.club.id)
    assert (item.price, item.price_type, item.service, item.availability) == (150_050, 2, True, 0)
    assert item.photo_ids[0] in visit.vk.pictures
    opened = (await visit.http.get(f"{services}?id={item.id}")).text
    assert 'value="1500,50"' in opened
    await visit.http.post(services, data=typed | {"id": str(item.id), "price": "900"})
    [changed] = visit.vk.items_of(visit.club.id)
    assert (changed.price, changed.availability) == (90_000, 2)
    assert changed.photo_ids == item.photo_ids
    gone = await visit.http.post(f"{services}/delete", data={"id": str(item.id)})
    assert "Услуг пока нет." in gone.text


async def test_a_service_that_vk_would_refuse_is_refused_beside_its_field(visit: Visit) -> None:
    typed = {"title": "Лак", "description": "Коротко", "kind": "0", "price": "ноль"}
    refused = await visit.http.post(f"/vk/club{visit.club.id}/services", data=typed)
    assert refused.status_code == 422
    for error in ("В названии от 4 до 100", "не меньше 10 знаков", "Введите сумму"):
        assert error in refused.text
    assert 'value="ноль"' in refused.text
    assert visit.vk.items_of(visit.club.id) == []


async def test_a_community_comes_to_be_with_everything_off(visit: Visit) -> None:
    refused = await visit.http.post("/vk/create", data={"name": " "})
    assert refused.status_code == 422
    made = await visit.http.post("/vk/create", data={"name": "Первая"})
    club = visit.vk.communities[max(visit.vk.communities)]
    assert made.url.path == f"/vk/club{club.id}/manage"
    assert (club.name, club.messages, club.services) == ("Первая", False, False)
    assert "Сообщество не принимает" in (await visit.http.get(f"/vk/club{club.id}")).text
