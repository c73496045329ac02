"""Mail over SMTP: one message, one answer of the server, and whether trying again makes sense."""

import re
from dataclasses import dataclass
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import formatdate, parseaddr
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib

from sigma.domain.billing.mail import Attachment, mask_email

TIMEOUT_S = 20
_CONTROLS = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")
_ADDRESS = re.compile(r"[^\s@<>\"(),:;\\\[\]\x00-\x1f\x7f]+@[^\s@<>\"(),:;\\\[\]\x00-\x1f\x7f]+")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class _Wire(EmailPolicy):
    """The SMTP policy, but a subject and a sender's name keep their spaces.

    Python 3.11 drops some of them between the encoded words of a long header.
    """

    def fold(self, name: str, value: str) -> str:
        """One header as lines."""
        if self.utf8 or value.isascii() or name not in ("Subject", "From"):
            return str(super().fold(name, value))
        shown, address = parseaddr(value) if name == "From" else (value, "")
        words = Header(shown, "utf-8", header_name=name).encode(linesep=self.linesep)
        rest = f"{self.linesep} <{address}>" if address else ""
        return f"{name}: {words}{rest}{self.linesep}"

    def fold_binary(self, name: str, value: str) -> bytes:
        """The same as bytes."""
        return self.fold(name, value).encode("utf-8" if self.utf8 else "ascii", "surrogateescape")


_WIRE = _Wire(linesep=SMTP.linesep)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message ready to go. `message_id` is "<…@host>", the same at every try."""

    to: str
    from_address: str
    from_name: str
    reply_to: str
    subject: str
    text: str
    html: str
    message_id: str
    attachments: tuple[Attachment, ...] = ()


class MailRefused(Exception):  # noqa: N818 - a refusal, like domain.errors.Refused
    """The server did not take it. `final`: another try would hear the same no."""

    def __init__(self, *, final: bool, answer: str) -> None:
        super().__init__(answer)
        self.final = final
        self.answer = answer


class Mailer(Protocol):
    """Something that sends a message and tells what the server answered."""

    async def send(self, message: Outgoing) -> str:
        """Sends; returns the server's answer. Raises MailRefused."""
        ...


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """A mail server's address. `start_tls`: True demands it, False never asks."""

    host: str
    port: int
    username: str
    password: str
    tls: bool
    start_tls: bool


def read_smtp_url(url: str) -> SmtpServer:
    """Reads smtp://user:password@host:587 or smtps://… Raises ValueError.

    `?tls=no` means in the clear; only a server on this very machine needs no such word.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or _CONTROLS.search(url):
        raise ValueError("smtp_url")
    tls = parts.scheme == "smtps"
    plain = parts.hostname in _LOOPBACK or parse_qs(parts.query).get("tls") == ["no"]
    return SmtpServer(
        host=parts.hostname,
        port=parts.port or (465 if tls else 587),
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        tls=tls,
        start_tls=not tls and not plain,
    )


class SmtpMailer:
    """Sends through one server, over a connection for each message: nothing can go stale."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._server = read_smtp_url(url)
        self._timeout = timeout_s

    async def send(self, message: Outgoing) -> str:
        """Sends; returns the server's answer without the client's address. Raises MailRefused."""
        letter = compose(message)
        try:
            answer = await self._deliver(letter, _ascii_host(message.to))
        except MailRefused as no:
            raise MailRefused(final=no.final, answer=_redact(no.answer, message.to)) from no
        return _redact(answer, message.to)

    async def _deliver(self, letter: EmailMessage, to: str) -> str:
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username or None,
            password=server.password or None,
            use_tls=server.tls,
            start_tls=server.start_tls,
            timeout=self._timeout,
        )
        try:
            async with client:
                _, answer = await client.send_message(letter, recipients=[to])
        except aiosmtplib.SMTPRecipientsRefused as refused:
            no = refused.recipients[0]
            raise MailRefused(final=no.code >= 500, answer=f"{no.code} {no.message}") from refused
        except (aiosmtplib.SMTPAuthenticationError, aiosmtplib.SMTPSenderRefused) as no:
            # The owner can put this right, and the letter then goes.
            raise MailRefused(final=False, answer=f"{no.code} {no.message}") from no
        except aiosmtplib.SMTPResponseException as no:
            raise MailRefused(final=no.code >= 500, answer=f"{no.code} {no.message}") from no
        except aiosmtplib.SMTPNotSupported as no:
            raise MailRefused(final=not to.isascii(), answer=str(no)) from no
        except (aiosmtplib.SMTPException, OSError) as error:
            raise MailRefused(final=False, answer=str(error) or type(error).__name__) from error
        return answer


def compose(message: Outgoing) -> EmailMessage:
    """The message on the wire. Raises MailRefused for an address that cannot be one."""
    to, sender = _ascii_host(message.to), _ascii_host(message.from_address)
    letter = EmailMessage(policy=_WIRE.clone(utf8=not (to + sender).isascii()))
    letter["Subject"] = _one_line(message.subject)
    letter["From"] = _mailbox(sender, _one_line(message.from_name))
    letter["To"] = _mailbox(to)
    if message.reply_to:
        letter["Reply-To"] = _mailbox(_ascii_host(message.reply_to))
    letter["Message-ID"] = _one_line(message.message_id)
    letter["Date"] = formatdate()
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(message.text)
    if message.html:
        letter.add_alternative(message.html, subtype="html")
    for file in message.attachments:
        main, _, sub = file.media_type.partition("/")
        letter.add_attachment(file.data, maintype=main, subtype=sub, filename=_one_line(file.name))
    return letter


def _mailbox(address: str, shown: str = "") -> Address:
    """An address as a header wants it; parsing one would refuse a Cyrillic name."""
    name, _, host = address.rpartition("@")
    return Address(shown, username=name, domain=host)


def _one_line(text: str) -> str:
    """A header's value cannot begin another header."""
    return _CONTROLS.sub(" ", text).strip()


def _ascii_host(address: str) -> str:
    """The address with its host as DNS knows it. Raises MailRefused when it is no address."""
    if not _ADDRESS.fullmatch(address):
        raise MailRefused(final=True, answer="bad_address")
    name, _, host = address.rpartition("@")
    if host.isascii():
        return address
    try:
        return f"{name}@{host.encode('idna').decode()}"
    except UnicodeError as error:
        raise MailRefused(final=True, answer="bad_address") from error


def _redact(answer: str, to: str) -> str:
    """The server's words, one line, without the client's address."""
    for spelling in {to, _ascii_host(to)} if _ADDRESS.fullmatch(to) else {to}:
        answer = re.sub(re.escape(spelling), mask_email(to), answer, flags=re.IGNORECASE)
    return _one_line(answer)[:300]
