"""What is done to a running installation, and how soon it works again.

Each fault returns sentences about bounds that were broken, an empty list when all held.
"""

import asyncio
import contextlib
import os
import random
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from sigma.services.clock import clock
from sigma.store.engine.sqlite import sqlite_path
from tests.chaos.clients import Crowd
from tests.chaos.installation import Installation
from tests.chaos.processes import SigmaProcess
from tests.postgres import run_sql

MAX_RECOVERY_S = 10.0  # after a fault: until a server answers
# Until a worker delivers. On a silent connection it may have waited 5 s for a signal, then waits
# 6 s for the answer to its first statement, and pauses for 1 s before the next.
MAX_DELIVERY_S = 15.0
MAX_STOP_S = 10.0
RECOVERY_TIMEOUT_S = 60.0
OUTAGE_S = 6.0
FROZEN_S = 8.0
SMTP_KILLS = 10  # one kill of so many hits the moment after the mail server's "ok"
SMTP_KILL_TIMEOUT_S = 5.0
ANNOUNCE_KILLS = 20
ANNOUNCE_ROUNDS = 5


@dataclass
class Damage:
    """What was done: the summary shows it. Times are seconds, outages UTC microseconds.

    `outages`: intervals in which Sigma could not work, whatever it did: the database was out of
    reach, or no server or no worker was running.
    """

    kill_count: int = 0
    restart_count: int = 0
    outages: list[tuple[int, int]] = field(default_factory=list)
    worst_recovery_s: dict[str, float] = field(default_factory=dict)
    worst_stop_s: float = 0.0
    rolling_request_count: int = 0
    rolling_cut_count: int = 0
    broken_bounds: list[str] = field(default_factory=list)

    def record_recovery(self, fault: str, seconds: float, bound_s: float = MAX_RECOVERY_S) -> None:
        """Record how long something took after a fault, and whether that was too long."""
        self.worst_recovery_s[fault] = max(self.worst_recovery_s.get(fault, 0.0), seconds)
        if seconds > bound_s:
            self.broken_bounds.append(f"{fault}: {seconds:.1f} s, at most {bound_s:.0f} s")

    def record_stop(self, process: SigmaProcess, seconds: float) -> None:
        """Record how long a stop by SIGTERM took."""
        self.worst_stop_s = max(self.worst_stop_s, seconds)
        if seconds > MAX_STOP_S:
            self.broken_bounds.append(f"{process.name} stopped only after {seconds:.1f} s")


