"""Send one mail over SMTP and report whether a failed attempt is worth repeating."""

import re
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib

from sigma.channels.mime import ADDRESS, ascii_host, build_message, replace_controls
from sigma.domain.billing.mail import Attachment, mask_email

TIMEOUT_S = 20
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_CONTROL_CHARS = re.compile(r"[\x00-\x1f\x7f]")


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
        content = compose(message).as_bytes()
        sender, to = _with_ascii_host(message.from_address), _with_ascii_host(message.to)
        try:
            reply = await self._deliver(content, sender, to)
        except MailRejectedError as error:
            masked = _mask_address(error.reply, message.to)
            raise MailRejectedError(is_permanent=error.is_permanent, reply=masked) from error
        return _mask_address(reply, message.to)

    async def _deliver(self, content: bytes, sender: str, to: str) -> str:
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
                # Not `send_message`: it serializes the message once more, by a policy that
                # drops spaces from folded headers. These bytes are sent as they were composed.
                options = [] if (sender + to).isascii() else ["SMTPUTF8", "BODY=8BITMIME"]
                _, reply = await client.sendmail(sender, [to], content, mail_options=options)
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
    """Build the MIME message; its `as_bytes()` is what is sent.

    Raises MailRejectedError (permanent) for an invalid address.
    """
    return build_message(
        sender=_with_ascii_host(message.from_address),
        sender_name=message.from_name,
        to=_with_ascii_host(message.to),
        reply_to=_with_ascii_host(message.reply_to) if message.reply_to else "",
        subject=message.subject,
        message_id=message.message_id,
        text=message.text,
        html=message.html,
        attachments=message.attachments,
    )


def _with_ascii_host(address: str) -> str:
    """Return the address with its host in IDNA form.

    Raises MailRejectedError (permanent, "bad_address") when the text is not an address.
    """
    try:
        return ascii_host(address)
    except ValueError as error:
        raise MailRejectedError(is_permanent=True, reply="bad_address") from error


def _mask_address(reply: str, to: str) -> str:
    """Return the server's reply as one line of at most 300 characters, the address masked."""
    for spelling in {to, _with_ascii_host(to)} if ADDRESS.fullmatch(to) else {to}:
        reply = re.sub(re.escape(spelling), mask_email(to), reply, flags=re.IGNORECASE)
    return replace_controls(reply)[:300]
