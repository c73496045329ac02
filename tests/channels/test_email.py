"""Mail over real SMTP: what goes out, what comes back, and who is told the address."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope

from sigma.channels.email import MailRefused, Outgoing, SmtpMailer, compose, read_smtp_url
from sigma.domain.billing.mail import Attachment

LETTER = Outgoing(
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


def changed(**more: Any) -> Outgoing:
    return replace(LETTER, **more)


class Post:
    """A mail server's manners: it answers `rcpt` to an address and `data` to a letter."""

    def __init__(self, rcpt: str = "", data: str = "250 Taken as 42") -> None:
        self.rcpt, self.data = rcpt, data
        self.letters: list[EmailMessage] = []

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.rcpt:
            return self.rcpt.format(address)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        self.letters.append(message_from_bytes(envelope.content, policy=policy.default))
        return self.data


@contextlib.asynccontextmanager
async def serving(post: Post, **more: Any) -> AsyncIterator[SmtpMailer]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(post, hostname="127.0.0.1", loop=loop, **more), "127.0.0.1", 0
    )
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield SmtpMailer(f"smtp://127.0.0.1:{port}", timeout_s=3)


async def test_a_letter_arrives_whole() -> None:
    post = Post()
    async with serving(post) as mailer:
        assert await mailer.send(LETTER) == "Taken as 42"
    (got,) = post.letters
    assert got["subject"] == "Чек на 1 500,00 ₽"
    assert got["from"].addresses[0].display_name == "Студия «Лак»"
    assert got["message-id"] == "<mail_1@pay.example.ru>"
    assert got["reply-to"] == "shop@example.com"
    assert got["date"]
    assert got.get_body(("plain",)).get_content().strip() == "Оплата прошла"  # type: ignore[union-attr]
    assert "<p>" in got.get_body(("html",)).get_content()  # type: ignore[union-attr]
    (file,) = got.iter_attachments()
    assert (file.get_filename(), file.get_content()) == ("chek-42.pdf", b"%PDF-1.7")


@pytest.mark.parametrize(
    ("answer", "final"), [("550 No such user {}", True), ("451 Try {} later", False)]
)
async def test_a_plain_no_is_final_and_a_later_is_not(answer: str, final: bool) -> None:
    async with serving(Post(rcpt=answer)) as mailer:
        with pytest.raises(MailRefused) as no:
            await mailer.send(LETTER)
    assert no.value.final is final
    assert no.value.answer.startswith(answer[:3])


async def test_the_servers_words_are_kept_without_the_clients_address() -> None:
    async with serving(Post(rcpt="550 <CLIENT@example.net> is unknown, {}")) as mailer:
        with pytest.raises(MailRefused) as no:
            await mailer.send(LETTER)
    assert "client" not in no.value.answer.lower()
    assert "c***@example.net" in no.value.answer


async def test_a_letter_refused_for_what_it_says_is_refused_for_good() -> None:
    async with serving(Post(data="554 Looks like spam")) as mailer:
        with pytest.raises(MailRefused) as no:
            await mailer.send(LETTER)
    assert no.value.final


async def test_a_server_that_is_not_there_is_worth_another_try() -> None:
    with pytest.raises(MailRefused) as no:
        await SmtpMailer("smtp://127.0.0.1:9", timeout_s=2).send(LETTER)
    assert not no.value.final
    assert no.value.answer


async def test_a_cyrillic_address_goes_where_it_can_and_fails_for_good_where_it_cannot() -> None:
    post = Post()
    async with serving(post, enable_SMTPUTF8=True) as mailer:
        await mailer.send(changed(to="маша@почта.рф"))
    assert len(post.letters) == 1
    async with serving(Post(), enable_SMTPUTF8=False) as mailer:
        with pytest.raises(MailRefused) as no:
            await mailer.send(changed(to="маша@почта.рф"))
    assert no.value.final


async def test_a_cyrillic_host_needs_nothing_special() -> None:
    post = Post()
    async with serving(post) as mailer:
        await mailer.send(changed(to="masha@почта.рф"))
    assert post.letters[0]["to"] == "masha@xn--80a1acny.xn--p1ai"


def test_a_long_subject_and_name_keep_every_space() -> None:
    long = "Чек на 1\u00a0500,00\u00a0₽: Маникюр с покрытием для Анны в студии «Лак» at home"
    words = long.split(" ")
    for count in range(1, len(words) + 1):
        for start in range(len(words)):
            text = " ".join((words * 2)[start : start + count])
            raw = compose(changed(subject=text, from_name=text)).as_bytes()
            # The older parser: the newer one adds spaces to names when it reads them.
            headers = message_from_bytes(raw)
            assert str(make_header(decode_header(headers["Subject"]))) == text
            shown, address = parseaddr(headers["From"])
            assert address == LETTER.from_address
            assert str(make_header(decode_header(shown))) == text
            assert max(map(len, raw.splitlines())) < 998


@pytest.mark.parametrize("field", ["subject", "from_name", "message_id"])
def test_no_text_can_begin_another_header(field: str) -> None:
    letter = compose(changed(**{field: "a\r\nBcc: victim@example.org\n\u2028b"}))
    assert letter["bcc"] is None
    head = letter.as_bytes().partition(b"\r\n\r\n")[0]
    assert b"\r\nBcc" not in head


@pytest.mark.parametrize(
    "address",
    ["", "client", "a@b\r\nBcc: c@d", "a b@c.ru", "a@b,c@d", "<a@b.ru>", "a@", "@b.ru", "a@b\n"],
)
def test_what_is_no_address_is_refused_for_good(address: str) -> None:
    with pytest.raises(MailRefused) as no:
        compose(changed(to=address))
    assert no.value.final


@pytest.mark.parametrize(
    ("url", "port", "tls", "start_tls"),
    [
        ("smtp://mail.ru", 587, False, True),
        ("smtp://mail.ru:2525", 2525, False, True),
        ("smtps://mail.ru", 465, True, False),
        ("smtp://mail.ru?tls=no", 587, False, False),
        ("smtp://127.0.0.1:25", 25, False, False),
        ("smtp://localhost:25", 25, False, False),
    ],
)
def test_only_a_near_server_is_spoken_to_in_the_clear(
    url: str, port: int, tls: bool, start_tls: bool
) -> None:
    server = read_smtp_url(url)
    assert (server.port, server.tls, server.start_tls) == (port, tls, start_tls)


def test_a_password_may_hold_any_sign() -> None:
    server = read_smtp_url("smtp://me%40shop.ru:p%40ss%3Aw%2Ford@mail.ru")
    assert (server.username, server.password) == ("me@shop.ru", "p@ss:w/ord")


@pytest.mark.parametrize("url", ["", "mail.ru", "http://mail.ru", "smtp://", "smtp://a\r\nb"])
def test_what_is_no_mail_server_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        SmtpMailer(url)


@pytest.fixture(autouse=True)
def _quiet_server(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level("CRITICAL", logger="mail.log"):
        yield
