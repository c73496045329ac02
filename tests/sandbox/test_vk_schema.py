"""Every method and event of the sandbox VK conforms to the official schema and vkbottle-types."""

import json

from sigma_sandbox.vk.api.dispatch import METHODS
from sigma_sandbox.vk.world.images import draw_photo
from sigma_sandbox.vk.world.models import EVENT_TYPES, Album, Attachment
from tests import vk_models, vk_schema
from tests.sandbox.checked_owner import CheckedOwner
from tests.sandbox.community_owner import CallbackReceiver
from tests.vk_checked_client import checked_client

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
CALLBACK_ONLY_EVENTS = {
    *("market_order_new", "market_order_edit", "lead_forms_new"),
    *("wall_schedule_post_new", "wall_schedule_post_delete"),
}
GROUP_FIELDS = (
    "description,contacts,links,site,status,activity,city,market,has_photo,can_message,"
    "is_messages_blocked,main_section,secondary_section,cover,counters,members_count,verified,"
    "online_status,addresses,age_limits,has_market_app,ban_info,wall"
)
USER_FIELDS = (
    "photo_50,photo_100,photo_200,photo_max,photo_400_orig,sex,screen_name,domain,online,city"
)


async def test_every_method_conforms_to_schema(checked_owner: CheckedOwner) -> None:
    await call_group_methods(checked_owner)
    await call_delivery_methods(checked_owner)
    photo = await upload_message_photo(checked_owner)
    item_id = await call_market_methods(checked_owner)
    await call_message_methods(checked_owner, photo, item_id)
    await call_order_methods(checked_owner, item_id)
    await checked_owner.call("utils.getServerTime")
    assert checked_owner.called_methods == set(METHODS)


async def call_group_methods(owner: CheckedOwner) -> None:
    group = {"group_id": owner.group_id}
    found = await owner.call("groups.getById", fields=GROUP_FIELDS)
    assert found["groups"][0]["id"] == owner.group_id
    await owner.call("groups.getTokenPermissions")
    await owner.call("groups.setSettings", **group, messages=1, bots_capabilities=1)
    await owner.call("groups.edit", **group, title="Студия «Лак»", description="Маникюр", market=1)
    await owner.call_as_user("groups.getSettings", **group)
    await owner.call("groups.enableOnline", **group)
    await owner.call("groups.getOnlineStatus", **group)
    await owner.call("groups.getById", fields=GROUP_FIELDS)
    await owner.call("groups.disableOnline", **group)
    await owner.call_as_user("groups.toggleMarket", **group, state="basic")
    await owner.call_as_user("groups.toggleMarket", **group, state="advanced")
    (person,) = await owner.call("users.get", user_ids=owner.client_id, fields=USER_FIELDS)
    assert person["id"] == owner.client_id
    assert await owner.call("users.get", user_ids=1) == []


async def call_delivery_methods(owner: CheckedOwner) -> None:
    group = {"group_id": owner.group_id}
    await owner.call("groups.getCallbackConfirmationCode", **group)
    server_params = {"url": "http://127.0.0.1:9/hooks", "title": "Sigma", "secret_key": "s3cret"}
    server = await owner.call("groups.addCallbackServer", **group, **server_params)
    await owner.call("groups.editCallbackServer", **group, **server, **server_params)
    (listed,) = (await owner.call("groups.getCallbackServers", **group))["items"]
    assert listed["status"] in ("wait", "failed")
    await owner.call("groups.setCallbackSettings", **group, **server, message_new=1, user_block=0)
    await owner.call("groups.getCallbackSettings", **group, **server)
    await owner.call("groups.deleteCallbackServer", **group, **server)
    await owner.call("groups.setLongPollSettings", **group, enabled=1, message_new=1)
    await owner.call("groups.getLongPollSettings", **group)
    await owner.call("groups.getLongPollServer", **group)


async def upload_message_photo(owner: CheckedOwner) -> str:
    """Upload a photo for messages; return its attachment name, `photo{owner}_{id}_{key}`."""
    upload_server = await owner.call("photos.getMessagesUploadServer", peer_id=0)
    file = {"photo": ("photo.png", draw_photo("#d9628c", "petals")[0], "image/png")}
    uploaded = (await owner.http.post(upload_server["upload_url"], files=file)).json()
    (photo,) = await owner.call("photos.saveMessagesPhoto", **uploaded)
    return f"photo{photo['owner_id']}_{photo['id']}_{photo['access_key']}"


