"""The letters: raw as they came, parsed when they are looked at."""

import base64
import re
import secrets
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import msgspec

from sigma_sandbox import time_util
from sigma_sandbox.persistence import Vault

Json = dict[str, Any]
MAX_LETTERS = 5000


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """One accepted letter with its envelope. `received_at` is UTC microseconds."""

    id: str
    sender: str
    recipients: list[str]
    received_at: int
    raw: bytes


class Part(msgspec.Struct, frozen=True):
    """An attachment or an inline picture."""

    name: str
    content_type: str
    content: bytes
    content_id: str | None


class Mailbox:
    """All letters, newest last, written through to the vault."""

    def __init__(self, vault: Vault, clock: time_util.Clock) -> None:
        self._vault = vault
        self._clock = clock
        self.letters = {letter.id: letter for letter in vault.load(Letter)}

    def accept(self, sender: str, recipients: list[str], raw: bytes) -> Letter:
        """Keep a letter."""
        letter = Letter(
            id=f"{self._clock():x}{secrets.token_hex(3)}",
            sender=sender,
            recipients=recipients,
            received_at=self._clock(),
            raw=raw,
        )
        self.letters[letter.id] = letter
        self._vault.put(letter.id, letter)
        if len(self.letters) > MAX_LETTERS:
            oldest = next(iter(self.letters))
            del self.letters[oldest]
            self._vault.forget(Letter, oldest)
        return letter

    def newest(self, to: str | None = None) -> list[Letter]:
        """Letters, newest first; `to` keeps those sent to this address."""
        wanted = to.casefold() if to else None
        return [
            letter
            for letter in reversed(self.letters.values())
            if wanted is None or any(wanted == one.casefold() for one in letter.recipients)
        ]

    def clear(self) -> None:
        """Throw everything away."""
        self.letters.clear()
        self._vault.forget(Letter)


def parse(letter: Letter) -> EmailMessage:
    """The letter as the standard library reads it."""
    message = message_from_bytes(letter.raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def subject(message: EmailMessage) -> str:
    """The decoded subject, possibly empty."""
    return str(message.get("subject", ""))


def body(message: EmailMessage, kind: str) -> str | None:
    """The letter's text ("plain") or HTML ("html"), or None."""
    part = message.get_body((kind,))
    if part is None:
        return None
    try:
        return str(part.get_content()).replace("\r\n", "\n")
    except (LookupError, UnicodeError):
        payload = part.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else None


def parts(message: EmailMessage) -> list[Part]:
    """Attachments and inline pictures: every leaf that is neither the text nor the HTML."""
    bodies = [message.get_body((kind,)) for kind in ("plain", "html")]
    found = []
    for n, part in enumerate(message.walk()):
        if part.is_multipart() or any(part is one for one in bodies):
            continue
        content = part.get_payload(decode=True)
        name = part.get_filename() or f"part-{n}"
        content_id = (part.get("content-id") or "").strip().strip("<>") or None
        if isinstance(content, bytes):
            found.append(Part(name, part.get_content_type(), content, content_id))
    return found


def html_with_pictures(message: EmailMessage) -> str:
    """The HTML body with its own pictures (cid:) put inside: it needs nothing from outside."""
    html = body(message, "html") or ""
    pictures = {p.content_id: p for p in parts(message) if p.content_id}

    def inline(match: re.Match[str]) -> str:
        part = pictures.get(match.group(1))
        if part is None:
            return match.group(0)
        return f"data:{part.content_type};base64,{base64.b64encode(part.content).decode()}"

    return re.sub(r"cid:([^\"'\s)>]+)", inline, html)


def letter_json(letter: Letter, base_url: str) -> Json:
    """A letter for programs."""
    message = parse(letter)
    return {
        "id": letter.id,
        "from": letter.sender,
        "to": letter.recipients,
        "subject": subject(message),
        "received_at": time_util.to_wire(letter.received_at),
        "text": body(message, "plain"),
        "html": body(message, "html"),
        "headers": {name: str(value) for name, value in message.items()},
        "attachments": [
            {
                "name": part.name,
                "content_type": part.content_type,
                "size": len(part.content),
                "url": f"{base_url}/mail/{letter.id}/parts/{n}",
            }
            for n, part in enumerate(parts(message))
        ],
    }
