"""`python -m bench.fairness`: how long a client waits for its receipt while others are in trouble.

Real processes and real HTTP: `sigma serve` (with a `sigma worker` on PostgreSQL), the sandbox's
bank and mailbox. Clients of one shop pay; half of them come back from the bank, the others close
the page, so that only the bank's notice reports the payment. Measured from the posted form until
the bank's page is known, and from the payment at the bank until the receipt page is final and until
the mail server has the receipt. Beside a calm run:

- dead servers: 40 shops have an acquirer and a mail server that accept connections and never
  answer, each with 10 due payments and 10 due mails; their clients go on paying. One more shop has
  10,000 due jobs that query a slow acquirer
- flood: every five seconds 160 payment starts from one address and 160 from as many addresses, at
  one invoice of another shop
"""

import argparse
import asyncio
import itertools
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

from bench import dead_servers, load
from bench.create import running_server
from bench.stage import Harness, open_harness
from sigma.domain.billing.invoice import Invoice
from sigma.logs import configure
from sigma.services.billing import connections
from sigma.services.clock import clock
from sigma.store.engine.interface import Database
from sigma.store.engine.statements import text_statement
from sigma.store.schema.migrate import upgrade
from sigma_sandbox.app import Sandbox, start_sandbox
from tests.outbound.local import LOCAL
from tests.postgres import postgres_server, run_sql, with_database
from tests.world import MIR_CARD, TestSettings

PORT = 28190
ACCOUNT = "1"
TARGET_P95_S = 3.0
PATIENCE_S = 60.0
FORM = {"email": "", "phone": "8 916 765-43-21", "consent": "yes"}
ALIVE = text_statement("SELECT id FROM workers WHERE alive_until_us > :now_us", "now_us")
addresses = itertools.count(1)


@dataclass
class Waits:
    """Waiting times of one run in seconds."""

    name: str
    start_s: list[float] = field(default_factory=list)  # the form, until the bank's page is known
    page_s: list[float] = field(default_factory=list)  # the client comes back
    letter_s: list[float] = field(default_factory=list)
    notice_letter_s: list[float] = field(default_factory=list)  # the client closes the page

    def format_row(self) -> str:
        """Format p50 and p95 of each time."""
        cells = [_p50_p95(times) for times in self._columns]
        return f"{self.name:<34}" + "".join(f"{cell:>18}" for cell in cells)

    @property
    def worst_p95_s(self) -> float:
        """The largest p95 of the four."""
        return max(_cut(times, 95) for times in self._columns)

    @property
    def _columns(self) -> tuple[list[float], ...]:
        return self.start_s, self.page_s, self.letter_s, self.notice_letter_s


def _cut(times: Sequence[float], percent: int) -> float:
    return statistics.quantiles(times, n=100)[percent - 1]


def _p50_p95(times: Sequence[float]) -> str:
    return f"{_cut(times, 50):.2f} / {_cut(times, 95):.2f}"


@dataclass
class Town:
    """Everything that a run needs."""

    harness: Harness
    sandbox: Sandbox
    http: httpx.AsyncClient

    async def pay(self, invoice: Invoice, waits: Waits, *, comes_back: bool) -> None:
        """Pay an invoice as a client and measure the waiting times."""
        email = f"client-{invoice.number}-{next(addresses)}@example.net"
        headers = {"x-forwarded-for": new_address()}
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{PORT}", headers=headers, timeout=PATIENCE_S
        ) as client:
            started_s = time.perf_counter()
            response = await submit(client, invoice, FORM | {"email": email})
            payment_id = await find_bank_page(client, response)
            waits.start_s.append(time.perf_counter() - started_s)
            url = f"{self.sandbox.base_url}/bank/test/payments/{payment_id}/pay"
            return_url = self.sandbox.bank.payments[payment_id].return_url
            paid = await self.http.post(url, json={"card": MIR_CARD})
            assert paid.status_code == 200, paid.text
            paid_s, paid_at_us = time.perf_counter(), time.time_ns() // 1000
            if comes_back:
                page = await client.get(return_url, follow_redirects=True)
                while not page.url.path.startswith("/r/"):
                    await asyncio.sleep(0.1)
                    page = await client.get(return_url, follow_redirects=True)
                waits.page_s.append(time.perf_counter() - paid_s)
            letter_s = (await self.received_at_us(email) - paid_at_us) / 1e6
            (waits.letter_s if comes_back else waits.notice_letter_s).append(letter_s)

    async def received_at_us(self, email: str) -> int:
        """Wait for the receipt's mail; return when the mail server got it."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for mail in reversed(self.sandbox.mailbox.emails.values()):
                    if email in mail.recipients:
                        return mail.received_at_us
                await asyncio.sleep(0.05)


def new_address() -> str:
    """Return another client's address."""
    number = next(addresses)
    return f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::1"


