"""The SMTP door: takes every letter and any password, unless `/control` says otherwise."""

import asyncio
import logging
import socket
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from sigma_sandbox.faults import Control, Effect
from sigma_sandbox.mail.mailbox import Mailbox

MAX_LETTER = 25_000_000


class Door:
    """aiosmtpd's handler: what to answer at each step."""

    def __init__(self, box: Mailbox, control: Control) -> None:
        self._box = box
        self._control = control

    async def handle_RCPT(  # noqa: N802, the name is aiosmtpd's
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """A recipient is named: accept, or refuse as told."""
        delay_ms = self._control.take(Effect.MAIL_DELAY_MS, address)
        await asyncio.sleep((delay_ms or 0) / 1000)
        if self._control.take(Effect.MAIL_REFUSE, address):
            return "550 5.1.1 No such mailbox here"
        if self._control.take(Effect.MAIL_BUSY, address):
            return "451 4.3.0 Try again later"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(  # noqa: N802, the name is aiosmtpd's
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """The letter itself."""
        raw = envelope.content
        assert isinstance(raw, bytes)
        letter = self._box.accept(envelope.mail_from or "", list(envelope.rcpt_tos), raw)
        return f"250 2.0.0 OK, kept as {letter.id}"


def _anyone(*_: Any) -> AuthResult:
    return AuthResult(success=True)


async def serve(box: Mailbox, control: Control, sock: socket.socket) -> asyncio.Server:
    """Listen for SMTP on a bound socket, in the running loop."""
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # addresses stay out of logs
    door = Door(box, control)
    loop = asyncio.get_running_loop()

    def protocol() -> SMTP:
        return SMTP(
            door,
            hostname="mail.sandbox",
            data_size_limit=MAX_LETTER,
            enable_SMTPUTF8=True,
            authenticator=_anyone,
            auth_require_tls=False,
            loop=loop,
        )

    return await loop.create_server(protocol, sock=sock)
