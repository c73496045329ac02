"""Worker processes: a row for each, alive while its heartbeat is recent.

Leases of jobs and long polls name the worker that holds them. A lease is void once its worker is
dead, so that work of a killed process goes on within seconds.
"""

import secrets

from sqlalchemy import Select, bindparam, delete, select

from sigma.domain.time_units import SECOND_US
from sigma.store.engine.interface import Database, Op, Tx
from sigma.store.engine.statements import statement, upsert
from sigma.store.schema.process_tables import workers

HEARTBEAT_US = 2 * SECOND_US  # interval of the heartbeats of a living worker
ALIVE_US = 8 * SECOND_US  # without a heartbeat for so long, a worker is dead

_beat = statement(upsert(workers, ["id"], ["alive_until_us"]))
_remove = statement(delete(workers).where(workers.c.id == bindparam("id")))
_remove_others = statement(delete(workers).where(workers.c.id != bindparam("id")))
_remove_dead = statement(delete(workers).where(workers.c.alive_until_us < bindparam("before_us")))


def select_alive() -> Select[tuple[str]]:
    """Return the subquery of the ids of living workers at the parameter `now_us`."""
    return select(workers.c.id).where(workers.c.alive_until_us > bindparam("now_us"))


class WorkerProcess:
    """This process as a worker. `alive_until_us` is what its row says, 0 before the first beat."""

    def __init__(self) -> None:
        self.id = secrets.token_hex(8)
        self.alive_until_us = 0

    def needs_beat(self, now_us: int) -> bool:
        """Whether the last heartbeat was longer ago than the interval."""
        return now_us + ALIVE_US - self.alive_until_us >= HEARTBEAT_US

    def is_alive(self, now_us: int) -> bool:
        """Whether other processes still honour the leases of this worker."""
        return now_us < self.alive_until_us

    def beat(self, now_us: int) -> Op:
        """Return the write of a heartbeat. Set `alive_until_us` after it is committed."""
        return Op(_beat, {"id": self.id, "alive_until_us": now_us + ALIVE_US})


async def beat(db: Database, worker: WorkerProcess, now_us: int) -> None:
    """Write a heartbeat. Raises StoreError."""
    await db.commit([worker.beat(now_us)])
    worker.alive_until_us = now_us + ALIVE_US


async def remove(db: Database, worker: WorkerProcess) -> None:
    """Void all leases of this worker, at its end. Raises StoreError."""
    worker.alive_until_us = 0
    await db.commit([Op(_remove, {"id": worker.id}, expected_rows=None)])


async def remove_others(db: Database, worker: WorkerProcess) -> None:
    """Void the leases of all other workers: call it only when none of them can be running."""
    await db.commit([Op(_remove_others, {"id": worker.id}, expected_rows=None)])


async def remove_dead(tx: Tx, before_us: int) -> int:
    """Delete the rows of workers that died before `before_us`; return how many."""
    return await tx.execute(_remove_dead, before_us=before_us)