async def submit(
    client: httpx.AsyncClient, invoice: Invoice, form: dict[str, str]
) -> httpx.Response:
    """Open the payment page and submit its form."""
    page = await client.get(f"/i/{invoice.token}")
    nonce = re.search(r'name="nonce" value="([^"]+)"', page.text)
    assert nonce, page.status_code
    consent = re.search(r'name="consent" value="([^"]+)"', page.text)
    more = {"nonce": nonce[1]} | ({"consent": consent[1]} if consent else {})
    return await client.post(f"/i/{invoice.token}", data=form | more)


async def find_bank_page(client: httpx.AsyncClient, response: httpx.Response) -> str:
    """Return the payment that the bank's page names; the waiting page leads there if it is late."""
    waiting_page = ""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            location = response.headers.get("location", "")
            if found := re.search(r"/bank/checkout/([\w-]+)", location):
                return found[1]
            assert response.status_code in (200, 303), response.text
            waiting_page = location or waiting_page
            await asyncio.sleep(0 if location else 0.1)
            response = await client.get(waiting_page)


async def measure(town: Town, waits: Waits, args: argparse.Namespace) -> None:
    """Let clients pay, one every `args.pause` seconds."""
    invoices = [await town.harness.create_invoice() for _ in range(args.clients)]
    async with asyncio.TaskGroup() as clients:
        for number, invoice in enumerate(invoices):
            clients.create_task(town.pay(invoice, waits, comes_back=number % 2 == 0))
            await asyncio.sleep(args.pause)


async def keep_paying(invoices: Sequence[Invoice]) -> None:
    """Submit the forms of shops whose acquirer is dead, two per second, until cancelled."""
    async with asyncio.TaskGroup() as tasks:
        for invoice in itertools.cycle(invoices):
            tasks.create_task(_submit_once(invoice))
            await asyncio.sleep(0.5)


async def _submit_once(invoice: Invoice) -> None:
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{PORT}",
        headers={"x-forwarded-for": new_address()},
        timeout=PATIENCE_S,
    ) as client:
        response = await submit(client, invoice, FORM | {"email": "client@example.net"})
        assert response.status_code in (303, 429), response.status_code


async def keep_flooding(invoice: Invoice) -> None:
    """Start 320 payments of one invoice every five seconds, until cancelled."""
    body = "email=a%40example.net&consent=yes&nonce="
    while True:
        one, many = ["198.51.100.7"] * 160, [new_address() for _ in range(160)]
        await asyncio.gather(
            asyncio.sleep(5), *(_post(invoice, ip, f"{body}{n}") for n, ip in enumerate(one + many))
        )


async def _post(invoice: Invoice, address: str, body: str) -> None:
    headers = {
        "X-Forwarded-For": address,
        "Content-Type": "application/x-www-form-urlencoded",
        "Connection": "close",
    }
    connection = await load.connect(PORT)
    request = load.build_request("POST", f"/i/{invoice.token}", headers, body.encode())
    await connection.send(request)
    connection.close()


