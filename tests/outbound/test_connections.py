"""Real connections: names, certificates, redirects, deadlines and sizes."""

import asyncio
import os
import socket
import threading
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from sigma.outbound import http
from sigma.outbound.guard import Outbound
from sigma.outbound.http import NoResponseError, open_client
from sigma.outbound.policy import DeniedError, Policy
from sigma.outbound.resolver import SystemResolver
from tests.outbound.servers import (
    ScriptedResolver,
    guard,
    http_server,
    listening,
    make_authority,
    server_context,
)

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


async def get(
    outbound: Outbound, url: str, ca_certificates: str | None = None, timeout_s: float = 5
) -> http.HttpResponse:
    async with open_client(outbound, ca_certificates) as client:
        return await http.send(client, "GET", url, timeout_s=timeout_s, max_bytes=10_000)


async def test_certificate_must_be_for_the_name_although_the_address_is_connected_to(
    tmp_path: Path,
) -> None:
    authority, heads = make_authority(), list[str]()
    tls = server_context(authority, tmp_path, "bank.example")
    async with listening(http_server(OK, heads), tls=tls) as server:
        outbound = guard("127.0.0.1", resolve=ScriptedResolver(["127.0.0.1"]))
        url = f"https://bank.example:{server.port}/v3"
        assert (await get(outbound, url, authority.pem)).body == b"ok"
        assert f"Host: bank.example:{server.port}" in heads[0]
        for wrong_url, certificates in (
            (url, None),
            (url, make_authority().pem),
            (f"https://other.example:{server.port}/", authority.pem),
            (f"https://127.0.0.1:{server.port}/", authority.pem),
        ):
            with pytest.raises(NoResponseError) as caught:
                await get(outbound, wrong_url, certificates)
            assert not caught.value.is_sent
        assert len(heads) == 1


async def test_certificate_of_the_server_itself_may_be_trusted(tmp_path: Path) -> None:
    authority = make_authority()
    tls = server_context(authority, tmp_path, "127.0.0.1")
    path = tmp_path / "server-127.0.0.1.pem"
    own_certificate = path.read_text().split("-----BEGIN PRIVATE")[0]
    async with listening(http_server(OK), tls=tls) as server:
        url = f"https://127.0.0.1:{server.port}/"
        assert (await get(guard("127.0.0.1"), url, own_certificate)).status == 200


async def test_name_that_resolves_to_another_address_the_second_time_is_not_followed(
    tmp_path: Path,
) -> None:
    """DNS rebinding: the address that was checked is the one that is connected to."""
    authority = make_authority()
    tls = server_context(authority, tmp_path, "bank.example")
    async with (
        listening(http_server(OK), tls=tls) as bank,
        listening(http_server(OK), tls=tls, host="::1", port=bank.port) as internal,
    ):
        resolve = ScriptedResolver(["127.0.0.1"], ["::1"])
        outbound, url = guard("127.0.0.1", resolve=resolve), f"https://bank.example:{bank.port}/"
        assert (await get(outbound, url, authority.pem)).status == 200
        assert resolve.names == ["bank.example"]  # asked once: no second answer can be used
        with pytest.raises(NoResponseError):  # each new connection is checked again
            await get(outbound, url, authority.pem)
        assert (bank.connections, internal.connections) == (1, 0)


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["::1"], ["::ffff:127.0.0.1"], ["10.0.0.1"], ["127.0.0.1%lo"], ["x"], []],
)
async def test_public_name_with_private_address_is_denied(addresses: list[str]) -> None:
    async with listening() as server:
        outbound = guard(resolve=ScriptedResolver(addresses))
        with pytest.raises(OSError, match=r".*"):
            await outbound.connect("bank.example", server.port, "https", is_encrypted=True)
        assert server.connections == 0


async def test_only_the_allowed_ones_of_several_addresses_are_connected_to() -> None:
    async with listening() as allowed, listening(host="127.0.0.2") as private:
        resolve = ScriptedResolver(["127.0.0.2", "10.0.0.1", "127.0.0.1"])
        outbound = guard("127.0.0.1", resolve=resolve)
        sock = await outbound.connect("bank.example", allowed.port, "https", is_encrypted=True)
        assert sock.getpeername() == ("127.0.0.1", allowed.port)
        sock.close()
        assert private.connections == 0


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "127.0.0.1", "127.1", "2130706433", "0x7f.1", "0", "[::1]", "::1"),
        *("::ffff:127.0.0.1", "localhost.", "LOCALHOST", "a.localhost", "169.254.169.254"),
    ],
)
async def test_private_host_is_denied_before_it_is_resolved(host: str) -> None:
    resolve = ScriptedResolver(["8.8.8.8"])
    with pytest.raises(DeniedError):
        await guard(resolve=resolve).connect(host, 443, "https", is_encrypted=True)
    assert resolve.names == []


