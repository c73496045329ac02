"""`python -m bench.lists`: the lists, filters and searches of a shop with a million payments.

Requests go through the whole web application in one process, as a signed-in owner sees the pages
(with rows, totals, clients, options of the filters) or as a program reads the API.
"""

import argparse
import asyncio
import gc
import json
import os
import re
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import httpx

from bench.seed import seed
from bench.seed_rows import RARE_AMOUNT, RARE_TITLE
from bench.stage import SECRET, Harness, open_harness
from sigma.logs import configure
from sigma.services.accounts import users
from sigma.services.answer_codec import decrypt_values
from sigma.store.billing import answers
from sigma.store.engine.statements import text_statement
from sigma.store.schema.migrate import upgrade
from sigma.web.app import create_app
from sigma.web.cabinet.guards import SESSION_COOKIE
from tests.postgres import postgres_server, run_sql, with_database

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
START, END = "<!-- bench.lists: begin -->", "<!-- bench.lists: end -->"
WARM_UP = 3  # the first requests prepare statements and compile templates


@dataclass(frozen=True)
class PageTimes:
    """Latencies of one page on one database in milliseconds.

    `cpu_ms`: the mean CPU time of one request, of Sigma and of its database together: what the
    page costs on a machine that does other work meanwhile.
    """

    name: str
    times_ms: Sequence[float]
    cpu_ms: float

    @property
    def p50_ms(self) -> float:
        """The median."""
        return statistics.median(self.times_ms)

    @property
    def p99_ms(self) -> float:
        """The 99th percentile."""
        return statistics.quantiles(self.times_ms, n=100, method="inclusive")[98]


def requests_of(known: Mapping[str, str]) -> dict[str, tuple[str, dict[str, str]]]:
    """Return what is measured: name → (path, parameters). `known`: what the seeded shop has."""
    payments = _payment_filters(known) | _payment_searches(known)
    invoices = _invoice_filters(known)
    found = {f"payments, {name}": ("/payments", query) for name, query in payments.items()}
    found |= {f"invoices, {name}": ("/invoices", query) for name, query in invoices.items()}
    customers = {
        "all": {},
        "search: e-mail": {"q": known["email"]},
        "search: common name": {"q": "Анна Иванова"},
        "search: rare name": {"q": "Феврония"},
        "search: nothing": {"q": "Никодим"},
    }
    found |= {f"clients, {name}": ("/customers", query) for name, query in customers.items()}
    found["API: payments, all"] = ("/api/v1/payments", {})
    found["API: payments, e-mail"] = ("/api/v1/payments", {"email": known["email"]})
    return found


def _payment_filters(known: Mapping[str, str]) -> dict[str, dict[str, str]]:
    return {
        "all": {},
        "today": {"period": "today"},
        "this month": {"period": "month"},
        "last month": {"period": "last_month"},
        "own period of a year": {"created_from": "2024-06-01", "created_to": "2025-05-31"},
        "status: failed": {"status": "failed"},
        "status: paid": {"status": "captured"},
        "needs attention": {"attention": "yes"},
        "refunded": {"refunded": "any"},
        "not refunded, last month": {"refunded": "none", "period": "last_month"},
        "method: SBP": {"method": "sbp"},
        "method: SBP, failed (none)": {"method": "sbp", "status": "failed"},
        "connection": {"connection": known["connection"]},
        "service: rare": {"service": known["service"]},
        "member: rare": {"member": known["member"]},
        "sum from 10,000": {"amount_from": "10000"},
        "sum from 10,000, failed, last month": {
            "amount_from": "10000",
            "status": "failed",
            "period": "last_month",
        },
        "field is empty": {"empty": "wish"},
        "customer": {"customer_id": known["customer"]},
        "by sum": {"sort": "-amount"},
        "by sum, last month": {"sort": "-amount", "period": "last_month"},
        "by sum, rare service": {"sort": "-amount", "service": known["service"]},
        "oldest first": {"sort": "created"},
    }


