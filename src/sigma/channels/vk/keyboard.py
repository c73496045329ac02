"""Keyboards of a message, checked against VK's limits.

Source: dev.vk.ru/ru/api/bots/development/keyboard. A payload returns through the client's app and
may be forged: put ids in it, never a price or a permission.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import msgspec

MAX_LABEL_CHARS, MAX_PAYLOAD_CHARS, MAX_LINK_CHARS = 40, 255, 2048
MAX_ROWS, MAX_COLUMNS, MAX_BUTTONS = 6, 5, 10


class Color(StrEnum):
    """Color of a text or callback button; other kinds have none."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    POSITIVE = "positive"
    NEGATIVE = "negative"


@dataclass(frozen=True, slots=True)
class Button:
    """A button. `action` is VK's action object."""

    action: Mapping[str, str]
    color: Color | None = None

    @property
    def needs_own_row(self) -> bool:
        """Whether VK requires a row of its own for it."""
        return self.action["type"] == "open_link"

    def to_object(self) -> dict[str, Any]:
        """Return VK's button object."""
        return {"action": dict(self.action)} | ({"color": self.color.value} if self.color else {})


def link_button(label: str, link: str) -> Button:
    """Make a button that opens a URL; VK sends no event. Raises ValueError: label, link."""
    parts = urlsplit(link)
    if parts.scheme not in ("http", "https") or not parts.hostname or len(link) > MAX_LINK_CHARS:
        raise ValueError("link")
    return Button({"type": "open_link", "label": _check_label(label), "link": link})


def text_button(label: str, payload: Mapping[str, Any], color: Color = Color.SECONDARY) -> Button:
    """Make a button that sends its label as the client's message, with the payload.

    Raises ValueError: label, payload.
    """
    action = {"type": "text", "label": _check_label(label), "payload": _encode_payload(payload)}
    return Button(action, color)


def callback_button(
    label: str, payload: Mapping[str, Any], color: Color = Color.SECONDARY
) -> Button:
    """Make a button that sends message_event and no message. Raises ValueError: label, payload."""
    action = {"type": "callback", "label": _check_label(label), "payload": _encode_payload(payload)}
    return Button(action, color)


def inline_keyboard(rows: Sequence[Sequence[Button]]) -> dict[str, Any]:
    """Return a keyboard shown inside its message.

    Raises ValueError: rows, columns, buttons, or own_row when a link button shares its row.
    """
    if len(rows) > MAX_ROWS:
        raise ValueError("rows")
    if any(not 1 <= len(row) <= MAX_COLUMNS for row in rows):
        raise ValueError("columns")
    if sum(map(len, rows)) > MAX_BUTTONS:
        raise ValueError("buttons")
    if any(len(row) > 1 and any(button.needs_own_row for button in row) for row in rows):
        raise ValueError("own_row")
    buttons = [[button.to_object() for button in row] for row in rows]
    return {"one_time": False, "inline": True, "buttons": buttons}


def fit_label(label: str) -> str:
    """Return the label on one line, cut with an ellipsis to VK's limit."""
    single_line = " ".join(label.split())
    return (
        single_line
        if len(single_line) <= MAX_LABEL_CHARS
        else single_line[: MAX_LABEL_CHARS - 1].rstrip() + "…"
    )


def _check_label(label: str) -> str:
    if not label.strip() or len(label) > MAX_LABEL_CHARS:
        raise ValueError("label")
    return label


def _encode_payload(payload: Mapping[str, Any]) -> str:
    encoded = msgspec.json.encode(payload).decode()
    if len(encoded) > MAX_PAYLOAD_CHARS:
        raise ValueError("payload")
    return encoded