async def test_unencrypted_request_is_sent_to_exempt_addresses_only() -> None:
    async with listening(http_server(OK)) as server:
        resolve = ScriptedResolver(["127.0.0.1"])
        url = f"http://bank.example:{server.port}/"
        assert (await get(guard(f"bank.example:{server.port}", resolve=resolve), url)).status == 200
        for exemption in ("10.0.0.0/8", "127.0.0.1", "bank.example:1", "other.example"):
            with pytest.raises(NoResponseError):
                await get(guard(exemption, resolve=resolve), url)
        assert server.connections == 1


async def test_redirect_is_not_followed() -> None:
    async with listening(http_server(OK)) as private:
        redirect = f"HTTP/1.1 302 X\r\nlocation: http://127.0.0.1:{private.port}/\r\n"
        response = f"{redirect}content-length: 0\r\n\r\n".encode()
        async with listening(http_server(response)) as server:
            answer = await get(guard("127.0.0.1"), f"http://127.0.0.1:{server.port}/")
        assert answer.status == 302
        assert private.connections == 0


async def test_response_that_arrives_byte_by_byte_is_ended() -> None:
    sent_bytes = 0

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent_bytes
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n")
        while True:
            writer.write(b" ")
            sent_bytes += 1
            await writer.drain()
            await asyncio.sleep(0.02)

    async with listening(drip) as server:
        with pytest.raises(NoResponseError) as caught:
            await get(guard("127.0.0.1"), f"http://127.0.0.1:{server.port}/", timeout_s=0.2)
        assert caught.value.is_sent
    assert sent_bytes < 1000  # 20 seconds; all of it takes 200


async def test_endless_body_is_ended() -> None:
    sent_bytes = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent_bytes
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b" " * 65_536)
            sent_bytes += 65_536
            await writer.drain()

    async with listening(flood) as server:
        with pytest.raises(NoResponseError):
            await get(guard("127.0.0.1"), f"http://127.0.0.1:{server.port}/", timeout_s=60)
    assert sent_bytes < 50_000_000  # buffers of the system, not a minute of data


async def test_compressed_response_is_not_unpacked() -> None:
    bomb = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n\x1f\x8b"
    heads: list[str] = []
    async with listening(http_server(bomb, heads)) as server:
        with pytest.raises(NoResponseError):
            await get(guard("127.0.0.1"), f"http://127.0.0.1:{server.port}/")
    assert "Accept-Encoding: identity" in heads[0]


async def test_every_failure_has_the_same_words_and_its_reason_is_in_the_log() -> None:
    """Otherwise a form could be used to find out what runs in the network of the server."""
    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))
    texts: set[str] = set()
    async with listening() as silent, listening(http_server(b"SSH-2.0\r\n\r\n")) as other:
        urls = [
            f"http://127.0.0.1:{closed.getsockname()[1]}/",  # refused
            f"http://127.0.0.1:{silent.port}/",  # silent
            f"http://127.0.0.1:{other.port}/",  # another protocol
            f"https://127.0.0.1:{silent.port}/",
            "http://10.0.0.1/",  # denied
            "https://nowhere.example/",  # unknown
            "http://127.0.0.1:99999/",
        ]
        with capture_logs() as logs:
            for url in urls:
                with pytest.raises(NoResponseError) as caught:
                    await get(guard("127.0.0.1", resolve=ScriptedResolver([])), url, timeout_s=0.2)
                texts.add(str(caught.value))
    closed.close()
    assert texts == {"no answer"}
    assert [entry["event"] for entry in logs] == ["outbound.failed"] * len(urls)
    details = " ".join(entry["detail"] for entry in logs)
    for reason in ("not a public host", "ConnectionRefusedError", "no such name"):
        assert reason in details


async def test_proxies_and_passwords_of_the_environment_are_ignored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    heads: list[str] = []
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login spy password spy")
    async with listening() as proxy, listening(http_server(OK, heads)) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NETRC", os.fspath(netrc))
        assert (await get(guard("127.0.0.1"), f"http://127.0.0.1:{server.port}/")).status == 200
        assert proxy.connections == 0
    assert "authorization" not in heads[0].lower()


