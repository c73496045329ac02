"""PostgreSQL's errors in the words both databases share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import asyncpg  # type: ignore[import-untyped]

from sigma.store.engine.interface import Busy, Conflict, Op, Refused, Stale, Unreachable
from sigma.store.engine.postgres_batch import stale_message

LOST: Final = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutdown, crash, still starting
    asyncpg.InsufficientResourcesError,  # too many connections, disk full
    asyncpg.InternalClientError,  # the server hung up while asyncpg expected nothing
)
BUSY: Final = (
    TimeoutError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,  # statement_timeout
    asyncpg.IdleInTransactionSessionTimeoutError,
)

GONE: Final = re.compile(r"\bclos(ed|ing)\b|released back to the pool")


def translated(error: Exception, ops: Sequence[Op] = ()) -> Exception:
    """Say `error` in the words of `contract`; an error of our own SQL comes back as it is."""
    if isinstance(error, asyncpg.UniqueViolationError):
        return Conflict(error.constraint_name)
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        return Refused(str(error))
    if isinstance(error, asyncpg.InvalidTextRepresentationError):
        message = stale_message(str(error), ops)
        return error if message is None else Stale(message)
    if isinstance(error, BUSY):  # before LOST: some are both
        return Busy(f"the database is busy: {error or type(error).__name__}")
    # asyncpg has no class of its own for "connection is closed" and "has been released".
    closed = isinstance(error, asyncpg.InterfaceError) and GONE.search(str(error))
    if closed or isinstance(error, LOST):
        return Unreachable(f"the connection to PostgreSQL was lost: {error}")
    return error