async def wait_for_worker(db: Database) -> None:
    """Wait for the first heartbeat of the worker."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            async with db.read() as tx:
                if await tx.fetch_all(ALIVE, now_us=clock()):
                    return
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running_sigma(db: Database, url: str, settings: Mapping[str, str]) -> AsyncIterator[None]:
    """Run `sigma serve`, and on PostgreSQL `sigma worker`."""
    async with running_server(url, PORT, settings):
        if url.startswith("sqlite"):
            yield
            return
        env = os.environ | settings | {"SIGMA_DATABASE_URL": url, "SIGMA_LOG_LEVEL": "error"}
        env["SIGMA_BASE_URL"] = f"http://127.0.0.1:{PORT}"
        command = [str(Path(sys.executable).with_name("sigma")), "worker"]
        worker = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)  # noqa: ASYNC220
        try:
            await wait_for_worker(db)
            yield
        finally:
            worker.terminate()
            worker.wait(15)


@asynccontextmanager
async def background(*coroutines: object) -> AsyncIterator[None]:
    """Run coroutines while the block runs, then cancel them."""
    tasks = [asyncio.ensure_future(one) for one in coroutines]  # type: ignore[call-overload]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                print(f"the trouble itself failed: {result!r}")


async def measure_database(name: str, url: str, args: argparse.Namespace) -> list[Waits]:
    """Measure the calm run, the dead servers and the flood on one database."""
    rows = [Waits(f"{name}, {run}") for run in ("calm", "dead servers", "flood")]
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(start_sandbox())
        servers = await stack.enter_async_context(dead_servers.open_servers())
        harness = await stack.enter_async_context(open_harness(url))
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=PATIENCE_S))
        town = Town(harness, sandbox, http)
        settings = dict(dead_servers.settings_of(sandbox.smtp_port))
        ctx = replace(
            harness.ctx, settings=TestSettings(base_url=f"http://127.0.0.1:{PORT}"), outbound=LOCAL
        )
        harness.ctx = ctx
        base_url = f"{sandbox.base_url}/bank/v3"
        await dead_servers.connect(ctx, harness.member, ACCOUNT, base_url)
        (connection,) = await connections.list_for_shop(ctx, harness.member)
        shop = {"name": "Студия", "notification_url": connections.notice_url(ctx, connection)}
        await http.post(f"{sandbox.base_url}/bank/test/shops/{ACCOUNT}", json=shop)
        async with running_sigma(harness.ctx.db, url, settings):
            await measure(town, Waits("warm-up"), argparse.Namespace(clients=4, pause=0.1))
            await measure(town, rows[0], args)
            flooded = await harness.create_invoice()
            async with background(keep_flooding(flooded)):
                await measure(town, rows[2], args)
        dead = await dead_servers.add_shops_of_dead_servers(harness, servers, args.dead_shops)
        await dead_servers.add_flooded_shop(harness, servers)
        async with running_sigma(harness.ctx.db, url, settings), background(keep_paying(dead)):
            await measure(town, rows[1], args)
    return rows


async def _run_all(args: argparse.Namespace) -> list[Waits]:
    rows: list[Waits] = []
    with tempfile.TemporaryDirectory() as folder, postgres_server(fsync=True) as server:
        run_sql(server, "CREATE DATABASE fairness")
        urls = {
            "SQLite": f"sqlite:///{Path(folder) / 'fairness.db'}",
            "PostgreSQL": with_database(server, "fairness"),
        }
        for name, url in urls.items():
            if args.database in name.lower():
                await asyncio.to_thread(upgrade, url)
                rows += await measure_database(name, url, args)
    return rows


def main() -> None:
    """Parse the options, measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.fairness", description=__doc__)
    parser.add_argument("--clients", type=int, default=40, help="clients of each run")
    parser.add_argument("--pause", type=float, default=0.3, help="seconds between two clients")
    parser.add_argument("--dead-shops", type=int, default=40, help="shops of dead servers")
    parser.add_argument("--database", default="", help="sqlite or postgresql; both by default")
    configure("error")
    start_s = time.perf_counter()
    rows = asyncio.run(_run_all(parser.parse_args()))
    titles = ("start", "page", "letter", "letter by notice")
    print(f"{'seconds, p50 / p95':<34}" + "".join(f"{title:>18}" for title in titles))
    print("\n".join(row.format_row() for row in rows))
    late = [row.name for row in rows if row.worst_p95_s > TARGET_P95_S]
    print(f"p95 above {TARGET_P95_S:g} s: {', '.join(late) or 'none'}")
    print(f"measured in {time.perf_counter() - start_s:.0f} s")


if __name__ == "__main__":
    main()
