"""View models of a conversation: texts with safe links, dates, message states."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from markupsafe import Markup

from sigma.domain.local_time import local_date
from sigma.domain.messaging.message import (
    HELD_FAILURES,
    Message,
    MessageBody,
    Status,
    is_held,
    is_sent_by_sigma,
)
from sigma.domain.time_units import MINUTE_US
from sigma.services.conversations.conversation_page import MessagePage, MessageView
from sigma.services.conversations.inbox import ConversationRow
from sigma.texts import Translator
from sigma.texts.formats import time_of_day
from sigma.web.cabinet.inbox.content_views import (
    AttachmentView,
    NestedView,
    attachment_kind_name,
    attachment_views,
    content_notice,
    nested_views,
)
from sigma.web.cabinet.inbox.message_text import linkify, safe_url, without_mentions

# `failure` of a queued message → text key. Other values mean that VK has not answered yet.
QUEUED_TEXTS = {
    "postponed:no_community": "inbox.queued_off",
    **dict.fromkeys(("postponed:6", "postponed:29"), "inbox.queued_slow"),
    **dict.fromkeys(HELD_FAILURES, "inbox.queued_repeat"),
}
_KIND = re.compile(r"\[([a-z_]+)\]")


@dataclass(frozen=True, slots=True)
class MessageBubble:
    """One message of the page.

    `day`: date heading, set on the first message of a day. `state`: "", "queued" or "failed";
    `reason`: its explanation. `quoted`: the message that it replies to. `is_unreadable`: the body
    cannot be decrypted. `notice`: what is missing of the message, or empty. `vk_url`: the dialog in
    VK, set where it shows more.
    """

    message: Message
    html: Markup
    plain_text: str
    author: str
    attachments: list[AttachmentView]
    quoted: list[NestedView]
    forwarded: list[NestedView]
    notice: str
    vk_url: str
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


def preview_text(row: ConversationRow, translator: Translator) -> str:
    """Return the latest message of a conversation as one line of text."""
    if row.preview is None:
        return translator.t("inbox.unreadable")
    if match := _KIND.fullmatch(row.preview):
        return attachment_kind_name(match[1], translator)
    return without_mentions(row.preview)


def message_bubbles(
    message_page: MessagePage, translator: Translator, now_us: int, *, key_is_broken: bool
) -> list[MessageBubble]:
    """Return the views of a page's messages, oldest first.

    `now_us`: UTC microseconds. `key_is_broken`: the community's access key does not work.
    """
    views, previous_day, queue_failure = [], "", ""
    for item in message_page.messages:
        message = item.message
        day = day_name(message.written_at_us, translator, now_us)
        reason = _state_reason(message, queue_failure, translator, now_us, key_is_broken)
        if message.status is Status.QUEUED and not is_held(message):
            queue_failure = queue_failure or message.failure
        views.append(
            _message_bubble(
                item, message_page, translator, day if day != previous_day else "", reason
            )
        )
        previous_day = day
    return views


def _message_bubble(
    view: MessageView, page: MessagePage, translator: Translator, day: str, reason: str
) -> MessageBubble:
    message, body = view.message, view.body or MessageBody()
    is_ours = is_sent_by_sigma(message)
    attachments = attachment_views(
        body.attachments, translator, vk_url="" if is_ours else page.vk_url
    )
    if body.vk_attachment and not attachments:
        attachments = [
            AttachmentView("photo", attachment_kind_name("photo", translator), "", "", "")
        ]
    replies = tuple(one for one in body.nested if one.kind == "reply")
    others = tuple(one for one in body.nested if one.kind != "reply")
    notice = ""
    if view.body is not None and not is_ours:
        notice = content_notice(
            translator,
            is_incomplete=message.is_incomplete,
            is_unavailable=body.is_unavailable,
            is_empty=not (body.text or attachments or body.nested),
        )
    return MessageBubble(
        message=message,
        html=linkify(body.text, body.links),
        plain_text=body.text,
        author=_author(view, translator),
        attachments=attachments,
        quoted=nested_views(replies, page, translator),
        forwarded=nested_views(others, page, translator),
        notice=notice,
        vk_url=safe_url(page.vk_url) if notice or body.nested else "",
        button_labels=_button_labels(body.keyboard),
        day=day,
        time=time_of_day(message.written_at_us, translator.tz),
        state=str(message.status) if message.status in (Status.QUEUED, Status.FAILED) else "",
        reason=reason,
        is_unreadable=view.body is None,
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
    message: Message, queue_failure: str, translator: Translator, now_us: int, key_is_broken: bool
) -> str:
    """Return why a message is not sent. `queue_failure`: of a message that must be sent before."""
    if message.status is Status.FAILED:
        return failure_text(message.failure, translator)
    if message.status is not Status.QUEUED:
        return ""
    if key_is_broken:
        return translator.t("inbox.queued_key")
    if text_key := QUEUED_TEXTS.get(message.failure or queue_failure):
        return translator.t(text_key)
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
