"""Simulate payments and refunds with seeded faults, then reconcile Sigma with the sandbox bank.

    python -m tests.simulate --seed 17 --database sqlite
    python -m tests.simulate --seed 1 --count 500 --database postgresql

`simulation_script` makes the script of a seed. This module runs its actions one after another; an
action may make several calls at once. A failing seed prints its script and can be run again.
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

from sigma.channels.email import MailRejectedError, OutgoingMail
from sigma.channels.vk.client import VkClients
from sigma.domain.accounts.member import Member, Role, User
from sigma.domain.accounts.shop import Shop
from sigma.domain.change import Change
from sigma.providers.base import Provider
from sigma.providers.registry import close_providers, open_providers
from sigma.services.billing import connections
from sigma.services.context import Context
from sigma.services.ids import IdGenerator
from sigma.store import changes
from sigma.store.accounts import members, users
from sigma.store.database import open_database
from sigma.store.encryption import Cipher
from sigma.store.engine.interface import Database
from sigma.store.schema.migrate import upgrade
from sigma_sandbox.app import Sandbox, start_sandbox
from tests.outbound.local import LOCAL, open_local_client
from tests.postgres import postgres_server
from tests.simulation_actors import Actors
from tests.simulation_script import write_script
from tests.world import SELLER, Clock, TestSettings, World, account_numbers


class FlakyMailer:
    """A mailer that refuses every seventh attempt with a temporary error.

    `sent_message_ids` holds the Message-IDs it accepted.
    """

    def __init__(self) -> None:
        self.attempt_count = 0
        self.sent_message_ids: list[str] = []

    destination = "smtp://mail.example"

    async def send(self, message: OutgoingMail) -> str:
        self.attempt_count += 1
        if self.attempt_count % 7 == 0:
            raise MailRejectedError(is_permanent=False, reply="451 busy")
        self.sent_message_ids.append(message.message_id)
        return "250 ok"


@dataclass
class SharedResources:
    """What all runs share: a database, the sandbox and open connections."""

    db: Database
    sandbox: Sandbox
    http: httpx.AsyncClient
    providers: dict[str, Provider]
    cipher: Cipher


@asynccontextmanager
async def open_shared_resources(
    database_url: str, sandbox: Sandbox
) -> AsyncIterator[SharedResources]:
    """Open the shared resources on a migrated database."""
    db = await open_database(database_url)
    providers = open_providers(open_local_client)
    cipher = Cipher([secrets.token_hex(16)])
    async with httpx.AsyncClient(timeout=10, verify=False) as http:
        yield SharedResources(db, sandbox, http, providers, cipher)
    await close_providers(providers)
    await db.close()


async def open_shop(
    shared: SharedResources, seed: int, *, two_stage: bool
) -> tuple[World, FlakyMailer]:
    """Create a shop for one run. Its ids and tokens come from the seed and the clock."""
    clock, mailer = Clock(), FlakyMailer()
    ids = IdGenerator(clock, random.Random(f"{seed} {clock()}"))
    ctx = Context(
        db=shared.db,
        settings=TestSettings(),
        cipher=shared.cipher,
        ids=ids,
        providers=shared.providers,
        mailer_factory=lambda _: mailer,
        vk=VkClients(open_local_client),
        outbound=LOCAL,
        now_us=clock,
    )
    now_us, shop_id = clock(), ids.new("shp")
    shop = Shop(id=shop_id, name=f"Прогон {seed}", created_at_us=now_us, seller=SELLER)
    user = User(ids.new("usr", shop_id), f"{shop_id}@example.org", "", "Пётр", "ru", now_us)
    async with shared.db.write() as tx:
        await changes.write(tx, Change((shop,)), now_us)
        await users.save(tx, user)
        await members.add(tx, shop_id, user.id, Role.OWNER, now_us)
    member, account = Member(user.id, shop_id, Role.OWNER), str(next(account_numbers))
    base_url = f"{shared.sandbox.base_url}/bank/v3"
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
    world = World(ctx, shared.sandbox, shared.http, account, clock, member, shop, connection)
    return world, mailer


async def run_seed(shared: SharedResources, seed: int) -> Actors:
    """Run the script of a seed. Raises AssertionError with the seed and the log on a mismatch."""
    script = write_script(seed)
    world, mailer = await open_shop(shared, seed, two_stage=script.two_stage)
    actors = Actors(world, script)
    try:
        await actors.run()
        await actors.recover()
        mismatches = await actors.find_mismatches(mailer.sent_message_ids)
    except Exception as error:
        error.add_note(_failure_report(seed, actors.log, [f"{type(error).__name__}: {error}"]))
        raise
    finally:
        shared.sandbox.faults.reset(world.account)
    assert not mismatches, _failure_report(seed, actors.log, mismatches)
    return actors


def _failure_report(seed: int, log: list[str], errors: list[str]) -> str:
    command = f"python -m tests.simulate --seed {seed}"
    return "\n".join([f"seed {seed} ({command})", *log, "", *errors])


@contextmanager
def fresh_database(kind: str) -> Iterator[str]:
    """Yield the URL of an empty, migrated database; `kind` is "sqlite" or "postgresql"."""
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
    """Run all seeds and return how many failed."""
    failed, event_counts = 0, Counter[str]()
    async with start_sandbox() as sandbox, open_shared_resources(database_url, sandbox) as shared:
        for seed in seeds:
            try:
                actors = await run_seed(shared, seed)
            except Exception as error:  # noqa: BLE001 - one failed seed must not stop the others
                failed += 1
                print(error, *getattr(error, "__notes__", ()), sep="\n")
                continue
            event_counts += actors.event_counts
            if len(seeds) == 1:
                print("\n".join(actors.log))
    print(*(f"{number:6} {kind}" for kind, number in sorted(event_counts.items())), sep="\n")
    print(f"{len(seeds)} seeds, {failed} failed")
    return failed


def main() -> None:
    """Parse the command line and run the simulation; exit code 1 when a seed failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulate", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--count", type=int, default=1, help="number of seeds")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    structlog.configure(processors=[_drop_event])
    with fresh_database(options.database) as url:
        seeds = range(options.seed, options.seed + options.count)
        failed = asyncio.run(simulate(url, seeds))
    sys.exit(bool(failed))


def _drop_event(*_: object) -> dict[str, object]:
    raise structlog.DropEvent


if __name__ == "__main__":
    main()
