"""Every method and every event of the sandbox VK pass the official schema and vkbottle-types."""

import json

from sigma_sandbox.vk.api.dispatch import METHODS
from sigma_sandbox.vk.world.models import EVENT_NAMES, Album, Attachment
from sigma_sandbox.vk.world.pictures import draw_photo
from tests import vk_oracle, vk_schema
from tests.sandbox.communities import Ear
from tests.sandbox.watched import Watched
from tests.vk_wire import checked_client

KEYBOARD = {
    "one_time": False,
    "inline": True,
    "buttons": [
        [{"action": {"type": "open_link", "label": "Оплатить", "link": "https://pay.example/i/A"}}],
        [
            {
                "action": {"type": "callback", "label": "Готово", "payload": "{}"},
                "color": "primary",
            },
            {"action": {"type": "text", "label": "Вопрос", "payload": "{}"}, "color": "secondary"},
        ],
    ],
}
NOT_BY_LONG_POLL = {
    *("market_order_new", "market_order_edit", "lead_forms_new"),
    *("wall_schedule_post_new", "wall_schedule_post_delete"),
}
FIELDS = (
    "description,contacts,links,site,status,activity,city,market,has_photo,can_message,"
    "is_messages_blocked,main_section,secondary_section,cover,counters,members_count,verified,"
    "online_status,addresses,age_limits,has_market_app,ban_info,wall"
)
PHOTOS = "photo_50,photo_100,photo_200,photo_max,photo_400_orig,sex,screen_name,domain,online,city"


async def test_every_method_answers_as_the_schema_says(club: Watched) -> None:
    await about_itself(club)
    await about_events(club)
    photo = await photos(club)
    item = await goods(club)
    await dialogs(club, photo, item)
    await orders(club, item)
    await club.call("utils.getServerTime")
    assert club.called == set(METHODS)


async def about_itself(club: Watched) -> None:
    group = {"group_id": club.group_id}
    found = await club.call("groups.getById", fields=FIELDS)
    assert found["groups"][0]["id"] == club.group_id
    await club.call("groups.getTokenPermissions")
    await club.call("groups.setSettings", **group, messages=1, bots_capabilities=1)
    await club.call("groups.edit", **group, title="Студия «Лак»", description="Маникюр", market=1)
    await club.call_as_person("groups.getSettings", **group)
    await club.call("groups.enableOnline", **group)
    await club.call("groups.getOnlineStatus", **group)
    await club.call("groups.getById", fields=FIELDS)
    await club.call("groups.disableOnline", **group)
    await club.call_as_person("groups.toggleMarket", **group, state="basic")
    await club.call_as_person("groups.toggleMarket", **group, state="advanced")
    (person,) = await club.call("users.get", user_ids=club.client, fields=PHOTOS)
    assert person["id"] == club.client
    assert await club.call("users.get", user_ids=1) == []


async def about_events(club: Watched) -> None:
    group = {"group_id": club.group_id}
    await club.call("groups.getCallbackConfirmationCode", **group)
    place = {"url": "http://127.0.0.1:9/hooks", "title": "Sigma", "secret_key": "s3cret"}
    server = await club.call("groups.addCallbackServer", **group, **place)
    await club.call("groups.editCallbackServer", **group, **server, **place)
    (known,) = (await club.call("groups.getCallbackServers", **group))["items"]
    assert known["status"] in ("wait", "failed")
    await club.call("groups.setCallbackSettings", **group, **server, message_new=1, user_block=0)
    await club.call("groups.getCallbackSettings", **group, **server)
    await club.call("groups.deleteCallbackServer", **group, **server)
    await club.call("groups.setLongPollSettings", **group, enabled=1, message_new=1)
    await club.call("groups.getLongPollSettings", **group)
    await club.call("groups.getLongPollServer", **group)


async def photos(club: Watched) -> str:
    """A photo for messages: upload, save, name."""
    place = await club.call("photos.getMessagesUploadServer", peer_id=0)
    file = {"photo": ("photo.png", draw_photo("#d9628c", "petals")[0], "image/png")}
    uploaded = (await club.http.post(place["upload_url"], files=file)).json()
    (photo,) = await club.call("photos.saveMessagesPhoto", **uploaded)
    return f"photo{photo['owner_id']}_{photo['id']}_{photo['access_key']}"


