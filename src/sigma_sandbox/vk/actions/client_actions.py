"""What clients do in VK: write, press buttons, read, allow and deny messages, order.

`Vk` is the store with these actions added. The community's side is `vk.api`. Every action of a
client emits the event that VK sends for it.
"""

import json
import secrets
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from sigma_sandbox.time_util import MINUTE_US, SECOND_US
from sigma_sandbox.vk.wire import market_json, serializers
from sigma_sandbox.vk.world.models import (
    AccessKey,
    Attachment,
    ButtonPress,
    Community,
    Json,
    MarketItem,
    Message,
    OrderItem,
    Person,
    Photo,
    VkOrder,
)
from sigma_sandbox.vk.world.store import VkStore

RIGHT_BITS = {
    "stories": 1,
    "photos": 4,
    "app_widget": 64,
    "messages": 4096,
    "wall": 8192,
    "docs": 131_072,
    "manage": 262_144,
    "market": 134_217_728,
}
PRESS_TTL_US = MINUTE_US
TYPING_TTL_US = 10 * SECOND_US
FIRST_COMMUNITY_ID = 1
FIRST_PHOTO_ID = 457_239_017


class NotFoundError(LookupError):
    """There is no such person, community, access key, market item or button."""


class MessagesDisabledError(Exception):
    """The community has messages switched off."""


@dataclass(frozen=True)
class PressResult:
    """The result of a button press. `button_type` is VK's `action.type`.

    A text button wrote `message`. A callback button waits for the community's answer in
    `vk.button_presses[event_id]`. An open_link button opens `link`.
    """

    button_type: str
    link: str | None = None
    message: Message | None = None
    event_id: str | None = None


