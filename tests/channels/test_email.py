"""Mail over real SMTP: message content, server replies, TLS rules, masked addresses."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope

from sigma.channels.email import (
    MailRejectedError,
    OutgoingMail,
    SmtpMailer,
    compose,
)
from sigma.domain.billing.mail import Attachment
from tests.outbound.local import local_mailer

MAIL = OutgoingMail(
    to="client@example.net",
    from_address="sigma@example.com",
    from_name="Студия «Лак»",
    reply_to="shop@example.com",
    subject="Чек на 1 500,00 ₽",
    text="Оплата прошла\n",
    html="<p>Оплата прошла</p>",
    message_id="<mail_1@pay.example.ru>",
    attachments=(Attachment("chek-42.pdf", "application/pdf", b"%PDF-1.7"),),
)


def mail_with(**more: Any) -> OutgoingMail:
    return replace(MAIL, **more)


class SmtpHandler:
    """SMTP handler that replies `rcpt` to a recipient (when set) and `data` to a message."""

    def __init__(self, rcpt: str = "", data: str = "250 Taken as 42") -> None:
        self.rcpt, self.data = rcpt, data
        self.messages: list[EmailMessage] = []

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.rcpt:
            return self.rcpt.format(address)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        self.messages.append(message_from_bytes(envelope.content, policy=policy.default))
        return self.data


@contextlib.asynccontextmanager
async def serving(handler: SmtpHandler, **more: Any) -> AsyncIterator[SmtpMailer]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(handler, hostname="127.0.0.1", loop=loop, **more), "127.0.0.1", 0
    )
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield local_mailer(f"smtp://127.0.0.1:{port}", timeout_s=3)


async def test_mail_is_delivered_with_headers_bodies_and_attachment() -> None:
    handler = SmtpHandler()
    async with serving(handler) as mailer:
        assert await mailer.send(MAIL) == "Taken as 42"
    (received,) = handler.messages
    assert received["subject"] == "Чек на 1 500,00 ₽"
    assert received["from"].addresses[0].display_name == "Студия «Лак»"
    assert received["message-id"] == "<mail_1@pay.example.ru>"
    assert received["reply-to"] == "shop@example.com"
    assert received["date"]
    assert received.get_body(("plain",)).get_content().strip() == "Оплата прошла"  # type: ignore[union-attr]
    assert "<p>" in received.get_body(("html",)).get_content()  # type: ignore[union-attr]
    (attachment,) = received.iter_attachments()
    assert (attachment.get_filename(), attachment.get_content()) == ("chek-42.pdf", b"%PDF-1.7")


@pytest.mark.parametrize(
    ("answer", "final"), [("550 No such user {}", True), ("451 Try {} later", False)]
)
async def test_5xx_reply_is_permanent_and_4xx_is_not(answer: str, final: bool) -> None:
    async with serving(SmtpHandler(rcpt=answer)) as mailer:
        with pytest.raises(MailRejectedError) as caught:
            await mailer.send(MAIL)
    assert caught.value.is_permanent is final
    assert caught.value.reply.startswith(answer[:3])


async def test_server_reply_is_stored_with_masked_client_address() -> None:
    async with serving(SmtpHandler(rcpt="550 <CLIENT@example.net> is unknown, {}")) as mailer:
        with pytest.raises(MailRejectedError) as caught:
            await mailer.send(MAIL)
    assert "client" not in caught.value.reply.lower()
    assert "c***@example.net" in caught.value.reply


async def test_rejection_of_content_is_permanent() -> None:
    async with serving(SmtpHandler(data="554 Looks like spam")) as mailer:
        with pytest.raises(MailRejectedError) as caught:
            await mailer.send(MAIL)
    assert caught.value.is_permanent


async def test_unreachable_server_is_not_a_permanent_failure() -> None:
    with pytest.raises(MailRejectedError) as caught:
        await local_mailer("smtp://127.0.0.1:9", timeout_s=2).send(MAIL)
    assert not caught.value.is_permanent
    assert caught.value.reply == "no_connection"


async def test_cyrillic_address_needs_smtputf8_and_is_refused_without_it() -> None:
    handler = SmtpHandler()
    async with serving(handler, enable_SMTPUTF8=True) as mailer:
        await mailer.send(mail_with(to="маша@почта.рф"))
    assert len(handler.messages) == 1
    async with serving(SmtpHandler(), enable_SMTPUTF8=False) as mailer:
        with pytest.raises(MailRejectedError) as caught:
            await mailer.send(mail_with(to="маша@почта.рф"))
    assert caught.value.is_permanent


async def test_cyrillic_domain_is_sent_as_punycode() -> None:
    handler = SmtpHandler()
    async with serving(handler) as mailer:
        await mailer.send(mail_with(to="masha@почта.рф"))
    assert handler.messages[0]["to"] == "masha@xn--80a1acny.xn--p1ai"


@pytest.mark.parametrize("field", ["subject", "from_name", "message_id"])
def test_line_breaks_in_fields_cannot_inject_headers(field: str) -> None:
    mail = compose(mail_with(**{field: "a\r\nBcc: victim@example.org\n\u2028b"}))
    assert mail["bcc"] is None
    head = mail.as_bytes().partition(b"\r\n\r\n")[0]
    assert b"\r\nBcc" not in head


@pytest.mark.parametrize(
    "address",
    ["", "client", "a@b\r\nBcc: c@d", "a b@c.ru", "a@b,c@d", "<a@b.ru>", "a@", "@b.ru", "a@b\n"],
)
def test_invalid_address_is_refused_permanently(address: str) -> None:
    with pytest.raises(MailRejectedError) as caught:
        compose(mail_with(to=address))
    assert caught.value.is_permanent


@pytest.mark.parametrize("url", ["", "mail.ru", "http://mail.ru", "smtp://x:99999", "smtp://[::1"])
async def test_invalid_stored_url_is_not_a_permanent_failure(url: str) -> None:
    with pytest.raises(MailRejectedError, match="no_connection") as caught:
        await local_mailer(url).send(MAIL)
    assert not caught.value.is_permanent


@pytest.fixture(autouse=True)
def _quiet_server(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level("CRITICAL", logger="mail.log"):
        yield
