"""Mail servers that are slow, silent, unencrypted or not mail servers at all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from sigma.channels.email import MailRejectedError, SmtpMailer
from sigma.outbound.guard import Outbound
from tests.channels.test_email import MAIL, SmtpHandler
from tests.outbound.servers import (
    Authority,
    ScriptedResolver,
    guard,
    listening,
    make_authority,
    server_context,
)


class TrustingOutbound(Outbound):
    """A guard whose usual authorities are one test authority."""

    def __init__(self, authority: Authority, resolve: ScriptedResolver, *exemptions: str) -> None:
        super().__init__(guard(*exemptions).policy, resolve=resolve)
        self._authority = authority

    async def tls_context(self, ca_certificates: str | None = None) -> Any:
        """Return the context that trusts the test authority."""
        return await super().tls_context(ca_certificates or self._authority.pem)


@asynccontextmanager
async def mail_server(**more: Any) -> AsyncIterator[tuple[int, SmtpHandler]]:
    """Run a mail server. `ssl`: TLS from the first byte; `tls_context`: STARTTLS."""
    loop, handler = asyncio.get_running_loop(), SmtpHandler()
    tls = more.pop("ssl", None)
    server = await loop.create_server(
        lambda: SMTP(handler, hostname="127.0.0.1", loop=loop, **more), "127.0.0.1", 0, ssl=tls
    )
    async with server:
        yield server.sockets[0].getsockname()[1], handler


async def _refusal(mailer: SmtpMailer) -> str:
    with pytest.raises(MailRejectedError) as caught:
        await mailer.send(MAIL)
    assert not caught.value.is_permanent
    return caught.value.reply


@pytest.mark.parametrize("scheme", ["smtps", "smtp"])
async def test_mail_is_sent_over_tls_to_the_checked_address(scheme: str, tmp_path: Path) -> None:
    authority = make_authority()
    tls = server_context(authority, tmp_path, "mail.example")
    option = {"ssl": tls} if scheme == "smtps" else {"tls_context": tls, "require_starttls": True}
    async with mail_server(**option) as (port, handler):
        resolve = ScriptedResolver(["127.0.0.1"])
        outbound = TrustingOutbound(authority, resolve, f"mail.example:{port}")
        mailer = SmtpMailer(f"{scheme}://mail.example:{port}", outbound, timeout_s=5)
        assert await mailer.send(MAIL) == "Taken as 42"
        assert resolve.names == ["mail.example"]
        assert len(handler.messages) == 1


@pytest.mark.parametrize("scheme", ["smtps", "smtp"])
async def test_certificate_of_another_name_or_authority_is_refused(
    scheme: str, tmp_path: Path
) -> None:
    authority = make_authority()
    tls = server_context(authority, tmp_path, "mail.example")
    option = {"ssl": tls} if scheme == "smtps" else {"tls_context": tls}
    async with mail_server(**option) as (port, handler):
        resolve = ScriptedResolver(["127.0.0.1"])
        for trusted, name in ((authority, "other.example"), (make_authority(), "mail.example")):
            outbound = TrustingOutbound(trusted, resolve, "mail.example", "other.example")
            mailer = SmtpMailer(f"{scheme}://{name}:{port}", outbound, timeout_s=5)
            assert await _refusal(mailer) == "no_connection"
        assert handler.messages == []


async def test_server_without_starttls_gets_neither_password_nor_mail() -> None:
    async with mail_server() as (port, handler):
        outbound = guard("mail.example", resolve=ScriptedResolver(["127.0.0.1"]))
        mailer = SmtpMailer(f"smtp://me:secret@mail.example:{port}", outbound, timeout_s=5)
        assert await _refusal(mailer) == "no_connection"
        assert handler.messages == []


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("pay.example.ru", "pay.example.ru"),
        ("оплата.рф", "xn--80aa5alfu.xn--p1ai"),
        ("10.0.0.1", "[10.0.0.1]"),
        ("::1", "[IPv6:::1]"),
        ("a b", "localhost"),
    ],
)
async def test_server_is_greeted_with_the_public_name_of_sigma(host: str, name: str) -> None:
    """Not with the name of the machine, which would be looked up in the network."""
    greetings: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        greetings.append((await reader.readline()).decode().strip())
        writer.write(b"421 busy\r\n")

    async with listening(answer) as server:
        mailer = SmtpMailer(f"smtp://127.0.0.1:{server.port}", guard("127.0.0.1"), timeout_s=5)
        with pytest.raises(MailRejectedError, match="421"):
            await mailer.send(replace(MAIL, message_id=f"<mail_1@{host}>"))
    assert greetings[0] == f"EHLO {name}"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.0.0.1"])
async def test_public_name_with_private_address_is_not_connected_to(address: str) -> None:
    outbound = guard(resolve=ScriptedResolver([address]))
    assert await _refusal(SmtpMailer("smtps://mail.example", outbound)) == "no_connection"


async def test_greeting_that_never_comes_is_not_waited_for_longer_than_a_step() -> None:
    async with listening() as server:
        mailer = SmtpMailer(f"smtp://127.0.0.1:{server.port}", guard("127.0.0.1"), timeout_s=0.1)
        assert await _refusal(mailer) == "no_connection"


@pytest.mark.parametrize("text", [b"2", b"220-still busy\r\n"])
async def test_greeting_that_never_ends_is_ended_by_the_deadline(text: bytes) -> None:
    times_sent = 0

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal times_sent
        while True:
            writer.write(text)
            times_sent += 1
            await writer.drain()
            await asyncio.sleep(0.02)

    async with listening(drip) as server:
        mailer = SmtpMailer(
            f"smtp://127.0.0.1:{server.port}",
            guard("127.0.0.1"),
            timeout_s=60,
            total_timeout_s=0.3,
        )
        assert await _refusal(mailer) == "no_connection"
    assert times_sent < 1000  # 20 seconds; a step may take 60


async def test_server_that_hangs_after_the_greeting_is_ended_by_the_deadline() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        await reader.read()

    async with listening(greet) as server:
        url = f"smtp://127.0.0.1:{server.port}"
        outbound = guard("127.0.0.1")
        mailer = SmtpMailer(url, outbound, timeout_s=60, total_timeout_s=0.3)
        assert await _refusal(mailer) == "no_connection"


@pytest.mark.parametrize(
    "greeting",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"-ERR unknown command\r\n",
        b"554 go away, inner-secret\r\n",
        b"\x00" * 100_000,
        b"",
    ],
    ids=range(6),
)
async def test_server_that_speaks_something_else_is_not_quoted(greeting: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await writer.drain()

    async with listening(answer) as server:
        mailer = SmtpMailer(f"smtp://127.0.0.1:{server.port}", guard("127.0.0.1"), timeout_s=1)
        assert await _refusal(mailer) == "no_connection"


async def test_accepted_mail_does_not_wait_for_the_reply_to_quit() -> None:
    """The caller notes the mail meanwhile: a crash in this time sends it twice."""
    commands: list[str] = []
    is_over = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        while command := (await reader.readline()).decode().strip():
            commands.append(command)
            if command == "QUIT":
                break  # its reply never comes
            if command == "DATA":
                writer.write(b"354 go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
            writer.write(b"250 ok\r\n")
        is_over.set()

    async with listening(answer) as server:
        mailer = SmtpMailer(f"smtp://127.0.0.1:{server.port}", guard("127.0.0.1"), timeout_s=60)
        assert await mailer.send(MAIL) == "ok"
        await is_over.wait()
    assert commands[-1] == "QUIT"


@pytest.mark.parametrize("last_command", ["EHLO", "RCPT", "DATA"])
async def test_lost_connection_leaves_the_outcome_unknown(last_command: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        while command := (await reader.readline()).decode().strip():
            if command.startswith(last_command):
                return
            writer.write(b"250 ok\r\n")

    async with listening(answer) as server:
        mailer = SmtpMailer(f"smtp://127.0.0.1:{server.port}", guard("127.0.0.1"), timeout_s=5)
        with pytest.raises(MailRejectedError) as caught:
            await mailer.send(MAIL)
    assert caught.value.is_outcome_unknown


async def test_refused_mail_has_a_known_outcome() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        while await reader.readline():
            writer.write(b"451 busy\r\n")

    async with listening(answer) as server:
        mailer = SmtpMailer(f"smtp://127.0.0.1:{server.port}", guard("127.0.0.1"), timeout_s=5)
        with pytest.raises(MailRejectedError) as caught:
            await mailer.send(MAIL)
    assert not caught.value.is_outcome_unknown
