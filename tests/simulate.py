"""A seeded bad day for payments and refunds, and whether the bank's books and ours agree after it.

    python -m tests.simulate --seed 17 --database sqlite
    python -m tests.simulate --seed 1 --days 500 --database postgresql

`day` writes the script of a seed; this plays it, one act after another, and at most the acts that
mean it put many calls at once. A failing seed prints its script and can be played again.
"""

import argparse
import asyncio
import logging
import random
import secrets
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import httpx
import structlog

from sigma.channels.email import MailRefused, Outgoing
from sigma.channels.vk.client import Clients
from sigma.domain.accounts.member import Member, Role, User
from sigma.domain.accounts.shop import Shop
from sigma.domain.change import Change
from sigma.providers.base import Provider
from sigma.providers.registry import close_providers, open_providers
from sigma.services.billing import connections
from sigma.services.context import Context, Ids
from sigma.store import changes
from sigma.store.accounts import users
from sigma.store.database import open_database
from sigma.store.encryption import Sealer
from sigma.store.engine.interface import Database
from sigma.store.schema.migrate import upgrade
from sigma_sandbox.app import Sandbox, start_sandbox
from tests.day import write_day
from tests.players import Players
from tests.postgres import postgres_server
from tests.world import ACCOUNTS, SELLER, Clock, TestSettings, World


class Inbox:
    """A mail server of few words; every seventh letter must be sent again."""

    def __init__(self) -> None:
        self.tries = 0
        self.taken: list[str] = []

    async def send(self, message: Outgoing) -> str:
        self.tries += 1
        if self.tries % 7 == 0:
            raise MailRefused(final=False, answer="451 busy")
        self.taken.append(message.message_id)
        return "250 ok"


@dataclass
class House:
    """What all days share: a database, the sandbox, open connections."""

    db: Database
    sandbox: Sandbox
    http: httpx.AsyncClient
    providers: dict[str, Provider]
    sealer: Sealer


@asynccontextmanager
async def open_house(database_url: str, sandbox: Sandbox) -> AsyncIterator[House]:
    """A house on a migrated database."""
    db = await open_database(database_url)
    providers = open_providers(lambda _: httpx.AsyncClient(verify=False))
    sealer = Sealer([secrets.token_hex(16)])
    async with httpx.AsyncClient(timeout=10, verify=False) as http:
        yield House(db, sandbox, http, providers, sealer)
    await close_providers(providers)
    await db.close()


async def open_shop(house: House, seed: int, *, two_stage: bool) -> tuple[World, Inbox]:
    """A shop of its own for one day; its ids and tokens come from the seed and the clock."""
    clock, inbox = Clock(), Inbox()
    ids = Ids(clock, random.Random(f"{seed} {clock()}"))
    ctx = Context(
        db=house.db,
        settings=TestSettings(),
        sealer=house.sealer,
        ids=ids,
        providers=house.providers,
        mailers=lambda _: inbox,
        vk=Clients(),
        now=clock,
    )
    now, shop_id = clock(), ids.new("shp")
    shop = Shop(id=shop_id, name=f"День {seed}", created_at=now, seller=SELLER)
    user = User(ids.new("usr", shop_id), f"{shop_id}@example.org", "", "Пётр", "ru", now)
    async with house.db.write() as tx:
        await changes.write(tx, Change((shop,)), now)
        await users.save(tx, user)
        await users.add_member(tx, shop_id, user.id, Role.OWNER, now)
    member, account = Member(user.id, shop_id, Role.OWNER), str(next(ACCOUNTS))
    base_url = f"{house.sandbox.base_url}/bank/v3"
    connection = await connections.save(
        ctx,
        member,
        None,
        provider="yookassa",
        title="",
        account=account,
        secret="test_secret",
        settings={"base_url": base_url, "timeout_s": 5, "two_stage": two_stage},
    )
    world = World(ctx, house.sandbox, house.http, account, clock, member, shop, connection)
    return world, inbox


async def live_through(house: House, seed: int) -> Players:
    """Plays the day of a seed. Raises AssertionError with seed and log."""
    day = write_day(seed)
    world, inbox = await open_shop(house, seed, two_stage=day.two_stage)
    players = Players(world, day)
    try:
        await players.play()
        await players.evening()
        wrong = await players.accounts(inbox.taken)
    except Exception as error:
        error.add_note(_story(seed, players.log, [f"{type(error).__name__}: {error}"]))
        raise
    finally:
        house.sandbox.control.reset(world.account)
    assert not wrong, _story(seed, players.log, wrong)
    return players


def _story(seed: int, log: list[str], wrong: list[str]) -> str:
    again = f"python -m tests.simulate --seed {seed}"
    return "\n".join([f"seed {seed} ({again})", *log, "", *wrong])


@contextmanager
def fresh_database(kind: str) -> Iterator[str]:
    """The address of an empty, migrated database."""
    if kind == "postgresql":
        with postgres_server() as url:
            upgrade(url)
            yield url
        return
    with tempfile.TemporaryDirectory(prefix="sigma-simulate-") as folder:
        url = f"sqlite:///{folder}/sigma.db"
        upgrade(url)
        yield url


async def simulate(database_url: str, seeds: range) -> int:
    """Lives through the days of the seeds; returns how many went wrong."""
    failed, happened = 0, Counter[str]()
    async with start_sandbox() as sandbox, open_house(database_url, sandbox) as house:
        for seed in seeds:
            try:
                players = await live_through(house, seed)
            except Exception as error:  # noqa: BLE001 - the next day is another day
                failed += 1
                print(error, *getattr(error, "__notes__", ()), sep="\n")
                continue
            happened += players.seen_happen
            if len(seeds) == 1:
                print("\n".join(players.log))
    print(*(f"{number:6} {kind}" for kind, number in sorted(happened.items())), sep="\n")
    print(f"{len(seeds)} days, {failed} went wrong")
    return failed


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulate", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first day")
    parser.add_argument("--days", type=int, default=1, help="how many days")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    structlog.configure(processors=[_silence])
    with fresh_database(options.database) as url:
        seeds = range(options.seed, options.seed + options.days)
        failed = asyncio.run(simulate(url, seeds))
    sys.exit(bool(failed))


def _silence(*_: object) -> dict[str, object]:
    raise structlog.DropEvent


if __name__ == "__main__":
    main()
