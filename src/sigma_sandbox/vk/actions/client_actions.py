"""VKontakte in a box: what clients do there, and what their deeds tell the community.

`Vk` is the books with the clients' side on top: they write, press buttons, read, allow and deny.
The community's side is the API (`api.py` and its methods). Every deed tells `on_event`.
"""

import json
import secrets
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from sigma_sandbox.time_util import MINUTE, SECOND
from sigma_sandbox.vk.wire import market_json, serializers
from sigma_sandbox.vk.world.models import (
    Attachment,
    Community,
    Item,
    Json,
    Message,
    Order,
    OrderLine,
    Person,
    Picture,
    Press,
    Token,
)
from sigma_sandbox.vk.world.store import Books

RIGHTS = {
    "stories": 1,
    "photos": 4,
    "app_widget": 64,
    "messages": 4096,
    "wall": 8192,
    "docs": 131_072,
    "manage": 262_144,
    "market": 134_217_728,
}
PRESS_LIFE = MINUTE
TYPING_SHOWN = 10 * SECOND
FIRST_ID = 1
FIRST_PICTURE = 457_239_017


class Missing(LookupError):  # noqa: N818, it is an answer, not a fault
    """There is no such person, community, message or button."""


class Closed(Exception):  # noqa: N818, it is an answer, not a fault
    """The community takes no messages now."""


@dataclass(frozen=True)
class Pressed:
    """What a press did: `kind` is the button's type; a text wrote `message`, a callback waits
    for an answer in `vk.presses[event_id]`, an open_link opens `link`."""

    kind: str
    link: str | None = None
    message: Message | None = None
    event_id: str | None = None


