"""Received emails: stored raw, parsed when they are read."""

import base64
import re
import secrets
from email import message_from_bytes, policy
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import EmailMessage
from typing import Any

import msgspec

from sigma_sandbox import time_util
from sigma_sandbox.persistence import ObjectStore

Json = dict[str, Any]
MAX_EMAILS = 5000


class Email(msgspec.Struct, frozen=True, kw_only=True):
    """A received email: SMTP envelope and raw message. `received_at_us` is in UTC microseconds."""

    id: str
    sender: str
    recipients: list[str]
    received_at_us: int
    raw: bytes


class MimePart(msgspec.Struct, frozen=True):
    """An attachment or an inline image. `content_id` has no angle brackets."""

    name: str
    content_type: str
    content: bytes
    content_id: str | None


class Mailbox:
    """All emails, oldest first, written through to the object store."""

    def __init__(self, object_store: ObjectStore, clock: time_util.Clock) -> None:
        self._object_store = object_store
        self._clock = clock
        self.emails = {email.id: email for email in object_store.list_all(Email)}

    def accept(self, sender: str, recipients: list[str], raw: bytes) -> Email:
        """Store an email; above MAX_EMAILS the oldest one is deleted."""
        email = Email(
            id=f"{self._clock():x}{secrets.token_hex(3)}",
            sender=sender,
            recipients=recipients,
            received_at_us=self._clock(),
            raw=raw,
        )
        self.emails[email.id] = email
        self._object_store.put(email.id, email)
        if len(self.emails) > MAX_EMAILS:
            oldest = next(iter(self.emails))
            del self.emails[oldest]
            self._object_store.delete(Email, oldest)
        return email

    def list_newest(self, to: str | None = None) -> list[Email]:
        """Return emails, newest first; `to` selects one recipient address (case-insensitive)."""
        address = to.casefold() if to else None
        return [
            email
            for email in reversed(self.emails.values())
            if address is None or any(address == r.casefold() for r in email.recipients)
        ]

    def clear(self) -> None:
        """Delete all emails."""
        self.emails.clear()
        self._object_store.delete(Email)


def parse(email: Email) -> EmailMessage:
    """Parse the raw bytes with the standard library."""
    message = message_from_bytes(email.raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def headers(message: EmailMessage) -> list[tuple[str, str]]:
    """Return all headers, unfolded and decoded by RFC 2047.

    Not by the newer parser of Python 3.11: it adds spaces between the encoded words of a name.
    """
    return [(name, _decode(str(value))) for name, value in message.raw_items()]


def header(message: EmailMessage, name: str) -> str:
    """Return the first header of this name, decoded; "" if there is none."""
    return next((v for n, v in headers(message) if n.lower() == name.lower()), "")


def _decode(value: str) -> str:
    unfolded = re.sub(r"\r?\n(?=[ \t])", "", value)
    try:
        text = str(make_header(decode_header(unfolded)))
    except (HeaderParseError, LookupError, UnicodeError):
        text = unfolded
    # UTF-8 headers (SMTPUTF8) are parsed to surrogate escapes.
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def subject(message: EmailMessage) -> str:
    """Return the decoded subject, possibly empty."""
    return header(message, "subject")


def body(message: EmailMessage, kind: str) -> str | None:
    """Return the body of subtype "plain" or "html", or None if the email has none."""
    part = message.get_body((kind,))
    if part is None:
        return None
    try:
        return str(part.get_content()).replace("\r\n", "\n")
    except (LookupError, UnicodeError):
        payload = part.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else None


def parts(message: EmailMessage) -> list[MimePart]:
    """Return attachments and inline images: every leaf part except the text and HTML bodies."""
    bodies = [message.get_body((kind,)) for kind in ("plain", "html")]
    result = []
    for n, part in enumerate(message.walk()):
        if part.is_multipart() or any(part is chosen for chosen in bodies):
            continue
        content = part.get_payload(decode=True)
        name = part.get_filename() or f"part-{n}"
        content_id = (part.get("content-id") or "").strip().strip("<>") or None
        if isinstance(content, bytes):
            result.append(MimePart(name, part.get_content_type(), content, content_id))
    return result


def html_with_inline_images(message: EmailMessage) -> str:
    """Return the HTML body with `cid:` images replaced by data URLs, so that it loads nothing."""
    html = body(message, "html") or ""
    images = {p.content_id: p for p in parts(message) if p.content_id}

    def inline(match: re.Match[str]) -> str:
        part = images.get(match.group(1))
        if part is None:
            return match.group(0)
        return f"data:{part.content_type};base64,{base64.b64encode(part.content).decode()}"

    return re.sub(r"cid:([^\"'\s)>]+)", inline, html)


def email_json(email: Email, base_url: str) -> Json:
    """Return an email as the JSON of `/mail/api/messages`."""
    message = parse(email)
    return {
        "id": email.id,
        "from": email.sender,
        "to": email.recipients,
        "subject": subject(message),
        "received_at": time_util.to_wire(email.received_at_us),
        "text": body(message, "plain"),
        "html": body(message, "html"),
        "headers": dict(headers(message)),
        "attachments": [
            {
                "name": part.name,
                "content_type": part.content_type,
                "size": len(part.content),
                "url": f"{base_url}/mail/{email.id}/parts/{n}",
            }
            for n, part in enumerate(parts(message))
        ],
    }
