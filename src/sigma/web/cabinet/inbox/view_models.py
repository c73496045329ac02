"""View models of a conversation: texts with safe links, dates, message states."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from markupsafe import Markup, escape

from sigma.domain.local_time import local_date
from sigma.domain.messaging.message import Message, MessageAttachment, Status
from sigma.domain.time_units import MINUTE_US
from sigma.services.conversations.conversation_page import MessagePage, MessageView
from sigma.services.conversations.inbox import ConversationRow
from sigma.texts import Translator
from sigma.texts.formats import time_of_day

ATTACHMENT_KINDS = (
    "photo",
    "market",
    "link",
    "doc",
    "video",
    "audio",
    "sticker",
    "wall",
    "location",
)
# `failure` of a queued message → text key. Other values mean that VK has not answered yet.
QUEUED_TEXTS = {
    "postponed:no_community": "inbox.queued_off",
    **dict.fromkeys(
        ("postponed:6", "postponed:9", "postponed:29", "postponed:601"), "inbox.queued_slow"
    ),
}
_KIND = re.compile(r"\[([a-z_]+)\]")
_LINK = re.compile(r"https?://[^\s<>\"'«»]+", re.IGNORECASE)
_MENTION = re.compile(r"\[(?:id|club|public)\d+\|([^\]\n]{1,200})\]")
_TRAILING_PUNCTUATION = ".,;:!?)]}"
_EXTERNAL_LINK = Markup('<a href="{0}" target="_blank" rel="noopener noreferrer nofollow">{0}</a>')


@dataclass(frozen=True, slots=True)
class AttachmentView:
    """An attachment. `url` and `image_url` are empty unless they are safe http(s) URLs."""

    kind: str
    name: str
    detail: str
    url: str
    image_url: str


@dataclass(frozen=True, slots=True)
class MessageBubble:
    """One message of the page.

    `day`: date heading, set on the first message of a day. `state`: "", "queued" or "failed";
    `reason`: its explanation. `is_unreadable`: the body cannot be decrypted.
    """

    message: Message
    html: Markup
    plain_text: str
    author: str
    attachments: list[AttachmentView]
    button_labels: list[str]
    day: str
    time: str
    state: str
    reason: str
    is_unreadable: bool

    @property
    def version_key(self) -> str:
        """A value that changes whenever the message must be rendered again."""
        return f"{self.message.version}{self.state}"


def safe_url(url: str) -> str:
    """Return the URL if it is http(s), else "". The URL is untrusted: it comes from a client."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return ""
    # Refuse user info: https://vk.com@evil.example/ is a page of evil.example.
    is_safe = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
    return url.strip() if is_safe else ""


def linkify(text: str) -> Markup:
    """Return an untrusted text as HTML: escaped, URLs as links, VK mentions as names."""
    text = _MENTION.sub(r"\1", text)
    parts, end = [], 0
    for match in _LINK.finditer(text):
        url = match[0].rstrip(_TRAILING_PUNCTUATION)
        if not safe_url(url):
            continue
        parts += [escape(text[end : match.start()]), _EXTERNAL_LINK.format(url)]
        end = match.start() + len(url)
    parts.append(escape(text[end:]))
    return Markup("").join(parts)


def preview_text(row: ConversationRow, translator: Translator) -> str:
    """Return the latest message of a conversation as one line of text."""
    if row.preview is None:
        return translator.t("inbox.unreadable")
    if match := _KIND.fullmatch(row.preview):
        return attachment_kind_name(match[1], translator)
    return _MENTION.sub(r"\1", row.preview)


def attachment_kind_name(kind: str, translator: Translator) -> str:
    """Return the name of an attachment kind, "other" for unknown kinds."""
    return translator.t(f"inbox.kind.{kind if kind in ATTACHMENT_KINDS else 'other'}")


def message_bubbles(
    message_page: MessagePage, translator: Translator, now_us: int, *, key_is_broken: bool
) -> list[MessageBubble]:
    """Return the views of a page's messages, oldest first.

    `now_us`: UTC microseconds. `key_is_broken`: the community's access key does not work.
    """
    views, previous_day = [], ""
    for item in message_page.messages:
        day = day_name(item.message.written_at_us, translator, now_us)
        views.append(
            _message_bubble(
                item, translator, now_us, day if day != previous_day else "", key_is_broken
            )
        )
        previous_day = day
    return views


def _message_bubble(
    view: MessageView, translator: Translator, now_us: int, day: str, key_is_broken: bool
) -> MessageBubble:
    message, body = view.message, view.body
    attachments = (
        [_attachment_view(attachment, translator) for attachment in body.attachments]
        if body
        else []
    )
    if body and body.vk_attachment and not attachments:
        attachments = [
            AttachmentView("photo", attachment_kind_name("photo", translator), "", "", "")
        ]
    return MessageBubble(
        message=message,
        html=linkify(body.text) if body else Markup(),
        plain_text=body.text if body else "",
        author=_author(view, translator),
        attachments=attachments,
        button_labels=_button_labels(body.keyboard) if body else [],
        day=day,
        time=time_of_day(message.written_at_us, translator.tz),
        state=str(message.status) if message.status in (Status.QUEUED, Status.FAILED) else "",
        reason=_state_reason(message, translator, now_us, key_is_broken),
        is_unreadable=body is None,
    )


def _attachment_view(attachment: MessageAttachment, translator: Translator) -> AttachmentView:
    name = attachment.title.strip() or attachment_kind_name(attachment.kind, translator)
    image_url = safe_url(attachment.picture_url)
    return AttachmentView(
        attachment.kind, name, attachment.detail, safe_url(attachment.url), image_url
    )


def _author(view: MessageView, translator: Translator) -> str:
    if view.author_kind == "other" and view.author_name:
        return view.author_name
    return "" if view.author_kind == "client" else translator.t(f"inbox.by_{view.author_kind}")


def _button_labels(keyboard: dict[str, Any] | None) -> list[str]:
    """Return the labels of a message's keyboard buttons; malformed parts are skipped."""
    rows = keyboard.get("buttons") if isinstance(keyboard, dict) else None
    labels = []
    for row in rows if isinstance(rows, list) else []:
        for button in row if isinstance(row, list) else []:
            action = button.get("action") if isinstance(button, dict) else None
            if isinstance(action, dict) and action.get("label"):
                labels.append(str(action["label"]))
    return labels


def _state_reason(
    message: Message, translator: Translator, now_us: int, key_is_broken: bool
) -> str:
    if message.status is Status.FAILED:
        return failure_text(message.failure, translator)
    if message.status is not Status.QUEUED:
        return ""
    if key_is_broken:
        return translator.t("inbox.queued_key")
    if message.failure in QUEUED_TEXTS:
        return translator.t(QUEUED_TEXTS[message.failure])
    return translator.t(
        "inbox.queued_long" if now_us - message.written_at_us > MINUTE_US else "inbox.queued"
    )


def failure_text(code: str, translator: Translator) -> str:
    """Return why VK rejects a message, and what to do."""
    key = f"inbox.failure.{code}"
    return translator.t(key if code and translator.has(key) else "inbox.failure.other")


def day_name(at_us: int, translator: Translator, now_us: int) -> str:
    """Return «Сегодня», «Вчера» or «24 ноября 2026», in the shop's time zone."""
    day = local_date(at_us, translator.tz)
    if day == local_date(now_us, translator.tz):
        return translator.t("inbox.today")
    if day == local_date(now_us, translator.tz) - timedelta(days=1):
        return translator.t("inbox.yesterday")
    return translator.date(at_us)
