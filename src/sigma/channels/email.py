"""Send one mail over SMTP and report whether a failed attempt is worth repeating."""

import asyncio
import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, Protocol

import aiosmtplib

from sigma.channels.mime import ADDRESS, ascii_host, build_message, replace_controls
from sigma.domain.billing.mail import Attachment, mask_email
from sigma.outbound.addresses import normalize_host, parse_address
from sigma.outbound.guard import Outbound, log_failure
from sigma.outbound.urls import InvalidUrlError, SmtpUrl, parse_smtp_url

TIMEOUT_S = 20  # of each step: connecting, each command
TOTAL_TIMEOUT_S = 60  # a server that answers byte by byte is left after this time
NO_CONNECTION = "no_connection"  # one word for every reason, so that no port can be scanned


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """A mail ready to send. `message_id` is "<…@host>" and is the same in every attempt.

    `unsubscribe_url` ends such mails by one POST (RFC 8058); "" for mails that cannot be ended.
    """

    to: str
    from_address: str
    from_name: str
    reply_to: str
    subject: str
    text: str
    html: str
    message_id: str
    attachments: tuple[Attachment, ...] = ()
    unsubscribe_url: str = ""


class MailRejectedError(Exception):
    """The mail was not accepted. `is_permanent`: another attempt would fail in the same way.

    `reply`: the server's, with its code of three digits; or what kept the server from replying.
    `is_outcome_unknown`: the connection was lost on the way, so the server may have accepted it.
    """

    def __init__(self, *, is_permanent: bool, reply: str, is_outcome_unknown: bool = False) -> None:
        super().__init__(reply)
        self.is_permanent = is_permanent
        self.reply = reply
        self.is_outcome_unknown = is_outcome_unknown

    @property
    def is_from_server(self) -> bool:
        """Whether the server replied."""
        return bool(re.match(r"[0-9]{3}\b", self.reply))


class Mailer(Protocol):
    """Sends one mail. `destination`: scheme, host and port of its server, without a password."""

    @property
    def destination(self) -> str: ...

    async def send(self, message: OutgoingMail) -> str:
        """Send and return the server's reply as soon as it accepts. Raises MailRejectedError."""
        ...


class SmtpMailer:
    """Sends through one server. Each mail gets a new connection, so none can become stale."""

    def __init__(
        self,
        url: str,
        outbound: Outbound,
        *,
        timeout_s: float = TIMEOUT_S,
        total_timeout_s: float = TOTAL_TIMEOUT_S,
    ) -> None:
        self._url = url
        self._outbound = outbound
        self._timeout_s = timeout_s
        self._total_timeout_s = total_timeout_s

    @property
    def destination(self) -> str:
        """Scheme, host and port of the server; the same for every invalid URL."""
        try:
            server = parse_smtp_url(self._url)
        except InvalidUrlError:
            return "smtp:"
        return f"{server.scheme}://{server.host}:{server.port}"

    async def send(self, message: OutgoingMail) -> str:
        """Send and return the server's reply with the recipient's address masked.

        It returns at the server's "ok", before the session is over: what the caller has not noted
        when its process dies is sent twice.
        Raises MailRejectedError. Until the connection is encrypted and the server has greeted, its
        reply is only `NO_CONNECTION`: what an unknown server says is in the log.
        """
        content = compose(message).as_bytes()
        sender, to = _with_ascii_host(message.from_address), _with_ascii_host(message.to)
        try:
            server = parse_smtp_url(self._url)
        except InvalidUrlError:
            raise MailRejectedError(is_permanent=False, reply=NO_CONNECTION) from None
        try:
            async with asyncio.timeout(self._total_timeout_s):
                client = await self._connect(server, _own_name(message.message_id))
                reply = await self._deliver(client, server, content, (sender, to))
        except TimeoutError as error:
            log_failure(server.host, server.port, error)
            raise MailRejectedError(
                is_permanent=False, reply=NO_CONNECTION, is_outcome_unknown=True
            ) from None
        except MailRejectedError as error:
            raise MailRejectedError(
                is_permanent=error.is_permanent,
                reply=_mask_address(error.reply, message.to),
                is_outcome_unknown=error.is_outcome_unknown,
            ) from error
        return _mask_address(reply, message.to)

    async def _deliver(
        self, client: aiosmtplib.SMTP, server: SmtpUrl, content: bytes, envelope: tuple[str, str]
    ) -> str:
        sender, to = envelope
        try:
            with _closing(client):
                if server.username:
                    await client.login(server.username, server.password)
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
                is_permanent=False,
                reply=str(error) or type(error).__name__,
                is_outcome_unknown=True,
            ) from error
        return reply

    async def _connect(self, server: SmtpUrl, own_name: str) -> aiosmtplib.SMTP:
        """Return a client after the greeting and TLS. Raises MailRejectedError(NO_CONNECTION)."""
        client: aiosmtplib.SMTP | None = None
        try:
            context = await self._outbound.tls_context() if server.is_encrypted else None
            sock = await self._outbound.connect(
                server.host,
                server.port,
                server.scheme,
                is_encrypted=server.is_encrypted,
                timeout_s=self._timeout_s,
            )
            client = aiosmtplib.SMTP(
                hostname=server.host,  # the name in the certificate; `sock` is connected already
                sock=sock,
                local_hostname=own_name,
                use_tls=server.use_tls,
                start_tls=server.start_tls,
                tls_context=context,
                timeout=self._timeout_s,
            )
            await client.connect()
        except (aiosmtplib.SMTPException, OSError) as error:
            if client is not None:
                client.close()
            log_failure(server.host, server.port, error, str(error))
            raise MailRejectedError(is_permanent=False, reply=NO_CONNECTION) from None
        except BaseException:
            if client is not None:
                client.close()
            raise
        return client


def _own_name(message_id: str) -> str:
    """Return the name for EHLO: the host of "<…@host>", Sigma's public address.

    Without it aiosmtplib would ask the name server for the name of this machine.
    """
    try:
        host = normalize_host(message_id.rpartition("@")[2].rstrip(">"))
    except ValueError:
        return "localhost"
    address = parse_address(host)
    if address is None:
        return host
    return f"[{address}]" if address.version == 4 else f"[IPv6:{address}]"


@contextlib.contextmanager
def _closing(client: aiosmtplib.SMTP) -> Iterator[None]:
    """Say QUIT and close the connection after the block, without waiting for the reply.

    The reply says nothing about the mail (RFC 5321, 4.1.1.10), and waiting for it would lengthen
    the time in which a crash sends an accepted mail twice.
    """
    try:
        yield
    finally:
        transport: Any = client.transport  # aiosmtplib declares a transport that cannot write
        if transport is not None and not transport.is_closing():
            transport.write(b"QUIT\r\n")
        client.close()


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
        unsubscribe_url=message.unsubscribe_url,
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
