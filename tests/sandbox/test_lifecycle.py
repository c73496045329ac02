"""The sandbox process: start, stop, restart, ports, cross-site requests, documentation."""

import asyncio
import socket
import time
from pathlib import Path

import httpx
import pytest

from sigma_sandbox.app import SandboxConfig, run_sandbox, start_sandbox
from sigma_sandbox.bank.cards import TEST_CARDS
from sigma_sandbox.faults import EFFECTS, Effect
from sigma_sandbox.server import bind
from tests.sandbox.merchants import Merchant, payment_body


async def test_restart_keeps_payments_shops_and_mails(tmp_path: Path) -> None:
    config = SandboxConfig(base_url="", data_dir=tmp_path)
    async with httpx.AsyncClient(timeout=5) as http:
        async with start_sandbox(config) as first:
            shop = Merchant(first, http)
            setup = f"{first.base_url}/bank/test/shops/{shop.id}"
            await http.post(setup, json={"notification_url": "http://127.0.0.1:9/hook"})
            paid = await shop.complete_payment()
            pending = (await shop.post("/payments", payment_body(), "key-1")).json()
            first.mailbox.accept("a@x.ru", ["b@x.ru"], b"Subject: 1\n\ntext")
        async with start_sandbox(config) as second:
            again = Merchant(second, http, shop.id)
            assert (await again.get(f"/payments/{paid['id']}")).json() == paid
            assert (await again.post("/payments", payment_body(), "key-1")).json()["id"] == pending[
                "id"
            ]
            await again.inject_faults(clock_offset_s=3700)
            assert second.bank.payments[pending["id"]].status == "canceled"
            assert second.bank.shops[shop.id].notification_url == "http://127.0.0.1:9/hook"
            assert [one.sender for one in second.mailbox.list_newest()] == ["a@x.ru"]
    assert b"2202474301322987" not in (tmp_path / "sandbox.sqlite3").read_bytes()


async def test_port_in_use_raises_oserror() -> None:
    async with start_sandbox() as running:
        port = httpx.URL(running.base_url).port
        with pytest.raises(OSError, match=f"127.0.0.1:{port}"):
            await run_sandbox(SandboxConfig(base_url=""), "127.0.0.1", port or 0)
        same_smtp_port = SandboxConfig(base_url="", smtp_port=running.smtp_port)
        with pytest.raises(OSError, match=f"127.0.0.1:{running.smtp_port}"):
            await run_sandbox(same_smtp_port, "127.0.0.1", 0)


def test_socket_protocol_allows_tcp_nodelay() -> None:
    with bind("127.0.0.1", 0) as sock:
        assert sock.proto == socket.IPPROTO_TCP


async def _responds(http: httpx.AsyncClient, port: int) -> bool:
    try:
        return (await http.get(f"http://127.0.0.1:{port}/")).status_code == 200
    except httpx.ConnectError:
        return False


async def test_cancelled_sandbox_releases_its_ports() -> None:
    async with start_sandbox() as running:
        port = httpx.URL(running.base_url).port or 0
    serving = asyncio.create_task(run_sandbox(SandboxConfig(base_url=""), "127.0.0.1", port))
    async with httpx.AsyncClient() as http:
        deadline_s = time.monotonic() + 10
        while not await _responds(http, port):
            assert time.monotonic() < deadline_s, "the sandbox did not start"
            await asyncio.sleep(0.01)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    async with start_sandbox(port=port) as again:
        assert again.base_url.endswith(str(port))


async def test_cross_site_request_is_refused(merchant: Merchant) -> None:
    url = f"{merchant.sandbox.base_url}/control"
    response = await merchant.http.post(
        url, json={"http_429": True}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert response.status_code == 403


def test_every_fault_and_test_card_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text()
    missing = [effect for effect in EFFECTS if f"`{effect}`" not in text]
    assert not missing
    assert all(card.number in text for card in TEST_CARDS)
    assert set(EFFECTS) == set(Effect)
