"""Bots and their private chats. Every token of the right form belongs to a bot of its own."""

import itertools
import re
from collections.abc import Iterator

import msgspec

from sigma_sandbox.faults import FaultRules
from sigma_sandbox.persistence import ObjectStore
from sigma_sandbox.time_util import Clock

TOKEN_PATTERN = re.compile(r"([0-9]{5,16}):[A-Za-z0-9_-]{20,100}", re.ASCII)
REVOKED_PART = "revoked"  # a token with this part was revoked: 401


class ChatMessage(msgspec.Struct, kw_only=True):
    """A message in a private chat. `sent_at_us`: UTC microseconds."""

    message_id: int
    is_from_bot: bool
    text: str
    sent_at_us: int


class Chat(msgspec.Struct, kw_only=True):
    """The chat of one person with one bot. `has_blocked`: the person has blocked the bot."""

    bot_id: int
    chat_id: int
    first_name: str = "Анна"
    has_blocked: bool = False
    messages: list[ChatMessage] = []


class BotUpdate(msgspec.Struct, kw_only=True):
    """A message that the bot has not fetched and confirmed yet."""

    bot_id: int
    update_id: int
    chat_id: int
    text: str


class Telegram:
    """The state of all bots, written through to the object store."""

    def __init__(self, object_store: ObjectStore, faults: FaultRules, clock: Clock) -> None:
        self._object_store = object_store
        self.faults = faults
        self._clock = clock
        self.chats = {(one.bot_id, one.chat_id): one for one in object_store.list_all(Chat)}
        self.updates = {one.update_id: one for one in object_store.list_all(BotUpdate)}
        numbers = [one.message_id for chat in self.chats.values() for one in chat.messages]
        self._numbers: Iterator[int] = itertools.count(max([*numbers, *self.updates, 0]) + 1)

    def get_or_create_chat(self, bot_id: int, chat_id: int) -> Chat:
        """Return a chat; a person who writes first opens it."""
        return self.chats.setdefault((bot_id, chat_id), Chat(bot_id=bot_id, chat_id=chat_id))

    def add_message(self, chat: Chat, text: str, *, is_from_bot: bool) -> ChatMessage:
        """Add a message; one of the person is an update for the bot, too."""
        message = ChatMessage(
            message_id=next(self._numbers),
            is_from_bot=is_from_bot,
            text=text,
            sent_at_us=self._clock(),
        )
        chat.messages.append(message)
        self.save_chat(chat)
        if not is_from_bot:
            update = BotUpdate(
                bot_id=chat.bot_id, update_id=message.message_id, chat_id=chat.chat_id, text=text
            )
            self.updates[update.update_id] = update
            self._object_store.put(str(update.update_id), update)
        return message

    def save_chat(self, chat: Chat) -> None:
        """Store a chat that has changed."""
        self._object_store.put(f"{chat.bot_id}:{chat.chat_id}", chat)

    def list_updates(self, bot_id: int, offset: int) -> list[BotUpdate]:
        """Return the updates of a bot from `offset` on; those before it are forgotten."""
        own = [one for one in self.updates.values() if one.bot_id == bot_id]
        for one in own:
            if one.update_id < offset:
                del self.updates[one.update_id]
                self._object_store.delete(BotUpdate, str(one.update_id))
        return [one for one in own if one.update_id >= offset]


def parse_bot_id(token: str) -> int | None:
    """Return the number of the bot that a token belongs to, None for an invalid token."""
    match = TOKEN_PATTERN.fullmatch(token)
    return int(match[1]) if match and REVOKED_PART not in token else None


def username_of(bot_id: int) -> str:
    """Return the public name of a bot."""
    return f"sandbox_{bot_id}_bot"
