"""`python -m bench.people`: an installation with 1,000 shops and 3,000 people beside a small one.

Signing in, opening pages, switching shops and the lists must take as long as in the small one,
whose lists fill just one page: otherwise the number of displayed rows would be measured. The
operations of both installations alternate in rounds, so that a busy machine slows both alike.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from argon2 import PasswordHasher

from bench.stage import Harness, open_harness
from sigma.domain.accounts.member import Role, User
from sigma.domain.accounts.shop import Shop
from sigma.domain.change import Change
from sigma.logs import configure
from sigma.services.accounts import api_keys, users
from sigma.services.passwords import PasswordHashing
from sigma.store import changes
from sigma.store.accounts import administrators, members
from sigma.store.accounts import users as user_rows
from sigma.store.schema.migrate import upgrade
from sigma.web.app import create_app
from sigma.web.cabinet.guards import SESSION_COOKIE
from tests.postgres import postgres_server, run_sql, with_database

BASE_URL = "http://127.0.0.1:8000"
LOGIN, PASSWORD = "boss@example.org", "three random words"
SMALL_SHOPS, SMALL_PEOPLE = 30, 90  # one page of a list, three people in each shop
MAX_RATIO = 1.5  # median of the rounds; more is "slower"
Operation = Callable[[], Awaitable[object]]


@dataclass
class Installation:
    """An installation with a signed-in person who is a member of two shops."""

    harness: Harness
    http: httpx.AsyncClient
    shop_ids: list[str]
    csrf: str = ""
    switch_count: int = 0

    async def get(self, path: str) -> None:
        """Open a page and require that it is complete."""
        response = await self.http.get(path)
        assert response.status_code == 200, (path, response.status_code)

    async def sign_in(self) -> None:
        """Sign in with a cheap password hash: the real one takes the same time everywhere."""
        await users.sign_in(self.harness.ctx, LOGIN, PASSWORD, ip="198.51.100.1")

    async def switch(self) -> None:
        """Switch to the other shop, and read the new token of the forms."""
        self.switch_count += 1
        shop_id = self.shop_ids[self.switch_count % len(self.shop_ids)]
        form = {"csrf": self.csrf, "shop": shop_id}
        headers = {"origin": BASE_URL, "sec-fetch-site": "same-origin"}
        response = await self.http.post("/shops/switch", data=form, headers=headers)
        assert response.status_code == 303, response.status_code
        session = await users.find_session(self.harness.ctx, self.http.cookies[SESSION_COOKIE])
        assert session is not None
        assert session.shop.id == shop_id
        self.csrf = session.csrf

    async def authenticate(self) -> None:
        """Authenticate an API key."""
        await api_keys.authenticate(self.harness.ctx, self.harness.api_key)

    def operations(self) -> dict[str, Operation]:
        """Return what is measured, by name."""
        return {
            "sign in": self.sign_in,
            "API key": self.authenticate,
            "home page": lambda: self.get("/"),
            "invoices": lambda: self.get("/invoices"),
            "switch shop": self.switch,
            "my shops": lambda: self.get("/shops"),
            "team": lambda: self.get("/settings/team"),
            "all shops": lambda: self.get("/installation/shops"),
            "search of a shop": lambda: self.get("/installation/shops?q=999"),
        }


async def seed(harness: Harness, shop_count: int, people_count: int) -> list[str]:
    """Create shops and people, and the person LOGIN; return the ids of that person's shops."""
    ctx, now_us = harness.ctx, harness.ctx.now_us()
    shops = [Shop(ctx.new_id("shp"), f"Магазин {n}", now_us) for n in range(1, shop_count)]
    for start in range(0, len(shops), 200):
        await changes.commit(ctx.db, Change(tuple(shops[start : start + 200])), now_us)
    shop_ids = [harness.member.shop_id, *(shop.id for shop in shops)]
    for start in range(0, people_count, 200):
        async with ctx.db.write() as tx:
            for n in range(start, min(start + 200, people_count)):
                shop_id = shop_ids[n % len(shop_ids)]
                user_id = ctx.new_id("usr", shop_id)
                user = User(user_id, f"person{n}@example.org", "", f"Сотрудник {n}", "ru", now_us)
                await user_rows.save(tx, user)
                role = Role.OWNER if n < len(shop_ids) else Role.OPERATOR
                await members.add(tx, shop_id, user_id, role, now_us)
    return await _add_boss(harness, shop_ids)


