"""The books of VKontakte in a box: everything in memory, written through to the vault."""

import asyncio
import secrets
from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import Any

from msgspec.structs import replace

from sigma_sandbox.faults import Control, Effect
from sigma_sandbox.persistence import Vault
from sigma_sandbox.time_util import SECOND, Clock
from sigma_sandbox.vk.world.models import (
    Album,
    CallbackServer,
    Community,
    Dialog,
    Item,
    Json,
    LongPoll,
    Message,
    Order,
    Parcel,
    Person,
    Picture,
    Press,
    Token,
)

MAX_FINISHED_PARCELS = 2000


class Books:
    """What is known. No rules live here, only looking up and writing down."""

    def __init__(self, base_url: str, vault: Vault, control: Control, clock: Clock) -> None:
        self.base_url = base_url.rstrip("/")
        self.control = control
        self.on_event: list[Callable[[Community, str, Json], None]] = []
        self.together = vault.together
        self._vault = vault
        self._clock = clock
        self.people = {one.id: one for one in vault.load(Person)}
        self.communities = {one.id: one for one in vault.load(Community)}
        self.tokens = {one.token: one for one in vault.load(Token)}
        self.servers = {(one.group_id, one.id): one for one in vault.load(CallbackServer)}
        self.longpolls = {one.group_id: one for one in vault.load(LongPoll)}
        self.pictures = {one.id: one for one in vault.load(Picture)}
        self.items = {(one.group_id, one.id): one for one in vault.load(Item)}
        self.albums = {(one.group_id, one.id): one for one in vault.load(Album)}
        self.orders = {(one.group_id, one.id): one for one in vault.load(Order)}
        self.dialogs = {(one.group_id, one.person_id): one for one in vault.load(Dialog)}
        self.presses = {one.id: one for one in vault.load(Press)}
        self.parcels = {one.id: one for one in vault.load(Parcel)}
        self._messages: dict[tuple[int, int], dict[int, Message]] = {}
        self._by_id: dict[tuple[int, int], Message] = {}
        self._waiting: dict[tuple[int, int], set[asyncio.Future[None]]] = {}
        for message in vault.load(Message):
            self._remember(message)

    @property
    def root(self) -> str:
        """The address everything of VK starts with."""
        return f"{self.base_url}/vk"

    def now(self, group_id: int | None = None) -> int:
        """VK's time, UTC microseconds, with the offset told to /control."""
        shop = None if group_id is None else str(group_id)
        return self._clock() + (self.control.peek(Effect.VK_CLOCK_OFFSET_S, shop) or 0) * SECOND

    def put_person(self, person: Person) -> Person:
        """Write a person."""
        self.people[person.id] = person
        self._vault.put(str(person.id), person)
        return person

    def put_community(self, community: Community) -> Community:
        """Write a community."""
        self.communities[community.id] = community
        self._vault.put(str(community.id), community)
        return community

    def put_token(self, token: Token) -> Token:
        """Write a key."""
        self.tokens[token.token] = token
        self._vault.put(token.token, token)
        return token

    def put_server(self, server: CallbackServer) -> CallbackServer:
        """Write a callback server."""
        self.servers[server.group_id, server.id] = server
        self._vault.put(f"{server.group_id}/{server.id}", server)
        return server

    def drop_server(self, group_id: int, server_id: int) -> None:
        """Forget a callback server."""
        self.servers.pop((group_id, server_id), None)
        self._vault.forget(CallbackServer, f"{group_id}/{server_id}")

    def servers_of(self, group_id: int) -> list[CallbackServer]:
        """A community's callback servers in the order they were added."""
        return [one for one in self.servers.values() if one.group_id == group_id]

    def put_longpoll(self, longpoll: LongPoll) -> LongPoll:
        """Write a community's long poll."""
        self.longpolls[longpoll.group_id] = longpoll
        self._vault.put(str(longpoll.group_id), longpoll)
        return longpoll

    def longpoll(self, group_id: int) -> LongPoll:
        """A community's long poll, off at first sight."""
        if group_id not in self.longpolls:
            self.put_longpoll(LongPoll(group_id=group_id, key=secrets.token_hex(20)))
        return self.longpolls[group_id]

    def put_picture(self, picture: Picture) -> Picture:
        """Write a photo."""
        self.pictures[picture.id] = picture
        self._vault.put(str(picture.id), picture)
        return picture

    def put_item(self, item: Item) -> Item:
        """Write a good or a service."""
        self.items[item.group_id, item.id] = item
        self._vault.put(f"{item.group_id}/{item.id}", item)
        return item

    def items_of(self, group_id: int) -> list[Item]:
        """A community's goods and services, oldest first."""
        return [one for one in self.items.values() if one.group_id == group_id]

    def put_album(self, album: Album) -> Album:
        """Write an album."""
        self.albums[album.group_id, album.id] = album
        self._vault.put(f"{album.group_id}/{album.id}", album)
        return album

    def put_order(self, order: Order) -> Order:
        """Write an order."""
        self.orders[order.group_id, order.id] = order
        self._vault.put(f"{order.group_id}/{order.id}", order)
        return order

    def orders_of(self, group_id: int) -> list[Order]:
        """A community's orders, newest first."""
        return [one for one in reversed(self.orders.values()) if one.group_id == group_id]

    def put_press(self, press: Press) -> Press:
        """Write a pressed button."""
        self.presses[press.id] = press
        self._vault.put(press.id, press)
        return press

    def put_parcel(self, parcel: Parcel) -> Parcel:
        """Write an event's progress; the oldest finished ones go when there are many."""
        self.parcels[parcel.id] = parcel
        self._vault.put(parcel.id, parcel)
        if len(self.parcels) > MAX_FINISHED_PARCELS:
            done = next((one for one in self.parcels.values() if one.state != "waiting"), None)
            if done is not None:
                del self.parcels[done.id]
                self._vault.forget(Parcel, done.id)
        return parcel

    def dialog(self, group_id: int, person_id: int) -> Dialog:
        """The dialog of a person with a community, empty when they never met."""
        known = self.dialogs.get((group_id, person_id))
        return known or Dialog(group_id=group_id, person_id=person_id)

    def dialogs_of(self, group_id: int) -> list[Dialog]:
        """A community's dialogs that have messages, the freshest first."""
        found = [one for one in self.dialogs.values() if one.group_id == group_id and one.last_cmid]
        return sorted(found, key=lambda one: self.last_message(one).id, reverse=True)

    def put_dialog(self, dialog: Dialog, **changes: Any) -> Dialog:
        """Write a dialog with these changes, as its next version, and wake who looks at it."""
        key = dialog.group_id, dialog.person_id
        at = self.now(dialog.group_id)
        dialog = replace(dialog, version=dialog.version + 1, changed_at=at, **changes)
        self.dialogs[key] = dialog
        self._vault.put(f"{dialog.group_id}/{dialog.person_id}", dialog)
        for future in self._waiting.pop(key, set()):
            if not future.done():
                future.set_result(None)
        return dialog

    async def wait_dialog(
        self, group_id: int, person_id: int, version: int, timeout_s: float
    ) -> Dialog:
        """The dialog as soon as its version differs from this one, or after the timeout."""
        dialog = self.dialog(group_id, person_id)
        if dialog.version != version:
            return dialog
        future = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault((group_id, person_id), set())
        waiting.add(future)
        try:
            await asyncio.wait([future], timeout=timeout_s)
        finally:
            waiting.discard(future)
        return self.dialog(group_id, person_id)

    def put_message(self, message: Message) -> Message:
        """Write a message, new or changed."""
        self._remember(message)
        self._vault.put(f"{message.group_id}/{message.id}", message)
        return message

    def messages(self, group_id: int, person_id: int) -> list[Message]:
        """A dialog's messages, oldest first."""
        return list(self._messages.get((group_id, person_id), {}).values())

    def newest(self, group_id: int, person_id: int) -> Iterator[Message]:
        """A dialog's messages, newest first."""
        return reversed(self._messages.get((group_id, person_id), {}).values())

    def message(self, group_id: int, person_id: int, cmid: int) -> Message | None:
        """A message by its number in the dialog."""
        return self._messages.get((group_id, person_id), {}).get(cmid)

    def message_by_id(self, group_id: int, message_id: int) -> Message | None:
        """A message by its number in the community."""
        return self._by_id.get((group_id, message_id))

    def last_message(self, dialog: Dialog) -> Message:
        """The last message of a dialog that has one."""
        return self._messages[dialog.group_id, dialog.person_id][dialog.last_cmid]

    def unread(self, dialog: Dialog) -> int:
        """How many of the person's messages the community has not read."""
        newest = self.newest(dialog.group_id, dialog.person_id)
        fresh = takewhile(lambda message: message.cmid > dialog.in_read, newest)
        return sum(not message.out for message in fresh)

    def _remember(self, message: Message) -> None:
        dialog = self._messages.setdefault((message.group_id, message.person_id), {})
        dialog[message.cmid] = message
        self._by_id[message.group_id, message.id] = message
