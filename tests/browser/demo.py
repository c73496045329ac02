"""Run Sigma as users do: the installed command in a subprocess, used only over HTTP."""

import asyncio
import itertools
import json
import os
import re
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

from tests.browser.waiting import TIMEOUT_MS, wait_until

SIGMA = Path(sys.executable).with_name("sigma")
LOG_NAME = "output.log"
START_TIMEOUT_MS = 60_000
STOP_TIMEOUT_S = 20

_keys = itertools.count(1)


@dataclass(frozen=True)
class Demo:
    """A running `sigma demo`. `info` is the content of its demo.json."""

    info: Mapping[str, str]
    http: httpx.AsyncClient

    @property
    def app_url(self) -> str:
        return self.info["app_url"]

    @property
    def bank_url(self) -> str:
        return f"{self.info['sandbox_url']}/bank"

    async def call_api(self, method: str, path: str, body: Any = None) -> Any:
        """Call the API; return the decoded response. Fails if the call does not succeed."""
        headers = {"Authorization": f"Bearer {self.info['api_key']}"}
        if method == "POST":
            headers["Idempotency-Key"] = f"browser-tests-{os.getpid()}-{next(_keys)}"
        response = await self.http.request(
            method, f"{self.app_url}/api/v1{path}", json=body, headers=headers
        )
        assert response.is_success, response.text
        return response.json()

    async def create_invoice(self, **more: Any) -> dict[str, Any]:
        """Create an open invoice without questions."""
        defaults = {"title": "Маникюр", "amount": {"value": "1500.00", "currency": "RUB"}}
        created: dict[str, Any] = await self.call_api("POST", "/invoices", defaults | more)
        return created

    async def list_payments(self, invoice: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the payments of an invoice."""
        page = await self.call_api("GET", f"/payments?invoice_id={invoice['id']}")
        data: list[dict[str, Any]] = page["data"]
        return data

    async def pay_at_bank(self, bank_page: str, card: str) -> dict[str, Any]:
        """Pay as a browser on this card page does; return the bank's payment."""
        payment_id = bank_page.partition("?")[0].rpartition("/")[2]
        response = await self.http.post(
            f"{self.bank_url}/test/payments/{payment_id}/pay", json={"card": card}
        )
        assert response.is_success, response.text
        body: dict[str, Any] = response.json()
        return body

    async def inject_faults(self, **rules: Any) -> None:
        """Inject faults into the sandbox. Rules: docs/sandbox.md."""
        response = await self.http.post(f"{self.info['sandbox_url']}/control", json=rules)
        assert response.is_success, response.text

    async def list_mails(self, recipient: str) -> list[dict[str, Any]]:
        """Return the mails of one recipient, newest first."""
        url = f"{self.info['sandbox_url']}/mail/api/messages"
        mails: list[dict[str, Any]] = (await self.http.get(url, params={"to": recipient})).json()
        return mails

    async def wait_for_mail(self, recipient: str, number: int) -> dict[str, Any]:
        """Wait for the `number`th mail of one recipient, counted from 1, and return it."""

        async def has_arrived() -> bool:
            return len(await self.list_mails(recipient)) >= number

        await wait_until(has_arrived)
        return (await self.list_mails(recipient))[-number]

    async def download(self, attachment: Mapping[str, str]) -> bytes:
        """Download an attachment."""
        return (await self.http.get(attachment["url"])).content


@asynccontextmanager
async def running_demo(folder: Path) -> AsyncIterator[Demo]:
    """Run `sigma demo` on free ports with its data in `folder`; stop it with SIGINT."""
    port = free_port(1, 25)
    command = ["demo", "--port", str(port), "--data", str(folder)]
    async with running(command, folder, {}) as process:
        info_file = folder / "demo.json"

        async def is_written() -> bool:
            return await asyncio.to_thread(info_file.exists)

        await _wait_until_ready(process, is_written, folder)
        async with httpx.AsyncClient(timeout=TIMEOUT_MS / 1000) as http:
            yield Demo(json.loads(info_file.read_text()), http)


@asynccontextmanager
async def running(
    command: Sequence[str], folder: Path, settings: Mapping[str, str]
) -> AsyncIterator[Process]:
    """Run a command of Sigma in `folder` with only these settings.

    Stops it with SIGINT. Fails if it ended earlier or with an exit code other than 0.
    """
    with (folder / LOG_NAME).open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            SIGMA,
            *command,
            cwd=folder,
            env={**_environ_without_settings(), **settings},
            stdout=output,
            stderr=output,
        )
    try:
        yield process
        early_code = process.returncode
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        try:
            code = await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            process.kill()
            raise
    assert early_code is None, f"sigma {command[0]} ended by itself: {_log_tail(folder)}"
    assert code == 0, f"sigma {command[0]} ended with {code}: {_log_tail(folder)}"


@asynccontextmanager
async def running_serve(folder: Path, settings: Mapping[str, str]) -> AsyncIterator[str]:
    """Run `sigma serve` on a free port; yield its URL once it is ready."""
    port = free_port()
    settings = {"SIGMA_PORT": str(port), **settings}
    app = f"http://127.0.0.1:{port}"
    async with running(["serve"], folder, settings) as process, httpx.AsyncClient() as http:

        async def is_ready() -> bool:
            try:
                return (await http.get(f"{app}/readyz")).is_success
            except httpx.TransportError:
                return False

        await _wait_until_ready(process, is_ready, folder)
        yield app


def printed_code(folder: Path) -> str:
    """Return the code of the first owner that `sigma serve` has printed."""
    match = re.search(r"code=([0-9a-z-]{14,})", (folder / LOG_NAME).read_text())
    assert match, "no code in the output"
    return match[1]


async def _wait_until_ready(
    process: Process, is_ready: Callable[[], Awaitable[bool]], folder: Path
) -> None:
    """Wait until Sigma is ready. Raises AssertionError with the end of its log."""

    async def is_ready_or_ended() -> bool:
        return process.returncode is not None or await is_ready()

    try:
        await wait_until(is_ready_or_ended, START_TIMEOUT_MS)
    except AssertionError as error:
        raise AssertionError(f"Sigma is not ready: {error}: {_log_tail(folder)}") from error
    assert process.returncode is None, f"Sigma did not start: {_log_tail(folder)}"


def _log_tail(folder: Path) -> str:
    return (folder / LOG_NAME).read_text(errors="replace")[-5000:]


def _environ_without_settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("SIGMA_")}


def free_port(*beside: int) -> int:
    """Return a free port `p` for which every `p + n` with n in `beside` is free too."""
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
