"""Sigma as people start it: a subprocess of the installed command, seen from outside only."""

import asyncio
import itertools
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

SIGMA = Path(sys.executable).with_name("sigma")
LOG = "output.log"
START_S = 60
STOP_S = 20

_keys = itertools.count(1)


@dataclass(frozen=True)
class Demo:
    """A running demo: what it told in demo.json, and its doors for programs."""

    told: Mapping[str, str]
    http: httpx.AsyncClient

    @property
    def app(self) -> str:
        return self.told["app_url"]

    @property
    def bank(self) -> str:
        return f"{self.told['sandbox_url']}/bank"

    async def api(self, method: str, path: str, body: Any = None) -> Any:
        """An answer of the API; anything but success is an error of the test."""
        headers = {"Authorization": f"Bearer {self.told['api_key']}"}
        if method == "POST":
            headers["Idempotency-Key"] = f"browser-tests-{os.getpid()}-{next(_keys)}"
        answer = await self.http.request(
            method, f"{self.app}/api/v1{path}", json=body, headers=headers
        )
        assert answer.is_success, answer.text
        return answer.json()

    async def invoice(self, **more: Any) -> dict[str, Any]:
        """An open invoice that asks nothing; what matters is named."""
        usual = {"title": "Маникюр", "amount": {"value": "1500.00", "currency": "RUB"}}
        made: dict[str, Any] = await self.api("POST", "/invoices", usual | more)
        return made

    async def payments(self, invoice: Mapping[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (
            await self.api("GET", f"/payments?invoice_id={invoice['id']}")
        )["data"]
        return found

    async def pay_at_bank(self, bank_page: str, card: str) -> dict[str, Any]:
        """Pays as the browser at this card page would; answers the bank's payment."""
        at_bank = bank_page.partition("?")[0].rpartition("/")[2]
        paid = await self.http.post(f"{self.bank}/test/payments/{at_bank}/pay", json={"card": card})
        assert paid.is_success, paid.text
        body: dict[str, Any] = paid.json()
        return body

    async def control(self, **rules: Any) -> None:
        """Makes the sandbox world misbehave."""
        told = await self.http.post(f"{self.told['sandbox_url']}/control", json=rules)
        assert told.is_success, told.text

    async def letters(self, to: str) -> list[dict[str, Any]]:
        """Letters of one recipient, newest first."""
        box = f"{self.told['sandbox_url']}/mail/api/messages"
        found: list[dict[str, Any]] = (await self.http.get(box, params={"to": to})).json()
        return found

    async def letter(self, to: str, number: int) -> dict[str, Any]:
        """The letter of one recipient by its number from the first; waits until it is there."""
        for _ in range(100):
            if len(found := await self.letters(to)) >= number:
                return found[-number]
            await asyncio.sleep(0.1)
        raise AssertionError(f"letter {number} to {to} has not come")

    async def file(self, attachment: Mapping[str, str]) -> bytes:
        """The contents of an attachment."""
        return (await self.http.get(attachment["url"])).content


@asynccontextmanager
async def running_demo(folder: Path) -> AsyncIterator[Demo]:
    """`sigma demo` on free ports with data of its own; ended as Ctrl-C ends it."""
    port = free_port(1, 25)
    command = ["demo", "--port", str(port), "--data", str(folder)]
    async with running(command, folder, {}) as process:
        told = folder / "demo.json"

        async def written() -> bool:
            return await asyncio.to_thread(told.exists)

        await _ready(process, written, folder)
        async with httpx.AsyncClient(timeout=20) as http:
            yield Demo(json.loads(told.read_text()), http)


@asynccontextmanager
async def running(
    command: Sequence[str], folder: Path, settings: Mapping[str, str]
) -> AsyncIterator[Process]:
    """A command of Sigma in its own folder, with these settings and no others."""
    with (folder / LOG).open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            SIGMA, *command, cwd=folder, env=_clean() | settings, stdout=output, stderr=output
        )
    try:
        yield process
        early = process.returncode
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        try:
            code = await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            process.kill()
            raise
    assert early is None, f"sigma {command[0]} ended by itself: {_log(folder)}"
    assert code == 0, f"sigma {command[0]} ended with {code}: {_log(folder)}"


@asynccontextmanager
async def running_serve(folder: Path, settings: Mapping[str, str]) -> AsyncIterator[str]:
    """`sigma serve` on a free port; gives the address of the app."""
    port = free_port()
    settings = {"SIGMA_PORT": str(port), **settings}
    app = f"http://127.0.0.1:{port}"
    async with running(["serve"], folder, settings) as process, httpx.AsyncClient() as http:

        async def answers() -> bool:
            try:
                return (await http.get(f"{app}/readyz")).is_success
            except httpx.TransportError:
                return False

        await _ready(process, answers, folder)
        yield app


async def _ready(process: Process, done: Callable[[], Awaitable[bool]], folder: Path) -> None:
    for _ in range(START_S * 10):
        if await done():
            return
        assert process.returncode is None, f"Sigma did not start: {_log(folder)}"
        await asyncio.sleep(0.1)
    raise AssertionError(f"Sigma is not ready after {START_S} s: {_log(folder)}")


def _log(folder: Path) -> str:
    return (folder / LOG).read_text(errors="replace")[-5000:]


def _clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("SIGMA_")}


def free_port(*beside: int) -> int:
    """A free port; so are those that lie `beside` further on."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port < 65_000 and all(_is_free(port + n) for n in beside):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
