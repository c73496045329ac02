"""Headers on the wire of a real SMTP server: what was composed arrives letter by letter."""

import asyncio
import contextlib
import itertools
import re
from collections.abc import AsyncIterator, Iterator
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parseaddr
from typing import Any

import pytest
import regex
from aiosmtpd.smtp import SMTP, Envelope

from sigma.channels.email import OutgoingMail, SmtpMailer
from sigma.domain.billing.mail import Attachment
from tests.outbound.local import local_mailer

ENCODED_WORD = re.compile(rb"=\?utf-8\?b\?[A-Za-z0-9+/]+={0,2}\?=")
RUSSIAN = "Маникюр с покрытием для Анны на Большой Садовой, дом 5\u00a0— на 1\u00a0500,00\u00a0₽. "
SAMPLES = (
    RUSSIAN,
    'Receipt for $10.00, Anna\'s "gel" manicure; see you at 5 pm (room 3) \\o/ [ok] a,b <c@d> ',
    "Маникюр & pedicure «Лак» 2 for 1 — ёЁ й и\u0306 ",  # a decomposed й
    "💅🏽 Ногти 👩\u200d👩\u200d👧\u200d👦 семья 🇷🇺 ☎\ufe0f 1\ufe0f\u20e3 ",
    "美甲 かな 한국어 مانيكير עברית हिन्दी მანიკური Մատնահարդարում ",
    "слово  два   пробела    =?utf-8?q?=D0=90?= 50%=50_ \t ",
    "а́е́и́о́у́ z̷a̷l̷g̷o̷ e\u0301\u0323\u0302 ",
    "wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww",
)


def texts() -> list[str]:
    """Return 260 texts of 1 to 200 characters, each from another place of a sample."""
    result = []
    for length, sample in zip(
        itertools.chain(range(1, 201), range(20, 140, 2)), itertools.cycle(SAMPLES), strict=False
    ):
        start = length * 7 % len(sample)
        endless = itertools.islice(itertools.cycle(sample), start, start + length)
        result.append(" ".join("".join(endless).replace("\t", " ").strip(" ").split("\n")) or "!")
    return result


class Wire:
    """An SMTP handler that stores the bytes of each message, and the mailer that sends to it."""

    def __init__(self) -> None:
        self.received: list[bytes] = []

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        self.received.append(envelope.content)
        return "250 OK"


@contextlib.asynccontextmanager
async def serving(wire: Wire) -> AsyncIterator[SmtpMailer]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(wire, hostname="127.0.0.1", loop=loop, enable_SMTPUTF8=True), "127.0.0.1", 0
    )
    async with server:
        yield local_mailer(f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout_s=5)


def mail(subject: str = "Чек", name: str = "Студия", **more: Any) -> OutgoingMail:
    fields: dict[str, Any] = {
        "to": "client@example.net",
        "from_address": "sigma@example.com",
        "reply_to": "shop@example.com",
        "text": "Оплата прошла\n",
        "html": "<p>Оплата прошла</p>",
        "message_id": "<mail_1@pay.example.ru>",
    }
    return OutgoingMail(subject=subject, from_name=name, **(fields | more))


async def deliver(*mails: OutgoingMail) -> list[bytes]:
    """Send mails over SMTP, one connection each, and return the bytes that arrived."""
    wire = Wire()
    async with serving(wire) as mailer:
        for one in mails:
            await mailer.send(one)
    return wire.received


def headers_of(raw: bytes) -> Message:
    """Parse by RFC 2047 alone: the newer parser of Python adds spaces between words of a name."""
    return message_from_bytes(raw)


def decoded(header: str) -> str:
    return str(make_header(decode_header(header)))


def split_graphemes(text: str) -> list[str]:
    return list(regex.findall(r"\X", text))