async def goods(club: Watched) -> int:
    """An item's whole life, and one that stays."""
    ask, owner = club.call_as_person, {"owner_id": -club.group_id}
    place = await ask("market.getProductPhotoUploadServer", group_id=club.group_id)
    file = {"file": ("photo.png", draw_photo("#7c6bb0", "circle")[0], "image/png")}
    uploaded = (await club.http.post(place["upload_url"], files=file)).text
    photo = (await ask("market.saveProductPhoto", upload_response=uploaded))["photo_id"]
    (category, *_) = (await ask("market.getCategories", group_id=club.group_id))["items"]
    words = {"name": "Маникюр с покрытием", "description": "Полтора часа, в один тон."}
    words |= {"category_id": category["id"], "price": "2200.50", "main_photo_id": photo}
    made = (await ask("market.add", **owner, **words))["market_item_id"]
    item = {**owner, "item_id": made}
    await ask("market.edit", **item, **words, old_price="2500", sku=made)
    await ask("market.delete", **item)
    await ask("market.restore", **item)
    vk = club.sandbox.vk
    vk.put_album(Album(id=7, group_id=club.group_id, title="Всё", updated_at=vk.now()))
    await ask("market.addToAlbum", **owner, item_ids=made, album_ids=7)
    assert (await ask("market.getAlbums", **owner))["items"][0]["count"] == 1
    vk.add_item(
        club.group_id, "Пошив платья", "Цена зависит от ткани.", price=900_000, price_type=2
    )
    vk.add_item(club.group_id, "Выезд к невесте", "Двое мастеров утром.", price_type=3)
    for more in ({}, {"extended": 1}):
        page = await ask("market.get", **owner, **more, with_disabled=1)
        assert page["count"] == 3
        assert page["items"][2]["price"]["amount"] == "220050"
        await ask("market.getById", item_ids=f"-{club.group_id}_{made}", **more)
    return int(made)


async def dialogs(club: Watched, photo: str, item: int) -> None:
    vk, peer = club.sandbox.vk, {"peer_id": club.client}
    about = Attachment(type="market", owner_id=-club.group_id, id=item)
    link = Attachment(type="link", url="https://lak.example", title="Лак")
    vk.write(club.client, club.group_id, "Можно?", [about, link], ref="svc_1", ref_source="post")
    await club.call(
        "messages.isMessagesFromGroupAllowed", group_id=club.group_id, user_id=club.client
    )
    said = {"message": "Счёт", "keyboard": json.dumps(KEYBOARD), "attachment": photo}
    await club.call("messages.send", **peer, **said, random_id=1)
    (sent,) = await club.call("messages.send", peer_ids=club.client, **said, random_id=2)
    cmid = sent["conversation_message_id"]
    await club.call("messages.send", **peer, random_id=3, message="Да", reply_to=1)
    stranger = vk.add_person("Елена", "Ким").id
    (refused,) = await club.call("messages.send", peer_ids=stranger, random_id=4, message="Эй")
    assert refused["error"]["code"] == 901
    await club.call("messages.edit", **peer, cmid=cmid, message="Оплачено")
    vk.press(club.client, club.group_id, (1, 0), cmid=2)
    press = next(reversed(vk.presses))
    shown = json.dumps({"type": "show_snackbar", "text": "Спасибо"})
    event = {"event_id": press, "user_id": club.client, "event_data": shown}
    await club.call("messages.sendMessageEventAnswer", **peer, **event)
    await club.call("messages.setActivity", **peer, type="typing")
    for more in ({}, {"extended": 1}):
        await club.call("messages.getHistory", **peer, count=20, **more)
        await club.call("messages.getById", message_ids="1,2", **more)
        cmids = {"conversation_message_ids": "1,2"}
        await club.call("messages.getByConversationMessageId", **peer, **cmids, **more)
        await club.call("messages.getConversations", count=20, filter="all", **more)
        await club.call("messages.getConversationsById", peer_ids=club.client, **more)
    await club.call("messages.markAsAnsweredConversation", **peer, answered=1)
    await club.call("messages.markAsRead", **peer, mark_conversation_as_read=1)


