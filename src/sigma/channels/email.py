"""Send one mail over SMTP and report whether a failed attempt is worth repeating."""

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
_CONTROL_CHARS = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")
_ADDRESS = re.compile(r"[^\s@<>\"(),:;\\\[\]\x00-\x1f\x7f]+@[^\s@<>\"(),:;\\\[\]\x00-\x1f\x7f]+")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class _SmtpPolicy(EmailPolicy):
    """SMTP header policy that keeps the spaces in a long `Subject` or `From` header.

    Python 3.11 drops some spaces between the encoded words (RFC 2047) of a folded header.
    """

    def fold(self, name: str, value: str) -> str:
        """Return one header, folded into lines."""
        if self.utf8 or value.isascii() or name not in ("Subject", "From"):
            return str(super().fold(name, value))
        display_name, address = parseaddr(value) if name == "From" else (value, "")
        encoded_name = Header(display_name, "utf-8", header_name=name).encode(linesep=self.linesep)
        address_part = f"{self.linesep} <{address}>" if address else ""
        return f"{name}: {encoded_name}{address_part}{self.linesep}"

    def fold_binary(self, name: str, value: str) -> bytes:
        """Return one header, folded and encoded."""
        return self.fold(name, value).encode("utf-8" if self.utf8 else "ascii", "surrogateescape")


_SMTP_POLICY = _SmtpPolicy(linesep=SMTP.linesep)


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """A mail ready to send. `message_id` is "<…@host>" and is the same in every attempt."""

    to: str
    from_address: str
    from_name: str
    reply_to: str
    subject: str
    text: str
    html: str
    message_id: str
    attachments: tuple[Attachment, ...] = ()


class MailRejectedError(Exception):
    """The mail was not accepted. `is_permanent`: another attempt would fail in the same way."""

    def __init__(self, *, is_permanent: bool, reply: str) -> None:
        super().__init__(reply)
        self.is_permanent = is_permanent
        self.reply = reply


class Mailer(Protocol):
    """Sends one mail."""

    async def send(self, message: OutgoingMail) -> str:
        """Send and return the server's reply. Raises MailRejectedError."""
        ...


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Address and login of a mail server.

    `use_tls`: TLS from the first byte. `start_tls`: True requires STARTTLS, False never uses it.
    """

    host: str
    port: int
    username: str
    password: str
    use_tls: bool
    start_tls: bool


def parse_smtp_url(url: str) -> SmtpServer:
    """Parse smtp://user:password@host:587 or smtps://… Raises ValueError("smtp_url").

    `?tls=no` allows an unencrypted connection; a loopback server is always used without TLS.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or _CONTROL_CHARS.search(url):
        raise ValueError("smtp_url")
    tls = parts.scheme == "smtps"
    plain = parts.hostname in _LOOPBACK or parse_qs(parts.query).get("tls") == ["no"]
    return SmtpServer(
        host=parts.hostname,
        port=parts.port or (465 if tls else 587),
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        use_tls=tls,
        start_tls=not tls and not plain,
    )


class SmtpMailer:
    """Sends through one server. Each mail gets a new connection, so none can become stale."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._server = parse_smtp_url(url)
        self._timeout_s = timeout_s

    async def send(self, message: OutgoingMail) -> str:
        """Send and return the server's reply with the recipient's address masked.

        Raises MailRejectedError.
        """
        email = compose(message)
        try:
            reply = await self._deliver(email, _with_ascii_host(message.to))
        except MailRejectedError as error:
            masked = _mask_address(error.reply, message.to)
            raise MailRejectedError(is_permanent=error.is_permanent, reply=masked) from error
        return _mask_address(reply, message.to)

    async def _deliver(self, email: EmailMessage, to: str) -> str:
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username or None,
            password=server.password or None,
            use_tls=server.use_tls,
            start_tls=server.start_tls,
            timeout=self._timeout_s,
        )
        try:
            async with client:
                _, reply = await client.send_message(email, recipients=[to])
        except aiosmtplib.SMTPRecipientsRefused as error:
            first = error.recipients[0]
            text = f"{first.code} {first.message}"
            raise MailRejectedError(is_permanent=first.code >= 500, reply=text) from error
        except (aiosmtplib.SMTPAuthenticationError, aiosmtplib.SMTPSenderRefused) as error:
            # Not permanent: the owner can correct the settings, and the mail is then sent.
            raise MailRejectedError(
                is_permanent=False, reply=f"{error.code} {error.message}"
            ) from error
        except aiosmtplib.SMTPResponseException as error:
            text = f"{error.code} {error.message}"
            raise MailRejectedError(is_permanent=error.code >= 500, reply=text) from error
        except aiosmtplib.SMTPNotSupported as error:
            raise MailRejectedError(is_permanent=not to.isascii(), reply=str(error)) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise MailRejectedError(
                is_permanent=False, reply=str(error) or type(error).__name__
            ) from error
        return reply


def compose(message: OutgoingMail) -> EmailMessage:
    """Build the MIME message. Raises MailRejectedError (permanent) for an invalid address."""
    to, sender = _with_ascii_host(message.to), _with_ascii_host(message.from_address)
    email = EmailMessage(policy=_SMTP_POLICY.clone(utf8=not (to + sender).isascii()))
    email["Subject"] = _strip_controls(message.subject)
    email["From"] = _header_address(sender, _strip_controls(message.from_name))
    email["To"] = _header_address(to)
    if message.reply_to:
        email["Reply-To"] = _header_address(_with_ascii_host(message.reply_to))
    email["Message-ID"] = _strip_controls(message.message_id)
    email["Date"] = formatdate()
    email["Auto-Submitted"] = "auto-generated"
    email.set_content(message.text)
    if message.html:
        email.add_alternative(message.html, subtype="html")
    for file in message.attachments:
        main, _, sub = file.media_type.partition("/")
        email.add_attachment(
            file.data, maintype=main, subtype=sub, filename=_strip_controls(file.name)
        )
    return email


def _header_address(address: str, display_name: str = "") -> Address:
    """Build a header address from its parts: the standard parser refuses a Cyrillic local part."""
    name, _, host = address.rpartition("@")
    return Address(display_name, username=name, domain=host)


def _strip_controls(text: str) -> str:
    """Replace control characters by spaces: a header value must not start another header."""
    return _CONTROL_CHARS.sub(" ", text).strip()


def _with_ascii_host(address: str) -> str:
    """Return the address with its host in IDNA form.

    Raises MailRejectedError (permanent, "bad_address") when the text is not an address.
    """
    if not _ADDRESS.fullmatch(address):
        raise MailRejectedError(is_permanent=True, reply="bad_address")
    name, _, host = address.rpartition("@")
    if host.isascii():
        return address
    try:
        return f"{name}@{host.encode('idna').decode()}"
    except UnicodeError as error:
        raise MailRejectedError(is_permanent=True, reply="bad_address") from error


def _mask_address(reply: str, to: str) -> str:
    """Return the server's reply as one line of at most 300 characters, the address masked."""
    for spelling in {to, _with_ascii_host(to)} if _ADDRESS.fullmatch(to) else {to}:
        reply = re.sub(re.escape(spelling), mask_email(to), reply, flags=re.IGNORECASE)
    return _strip_controls(reply)[:300]
