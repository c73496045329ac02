"""The world as a whole: it starts and stops cleanly and keeps what it answered for."""

import asyncio
import socket
from pathlib import Path

import httpx
import pytest

from sigma_sandbox.app import SandboxConfig, run_sandbox, start_sandbox
from sigma_sandbox.bank.cards import TEST_CARDS
from sigma_sandbox.faults import MEANINGS, Effect
from sigma_sandbox.server import bind
from tests.sandbox.merchants import Merchant, wish


async def test_a_restart_keeps_everything(tmp_path: Path) -> None:
    config = SandboxConfig(base_url="", data_dir=tmp_path)
    async with httpx.AsyncClient(timeout=5) as http:
        async with start_sandbox(config) as first:
            shop = Merchant(first, http)
            setup = f"{first.base_url}/bank/test/shops/{shop.id}"
            await http.post(setup, json={"notification_url": "http://127.0.0.1:9/hook"})
            paid = await shop.paid()
            made = (await shop.post("/payments", wish(), "key-1")).json()
            first.mail.accept("a@x.ru", ["b@x.ru"], b"Subject: 1\n\ntext")
        async with start_sandbox(config) as second:
            again = Merchant(second, http, shop.id)
            assert (await again.get(f"/payments/{paid['id']}")).json() == paid
            assert (await again.post("/payments", wish(), "key-1")).json()["id"] == made["id"]
            await again.control(clock_offset_s=3700)
            assert second.bank.payments[made["id"]].status == "canceled"
            assert second.bank.shops[shop.id].notification_url == "http://127.0.0.1:9/hook"
            assert [one.sender for one in second.mail.newest()] == ["a@x.ru"]
    assert b"2202474301322987" not in (tmp_path / "sandbox.sqlite3").read_bytes()


async def test_a_taken_port_is_an_oserror() -> None:
    async with start_sandbox() as running:
        port = httpx.URL(running.base_url).port
        with pytest.raises(OSError, match=f"127.0.0.1:{port}"):
            await run_sandbox(SandboxConfig(base_url=""), "127.0.0.1", port or 0)
        taken = SandboxConfig(base_url="", smtp_port=running.smtp_port)
        with pytest.raises(OSError, match=f"127.0.0.1:{running.smtp_port}"):
            await run_sandbox(taken, "127.0.0.1", 0)


def test_the_socket_lets_asyncio_turn_nagle_off() -> None:
    with bind("127.0.0.1", 0) as sock:
        assert sock.proto == socket.IPPROTO_TCP


async def test_a_cancelled_sandbox_lets_its_ports_go() -> None:
    async with start_sandbox() as running:
        port = httpx.URL(running.base_url).port or 0
    serving = asyncio.create_task(run_sandbox(SandboxConfig(base_url=""), "127.0.0.1", port))
    async with httpx.AsyncClient() as http:
        for _ in range(100):
            await asyncio.sleep(0.01)
            try:
                assert (await http.get(f"http://127.0.0.1:{port}/")).status_code == 200
                break
            except httpx.ConnectError:
                continue
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    async with start_sandbox(port=port) as again:
        assert again.base_url.endswith(str(port))


async def test_a_foreign_page_cannot_change_the_sandbox(merchant: Merchant) -> None:
    url = f"{merchant.sandbox.base_url}/control"
    answer = await merchant.http.post(
        url, json={"http_429": True}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403


def test_every_effect_and_card_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text()
    missing = [effect for effect in MEANINGS if f"`{effect}`" not in text]
    assert not missing
    assert all(card.number in text for card in TEST_CARDS)
    assert set(MEANINGS) == set(Effect)
