"""A message of a dialog: what was written, by whom, and what became of ours."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

MAX_TEXT = 4096  # characters; VK takes more, a phone's screen does not
STEP = 1_000_000  # room between two numbers of VK for what has no number yet
WORD = 6  # letters of a word that search compares: «маникюра» is found by «маникюр»
MAX_WORDS = 200
_WORDS = re.compile(r"[^\W_]{2,}")


class Status(StrEnum):
    """A client's message is received; ours waits, is sent, or cannot be."""

    RECEIVED = "received"
    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"


# Every pair is here or refused: VK's word that it has the message always wins.
FLOW: dict[Status, frozenset[Status]] = {
    Status.RECEIVED: frozenset({Status.RECEIVED}),
    Status.QUEUED: frozenset({Status.QUEUED, Status.SENT, Status.FAILED}),
    Status.SENT: frozenset({Status.SENT}),
    Status.FAILED: frozenset({Status.FAILED, Status.QUEUED, Status.SENT}),
}

CLIENT, AUTO = "client", "auto"  # authors beside users' ids and "vk:<id>", a person in VK itself


@dataclass(frozen=True, slots=True)
class Shown:
    """An attachment as the dialog shows it. Addresses are the sender's: never trusted.

    Kinds: photo, market, link, doc, video, audio, sticker, wall, place, other.
    """

    kind: str
    title: str = ""
    url: str = ""
    picture: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Body:
    """What is sealed of a message. `keyboard` is what we sent with it, in VK's own words."""

    text: str = ""
    attachments: tuple[Shown, ...] = ()
    keyboard: dict[str, Any] | None = None
    attachment: str = ""  # of ours: VK's text such as photo-1_2_key
    payload: dict[str, Any] | None = None  # of a pressed button: may be forged, so only a wish


@dataclass(frozen=True, slots=True)
class Message:
    """`cmid` is VK's number inside the dialog, None until VK has it. `place` sorts a dialog.

    `key` is our own idempotency key: one wish is one message, whatever is repeated. `body_sealed`
    opens to a Body. Times are UTC microseconds.
    """

    id: str
    shop_id: str
    conversation_id: str
    out: bool
    author: str
    body_sealed: str
    at: int
    place: int
    status: Status = Status.RECEIVED
    cmid: int | None = None
    vk_id: int | None = None
    key: str | None = None
    random_id: int = 0
    tried_at: int | None = None  # when it was first given to VK: it may have arrived since
    failure: str = ""
    edited_at: int | None = None
    version: int = 0


def words_of(text: str) -> list[str]:
    """The beginnings of the words of a text, as search compares them, each once."""
    folded = text.casefold().replace("ё", "е")
    found = dict.fromkeys(word[:WORD] for word in _WORDS.findall(folded))
    return list(found)[:MAX_WORDS]


def move(message: Message, after: Status) -> Status:
    """Whether a message may become that; returns it. A programmer's mistake is an assertion."""
    assert after in FLOW[message.status], f"{message.status} → {after}"
    return after
