"""The SMTP server: accepts every email and any login, unless `/control` sets a fault."""

import asyncio
import logging
import socket
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from sigma_sandbox.faults import Effect, FaultRules
from sigma_sandbox.mail.mailbox import Mailbox

MAX_EMAIL_BYTES = 25_000_000


class SmtpHandler:
    """The handler that aiosmtpd calls for each SMTP command."""

    def __init__(self, mailbox: Mailbox, faults: FaultRules) -> None:
        self._mailbox = mailbox
        self._faults = faults

    async def handle_RCPT(  # noqa: N802, name required by aiosmtpd
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Accept a recipient, or answer with the injected delay or error."""
        delay_ms = self._faults.consume(Effect.MAIL_DELAY_MS, address)
        await asyncio.sleep((delay_ms or 0) / 1000)
        if self._faults.consume(Effect.MAIL_REFUSE, address):
            return "550 5.1.1 No such mailbox here"
        if self._faults.consume(Effect.MAIL_BUSY, address):
            return "451 4.3.0 Try again later"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(  # noqa: N802, name required by aiosmtpd
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Store the email."""
        raw = envelope.content
        assert isinstance(raw, bytes)
        email = self._mailbox.accept(envelope.mail_from or "", list(envelope.rcpt_tos), raw)
        return f"250 2.0.0 OK, stored as {email.id}"


def _accept_any_login(*_: Any) -> AuthResult:
    return AuthResult(success=True)


async def start_server(mailbox: Mailbox, faults: FaultRules, sock: socket.socket) -> asyncio.Server:
    """Serve SMTP on a listening socket in the running event loop."""
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # keep e-mail addresses out of logs
    handler = SmtpHandler(mailbox, faults)
    loop = asyncio.get_running_loop()

    def protocol() -> SMTP:
        return SMTP(
            handler,
            hostname="mail.sandbox",
            data_size_limit=MAX_EMAIL_BYTES,
            enable_SMTPUTF8=True,
            authenticator=_accept_any_login,
            auth_require_tls=False,
            loop=loop,
        )

    return await loop.create_server(protocol, sock=sock)