async def test_every_subject_and_sender_name_arrives_letter_by_letter() -> None:
    composed = texts()
    assert len(composed) >= 250
    names = composed[1:] + composed[:1]
    arrived = await deliver(*(mail(s, n) for s, n in zip(composed, names, strict=True)))
    assert len(arrived) == len(composed)
    for raw, subject, name in zip(arrived, composed, names, strict=True):
        headers = headers_of(raw)
        assert decoded(headers["Subject"]) == subject
        display_name, address = parseaddr(headers["From"])
        assert (decoded(display_name), address) == (name, "sigma@example.com")
        assert headers["To"] == "client@example.net"
        head = raw.partition(b"\r\n\r\n")[0]
        assert head.isascii()
        assert max(map(len, head.split(b"\r\n"))) <= 76, head
        assert re.search(rb"\r(?!\n)|(?<!\r)\n", raw) is None, "a bare CR or LF"
        assert max(map(len, raw.split(b"\r\n"))) <= 998


async def test_encoded_words_are_split_between_whole_characters() -> None:
    for raw in await deliver(*(mail(text, text) for text in texts())):
        head = raw.partition(b"\r\n\r\n")[0]
        for name in ("Subject", "From"):
            header = headers_of(raw)[name].encode()
            pieces = [decoded(word.decode()) for word in ENCODED_WORD.findall(header)]
            assert all(len(word) <= 75 for word in ENCODED_WORD.findall(head))
            joined = "".join(pieces)
            assert split_graphemes(joined) == [g for p in pieces for g in split_graphemes(p)]


async def test_long_letter_with_marks_is_split_between_code_points() -> None:
    text = "z" + "\u0337" * 150
    [raw] = await deliver(mail(text))
    assert decoded(headers_of(raw)["Subject"]) == text


@pytest.mark.parametrize(
    ("text", "arrives"),
    [
        ("\ud83d\udc85 ногти", "💅 ногти"),  # a pair of surrogates, as JSON may carry it
        ("ногти \ud83d", "ногти \ufffd"),
        ("a\r\nBcc: victim@example.org", "a Bcc: victim@example.org"),
        ("a\u2028b\x85c\x00d", "a b c d"),
        ("=?utf-8?q?=D0=90?=", "=?utf-8?q?=D0=90?="),
        ("", ""),
    ],
)
async def test_text_that_no_header_can_carry_is_repaired(text: str, arrives: str) -> None:
    [raw] = await deliver(mail(text, text, text=f"{text}\n", html=f"<p>{text}</p>"))
    headers = headers_of(raw)
    assert decoded(headers["Subject"]) == arrives
    assert decoded(parseaddr(headers["From"])[0]) == arrives
    assert headers["Bcc"] is None


async def test_bodies_and_file_names_arrive_as_they_were_composed() -> None:
    text = "\n".join([*texts(), "." * 3, "", "From me", "я" * 3000]) + "\n"
    file = Attachment("Квитанция 42 «Лак» 💅.pdf", "application/pdf", bytes(range(256)) * 9)
    [raw] = await deliver(mail(text=text, html=f"<p>{text}</p>", attachments=(file,)))
    parts = {part.get_content_type(): part for part in message_from_bytes(raw).walk()}
    received = {kind: part.get_payload(decode=True) for kind, part in parts.items()}
    assert bytes(received["text/plain"]).decode().replace("\r\n", "\n") == text
    assert text in bytes(received["text/html"]).decode().replace("\r\n", "\n")
    assert received["application/pdf"] == file.data
    assert parts["application/pdf"].get_filename() == file.name
    assert raw.isascii()


async def test_cyrillic_recipient_is_sent_as_utf8_with_encoded_subject() -> None:
    [raw] = await deliver(mail(RUSSIAN.strip(), to="маша@почта.рф", message_id="<m@касса.рф>"))
    headers = headers_of(raw)
    assert "To: маша@xn--80a1acny.xn--p1ai".encode() in raw
    assert decoded(headers["Subject"]) == RUSSIAN.strip()
    assert headers["Message-ID"] == "<m@xn--80aa2a3aa.xn--p1ai>"


async def test_utf8_reply_address_is_left_out_of_an_ascii_mail() -> None:
    [raw] = await deliver(mail(reply_to="лак@почта.рф"))
    assert headers_of(raw)["Reply-To"] is None
    assert raw.isascii()


@pytest.fixture(autouse=True)
def _quiet_server(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level("CRITICAL", logger="mail.log"):
        yield