def _payment_searches(known: Mapping[str, str]) -> dict[str, dict[str, str]]:
    return {
        "search: number": {"q": f"№ {known['number']}"},
        "search: common word": {"q": "маникюр"},
        "search: rare word": {"q": "мезороллер"},
        "search: two words": {"q": "маникюр покрытием"},
        "search: two words, rare together": {"q": "мезороллер лака"},
        "search: answer": {"q": "парковка рядом"},
        "search: nothing": {"q": "ничего такого"},
        "search: common sum": {"q": "1 500,00"},
        "search: rare sum": {"q": str(RARE_AMOUNT // 100)},
        "search: e-mail": {"q": known["email"]},
        "search: phone": {"q": known["phone"]},
        "search: common name": {"q": "Анна Иванова"},
        "search: rare name": {"q": "Феврония"},
        "search: last four digits": {"q": "4477"},
        "search: acquirer's id": {"q": known["external_id"]},
        "search: metadata": {"q": f"order={known['metadata']}"},
        "search by sum": {"q": "маникюр", "sort": "-amount"},
    }


def _invoice_filters(known: Mapping[str, str]) -> dict[str, dict[str, str]]:
    return {
        "all": {},
        "last month": {"period": "last_month"},
        "status: expired": {"status": "expired"},
        "status: open (none)": {"status": "open"},
        "service: rare": {"service": known["service"]},
        "member: rare": {"member": known["member"]},
        "by sum": {"sort": "-amount"},
        "search: number": {"q": f"№ {known['number']}"},
        "search: common word": {"q": "маникюр"},
        "search: rare word": {"q": "мезороллер"},
        "search: e-mail": {"q": known["email"]},
        "search: common name": {"q": "Анна Иванова"},
        "search: common sum": {"q": "1500"},
        "search: nothing": {"q": "ничего такого"},
    }


_RARE = text_statement(
    "SELECT p.id, p.customer_id, p.connection_id, p.provider_id, i.number FROM payments p"
    " JOIN invoices i ON i.id = p.invoice_id WHERE i.title = :title ORDER BY p.id DESC LIMIT 1",
    "title",
)
_METADATA = text_statement("SELECT metadata FROM invoices WHERE metadata <> '{}' LIMIT 1")
_SERVICE = text_statement(
    "SELECT service_id AS id FROM payments WHERE service_id IS NOT NULL"
    " GROUP BY service_id ORDER BY count(*) LIMIT 1"
)
_MEMBER = text_statement(
    "SELECT issuer AS id FROM payments GROUP BY issuer ORDER BY count(*) LIMIT 1"
)


_COUNTS = text_statement(
    "SELECT (SELECT count(*) FROM payments) AS payments,"
    " (SELECT count(*) FROM customers) AS clients"
)
_SESSIONS = text_statement("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")


async def read_known(harness: Harness) -> dict[str, str]:
    """Return one of each rare thing of the seeded shop, to search for."""
    ctx = harness.ctx
    async with ctx.db.read() as tx:
        row = await tx.fetch_one(_RARE, title=RARE_TITLE)
        assert row is not None, "the database is not seeded"
        stored = (await answers.list_latest(tx, [row["id"]]))[row["id"]]
        rare = [await tx.fetch_one(one) for one in (_METADATA, _SERVICE, _MEMBER)]
    metadata, service, member = rare
    assert metadata is not None
    assert service is not None
    assert member is not None
    given = decrypt_values(ctx.cipher, stored)
    return {
        "number": str(row["number"]),
        "customer": row["customer_id"],
        "connection": row["connection_id"],
        "external_id": row["provider_id"],
        "email": str(given["email"]),
        "phone": str(given["phone"]),
        "metadata": json.loads(metadata["metadata"])["order"],
        "service": service["id"],
        "member": member["id"],
    }


async def measure(url: str, count: int, far: int, only: str = "") -> list[PageTimes]:
    """Request each page `count` times; `far`: the page whose times stand for far ones.

    `only`: measure the pages whose names have this text, and no far ones.
    """
    async with open_harness(url) as harness:
        known = await read_known(harness)
        session = await users.sign_in(harness.ctx, "owner@example.org", SECRET, ip="bench")
        transport = httpx.ASGITransport(cast("Any", create_app(harness.ctx)))
        base = harness.ctx.settings.base_url
        server = await _server_processes(harness)
        gc.collect()
        gc.freeze()  # as `sigma serve` does
        async with httpx.AsyncClient(
            transport=transport,
            base_url=base,
            cookies={SESSION_COOKIE: session.secret},
            headers={"authorization": f"Bearer {harness.api_key}"},
            timeout=120,
        ) as http:
            measured = []
            for name, (path, query) in requests_of(known).items():
                if only not in name:
                    continue
                address = f"{path}?{urlencode(query)}"
                measured.append(_printed(await _time(http, name, address, count, server)))
            for path in () if only else ("/payments", "/invoices", "/customers"):
                address = await _far_page(http, path, far)
                name = f"{path[1:].replace('customers', 'clients')}, page {far}"
                measured.append(_printed(await _time(http, name, address, count, server)))
            return measured


def _printed(times: PageTimes) -> PageTimes:
    figures = f"{times.p50_ms:>8.1f}{times.p99_ms:>8.1f}{times.cpu_ms:>8.1f}"
    print(f"{times.name:<45}{figures}", flush=True)
    return times


async def count_rows(url: str) -> tuple[int, int]:
    """Return how many payments and clients a seeded database has."""
    async with open_harness(url) as harness, harness.ctx.db.read() as tx:
        row = await tx.fetch_one(_COUNTS)
    assert row is not None
    return row["payments"], row["clients"]


async def _server_processes(harness: Harness) -> list[Path]:
    """Return the files with the CPU times of PostgreSQL's sessions; none on SQLite.

    The time of a session that ends or starts meanwhile is wrong: see that page's CPU as missing.
    """
    if harness.ctx.db.dialect == "sqlite":
        return []
    async with harness.ctx.db.read() as tx:
        rows = await tx.fetch_all(_SESSIONS)
    return [Path(f"/proc/{row['pid']}/stat") for row in rows]


def _cpu_ms(server: Sequence[Path]) -> float:
    """Return the CPU time of this process and of the sessions of PostgreSQL so far."""
    ticks = 0
    for file in server:
        if file.exists():
            ticks += sum(map(int, file.read_text().rpartition(")")[2].split()[11:13]))
    return time.process_time() * 1000 + ticks * 1000 / os.sysconf("SC_CLK_TCK")


async def _time(
    http: httpx.AsyncClient, name: str, address: str, count: int, server: Sequence[Path]
) -> PageTimes:
    for _ in range(WARM_UP):
        (await http.get(address)).raise_for_status()
    times_ms = []
    cpu_ms = _cpu_ms(server)
    for _ in range(count):
        start_s = time.perf_counter()
        response = await http.get(address)
        times_ms.append((time.perf_counter() - start_s) * 1000)
        assert response.status_code == 200, f"{address}: {response.status_code}"
    return PageTimes(name, times_ms, (_cpu_ms(server) - cpu_ms) / count)


async def _far_page(http: httpx.AsyncClient, path: str, number: int) -> str:
    """Follow «Show more» to a page; return its address."""
    address = path
    for _ in range(number - 1):
        text = (await http.get(address)).text
        match = re.search(rf'href="({path}\?[^"]*cursor=[^"]+)"', text)
        assert match, address
        address = match[1].replace("&amp;", "&")
    return address


def render_table(results: Mapping[str, Sequence[PageTimes]]) -> str:
    """Return the measured times as a table of Markdown."""
    lines = ["| Page, ms | " + " | ".join(f"{one} p50 | p99 | CPU" for one in results) + " |"]
    lines.append("|---" + "|--:" * (3 * len(results)) + "|")
    for rows in zip(*results.values(), strict=True):
        cells = " | ".join(
            f"{one.p50_ms:.1f} | {one.p99_ms:.1f} | {one.cpu_ms:.1f}" for one in rows
        )
        lines.append(f"| {rows[0].name} | {cells} |")
    return "\n".join(lines)


def write_page(args: argparse.Namespace, table: str, load: str) -> None:
    """Put the table into docs/performance.md, between its two comments."""
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(START)
    tail = rest.partition(END)[2]
    day = datetime.now(UTC).date().isoformat()
    title = (
        f"Measured on {day}: {args.payments:,} payments, {args.clients:,} clients,"
        f" {args.requests} requests of each page. {os.cpu_count()} cores; load averages of the"
        f" machine meanwhile: {load}."
    )
    PAGE.write_text(f"{head}{START}\n{title}\n\n{table}\n{END}{tail}", encoding="utf-8")


def _load() -> str:
    """Return the number of running processes of the last minute."""
    return f"{os.getloadavg()[0]:.0f}"


async def _run(args: argparse.Namespace) -> None:
    loads = [_load()]
    results: dict[str, list[PageTimes]] = {}
    for url in args.url:
        name = "SQLite" if url.startswith("sqlite") else "PostgreSQL"
        args.payments, args.clients = await count_rows(url)
        results[name] = await measure(url, args.requests, args.far, args.only)
        loads.append(_load())
    if not args.url:
        results = await _seed_and_measure(args)
        loads.append(_load())
    table = render_table(results)
    print(table)
    if args.write:
        write_page(args, table, ", ".join(loads))


async def _seed_and_measure(args: argparse.Namespace) -> dict[str, list[PageTimes]]:
    results: dict[str, list[PageTimes]] = {}
    with tempfile.TemporaryDirectory() as folder, postgres_server(fsync=True) as server:
        run_sql(server, "CREATE DATABASE bench")
        urls = {
            "PostgreSQL": with_database(server, "bench"),
            "SQLite": f"sqlite:///{folder}/bench.db",
        }
        for name, url in urls.items():
            await asyncio.to_thread(upgrade, url)
            await seed(url, args.payments, args.clients)
            results[name] = await measure(url, args.requests, args.far, args.only)
    return results


def main() -> None:
    """Parse the options, seed and measure."""
    parser = argparse.ArgumentParser(prog="python -m bench.lists", description=__doc__)
    parser.add_argument(
        "--url", action="append", default=[], help="of a seeded database; may be repeated"
    )
    parser.add_argument("--payments", type=int, default=1_000_000)
    parser.add_argument("--clients", type=int, default=300_000)
    parser.add_argument("--requests", type=int, default=100, help="requests of each page")
    parser.add_argument("--far", type=int, default=100, help="number of a far page")
    parser.add_argument("--only", default="", help="pages whose names have this text")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    configure("warning")
    start_s = time.perf_counter()
    asyncio.run(_run(parser.parse_args()))
    print(f"\nmeasured in {time.perf_counter() - start_s:.0f} s")


if __name__ == "__main__":
    main()
