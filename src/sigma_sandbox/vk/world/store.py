"""The store of the sandbox's VKontakte: all objects in memory, each change written to disk."""

import asyncio
import secrets
from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import Any

from msgspec.structs import replace

from sigma_sandbox.faults import Effect, FaultRules
from sigma_sandbox.persistence import ObjectStore
from sigma_sandbox.time_util import SECOND_US, Clock
from sigma_sandbox.vk.world.models import (
    AccessKey,
    Album,
    ButtonPress,
    CallbackServer,
    Community,
    Conversation,
    EventDelivery,
    LongPoll,
    MarketItem,
    Message,
    Person,
    Photo,
    VkOrder,
)

MAX_FINISHED_DELIVERIES = 2000


class VkStore:
    """All objects of VK with lookups and writes. Rules are in `Vk` and `vk.api`.

    A `put_` method stores an object, new or changed, and returns it.
    """

    def __init__(
        self, base_url: str, object_store: ObjectStore, faults: FaultRules, clock: Clock
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.faults = faults
        self.event_listeners: list[Callable[[Community, str, Any], None]] = []
        self.transaction = object_store.transaction
        self._object_store = object_store
        self._clock = clock
        self.people = {one.id: one for one in object_store.list_all(Person)}
        self.communities = {one.id: one for one in object_store.list_all(Community)}
        self.access_keys = {one.token: one for one in object_store.list_all(AccessKey)}
        self.servers = {
            (one.group_id, one.id): one for one in object_store.list_all(CallbackServer)
        }
        self.long_polls = {one.group_id: one for one in object_store.list_all(LongPoll)}
        self.photos = {one.id: one for one in object_store.list_all(Photo)}
        self.items = {(one.group_id, one.id): one for one in object_store.list_all(MarketItem)}
        self.albums = {(one.group_id, one.id): one for one in object_store.list_all(Album)}
        self.orders = {(one.group_id, one.id): one for one in object_store.list_all(VkOrder)}
        self.conversations = {
            (one.group_id, one.person_id): one for one in object_store.list_all(Conversation)
        }
        self.button_presses = {one.id: one for one in object_store.list_all(ButtonPress)}
        self.deliveries = {one.id: one for one in object_store.list_all(EventDelivery)}
        self._messages: dict[tuple[int, int], dict[int, Message]] = {}
        self._messages_by_id: dict[tuple[int, int], Message] = {}
        self._waiters: dict[tuple[int, int], set[asyncio.Future[None]]] = {}
        for message in object_store.list_all(Message):
            self._index_message(message)

    @property
    def vk_url(self) -> str:
        """The base URL of everything VK serves, without a trailing slash."""
        return f"{self.base_url}/vk"

    def now_us(self, group_id: int | None = None) -> int:
        """Return VK's time in UTC microseconds, shifted by the fault rule `vk_clock_offset_s`."""
        shop = None if group_id is None else str(group_id)
        return self._clock() + (self.faults.peek(Effect.VK_CLOCK_OFFSET_S, shop) or 0) * SECOND_US

    def put_person(self, person: Person) -> Person:
        """Store a person."""
        self.people[person.id] = person
        self._object_store.put(str(person.id), person)
        return person

    def put_community(self, community: Community) -> Community:
        """Store a community."""
        self.communities[community.id] = community
        self._object_store.put(str(community.id), community)
        return community

    def put_access_key(self, access_key: AccessKey) -> AccessKey:
        """Store an access key."""
        self.access_keys[access_key.token] = access_key
        self._object_store.put(access_key.token, access_key)
        return access_key

    def put_server(self, server: CallbackServer) -> CallbackServer:
        """Store a callback server."""
        self.servers[server.group_id, server.id] = server
        self._object_store.put(f"{server.group_id}/{server.id}", server)
        return server

    def delete_server(self, group_id: int, server_id: int) -> None:
        """Delete a callback server; do nothing if it does not exist."""
        self.servers.pop((group_id, server_id), None)
        self._object_store.delete(CallbackServer, f"{group_id}/{server_id}")

    def list_servers(self, group_id: int) -> list[CallbackServer]:
        """Return a community's callback servers in the order they were added."""
        return [one for one in self.servers.values() if one.group_id == group_id]

    def put_long_poll(self, long_poll: LongPoll) -> LongPoll:
        """Store a community's long poll settings."""
        self.long_polls[long_poll.group_id] = long_poll
        self._object_store.put(str(long_poll.group_id), long_poll)
        return long_poll

    def get_or_create_long_poll(self, group_id: int) -> LongPoll:
        """Return a community's long poll; create it switched off if there is none."""
        if group_id not in self.long_polls:
            self.put_long_poll(LongPoll(group_id=group_id, key=secrets.token_hex(20)))
        return self.long_polls[group_id]

    def put_photo(self, photo: Photo) -> Photo:
        """Store a photo."""
        self.photos[photo.id] = photo
        self._object_store.put(str(photo.id), photo)
        return photo

    def put_item(self, item: MarketItem) -> MarketItem:
        """Store a market item or a service."""
        self.items[item.group_id, item.id] = item
        self._object_store.put(f"{item.group_id}/{item.id}", item)
        return item

    def list_items(self, group_id: int) -> list[MarketItem]:
        """Return a community's market items and services, oldest first, deleted ones included."""
        return [one for one in self.items.values() if one.group_id == group_id]

    def put_album(self, album: Album) -> Album:
        """Store an album."""
        self.albums[album.group_id, album.id] = album
        self._object_store.put(f"{album.group_id}/{album.id}", album)
        return album

    def put_order(self, order: VkOrder) -> VkOrder:
        """Store a VK order."""
        self.orders[order.group_id, order.id] = order
        self._object_store.put(f"{order.group_id}/{order.id}", order)
        return order

    def list_orders(self, group_id: int) -> list[VkOrder]:
        """Return a community's orders, newest first."""
        return [one for one in reversed(self.orders.values()) if one.group_id == group_id]

    def put_button_press(self, button_press: ButtonPress) -> ButtonPress:
        """Store a button press."""
        self.button_presses[button_press.id] = button_press
        self._object_store.put(button_press.id, button_press)
        return button_press

    def put_delivery(self, delivery: EventDelivery) -> EventDelivery:
        """Store an event delivery; above the limit, delete the oldest finished one."""
        self.deliveries[delivery.id] = delivery
        self._object_store.put(delivery.id, delivery)
        if len(self.deliveries) > MAX_FINISHED_DELIVERIES:
            finished = next(
                (one for one in self.deliveries.values() if one.state != "waiting"), None
            )
            if finished is not None:
                del self.deliveries[finished.id]
                self._object_store.delete(EventDelivery, finished.id)
        return delivery

    def get_conversation(self, group_id: int, person_id: int) -> Conversation:
        """Return a conversation; a new empty one, not stored, if the two have none."""
        conversation = self.conversations.get((group_id, person_id))
        return conversation or Conversation(group_id=group_id, person_id=person_id)

    def list_conversations(self, group_id: int) -> list[Conversation]:
        """Return a community's conversations that have messages, latest message first."""
        conversations = [
            one for one in self.conversations.values() if one.group_id == group_id and one.last_cmid
        ]
        return sorted(conversations, key=lambda one: self.last_message(one).id, reverse=True)

    def put_conversation(self, conversation: Conversation, **changes: Any) -> Conversation:
        """Store a conversation with these changes as its next version.

        Wakes `wait_for_change`.
        """
        key = conversation.group_id, conversation.person_id
        now_us = self.now_us(conversation.group_id)
        conversation = replace(
            conversation, version=conversation.version + 1, changed_at_us=now_us, **changes
        )
        self.conversations[key] = conversation
        self._object_store.put(f"{conversation.group_id}/{conversation.person_id}", conversation)
        for future in self._waiters.pop(key, set()):
            if not future.done():
                future.set_result(None)
        return conversation

    async def wait_for_change(
        self, group_id: int, person_id: int, version: int, timeout_s: float
    ) -> Conversation:
        """Return the conversation once its version differs from `version`, or after the timeout."""
        conversation = self.get_conversation(group_id, person_id)
        if conversation.version != version:
            return conversation
        future = asyncio.get_running_loop().create_future()
        waiters = self._waiters.setdefault((group_id, person_id), set())
        waiters.add(future)
        try:
            await asyncio.wait([future], timeout=timeout_s)
        finally:
            waiters.discard(future)
        return self.get_conversation(group_id, person_id)

    def put_message(self, message: Message) -> Message:
        """Store a message."""
        self._index_message(message)
        self._object_store.put(f"{message.group_id}/{message.id}", message)
        return message

    def list_messages(self, group_id: int, person_id: int) -> list[Message]:
        """Return a conversation's messages, oldest first."""
        return list(self._messages.get((group_id, person_id), {}).values())

    def iter_newest_messages(self, group_id: int, person_id: int) -> Iterator[Message]:
        """Return a conversation's messages, newest first, as an iterator."""
        return reversed(self._messages.get((group_id, person_id), {}).values())

    def find_message(self, group_id: int, person_id: int, cmid: int) -> Message | None:
        """Return the message with this number in the conversation, or None."""
        return self._messages.get((group_id, person_id), {}).get(cmid)

    def find_message_by_id(self, group_id: int, message_id: int) -> Message | None:
        """Return the message with this id in the community, or None."""
        return self._messages_by_id.get((group_id, message_id))

    def last_message(self, conversation: Conversation) -> Message:
        """Return the last message. Raises KeyError for a conversation without messages."""
        return self._messages[conversation.group_id, conversation.person_id][conversation.last_cmid]

    def count_unread(self, conversation: Conversation) -> int:
        """Return how many of the person's messages the community has not read."""
        newest = self.iter_newest_messages(conversation.group_id, conversation.person_id)
        unread_messages = takewhile(lambda message: message.cmid > conversation.in_read, newest)
        return sum(not message.is_outgoing for message in unread_messages)

    def _index_message(self, message: Message) -> None:
        conversation = self._messages.setdefault((message.group_id, message.person_id), {})
        conversation[message.cmid] = message
        self._messages_by_id[message.group_id, message.id] = message
