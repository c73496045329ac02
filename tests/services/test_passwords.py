"""Passwords are stored as argon2id hashes of a cost that RFC 9106 recommends, in a queue."""

import asyncio
import subprocess
import sys
import threading
from dataclasses import replace
from typing import Any

from argon2 import PasswordHasher, extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY

from sigma.domain.errors import RefusedError
from sigma.services.accounts import users
from sigma.services.accounts.devices import find_device
from sigma.services.accounts.users import NewSession
from sigma.services.context import Context
from sigma.services.passwords import (
    HASH_THREADS,
    MAX_WAITING,
    RESERVED_FOR_KNOWN,
    PasswordHashing,
)
from tests.world import World, fast_passwords


async def test_default_cost_is_the_recommended_one() -> None:
    stored = await PasswordHashing().hash("correct horse battery")
    assert extract_parameters(stored) == RFC_9106_LOW_MEMORY


async def test_only_the_right_password_matches() -> None:
    passwords = fast_passwords()
    stored = await passwords.hash("correct horse battery")
    assert await passwords.verify(stored, "correct horse battery")
    assert not await passwords.verify(stored, "correct horse batter")
    assert not await passwords.verify("not a hash", "correct horse battery")
    assert not await passwords.verify(None, "correct horse battery")


def slow_passwords(started: threading.Event, go_on: threading.Event) -> PasswordHashing:
    """Return hashing whose threads stop at each hash until `go_on` is set."""

    class StoppedHasher(PasswordHasher):
        def verify(self, *args: Any) -> Any:
            started.set()
            assert go_on.wait(30)
            return super().verify(*args)

    return PasswordHashing(StoppedHasher(time_cost=1, memory_cost=8, parallelism=1))


async def test_hashes_that_wait_are_bounded_and_known_devices_have_reserved_places() -> None:
    go_on = threading.Event()
    passwords = slow_passwords(threading.Event(), go_on)
    strangers = [asyncio.create_task(passwords.verify(None, "x")) for _ in range(40)]
    await asyncio.sleep(0)
    known = [asyncio.create_task(passwords.verify(None, "x", is_known=True)) for _ in range(40)]
    await asyncio.sleep(0)
    refused = [task for task in strangers + known if task.done()]
    go_on.set()
    results = await asyncio.gather(*strangers, *known, return_exceptions=True)
    assert results.count(False) == HASH_THREADS + MAX_WAITING
    assert results[:40].count(False) == HASH_THREADS + MAX_WAITING - RESERVED_FOR_KNOWN
    assert {str(e) for e in results if isinstance(e, RefusedError)} == {"too_many_requests"}
    assert len(refused) == 80 - HASH_THREADS - MAX_WAITING, "they are refused at once"
    assert not await passwords.verify(None, "x"), "the queue is empty again"


async def test_hashing_does_not_take_the_threads_of_other_work() -> None:
    started, go_on = threading.Event(), threading.Event()
    passwords = slow_passwords(started, go_on)
    tasks = [asyncio.create_task(passwords.verify(None, "x", is_known=True)) for _ in range(10)]
    await asyncio.to_thread(started.wait, 30)
    assert await asyncio.gather(*(asyncio.to_thread(int, "7") for _ in range(40))) == [7] * 40
    assert not any(task.done() for task in tasks)
    go_on.set()
    await asyncio.gather(*tasks)


def test_forty_sign_ins_at_once_need_little_memory() -> None:
    """With the real cost of a hash, in a process of its own; it was 385 MB without a queue."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE_MEMORY], capture_output=True, text=True, check=True
    )
    grown_mb, verified = map(float, done.stdout.split())
    assert verified >= 9
    assert 60 < grown_mb < 150


MEASURE_MEMORY = """
import asyncio, re, resource
from pathlib import Path
from sigma.services.passwords import PasswordHashing

def peak_kib():
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:  # not Linux: bytes
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    # ru_maxrss would include the peak of the process that started this one.
    return int(re.search(r"VmHWM:\\s*(\\d+) kB", status)[1])

async def main():
    passwords = PasswordHashing()
    before = peak_kib()
    calls = [passwords.verify(None, "x", is_known=n % 2 == 0) for n in range(40)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    print((peak_kib() - before) / 1024, results.count(False))

asyncio.run(main())
"""


async def test_hash_with_older_parameters_is_replaced_at_the_next_sign_in(world: World) -> None:
    stronger = PasswordHashing(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    ctx = replace(world.ctx, passwords=stronger)

    async def sign_in(ctx: Context, device: str = "") -> NewSession:
        return await users.sign_in(
            ctx, "owner@example.org", world.password, ip="192.0.2.1", device=device
        )

    before = (await sign_in(world.ctx)).user.password_hash
    first = await sign_in(ctx, (await sign_in(world.ctx)).device)
    after = first.user.password_hash
    assert (extract_parameters(before).time_cost, extract_parameters(after).time_cost) == (1, 2)
    assert await stronger.verify(after, world.password)
    assert find_device(ctx, first.device, "owner@example.org", after), "the device is still known"
    assert (await sign_in(ctx)).user.password_hash == after, "it is hashed once"