async def orders(club: Watched, item: int) -> None:
    order = club.sandbox.vk.order(club.client, club.group_id, [(item, 2)], "К пятнице")
    one = {"order_id": order.id, "user_id": club.client}
    await club.call("market.getGroupOrders", group_id=club.group_id)
    await club.call(
        "market.editOrder", **one, payment_status="paid", receipt_link="https://r.example"
    )
    await club.call("market.getOrderById", **one)
    await club.call("market.getOrderItems", **one)


async def test_every_refusal_answers_as_the_schema_says(club: Watched) -> None:
    closed = await club.raw("market.get", owner_id=-club.group_id)
    assert closed["error"]["error_code"] == 27
    for code in (5, 9, 14, 17, 29, 901, 909):
        await club.control(vk_error={"value": code, "times": 1})
        said = await club.raw("messages.getConversations")
        assert said["error"]["error_code"] == code


async def deeds(club: Watched) -> set[str]:
    """Everything that can happen to a community; the types of what it must hear."""
    vk, me = club.sandbox.vk, (club.client, club.group_id)
    vk.write(*me, "Можно?", ref="svc_1", ref_source="post", payload='{"command":"start"}')
    said = {"message": "Счёт", "keyboard": json.dumps(KEYBOARD)}
    await club.call("messages.send", peer_ids=club.client, **said, random_id=1)
    await club.call("messages.edit", peer_id=club.client, cmid=2, **(said | {"message": "Ждём"}))
    vk.press(*me, (1, 0), cmid=2)
    vk.read(*me)
    vk.typing(*me)
    vk.deny(*me)
    vk.allow(*me, key="k")
    await club.call(
        "groups.edit", group_id=club.group_id, title="Студия «Лак»", description="Маникюр"
    )
    avatar = {"file": ("me.png", draw_photo("#d9628c", "petals")[0], "image/png")}
    await club.http.post(f"{club.root}/club{club.group_id}/manage/avatar", files=avatar)
    item = vk.add_item(club.group_id, "Маникюр", "Полтора часа, в один тон.", price=220_050)
    order = vk.order(*me, [(item.id, 1)])
    paid = {"order_id": order.id, "user_id": club.client, "payment_status": "paid"}
    await club.call("market.editOrder", **paid)
    return {
        *("message_new", "message_reply", "message_edit", "message_event", "message_read"),
        *("message_typing_state", "message_deny", "message_allow"),
        *("group_change_settings", "group_change_photo", "market_order_new", "market_order_edit"),
    }


async def test_every_event_is_told_as_the_schema_says(club: Watched, listening: Ear) -> None:
    await club.listen(listening, *EVENT_NAMES, secret_key="s3cret")
    expected = await deeds(club)
    for heard in await listening.wait(len(expected)):
        assert (heard.body["group_id"], heard.body["secret"]) == (club.group_id, "s3cret")
        vk_schema.check_event(heard.body)
        vk_oracle.check_event(heard.body)
    assert set(listening.types) == expected


async def test_a_confirmation_is_asked_for_as_the_schema_says(
    club: Watched, listening: Ear
) -> None:
    address = {"group_id": club.group_id, "url": listening.url, "title": "Sigma"}
    await club.call("groups.addCallbackServer", **address)
    (heard,) = listening.heard
    assert heard.body["type"] == "confirmation"
    vk_schema.check_event(heard.body)


async def test_every_event_of_long_poll_is_as_the_schema_says(club: Watched) -> None:
    switches = dict.fromkeys(set(EVENT_NAMES) - NOT_BY_LONG_POLL, 1)
    asked = {"group_id": club.group_id, "enabled": 1, **switches}
    await club.call("groups.setLongPollSettings", **asked)
    place = await club.call("groups.getLongPollServer", group_id=club.group_id)
    expected = await deeds(club) - NOT_BY_LONG_POLL
    query = {"act": "a_check", "key": place["key"], "ts": place["ts"], "wait": "1"}
    async with checked_client() as http:  # it checks the events
        batch = (await http.get(place["server"], params=query)).json()
    assert {event["type"] for event in batch["updates"]} == expected