async def _add_boss(harness: Harness, shop_ids: list[str]) -> list[str]:
    ctx, now_us = harness.ctx, harness.ctx.now_us()
    second = Shop(ctx.new_id("shp"), "Второй", now_us)
    await changes.commit(ctx.db, Change((second,)), now_us)
    own_ids = [shop_ids[len(shop_ids) // 2], second.id]
    password_hash = await ctx.passwords.hash(PASSWORD)
    user = User(ctx.new_id("usr"), LOGIN, password_hash, "", "ru", now_us)
    async with ctx.db.write() as tx:
        await user_rows.save(tx, user)
        for shop_id in own_ids:
            await members.add(tx, shop_id, user.id, Role.OWNER, now_us)
        await administrators.add(tx, user.id, now_us)
    return own_ids


async def open_installation(
    stack: AsyncExitStack, url: str, shop_count: int, people_count: int
) -> Installation:
    """Open a migrated database, seed it, and sign in."""
    harness = await stack.enter_async_context(open_harness(url))
    cheap = PasswordHashing(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    harness.ctx = replace(harness.ctx, passwords=cheap)
    shop_ids = await seed(harness, shop_count, people_count)
    app: Any = create_app(harness.ctx)
    transport = httpx.ASGITransport(app)
    http = await stack.enter_async_context(
        httpx.AsyncClient(transport=transport, base_url=BASE_URL)
    )
    signed = await users.sign_in(harness.ctx, LOGIN, PASSWORD, ip="198.51.100.1")
    http.cookies.set(SESSION_COOKIE, signed.secret)
    session = await users.find_session(harness.ctx, signed.secret)
    assert session is not None
    return Installation(harness, http, shop_ids, session.csrf)


@dataclass
class Times:
    """Times of one operation in milliseconds, in the small and in the large installation."""

    small_ms: list[float] = field(default_factory=list)
    large_ms: list[float] = field(default_factory=list)


async def measure(small: Installation, large: Installation, rounds: int) -> dict[str, Times]:
    """Measure all operations of both installations in turns."""
    times: dict[str, Times] = {}
    pairs = {
        name: (operation, large.operations()[name])
        for name, operation in small.operations().items()
    }
    for number in range(rounds + 3):  # the first rounds compile templates and statements
        for name, operations in pairs.items():
            measured = times.setdefault(name, Times())
            for operation, values in zip(
                operations, (measured.small_ms, measured.large_ms), strict=True
            ):
                started_s = time.perf_counter()
                await operation()
                if number >= 3:
                    values.append((time.perf_counter() - started_s) * 1000)
    return times


async def run(database: str, urls: tuple[str, str], args: argparse.Namespace) -> bool:
    """Measure one database; print a table. Returns whether nothing is slower."""
    async with AsyncExitStack() as stack:
        small = await open_installation(stack, urls[0], SMALL_SHOPS, SMALL_PEOPLE)
        large = await open_installation(stack, urls[1], args.shops, args.people)
        times = await measure(small, large, args.rounds)
    is_fast = True
    print(f"\n{database}: {SMALL_SHOPS} shops beside {args.shops} with {args.people} people, ms")
    print(f"{'':<20}{'few p50':>9}{'many p50':>10}{'ratio':>7}{'few p95':>9}{'many p95':>10}")
    for name, measured in times.items():
        few, many = statistics.median(measured.small_ms), statistics.median(measured.large_ms)
        rounds = zip(measured.large_ms, measured.small_ms, strict=True)
        ratio = statistics.median(large_ms / small_ms for large_ms, small_ms in rounds)
        p95 = [statistics.quantiles(v, n=20)[18] for v in (measured.small_ms, measured.large_ms)]
        is_slower = ratio > MAX_RATIO
        is_fast = is_fast and not is_slower
        verdict = "  slower" if is_slower else ""
        print(
            f"{name:<20}{few:>9.2f}{many:>10.2f}{ratio:>7.2f}{p95[0]:>9.2f}{p95[1]:>10.2f}{verdict}"
        )
    return is_fast


def main() -> int:
    """Measure SQLite and PostgreSQL. Exit code 1 when something is slower with many shops."""
    parser = argparse.ArgumentParser(prog="python -m bench.people", description=__doc__)
    parser.add_argument("--shops", type=int, default=1000)
    parser.add_argument("--people", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=60)
    args = parser.parse_args()
    configure("error", "json")
    with tempfile.TemporaryDirectory() as folder:
        urls = tuple(f"sqlite:///{Path(folder)}/{name}.db" for name in ("one", "many"))
        for url in urls:
            upgrade(url)
        is_fast = asyncio.run(run("SQLite", (urls[0], urls[1]), args))
    with postgres_server() as server:
        names = ("bench_one", "bench_many")
        for name in names:
            run_sql(server, f"CREATE DATABASE {name}")
            upgrade(with_database(server, name))
        pair = (with_database(server, names[0]), with_database(server, names[1]))
        is_fast = asyncio.run(run("PostgreSQL", pair, args)) and is_fast
    return 0 if is_fast else 1


if __name__ == "__main__":
    sys.exit(main())