class Vk(VkStore):
    """The whole VK of the sandbox. Methods raise NotFoundError for unknown ids."""

    def get_person(self, person_id: int) -> Person:
        """Return a person. Raises NotFoundError."""
        if person_id not in self.people:
            raise NotFoundError(f"no person {person_id}")
        return self.people[person_id]

    def get_community(self, group_id: int) -> Community:
        """Return a community. Raises NotFoundError."""
        if group_id not in self.communities:
            raise NotFoundError(f"no community {group_id}")
        return self.communities[group_id]

    def find_community(self, name: str) -> Community | None:
        """Find a community by id, "club<id>", "-<id>" or short name; return None if unknown."""
        digits = name.removeprefix("club").removeprefix("public").removeprefix("-")
        if digits.isdecimal():
            return self.communities.get(int(digits))
        lower_name = name.casefold()
        matches = (
            one for one in self.communities.values() if one.screen_name.casefold() == lower_name
        )
        return next(matches, None)

    def list_clients(self) -> list[Person]:
        """Return all people who manage no community."""
        return [one for one in self.people.values() if not one.is_staff]

    def add_person(self, first_name: str, last_name: str, **fields: Any) -> Person:
        """Create a person. `fields` are further fields of `Person`."""
        new_id = max(self.people, default=1000) + 1
        fields.setdefault("screen_name", f"id{new_id}")
        return self.put_person(
            Person(id=new_id, first_name=first_name, last_name=last_name, **fields)
        )

    def add_community(self, name: str, owner_id: int, **fields: Any) -> Community:
        """Create a community. `fields` are further fields of `Community`.

        By default everything is empty or switched off.
        """
        new_id = max(self.communities, default=FIRST_COMMUNITY_ID - 1) + 1
        fields["screen_name"] = fields.get("screen_name") or f"club{new_id}"
        fields |= {
            "created_at_us": self.now_us(),
            "confirmation_code": secrets.token_hex(4),
            "owner_id": owner_id,
        }
        return self.put_community(Community(id=new_id, name=name, **fields))

    def create_community_key(self, group_id: int, rights: list[str]) -> str:
        """Create an access key of a community; return its token. Rights: see `RIGHT_BITS`."""
        access_key = self._new_access_key(rights)
        return self.put_access_key(
            replace(access_key, group_id=self.get_community(group_id).id)
        ).token

    def create_user_key(self, person_id: int, rights: list[str]) -> str:
        """Create an access key of a person; return its token. Rights: groups, market, photos, …"""
        access_key = self._new_access_key(rights)
        return self.put_access_key(
            replace(access_key, person_id=self.get_person(person_id).id)
        ).token

    def revoke_key(self, token: str) -> None:
        """Revoke an access key: calls with it get error 5. Raises NotFoundError."""
        if token not in self.access_keys:
            raise NotFoundError("no such key")
        self.put_access_key(replace(self.access_keys[token], is_revoked=True))

    def list_community_keys(self, group_id: int) -> list[AccessKey]:
        """Return a community's access keys, revoked ones included."""
        return [one for one in self.access_keys.values() if one.group_id == group_id]

    def add_photo(
        self, owner_id: int, content: bytes, content_type: str, size: tuple[int, int]
    ) -> Photo:
        """Store a new photo of a person (`owner_id` is the id) or of a community (minus its id)."""
        photo = Photo(
            id=max(self.photos, default=FIRST_PHOTO_ID - 1) + 1,
            owner_id=owner_id,
            access_key=secrets.token_hex(9),
            content_type=content_type,
            width=size[0],
            height=size[1],
            created_at_us=self.now_us(),
            content=content,
        )
        return self.put_photo(photo)

    def add_item(self, group_id: int, title: str, description: str, **fields: Any) -> MarketItem:
        """Create a market item or a service. `fields` are further fields of `MarketItem`.

        Emits no event. Raises NotFoundError.
        """
        community = self.get_community(group_id)
        new_id = community.last_item_id + 1
        self.put_community(replace(community, last_item_id=new_id))
        fields.setdefault("created_at_us", self.now_us(group_id))
        item = MarketItem(
            id=new_id, group_id=group_id, title=title, description=description, **fields
        )
        return self.put_item(item)

    def write_message(
        self,
        person_id: int,
        group_id: int,
        text: str = "",
        attachments: list[Attachment] | None = None,
        ref: str | None = None,
        ref_source: str | None = None,
        payload: str | None = None,
        reply_to: int = 0,
        **more: Any,
    ) -> Message:
        """Write to a community as a client; this also allows the community to write back.

        `reply_to` is a cmid; `more` are further fields of `Message`: `extra`, `is_cropped`. Emits
        `message_new`. Raises MessagesDisabledError, NotFoundError.
        """
        person, community = self.get_person(person_id), self.get_community(group_id)
        if not community.messages:
            raise MessagesDisabledError(f"community {group_id} does not accept messages")
        with self.transaction():
            self.mark_read(person.id, group_id)
            message = self.add_message(
                group_id,
                person.id,
                is_outgoing=False,
                text=text,
                attachments=attachments or [],
                ref=ref or None,
                ref_source=ref_source or None,
                payload=payload,
                reply_to=reply_to,
                **more,
            )
            conversation = self.get_conversation(group_id, person.id)
            self.put_conversation(conversation, is_allowed=True, is_answered=False)
            event = {
                "message": serializers.message_json(self, message, is_whole=False),
                "client_info": serializers.CLIENT_INFO,
            }
            self.emit_event(group_id, "message_new", event)
        return message

    def press_button(
        self, person_id: int, group_id: int, button: tuple[int, int], cmid: int = 0
    ) -> PressResult:
        """Press the button at (row, column) under message `cmid`, or under the input if `cmid` is
        0.

        Raises NotFoundError when there is no such button, MessagesDisabledError as `write_message`.
        """
        self.get_person(person_id)
        conversation = self.get_conversation(group_id, person_id)
        message = self.find_message(group_id, person_id, cmid) if cmid else None
        keyboard = message.keyboard if message else None if cmid else conversation.keyboard
        row, column = button
        try:
            action = (keyboard or {"buttons": []})["buttons"][row][column]["action"]
        except IndexError:
            raise NotFoundError(f"no button {row}, {column} under message {cmid}") from None
        button_type, payload = str(action["type"]), action.get("payload")
        if button_type == "callback":
            return self._press_callback(person_id, group_id, cmid, payload)
        if button_type in ("open_link", "open_app", "vkpay"):
            return PressResult(button_type, link=action.get("link"))
        new_message = self.write_message(
            person_id, group_id, action.get("label", ""), payload=payload
        )
        if not cmid and keyboard and keyboard.get("one_time"):
            self.put_conversation(self.get_conversation(group_id, person_id), keyboard=None)
        return PressResult(button_type, message=new_message)

    def allow_messages(self, person_id: int, group_id: int, key: str = "") -> None:
        """Allow the community to write to the client. Emits `message_allow` with `key`."""
        self.get_person(person_id)
        with self.transaction():
            self.put_conversation(
                self.get_conversation(self.get_community(group_id).id, person_id), is_allowed=True
            )
            self.emit_event(group_id, "message_allow", {"user_id": person_id, "key": key})

    def deny_messages(self, person_id: int, group_id: int) -> None:
        """Forbid the community to write to the client. Emits `message_deny`."""
        self.get_person(person_id)
        with self.transaction():
            self.put_conversation(
                self.get_conversation(self.get_community(group_id).id, person_id), is_allowed=False
            )
            self.emit_event(group_id, "message_deny", {"user_id": person_id})

    def mark_read(self, person_id: int, group_id: int) -> None:
        """Mark all messages of the community as read by the client.

        Emits `message_read` if anything was unread.
        """
        conversation = self.get_conversation(group_id, person_id)
        last_outgoing = next(
            (m for m in self.iter_newest_messages(group_id, person_id) if m.is_outgoing), None
        )
        if last_outgoing is None or last_outgoing.cmid <= conversation.out_read:
            return
        event = {"from_id": person_id, "peer_id": person_id, "read_message_id": last_outgoing.id}
        with self.transaction():
            self.put_conversation(conversation, out_read=last_outgoing.cmid)
            self.emit_event(
                group_id, "message_read", event | {"conversation_message_id": last_outgoing.cmid}
            )

    def start_typing(self, person_id: int, group_id: int) -> None:
        """Emit `message_typing_state`: the client is typing."""
        event = {"state": "typing", "from_id": person_id, "to_id": -group_id}
        self.emit_event(group_id, "message_typing_state", event)

    def is_typing(self, group_id: int, person_id: int) -> bool:
        """Return whether the client sees "печатает…" from the community now."""
        return self.get_conversation(group_id, person_id).typing_until_us > self.now_us(group_id)

    def place_order(
        self, person_id: int, group_id: int, quantities: list[tuple[int, int]], **fields: Any
    ) -> VkOrder:
        """Order items, (item id, quantity) each, in the advanced shop.

        `fields` are further fields of `VkOrder`: comment, address, phone, currency … Emits
        `market_order_new`. Raises NotFoundError.
        """
        person, community = self.get_person(person_id), self.get_community(group_id)
        order_items = []
        for item_id, quantity in quantities:
            item = self.items.get((group_id, item_id))
            if item is None:
                raise NotFoundError(f"no item {item_id}")
            order_items.append(OrderItem(item.id, quantity, item.price_minor))
        new_id = community.last_order_id + 1
        with self.transaction():
            self.put_community(replace(community, last_order_id=new_id))
            order = self.put_order(
                VkOrder(
                    id=new_id,
                    group_id=group_id,
                    person_id=person.id,
                    created_at_us=self.now_us(group_id),
                    items=order_items,
                    **fields,
                )
            )
            self.emit_event(group_id, "market_order_new", market_json.order_json(self, order))
        return order

    def add_message(self, group_id: int, person_id: int, **fields: Any) -> Message:
        """Store the next message of a conversation, from either side. Emits no event."""
        community = self.get_community(group_id)
        conversation = self.get_conversation(group_id, person_id)
        new_id = community.last_message_id + 1
        self.put_community(replace(community, last_message_id=new_id))
        message = Message(
            id=new_id,
            group_id=group_id,
            person_id=person_id,
            cmid=conversation.last_cmid + 1,
            sent_at_us=self.now_us(group_id),
            version=new_id,
            **fields,
        )
        self.put_message(message)
        self.put_conversation(conversation, last_cmid=message.cmid)
        return message

    def emit_event(self, group_id: int, event_type: str, object_json: Any) -> None:
        """Pass an event to every listener (callbacks, long poll). `object_json` is its `object`."""
        community = self.get_community(group_id)
        for listener in self.event_listeners:
            listener(community, event_type, object_json)

    def _new_access_key(self, rights: list[str]) -> AccessKey:
        token = f"vk1.a.{secrets.token_urlsafe(48)}"
        return AccessKey(token=token, created_at_us=self.now_us(), rights=rights)

    def _press_callback(
        self, person_id: int, group_id: int, cmid: int, payload: str | None
    ) -> PressResult:
        button_press = ButtonPress(
            id=secrets.token_hex(6),
            group_id=group_id,
            person_id=person_id,
            cmid=cmid,
            pressed_at_us=self.now_us(group_id),
        )
        event: Json = {"user_id": person_id, "peer_id": person_id, "event_id": button_press.id}
        event |= {"payload": json.loads(payload) if payload else None}
        event["conversation_message_id"] = cmid
        with self.transaction():
            self.put_button_press(button_press)
            self.emit_event(group_id, "message_event", event)
        return PressResult("callback", event_id=button_press.id)
