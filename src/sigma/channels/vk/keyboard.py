"""Buttons under a message or under the input line, within VK's limits.

Source: dev.vk.ru/ru/api/bots/development/keyboard. A payload comes back through the client's app
and may be forged: put a name of a thing in it, never a price or a right.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import msgspec

MAX_LABEL, MAX_PAYLOAD, MAX_LINK = 40, 255, 2048
COLUMNS = 5
INLINE_ROWS, INLINE_BUTTONS = 6, 10
UNDER_ROWS, UNDER_BUTTONS = 10, 40


class Color(StrEnum):
    """Of text and callback buttons; the others have none."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    POSITIVE = "positive"
    NEGATIVE = "negative"


@dataclass(frozen=True, slots=True)
class Button:
    """A button in VK's words."""

    action: Mapping[str, str]
    color: Color | None = None

    @property
    def alone(self) -> bool:
        """Whether it takes a whole row."""
        return self.action["type"] == "open_link"

    def said(self) -> dict[str, Any]:
        """As VK wants it."""
        return {"action": dict(self.action)} | ({"color": self.color.value} if self.color else {})


def open_link(label: str, link: str) -> Button:
    """Opens an address; we are not told. Raises ValueError: label, link."""
    parts = urlsplit(link)
    if parts.scheme not in ("http", "https") or not parts.hostname or len(link) > MAX_LINK:
        raise ValueError("link")
    return Button({"type": "open_link", "label": _label(label), "link": link})


def text(label: str, payload: Mapping[str, Any], color: Color = Color.SECONDARY) -> Button:
    """Writes its label for the client, with the payload. Raises ValueError: label, payload."""
    action = {"type": "text", "label": _label(label), "payload": _payload(payload)}
    return Button(action, color)


def callback(label: str, payload: Mapping[str, Any], color: Color = Color.SECONDARY) -> Button:
    """Tells us and writes nothing. Raises ValueError: label, payload."""
    action = {"type": "callback", "label": _label(label), "payload": _payload(payload)}
    return Button(action, color)


def inline(rows: Sequence[Sequence[Button]]) -> dict[str, Any]:
    """A keyboard that belongs to its message. Raises ValueError: rows, columns, buttons, alone."""
    buttons = _checked(rows, INLINE_ROWS, INLINE_BUTTONS)
    return {"one_time": False, "inline": True, "buttons": buttons}


def under(rows: Sequence[Sequence[Button]], *, one_time: bool = False) -> dict[str, Any]:
    """A keyboard under the input line; without rows it goes away. Raises ValueError as inline."""
    return {"one_time": one_time, "buttons": _checked(rows, UNDER_ROWS, UNDER_BUTTONS)}


def shortened(label: str) -> str:
    """A label that fits, cut with an ellipsis when it is long."""
    line = " ".join(label.split())
    return line if len(line) <= MAX_LABEL else line[: MAX_LABEL - 1].rstrip() + "…"


def _checked(
    rows: Sequence[Sequence[Button]], max_rows: int, max_buttons: int
) -> list[list[dict[str, Any]]]:
    if len(rows) > max_rows:
        raise ValueError("rows")
    if any(not 1 <= len(row) <= COLUMNS for row in rows):
        raise ValueError("columns")
    if sum(map(len, rows)) > max_buttons:
        raise ValueError("buttons")
    if any(len(row) > 1 and any(button.alone for button in row) for row in rows):
        raise ValueError("alone")
    return [[button.said() for button in row] for row in rows]


def _label(label: str) -> str:
    if not label.strip() or len(label) > MAX_LABEL:
        raise ValueError("label")
    return label


def _payload(payload: Mapping[str, Any]) -> str:
    said = msgspec.json.encode(payload).decode()
    if len(said) > MAX_PAYLOAD:
        raise ValueError("payload")
    return said