class Vk(Books):
    """People and communities who talk. Raises Missing for what is not there."""

    def person(self, person_id: int) -> Person:
        """A person by id."""
        if person_id not in self.people:
            raise Missing(f"no person {person_id}")
        return self.people[person_id]

    def community(self, group_id: int) -> Community:
        """A community by id."""
        if group_id not in self.communities:
            raise Missing(f"no community {group_id}")
        return self.communities[group_id]

    def community_by(self, name: str) -> Community | None:
        """A community by its id, "club<id>", "-<id>" or short name."""
        digits = name.removeprefix("club").removeprefix("public").removeprefix("-")
        if digits.isdecimal():
            return self.communities.get(int(digits))
        folded = name.casefold()
        found = (one for one in self.communities.values() if one.screen_name.casefold() == folded)
        return next(found, None)

    def clients(self) -> list[Person]:
        """People who are nobody's staff."""
        return [one for one in self.people.values() if not one.staff]

    def add_person(self, first_name: str, last_name: str, **more: Any) -> Person:
        """A new person."""
        number = max(self.people, default=1000) + 1
        more.setdefault("screen_name", f"id{number}")
        return self.put_person(
            Person(id=number, first_name=first_name, last_name=last_name, **more)
        )

    def add_community(self, name: str, owner_id: int, **more: Any) -> Community:
        """A new community with nothing filled unless told in `more`."""
        number = max(self.communities, default=FIRST_ID - 1) + 1
        more["screen_name"] = more.get("screen_name") or f"club{number}"
        more |= {"created_at": self.now(), "code": secrets.token_hex(4), "owner_id": owner_id}
        return self.put_community(Community(id=number, name=name, **more))

    def create_key(self, group_id: int, rights: list[str]) -> str:
        """A new access key of a community; see RIGHTS. The secret itself is the answer."""
        token = self._new_token(rights)
        return self.put_token(replace(token, group_id=self.community(group_id).id)).token

    def create_user_key(self, person_id: int, rights: list[str]) -> str:
        """A new access key of a person, with rights such as groups, market, photos."""
        token = self._new_token(rights)
        return self.put_token(replace(token, person_id=self.person(person_id).id)).token

    def revoke_key(self, token: str) -> None:
        """Make a key dead: error 5 from now on."""
        if token not in self.tokens:
            raise Missing("no such key")
        self.put_token(replace(self.tokens[token], revoked=True))

    def keys_of(self, group_id: int) -> list[Token]:
        """A community's keys, revoked ones too."""
        return [one for one in self.tokens.values() if one.group_id == group_id]

    def add_picture(
        self, owner_id: int, content: bytes, content_type: str, size: tuple[int, int]
    ) -> Picture:
        """Keep a photo of a person (id) or of a community (minus id)."""
        picture = Picture(
            id=max(self.pictures, default=FIRST_PICTURE - 1) + 1,
            owner_id=owner_id,
            access_key=secrets.token_hex(9),
            content_type=content_type,
            width=size[0],
            height=size[1],
            created_at=self.now(),
            content=content,
        )
        return self.put_picture(picture)

    def add_item(self, group_id: int, title: str, description: str, **more: Any) -> Item:
        """A new good or service; prices in kopecks."""
        community = self.community(group_id)
        number = community.last_item_id + 1
        self.put_community(replace(community, last_item_id=number))
        more.setdefault("created_at", self.now(group_id))
        item = Item(id=number, group_id=group_id, title=title, description=description, **more)
        return self.put_item(item)

    def write(
        self,
        person_id: int,
        group_id: int,
        text: str = "",
        attachments: list[Attachment] | None = None,
        ref: str | None = None,
        ref_source: str | None = None,
        payload: str | None = None,
        reply_to: int = 0,
    ) -> Message:
        """A client writes to a community, and with that lets it answer. Raises Closed, Missing."""
        person, community = self.person(person_id), self.community(group_id)
        if not community.messages:
            raise Closed(f"community {group_id} takes no messages")
        with self.together():
            self.read(person.id, group_id)
            message = self.add_message(
                group_id,
                person.id,
                out=False,
                text=text,
                attachments=attachments or [],
                ref=ref or None,
                ref_source=ref_source or None,
                payload=payload,
                reply_to=reply_to,
            )
            dialog = self.dialog(group_id, person.id)
            self.put_dialog(dialog, allowed=True, answered=False)
            told = {
                "message": serializers.message_json(self, message),
                "client_info": serializers.CLIENT_INFO,
            }
            self.tell(group_id, "message_new", told)
        return message

    def press(
        self, person_id: int, group_id: int, button: tuple[int, int], cmid: int = 0
    ) -> Pressed:
        """A client presses a button: (row, column) under message `cmid`, or under the input (0).

        Raises Missing when there is no such button, Closed as `write` does.
        """
        self.person(person_id)
        dialog = self.dialog(group_id, person_id)
        message = self.message(group_id, person_id, cmid) if cmid else None
        keyboard = message.keyboard if message else None if cmid else dialog.keyboard
        row, column = button
        try:
            action = (keyboard or {"buttons": []})["buttons"][row][column]["action"]
        except IndexError:
            raise Missing(f"no button {row}, {column} under message {cmid}") from None
        kind, payload = str(action["type"]), action.get("payload")
        if kind == "callback":
            return self._call_back(person_id, group_id, cmid, payload)
        if kind in ("open_link", "open_app", "vkpay"):
            return Pressed(kind, link=action.get("link"))
        written = self.write(person_id, group_id, action.get("label", ""), payload=payload)
        if not cmid and keyboard and keyboard.get("one_time"):
            self.put_dialog(self.dialog(group_id, person_id), keyboard=None)
        return Pressed(kind, message=written)

    def allow(self, person_id: int, group_id: int, key: str = "") -> None:
        """A client lets the community write."""
        self.person(person_id)
        with self.together():
            self.put_dialog(self.dialog(self.community(group_id).id, person_id), allowed=True)
            self.tell(group_id, "message_allow", {"user_id": person_id, "key": key})

    def deny(self, person_id: int, group_id: int) -> None:
        """A client forbids the community to write."""
        self.person(person_id)
        with self.together():
            self.put_dialog(self.dialog(self.community(group_id).id, person_id), allowed=False)
            self.tell(group_id, "message_deny", {"user_id": person_id})

    def read(self, person_id: int, group_id: int) -> None:
        """A client has seen everything the community wrote."""
        dialog = self.dialog(group_id, person_id)
        last = next((m for m in self.newest(group_id, person_id) if m.out), None)
        if last is None or last.cmid <= dialog.out_read:
            return
        told = {"from_id": person_id, "peer_id": person_id, "read_message_id": last.id}
        with self.together():
            self.put_dialog(dialog, out_read=last.cmid)
            self.tell(group_id, "message_read", told | {"conversation_message_id": last.cmid})

    def typing(self, person_id: int, group_id: int) -> None:
        """A client is typing."""
        told = {"state": "typing", "from_id": person_id, "to_id": -group_id}
        self.tell(group_id, "message_typing_state", told)

    def is_typing(self, group_id: int, person_id: int) -> bool:
        """Shows the community "печатает…" to the client now?"""
        return self.dialog(group_id, person_id).typing_until > self.now(group_id)

    def order(
        self, person_id: int, group_id: int, lines: list[tuple[int, int]], comment: str = ""
    ) -> Order:
        """A client orders (item id, quantity) in the advanced shop. Raises Missing."""
        person, community = self.person(person_id), self.community(group_id)
        found = []
        for item_id, quantity in lines:
            item = self.items.get((group_id, item_id))
            if item is None:
                raise Missing(f"no item {item_id}")
            found.append(OrderLine(item.id, quantity, item.price))
        number = community.last_order_id + 1
        with self.together():
            self.put_community(replace(community, last_order_id=number))
            order = self.put_order(
                Order(
                    id=number,
                    group_id=group_id,
                    person_id=person.id,
                    created_at=self.now(group_id),
                    lines=found,
                    comment=comment,
                )
            )
            self.tell(group_id, "market_order_new", market_json.order_json(self, order))
        return order

    def add_message(self, group_id: int, person_id: int, **fields: Any) -> Message:
        """The next message of a dialog, from either side. Tells nobody."""
        community = self.community(group_id)
        dialog = self.dialog(group_id, person_id)
        number = community.last_message_id + 1
        self.put_community(replace(community, last_message_id=number))
        message = Message(
            id=number,
            group_id=group_id,
            person_id=person_id,
            cmid=dialog.last_cmid + 1,
            at=self.now(group_id),
            version=number,
            **fields,
        )
        self.put_message(message)
        self.put_dialog(dialog, last_cmid=message.cmid)
        return message

    def tell(self, group_id: int, event: str, thing: Json) -> None:
        """Something happened in a community: everybody who listens hears it."""
        community = self.community(group_id)
        for listener in self.on_event:
            listener(community, event, thing)

    def _new_token(self, rights: list[str]) -> Token:
        words = f"vk1.a.{secrets.token_urlsafe(48)}"
        return Token(token=words, created_at=self.now(), rights=rights)

    def _call_back(self, person_id: int, group_id: int, cmid: int, payload: str | None) -> Pressed:
        press = Press(
            id=secrets.token_hex(6),
            group_id=group_id,
            person_id=person_id,
            cmid=cmid,
            at=self.now(group_id),
        )
        told: Json = {"user_id": person_id, "peer_id": person_id, "event_id": press.id}
        told |= {"payload": json.loads(payload) if payload else None}
        told["conversation_message_id"] = cmid
        with self.together():
            self.put_press(press)
            self.tell(group_id, "message_event", told)
        return Pressed("callback", event_id=press.id)