async def call_market_methods(owner: CheckedOwner) -> int:
    """Call every method of market items; return the id of an item that remains."""
    call, params = owner.call_as_user, {"owner_id": -owner.group_id}
    upload_server = await call("market.getProductPhotoUploadServer", group_id=owner.group_id)
    file = {"file": ("photo.png", draw_photo("#7c6bb0", "circle")[0], "image/png")}
    uploaded = (await owner.http.post(upload_server["upload_url"], files=file)).text
    photo = (await call("market.saveProductPhoto", upload_response=uploaded))["photo_id"]
    (category, *_) = (await call("market.getCategories", group_id=owner.group_id))["items"]
    fields = {"name": "Маникюр с покрытием", "description": "Полтора часа, в один тон."}
    fields |= {"category_id": category["id"], "price": "2200.50", "main_photo_id": photo}
    item_id = (await call("market.add", **params, **fields))["market_item_id"]
    item = {**params, "item_id": item_id}
    await call("market.edit", **item, **fields, old_price="2500", sku=item_id)
    await call("market.delete", **item)
    await call("market.restore", **item)
    vk = owner.sandbox.vk
    vk.put_album(Album(id=7, group_id=owner.group_id, title="Всё", updated_at_us=vk.now_us()))
    await call("market.addToAlbum", **params, item_ids=item_id, album_ids=7)
    assert (await call("market.getAlbums", **params))["items"][0]["count"] == 1
    vk.add_item(
        owner.group_id, "Пошив платья", "Цена зависит от ткани.", price_minor=900_000, price_type=2
    )
    vk.add_item(owner.group_id, "Выезд к невесте", "Двое мастеров утром.", price_type=3)
    for more in ({}, {"extended": 1}):
        page = await call("market.get", **params, **more, with_disabled=1)
        assert page["count"] == 3
        assert page["items"][2]["price"]["amount"] == "220050"
        await call("market.getById", item_ids=f"-{owner.group_id}_{item_id}", **more)
    return int(item_id)


async def call_message_methods(owner: CheckedOwner, photo: str, item_id: int) -> None:
    vk, peer = owner.sandbox.vk, {"peer_id": owner.client_id}
    market_item = Attachment(type="market", owner_id=-owner.group_id, id=item_id)
    link = Attachment(type="link", url="https://lak.example", title="Лак")
    vk.write_message(
        owner.client_id,
        owner.group_id,
        "Можно?",
        [market_item, link],
        ref="svc_1",
        ref_source="post",
    )
    await owner.call(
        "messages.isMessagesFromGroupAllowed", group_id=owner.group_id, user_id=owner.client_id
    )
    content = {"message": "Счёт", "keyboard": json.dumps(KEYBOARD), "attachment": photo}
    await owner.call("messages.send", **peer, **content, random_id=1)
    (sent,) = await owner.call("messages.send", peer_ids=owner.client_id, **content, random_id=2)
    cmid = sent["conversation_message_id"]
    await owner.call("messages.send", **peer, random_id=3, message="Да", reply_to=1)
    other_client = vk.add_person("Елена", "Ким").id
    (refused,) = await owner.call("messages.send", peer_ids=other_client, random_id=4, message="Эй")
    assert refused["error"]["code"] == 901
    await owner.call("messages.edit", **peer, cmid=cmid, message="Оплачено")
    vk.press_button(owner.client_id, owner.group_id, (1, 0), cmid=2)
    press = next(reversed(vk.button_presses))
    snackbar = json.dumps({"type": "show_snackbar", "text": "Спасибо"})
    event = {"event_id": press, "user_id": owner.client_id, "event_data": snackbar}
    await owner.call("messages.sendMessageEventAnswer", **peer, **event)
    await owner.call("messages.setActivity", **peer, type="typing")
    for more in ({}, {"extended": 1}):
        await owner.call("messages.getHistory", **peer, count=20, **more)
        await owner.call("messages.getById", message_ids="1,2", **more)
        cmids = {"conversation_message_ids": "1,2"}
        await owner.call("messages.getByConversationMessageId", **peer, **cmids, **more)
        await owner.call("messages.getConversations", count=20, filter="all", **more)
        await owner.call("messages.getConversationsById", peer_ids=owner.client_id, **more)
    await owner.call("messages.markAsAnsweredConversation", **peer, answered=1)
    await owner.call("messages.markAsRead", **peer, mark_conversation_as_read=1)