async def test_proxy_of_the_settings_connects_to_public_names_only(tmp_path: Path) -> None:
    authority = make_authority()
    connects: list[str] = []
    async with listening(
        http_server(OK), tls=server_context(authority, tmp_path, "api.yookassa.ru")
    ) as bank:

        async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            connects.append(head.split(b"\r\n")[0].decode())
            from_bank, to_bank = await asyncio.open_connection("127.0.0.1", bank.port)
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            try:
                await asyncio.gather(_copy(reader, to_bank), _copy(from_bank, writer))
            finally:
                to_bank.close()

        async with listening(tunnel) as proxy:
            resolve = ScriptedResolver([])
            outbound = guard(resolve=resolve, proxy=f"http://127.0.0.1:{proxy.port}")
            answer = await get(outbound, "https://api.yookassa.ru/v3/me", authority.pem)
            assert answer.body == b"ok"
            for url in ("https://127.0.0.1/", "https://db.internal/", "https://10.0.0.1/"):
                with pytest.raises(NoResponseError):
                    await get(outbound, url, authority.pem)
            with pytest.raises(NoResponseError):
                await get(outbound, "http://api.yookassa.ru/")
    assert connects == ["CONNECT api.yookassa.ru:443 HTTP/1.1"]
    assert resolve.names == []  # the proxy resolves


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


async def test_cookies_are_not_stored() -> None:
    heads: list[str] = []
    response = OK.replace(b"\r\n\r\n", b"\r\nset-cookie: a=b\r\nconnection: close\r\n\r\n", 1)
    async with (
        listening(http_server(response, heads)) as server,
        open_client(guard("127.0.0.1")) as client,
    ):
        for _ in range(2):
            await http.send(
                client, "GET", f"http://127.0.0.1:{server.port}/", timeout_s=5, max_bytes=100
            )
    assert "cookie" not in heads[1].lower()


async def test_other_schemes_have_no_transport() -> None:
    async with open_client(guard("127.0.0.1")) as client:
        with pytest.raises(httpx.UnsupportedProtocol):
            await client.get("ftp://127.0.0.1/")


async def test_names_are_resolved_in_threads_of_their_own_within_the_deadline() -> None:
    release, threads = threading.Event(), list[threading.Thread]()

    def lookup(host: str) -> list[str]:
        threads.append(threading.current_thread())
        release.wait(30)
        return ["8.8.8.8"]

    outbound = Outbound(resolve=SystemResolver(lookup))
    with pytest.raises(TimeoutError):
        await outbound.connect("a.example", 443, "https", is_encrypted=True, timeout_s=0.1)
    assert [thread.daemon for thread in threads] == [True]  # the process does not wait for it
    assert threads[0] is not threading.main_thread()
    release.set()
    threads[0].join()


async def test_tls_contexts_are_built_in_a_thread_and_once() -> None:
    outbound, pem = Outbound(), make_authority().pem
    first, second = await asyncio.gather(outbound.tls_context(pem), outbound.tls_context(pem))
    assert first is second
    assert first is not await outbound.tls_context(make_authority().pem)
    assert await outbound.with_exemptions(()).tls_context(pem) is first
    with pytest.raises(OSError, match=r".*"):
        await outbound.tls_context("/proc/self/fd/6")


async def test_host_outside_the_list_is_not_even_resolved() -> None:
    """SIGMA_OUTBOUND_HOSTS: with a list, no other host is called, private or public."""
    resolve = ScriptedResolver(["8.8.8.8"])
    outbound = Outbound(Policy(hosts=("api.bank.example.org", "*.vk.ru")), resolve=resolve)
    for host in ("bank.example.org", "vk.ru", "api.vk.ru.example.org", "8.8.8.8"):
        with pytest.raises(DeniedError, match="SIGMA_OUTBOUND_HOSTS"):
            await outbound.connect(host, 443, "https", is_encrypted=True)
    assert resolve.names == []
    more = outbound.exempting("https://hooks.example.org")
    more.policy.check_host("hooks.example.org", 443, "https", is_encrypted=True)
    with pytest.raises(DeniedError, match="SIGMA_OUTBOUND_HOSTS"):
        more.policy.check_host("bank.example.org", 443, "https", is_encrypted=True)
