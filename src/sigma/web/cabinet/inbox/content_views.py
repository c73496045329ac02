"""View models of what a message contains: attachments, quoted and forwarded messages."""

from dataclasses import dataclass

from markupsafe import Markup

from sigma.domain.messaging.message import ATTACHMENT_KINDS, MessageAttachment, NestedMessage
from sigma.services.conversations.conversation_page import MessagePage
from sigma.texts import Translator
from sigma.web.cabinet.inbox.message_text import linkify, safe_url

MONEY_KINDS = ("money_transfer", "money_request")
PREVIEW_KINDS = (*ATTACHMENT_KINDS, "reply", "forwarded", "unavailable")
MAX_INDENT = 4  # levels of nested messages that are indented; deeper ones are not


@dataclass(frozen=True, slots=True)
class AttachmentView:
    """An attachment. `url` and `image_url` are empty unless they are safe http(s) URLs.

    `name` always says what it is: its title, or the name of its kind. `detail`: further facts.
    """

    kind: str
    name: str
    detail: str
    url: str
    image_url: str


@dataclass(frozen=True, slots=True)
class NestedView:
    """A quoted or forwarded message. All levels are one list; `indent` is 0 … MAX_INDENT - 1.

    `notice`: what is missing of it, or empty.
    """

    indent: int
    label: str
    author: str
    author_url: str
    sent_at_us: int
    html: Markup
    attachments: list[AttachmentView]
    notice: str


def attachment_kind_name(kind: str, translator: Translator) -> str:
    """Return the name of an attachment kind or of a preview, "other" for unknown kinds."""
    return translator.t(f"inbox.kind.{kind if kind in PREVIEW_KINDS else 'other'}")


def attachment_views(
    attachments: tuple[MessageAttachment, ...], translator: Translator, vk_url: str
) -> list[AttachmentView]:
    """Return the views of attachments. One without a link of its own leads to `vk_url`."""
    return [_attachment_view(one, translator, vk_url) for one in attachments]


def _attachment_view(
    attachment: MessageAttachment, translator: Translator, vk_url: str
) -> AttachmentView:
    kind, kind_name = attachment.kind, attachment_kind_name(attachment.kind, translator)
    title, detail = attachment.title.strip(), attachment.detail.strip()
    if kind in MONEY_KINDS:  # the sum is what matters, not the comment
        name = f"{kind_name}: {detail}" if detail else kind_name
        facts = [title]
    else:
        name, facts = title or kind_name, [kind_name if title else "", detail]
    if kind not in ATTACHMENT_KINDS and not title:
        facts.append(translator.t("inbox.content_empty"))
    if attachment.duration_s:
        facts.append(f"{attachment.duration_s // 60}:{attachment.duration_s % 60:02}")
    if attachment.size_bytes:
        facts.append(_format_size(attachment.size_bytes, translator))
    if attachment.state:
        facts.append(translator.t(f"inbox.attachment_state.{attachment.state}"))
    image_url = safe_url(attachment.picture_url)
    url = safe_url(attachment.url) or ("" if image_url and kind == "photo" else vk_url)
    return AttachmentView(kind, name, " · ".join(fact for fact in facts if fact), url, image_url)


def _format_size(size_bytes: int, translator: Translator) -> str:
    for unit, step in (("mb", 1_000_000), ("kb", 1_000)):
        if size_bytes >= step:
            return translator.t(f"inbox.size_{unit}", size=f"{size_bytes / step:.0f}")
    return translator.t("inbox.size_b", size=str(size_bytes))


def nested_views(
    nested: tuple[NestedMessage, ...], page: MessagePage, translator: Translator, level: int = 0
) -> list[NestedView]:
    """Return all nested messages as one list: each is followed by those nested in it."""
    views = []
    for one in nested:
        author, author_url = page.author_of(one)
        views.append(
            NestedView(
                indent=min(level, MAX_INDENT - 1),
                label=translator.t(f"inbox.{'reply' if one.kind == 'reply' else 'forwarded'}"),
                author=author,
                author_url=safe_url(author_url),
                sent_at_us=one.sent_at_us,
                html=linkify(one.text, one.links),
                attachments=attachment_views(one.attachments, translator, page.vk_url),
                notice=content_notice(
                    translator,
                    is_incomplete=one.is_incomplete,
                    is_unavailable=one.is_unavailable,
                    is_empty=not (one.text or one.attachments or one.nested),
                ),
            )
        )
        views += nested_views(one.nested, page, translator, level + 1)
    return views


def content_notice(
    translator: Translator, *, is_incomplete: bool, is_unavailable: bool, is_empty: bool
) -> str:
    """Return what is missing of a message, or an empty string."""
    if is_unavailable:
        return translator.t("inbox.content_unavailable")
    if is_incomplete:
        return translator.t("inbox.content_incomplete")
    return translator.t("inbox.content_empty") if is_empty else ""