class Saboteur:
    """Does everything to one installation that may happen to it."""

    def __init__(self, installation: Installation, crowd: Crowd, seed: int) -> None:
        self.damage = Damage()
        self._installation = installation
        self._crowd = crowd
        self._random = random.Random(seed)
        self._unavailable_since_us = 0

    async def kill_processes(self, number: int, announce: Callable[[str], None]) -> None:
        """Kill random processes at random moments and start them again, `number` times.

        The next kill does not wait for all that were killed before: one may still be starting.
        """
        processes, damage = self._installation.processes, self.damage
        starting: set[asyncio.Task[None]] = set()
        while damage.kill_count < number:
            if damage.kill_count % SMTP_KILLS == SMTP_KILLS - 1:
                await asyncio.gather(*starting)  # all that send mail are killed, and all must run
                starting = set()
                victims = await self._kill_after_smtp_reply()
            else:
                await asyncio.sleep(self._random.uniform(0.1, 2.2))
                victims = [self._random.choice([one for one in processes if one.is_ready])]
                await victims[0].kill()
            if damage.kill_count % ANNOUNCE_KILLS + len(victims) >= ANNOUNCE_KILLS:
                announce(f"{damage.kill_count + len(victims)} of {number} kills")
            damage.kill_count += len(victims)
            self._note_availability()
            starting |= {asyncio.create_task(self._start(victim)) for victim in victims}
            while starting and len(starting) >= min(len(processes), 2):
                done, starting = await asyncio.wait(starting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        await asyncio.gather(*starting)

    async def _start(self, process: SigmaProcess) -> None:
        await asyncio.sleep(self._random.uniform(0, 0.3))
        await process.start()
        await process.wait_until_ready()
        self._note_availability()

    def _note_availability(self) -> None:
        """Record since when no server or no worker runs, and the end of that time."""
        servers, working = self._installation.servers, self._installation.working
        is_available = any(one.is_ready for one in servers) and any(one.is_ready for one in working)
        if is_available and self._unavailable_since_us:
            self.damage.outages.append((self._unavailable_since_us, clock()))
            self._unavailable_since_us = 0
        elif not is_available and not self._unavailable_since_us:
            self._unavailable_since_us = clock()

    async def _kill_after_smtp_reply(self) -> list[SigmaProcess]:
        """Kill the processes that send mail just after the mail server has accepted one."""
        loop, is_accepted = asyncio.get_running_loop(), asyncio.Event()

        def on_letter() -> None:
            loop.call_later(self._random.choice((0, 0, 0.001, 0.003)), kill_all)

        def kill_all() -> None:
            if not is_accepted.is_set():
                is_accepted.set()
                for process in self._installation.working:
                    process.send_kill()

        self._installation.on_letter.append(on_letter)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SMTP_KILL_TIMEOUT_S):
                    await is_accepted.wait()
        finally:
            self._installation.on_letter.remove(on_letter)
        for process in self._installation.working:
            await process.kill()  # also when no letter came in time
        return self._installation.working

    # The database

    async def silence_database(self) -> None:
        """R1: all connections to PostgreSQL go silent without closing; new ones work."""
        network = self._installation.database
        assert network is not None
        async with self._outage():
            network.silence()
            await self._measure_recovery("silent connections")

    async def stop_backends(self) -> None:
        """R1: stop the server's own processes of all connections, then stop Sigma by SIGTERM.

        Their locks stay, so this is the worst case; it lasts only until Sigma has ended.
        """
        installation = self._installation
        for process in installation.processes:
            async with self._stopped_backends():
                await asyncio.sleep(0.5)
                self.damage.record_stop(process, await process.stop())
            await self._start(process)
        self.damage.restart_count += len(installation.processes)
        await self._wait_until_all_answer()

    async def cut_database(self) -> None:
        """R3: the database cannot be reached for a while."""
        network = self._installation.database
        assert network is not None
        async with self._outage():
            network.cut()
            await asyncio.sleep(OUTAGE_S)
            network.is_refusing = False
        await self._measure_recovery("unreachable database")

    async def freeze_database(self) -> None:
        """R5: the whole database server stands still for a while."""
        async with self._outage():
            if self._installation.is_sqlite:
                await asyncio.to_thread(self._lock_sqlite)
            else:
                async with self._stopped_backends(everything=True):
                    await asyncio.sleep(FROZEN_S)
        await self._measure_recovery("frozen database")

    def _lock_sqlite(self) -> None:
        """Hold the write lock of the file, as a backup or a hanging command does."""
        path = sqlite_path(self._installation.database_url)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as file:
            file.execute("BEGIN IMMEDIATE")
            time.sleep(FROZEN_S)
            file.execute("ROLLBACK")

    async def fill_disk(self) -> None:
        """R4: no write reaches the disk (SQLite), or the server is read-only (PostgreSQL)."""
        async with self._outage():
            await self._set_writable(is_writable=False)
            await self._expect_not_writable()
            await asyncio.sleep(OUTAGE_S)
            await self._set_writable(is_writable=True)
        await self._measure_recovery("full disk")

    async def _set_writable(self, *, is_writable: bool) -> None:
        if self._installation.is_sqlite:
            for process in self._installation.processes:
                process.limit_file_size(-1 if is_writable else 0)
            return
        value = "off" if is_writable else "on"
        await self._run_sql(
            f"ALTER SYSTEM SET default_transaction_read_only = {value}", "SELECT pg_reload_conf()"
        )

    async def _expect_not_writable(self) -> None:
        """Wait until /readyz of every server says that nothing can be written."""
        started = time.monotonic()
        async with httpx.AsyncClient(timeout=5, verify=False) as http:
            for server in self._installation.servers:
                while time.monotonic() - started < RECOVERY_TIMEOUT_S:
                    with contextlib.suppress(httpx.TransportError):
                        response = await http.get(f"http://127.0.0.1:{server.port}/readyz")
                        if response.json().get("database") == "not_writable":
                            break
                    await asyncio.sleep(0.2)
        self.damage.record_recovery("/readyz says not_writable", time.monotonic() - started)

    # Restarts

    async def restart_in_turn(self, rounds: int, announce: Callable[[str], None]) -> None:
        """R8: stop and start one process after the other; requests go on and none may be cut."""
        answers = self._crowd.journal.answers
        before = answers.copy()
        async with self._persistent_clients():
            for number in range(1, rounds + 1):
                await asyncio.gather(
                    self._restart_servers_in_turn(), self._restart_workers_in_turn()
                )
                if number % ANNOUNCE_ROUNDS == 0:
                    cut_count = (answers - before).total() - (answers - before)["answered"]
                    announce(f"{number} of {rounds} rounds, {cut_count} requests cut")
        after = answers - before
        self.damage.rolling_request_count = after.total()
        self.damage.rolling_cut_count = after.total() - after["answered"]
        if self.damage.rolling_cut_count:
            self.damage.broken_bounds.append(
                f"rolling restart: {self.damage.rolling_cut_count} of {after.total()} requests"
                f" without an answer, the last one: {self._crowd.journal.last_cut}"
            )

    async def _restart_servers_in_turn(self) -> None:
        for process in self._installation.servers:
            await self._restart(process)

    async def _restart_workers_in_turn(self) -> None:
        for process in self._installation.workers:
            await self._restart(process)

    async def _restart(self, process: SigmaProcess) -> None:
        self.damage.record_stop(process, await process.stop())
        await self._start(process)
        self.damage.restart_count += 1

    @asynccontextmanager
    async def _persistent_clients(self, number: int = 6) -> AsyncIterator[None]:
        """Browsers that use one connection as long as they are allowed to."""
        tasks = [asyncio.create_task(self._crowd.browse()) for _ in range(number)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # Measurements

    async def _measure_recovery(self, fault: str) -> None:
        """Record how soon every server answers from the database and a worker delivers again."""
        started, delivered = time.monotonic(), self._count_deliveries()
        await self._wait_until_all_answer()
        self.damage.record_recovery(f"{fault}: serve answers", time.monotonic() - started)
        while self._count_deliveries() == delivered:
            if time.monotonic() - started > RECOVERY_TIMEOUT_S:
                break
            await asyncio.sleep(0.05)
        delivered_s = time.monotonic() - started
        self.damage.record_recovery(f"{fault}: worker delivers", delivered_s, MAX_DELIVERY_S)

    def _count_deliveries(self) -> int:
        """Count the letters and VK messages that workers have delivered."""
        return len(self._installation.sandbox.mailbox.emails) + self._crowd.count_vk_answers()

    async def _wait_until_all_answer(self) -> None:
        """Wait until every server answers a page that reads the database."""
        async with httpx.AsyncClient(timeout=RECOVERY_TIMEOUT_S, verify=False) as http:
            servers = self._installation.servers
            await asyncio.gather(*(self._wait_for_answer(http, server) for server in servers))

    async def _wait_for_answer(self, http: httpx.AsyncClient, server: SigmaProcess) -> None:
        deadline = time.monotonic() + RECOVERY_TIMEOUT_S
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                url = f"http://127.0.0.1:{server.port}{self._crowd.invoice_path}"
                if (await http.get(url)).status_code == 200:
                    return
            await asyncio.sleep(0.1)

    @asynccontextmanager
    async def _outage(self) -> AsyncIterator[None]:
        """Record an interval in which Sigma cannot work."""
        began_at_us = clock()
        try:
            yield
        finally:
            self.damage.outages.append((began_at_us, clock()))

    @asynccontextmanager
    async def _stopped_backends(self, *, everything: bool = False) -> AsyncIterator[None]:
        """Stop (SIGSTOP) PostgreSQL's processes of Sigma's connections, or all of the server."""
        network = self._installation.database
        assert network is not None
        ports = ",".join(map(str, [*network.server_side_ports, 0]))
        condition = "true" if everything else f"client_port IN ({ports})"
        found = await self._run_sql(
            "SELECT split_part(pg_read_file('postmaster.pid'), chr(10), 1)",
            f"SELECT pid FROM pg_stat_activity WHERE {condition} AND pid <> pg_backend_pid()",
        )
        postmaster, *backends = map(int, found.split())
        pids = [postmaster, *backends] if everything else backends
        _send_to_all(pids, signal.SIGSTOP)
        try:
            async with self._outage():
                yield
        finally:
            _send_to_all(pids, signal.SIGCONT)

    async def _run_sql(self, *statements: str) -> str:
        return await asyncio.to_thread(run_sql, self._installation.database_url, *statements)


def _send_to_all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
