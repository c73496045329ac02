"""Buttons under a message, within VK's limits.

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
ROWS, COLUMNS, BUTTONS = 6, 5, 10


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
    if len(rows) > ROWS:
        raise ValueError("rows")
    if any(not 1 <= len(row) <= COLUMNS for row in rows):
        raise ValueError("columns")
    if sum(map(len, rows)) > BUTTONS:
        raise ValueError("buttons")
    if any(len(row) > 1 and any(button.alone for button in row) for row in rows):
        raise ValueError("alone")
    buttons = [[button.said() for button in row] for row in rows]
    return {"one_time": False, "inline": True, "buttons": buttons}


def shortened(label: str) -> str:
    """A label that fits, cut with an ellipsis when it is long."""
    line = " ".join(label.split())
    return line if len(line) <= MAX_LABEL else line[: MAX_LABEL - 1].rstrip() + "…"


def _label(label: str) -> str:
    if not label.strip() or len(label) > MAX_LABEL:
        raise ValueError("label")
    return label


def _payload(payload: Mapping[str, Any]) -> str:
    said = msgspec.json.encode(payload).decode()
    if len(said) > MAX_PAYLOAD:
        raise ValueError("payload")
    return said
