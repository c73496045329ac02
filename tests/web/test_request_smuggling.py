"""Boundaries of HTTP messages on a real server: an ambiguous request is refused.

Its connection closes, so that the rest of what was sent is never read as a request of its own.
"""

import pytest

from tests.web.test_request_timeouts import PatientProtocol, exchange, open_server
from tests.world import World

HIDDEN = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
FORM = b"Host: x\r\nOrigin: http://x\r\nContent-Type: application/x-www-form-urlencoded\r\n"


def post(*headers: bytes, body: bytes = HIDDEN) -> bytes:
    """Return a form with these headers about its length, and a hidden request in its body."""
    lines = b"".join(header + b"\r\n" for header in headers)
    return b"POST /sign-in HTTP/1.1\r\n" + FORM + lines + b"\r\n" + body


LENGTH = b"Content-Length: %d" % len(HIDDEN)
CHUNKED = b"0\r\n\r\n" + HIDDEN
AMBIGUOUS = {
    "length and chunks": post(LENGTH, b"Transfer-Encoding: chunked", body=CHUNKED),
    "chunks and length": post(b"Transfer-Encoding: chunked", LENGTH, body=CHUNKED),
    "two lengths": post(b"Content-Length: 0", LENGTH),
    "two equal lengths": post(LENGTH, LENGTH),
    "list of lengths": post(b"Content-Length: 0, %d" % len(HIDDEN)),
    "signed length": post(b"Content-Length: +0"),
    "negative length": post(b"Content-Length: -1"),
    "hexadecimal length": post(b"Content-Length: 0x0"),
    "length with a space": post(b"Content-Length: 0 0"),
    "huge length": post(b"Content-Length: 18446744073709551616"),
    "empty length": post(b"Content-Length: "),
    "space before the colon": post(b"Content-Length : 0"),
    "tab before the colon": post(b"Transfer-Encoding\t: chunked", body=CHUNKED),
    "unknown encoding": post(b"Transfer-Encoding: xchunked", body=CHUNKED),
    "chunks are not the last encoding": post(b"Transfer-Encoding: chunked, gzip", body=CHUNKED),
    "encoding on a second header": post(
        b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=CHUNKED
    ),
    "quoted encoding": post(b'Transfer-Encoding: "chunked"', body=CHUNKED),
    "folded header": post(b"X-A: b\r\n Content-Length: 0"),
    "folded encoding": post(b"Transfer-Encoding:\r\n chunked", body=CHUNKED),
    "bare line feeds": post(LENGTH).replace(b"\r\n", b"\n"),
    "bare line feed in a header": post(b"X-A: b\nContent-Length: 0"),
    "bare carriage return in a header": post(b"X-A: b\rContent-Length: 0"),
    "NUL in a header": post(b"X-A: b\0c", b"Content-Length: 0"),
    "chunk size with a sign": post(b"Transfer-Encoding: chunked", body=b"+0\r\n\r\n" + HIDDEN),
    "chunk size with a prefix": post(b"Transfer-Encoding: chunked", body=b"0x0\r\n\r\n" + HIDDEN),
    "bare line feed after a chunk size": post(
        b"Transfer-Encoding: chunked", body=b"0\n\n" + HIDDEN
    ),
    "chunk longer than its size": post(
        b"Transfer-Encoding: chunked", body=b"1\r\nab\r\n0\r\n\r\n" + HIDDEN
    ),
}


@pytest.mark.parametrize("sent", AMBIGUOUS.values(), ids=AMBIGUOUS)
async def test_ambiguous_request_is_refused_and_nothing_behind_it_is_read(
    world: World, sent: bytes
) -> None:
    async with open_server(world, protocol=PatientProtocol) as port:
        answer = await exchange(port, sent)
    assert answer.startswith(b"HTTP/1.1 400 "), answer[:200]
    assert answer.count(b"HTTP/1.1 ") == 1, answer


@pytest.mark.parametrize(
    "sent",
    [
        post(LENGTH) + HIDDEN,
        post(
            b"Transfer-Encoding: chunked",
            body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN) + HIDDEN,
        ),
    ],
    ids=["length", "chunks"],
)
async def test_plain_request_ends_where_it_says(world: World, sent: bytes) -> None:
    """The hidden request is the body of the form; the one behind the body is a request."""
    async with open_server(world, protocol=PatientProtocol) as port:
        answer = await exchange(port, sent)
    assert answer.count(b"HTTP/1.1 ") == 2, answer
    assert answer.startswith(b"HTTP/1.1 422 ")


async def test_connection_closes_after_chunks_in_an_old_version(world: World) -> None:
    """RFC 9112, section 6.1: the proxy in front may not have understood the chunks."""
    sent = post(b"Transfer-Encoding: chunked", b"Connection: keep-alive", body=CHUNKED)
    async with open_server(world, protocol=PatientProtocol) as port:
        answer = await exchange(port, sent.replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    assert answer.count(b"HTTP/1.1 ") == 1, answer
