"""The sandbox's VK sends messages, orders and events of every shape that VK has."""

from typing import Any

import pytest

from tests import vk_shapes
from tests.sandbox.community_owner import CallbackReceiver, CommunityOwner


async def write(owner: CommunityOwner, **body: Any) -> dict[str, Any]:
    target = {"person_id": owner.client_id, "group_id": owner.group_id}
    written: dict[str, Any] = await owner.call_test_api("write", **target, **body)
    return written


async def test_cropped_message_is_whole_only_when_it_is_requested(
    community_owner: CommunityOwner,
) -> None:
    attachments = [vk_shapes.attachment("doc")] * 5
    forwarded = [vk_shapes.nested_message("раз", 2, "poll", "call")] * 3
    written = await write(
        community_owner, attachments=attachments, forwarded=forwarded, cropped=True
    )
    peer = {"peer_id": community_owner.client_id}
    history = await community_owner.call("messages.getHistory", **peer)
    listed = await community_owner.call("messages.getConversations")
    for cropped in (history["items"][0], listed["items"][0]["last_message"]):
        assert cropped["is_cropped"] is True
        assert (len(cropped["attachments"]), len(cropped["fwd_messages"])) == (1, 1)
    by_cmid = await community_owner.call(
        "messages.getByConversationMessageId", **peer, conversation_message_ids=1
    )
    by_id = await community_owner.call("messages.getById", message_ids=written["id"])
    for whole in (by_cmid["items"][0], by_id["items"][0]):
        assert "is_cropped" not in whole
        assert (len(whole["attachments"]), len(whole["fwd_messages"])) == (5, 3)


@pytest.mark.parametrize("body", vk_shapes.MESSAGES)
async def test_message_of_any_shape_is_sent_as_it_is_given(
    community_owner: CommunityOwner, body: dict[str, Any]
) -> None:
    message = await write(community_owner, **body)
    assert message["attachments"] == body.get("attachments", [])
    assert message["fwd_messages"] == body.get("forwarded", [])
    assert message.get("geo") == body.get("geo")
    assert message.get("format_data") == body.get("format_data")
    assert message.get("is_unavailable", False) == body.get("unavailable", False)


async def test_reply_refers_to_the_id_of_a_message(community_owner: CommunityOwner) -> None:
    other_client = int((await community_owner.call_test_api("people"))["person_id"])
    target = {"person_id": other_client, "group_id": community_owner.group_id}
    await community_owner.call_test_api("write", **target, text="другой диалог")
    question = await write(community_owner, text="Сколько стоит?")
    assert question["id"] != question["conversation_message_id"]
    to = {"peer_id": community_owner.client_id, "random_id": 5, "reply_to": question["id"]}
    await community_owner.call("messages.send", **to, message="2500")
    page = await community_owner.call("messages.getHistory", peer_id=community_owner.client_id)
    assert page["items"][0]["reply_message"]["text"] == "Сколько стоит?"


async def test_order_is_changed_in_vk(community_owner: CommunityOwner) -> None:
    group = community_owner.group_id
    await community_owner.call_test_api(f"communities/{group}", market="advanced")
    item = await community_owner.call_test_api(
        f"communities/{group}/items", title="Набор кистей", price=150_000
    )
    target = {"person_id": community_owner.client_id, "group_id": group}
    order = await community_owner.call_test_api(
        "orders", **target, lines=[[item["item_id"], 2]], recipient="Мария", currency="GEL"
    )
    changed = await community_owner.call_test_api(
        "orders/edit", group_id=group, order_id=order["order_id"], status=5, comment="Передумал"
    )
    assert (changed["status"], changed["comment"]) == (5, "Передумал")
    assert changed["recipient"]["name"] == "Мария"
    assert changed["total_price"]["currency"]["name"] == "GEL"
    page = await community_owner.call("market.getGroupOrders", group_id=group)
    assert page["items"][0] == changed


@pytest.mark.parametrize(
    "event",
    [
        {"type": "Message_New2", "object": []},
        {"type": "message_new", "object": []},
        {"type": "donut_2", "object": {"amount": 10**30}},
        {"type": "no_object"},
    ],
)
async def test_event_of_any_shape_is_delivered(
    community_owner: CommunityOwner, callback_receiver: CallbackReceiver, event: dict[str, Any]
) -> None:
    await community_owner.add_callback_server(callback_receiver, "message_new")
    await community_owner.call_test_api("events", group_id=community_owner.group_id, **event)
    (received,) = await callback_receiver.wait_for_events(1)
    assert received.body["type"] == event["type"]
    assert ("object" in received.body) == ("object" in event)
    assert received.body.get("object") == event.get("object")
