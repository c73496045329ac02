"""A dialog as facts for its template: texts with links made safe, days, states in words."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from markupsafe import Markup, escape

from sigma.domain.messaging.message import Message, Shown, Status
from sigma.services.context import DAY, MINUTE
from sigma.services.conversations.conversation_page import Said, Talk
from sigma.services.conversations.inbox import Row
from sigma.texts import Words
from sigma.texts.formats import clock, local

KINDS = ("photo", "market", "link", "doc", "video", "audio", "sticker", "wall", "place")
# Why a message waits, where that is known; everything else is VK's silence.
SAID_WHY = {
    "waits:no_community": "inbox.queued_off",
    **dict.fromkeys(("waits:6", "waits:9", "waits:29", "waits:601"), "inbox.queued_slow"),
}
_KIND = re.compile(r"\[([a-z_]+)\]")
_LINK = re.compile(r"https?://[^\s<>\"'«»]+", re.IGNORECASE)
_MENTION = re.compile(r"\[(?:id|club|public)\d+\|([^\]\n]{1,200})\]")
_AFTER_A_LINK = ".,;:!?)]}"
_OUTSIDE = Markup('<a href="{0}" target="_blank" rel="noopener noreferrer nofollow">{0}</a>')


@dataclass(frozen=True, slots=True)
class Hung:
    """An attachment: `name` in words; `url` and `picture` only where they may be followed."""

    kind: str
    name: str
    detail: str
    url: str
    picture: str


@dataclass(frozen=True, slots=True)
class Bubble:
    """One message on the page. `day` is said before the first message of a day.

    `state` is "", queued or failed; `reason` says why and `again` whether it may be repeated.
    """

    message: Message
    text: Markup
    plain: str
    who: str
    hung: list[Hung]
    buttons: list[str]
    day: str
    time: str
    state: str
    reason: str
    sealed: bool

    @property
    def mark(self) -> str:
        """Changes whenever the bubble must be drawn anew."""
        return f"{self.message.version}{self.state}"


def safe_url(url: str) -> str:
    """The address if a browser may be sent there; else empty. It was written by a stranger."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return ""
    # https://vk.com@evil.example/ is a page of evil.example: nobody needs such addresses.
    good = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
    return url.strip() if good else ""


def linked(text: str) -> Markup:
    """Text as people wrote it: escaped, its lines kept, its addresses made links."""
    text = _MENTION.sub(r"\1", text)
    shown, end = [], 0
    for found in _LINK.finditer(text):
        url = found[0].rstrip(_AFTER_A_LINK)
        if not safe_url(url):
            continue
        shown += [escape(text[end : found.start()]), _OUTSIDE.format(url)]
        end = found.start() + len(url)
    shown.append(escape(text[end:]))
    return Markup("").join(shown)


def preview(row: Row, words: Words) -> str:
    """The last word of a dialog in one line."""
    if row.preview is None:
        return words.t("inbox.sealed")
    if found := _KIND.fullmatch(row.preview):
        return kind_name(found[1], words)
    return _MENTION.sub(r"\1", row.preview)


def kind_name(kind: str, words: Words) -> str:
    """How a kind of attachment is called."""
    return words.t(f"inbox.kind.{kind if kind in KINDS else 'other'}")


def bubbles(talk: Talk, words: Words, now: int, *, troubled: bool) -> list[Bubble]:
    """The messages of a page, oldest first."""
    shown, last = [], ""
    for said in talk.said:
        day = day_name(said.message.at, words, now)
        shown.append(_bubble(said, words, now, day if day != last else "", troubled))
        last = day
    return shown


def _bubble(said: Said, words: Words, now: int, day: str, troubled: bool) -> Bubble:
    message, body = said.message, said.body
    hung = [_hung(one, words) for one in body.attachments] if body else []
    if body and body.attachment and not hung:
        hung = [Hung("photo", kind_name("photo", words), "", "", "")]
    return Bubble(
        message=message,
        text=linked(body.text) if body else Markup(),
        plain=body.text if body else "",
        who=_who(said, words),
        hung=hung,
        buttons=_buttons(body.keyboard) if body else [],
        day=day,
        time=clock(message.at, words.tz),
        state=str(message.status) if message.status in (Status.QUEUED, Status.FAILED) else "",
        reason=_reason(message, words, now, troubled),
        sealed=body is None,
    )


def _hung(shown: Shown, words: Words) -> Hung:
    name = shown.title.strip() or kind_name(shown.kind, words)
    picture = safe_url(shown.picture)
    return Hung(shown.kind, name, shown.detail, safe_url(shown.url), picture)


def _who(said: Said, words: Words) -> str:
    if said.who == "other" and said.name:
        return said.name
    return "" if said.who == "client" else words.t(f"inbox.by_{said.who}")


def _buttons(keyboard: dict[str, Any] | None) -> list[str]:
    """What the buttons under a message say; they are the client's to press."""
    rows = keyboard.get("buttons") if isinstance(keyboard, dict) else None
    labels = []
    for row in rows if isinstance(rows, list) else []:
        for button in row if isinstance(row, list) else []:
            action = button.get("action") if isinstance(button, dict) else None
            if isinstance(action, dict) and action.get("label"):
                labels.append(str(action["label"]))
    return labels


def _reason(message: Message, words: Words, now: int, troubled: bool) -> str:
    if message.status is Status.FAILED:
        return refusal(message.failure, words)
    if message.status is not Status.QUEUED:
        return ""
    if troubled:
        return words.t("inbox.queued_key")
    if message.failure in SAID_WHY:
        return words.t(SAID_WHY[message.failure])
    return words.t("inbox.queued_long" if now - message.at > MINUTE else "inbox.queued")


def refusal(code: str, words: Words) -> str:
    """Why VK does not take a message, and what to do."""
    known = f"inbox.failure.{code}"
    return words.t(known if code and words.has(known) else "inbox.failure.other")


def day_name(at: int, words: Words, now: int) -> str:
    """«Сегодня», «Вчера», «24 ноября 2026» on the shop's calendar."""
    day = local(at, words.tz).date()
    if day == local(now, words.tz).date():
        return words.t("inbox.today")
    if day == local(now - DAY, words.tz).date():
        return words.t("inbox.yesterday")
    return words.date(at)


def initials(name: str) -> str:
    """Two letters for who has no picture, or whose picture does not come."""
    parts = [part for part in re.split(r"\W+", name) if part]
    return "".join(part[0] for part in parts[:2]).upper() or "?"