async def call_order_methods(owner: CheckedOwner, item_id: int) -> None:
    order = owner.sandbox.vk.place_order(
        owner.client_id, owner.group_id, [(item_id, 2)], comment="К пятнице"
    )
    ids = {"order_id": order.id, "user_id": owner.client_id}
    await owner.call("market.getGroupOrders", group_id=owner.group_id)
    await owner.call(
        "market.editOrder", **ids, payment_status="paid", receipt_link="https://r.example"
    )
    await owner.call("market.getOrderById", **ids)
    await owner.call("market.getOrderItems", **ids)


async def test_every_error_conforms_to_schema(checked_owner: CheckedOwner) -> None:
    forbidden = await checked_owner.call_raw("market.get", owner_id=-checked_owner.group_id)
    assert forbidden["error"]["error_code"] == 27
    for code in (5, 9, 14, 17, 29, 901, 909):
        await checked_owner.inject_faults(vk_error={"value": code, "times": 1})
        body = await checked_owner.call_raw("messages.getConversations")
        assert body["error"]["error_code"] == code


async def cause_events(owner: CheckedOwner) -> set[str]:
    """Do everything that sends an event; return the types of the expected events."""
    vk, client_and_group = owner.sandbox.vk, (owner.client_id, owner.group_id)
    vk.write_message(
        *client_and_group, "Можно?", ref="svc_1", ref_source="post", payload='{"command":"start"}'
    )
    content = {"message": "Счёт", "keyboard": json.dumps(KEYBOARD)}
    await owner.call("messages.send", peer_ids=owner.client_id, **content, random_id=1)
    await owner.call(
        "messages.edit", peer_id=owner.client_id, cmid=2, **(content | {"message": "Ждём"})
    )
    vk.press_button(*client_and_group, (1, 0), cmid=2)
    vk.mark_read(*client_and_group)
    vk.start_typing(*client_and_group)
    vk.deny_messages(*client_and_group)
    vk.allow_messages(*client_and_group, key="k")
    await owner.call(
        "groups.edit", group_id=owner.group_id, title="Студия «Лак»", description="Маникюр"
    )
    avatar = {"file": ("me.png", draw_photo("#d9628c", "petals")[0], "image/png")}
    await owner.http.post(f"{owner.vk_url}/club{owner.group_id}/manage/avatar", files=avatar)
    item = vk.add_item(owner.group_id, "Маникюр", "Полтора часа, в один тон.", price_minor=220_050)
    order = vk.place_order(*client_and_group, [(item.id, 1)])
    paid = {"order_id": order.id, "user_id": owner.client_id, "payment_status": "paid"}
    await owner.call("market.editOrder", **paid)
    return {
        *("message_new", "message_reply", "message_edit", "message_event", "message_read"),
        *("message_typing_state", "message_deny", "message_allow"),
        *("group_change_settings", "group_change_photo", "market_order_new", "market_order_edit"),
    }


async def test_every_callback_event_conforms_to_schema(
    checked_owner: CheckedOwner, callback_receiver: CallbackReceiver
) -> None:
    await checked_owner.add_callback_server(callback_receiver, *EVENT_TYPES, secret_key="s3cret")
    expected = await cause_events(checked_owner)
    for event in await callback_receiver.wait_for_events(len(expected)):
        assert (event.body["group_id"], event.body["secret"]) == (checked_owner.group_id, "s3cret")
        vk_schema.check_event(event.body)
        vk_models.check_event(event.body)
    assert set(callback_receiver.event_types) == expected


async def test_confirmation_request_conforms_to_schema(
    checked_owner: CheckedOwner, callback_receiver: CallbackReceiver
) -> None:
    params = {"group_id": checked_owner.group_id, "url": callback_receiver.url, "title": "Sigma"}
    await checked_owner.call("groups.addCallbackServer", **params)
    (event,) = callback_receiver.requests
    assert event.body["type"] == "confirmation"
    vk_schema.check_event(event.body)


async def test_every_long_poll_event_conforms_to_schema(checked_owner: CheckedOwner) -> None:
    switches = dict.fromkeys(set(EVENT_TYPES) - CALLBACK_ONLY_EVENTS, 1)
    settings = {"group_id": checked_owner.group_id, "enabled": 1, **switches}
    await checked_owner.call("groups.setLongPollSettings", **settings)
    server = await checked_owner.call("groups.getLongPollServer", group_id=checked_owner.group_id)
    expected = await cause_events(checked_owner) - CALLBACK_ONLY_EVENTS
    query = {"act": "a_check", "key": server["key"], "ts": server["ts"], "wait": "1"}
    async with checked_client() as http:  # checks each event against the schema
        batch = (await http.get(server["server"], params=query)).json()
    assert {event["type"] for event in batch["updates"]} == expected
