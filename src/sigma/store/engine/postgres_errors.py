"""Translate asyncpg errors to the errors of `sigma.store.engine.interface`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import asyncpg

from sigma.store.engine.interface import (
    BusyError,
    ConflictError,
    IntegrityError,
    NotWritableError,
    Op,
    StaleError,
    UnreachableError,
)
from sigma.store.engine.postgres_batch import stale_message

CONNECTION_LOST_ERRORS: Final = (
    OSError,  # also TimeoutError: no answer within COMMAND_TIMEOUT_S
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutdown, crash, starting up
    asyncpg.InsufficientResourcesError,  # too many connections, disk full
    asyncpg.InternalClientError,  # the server closed an idle connection
)
NOT_WRITABLE_ERRORS: Final = (
    asyncpg.DiskFullError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby: the failover is not finished
)
BUSY_ERRORS: Final = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,  # statement_timeout
    asyncpg.IdleInTransactionSessionTimeoutError,
)

CLOSED_PATTERN: Final = re.compile(r"\bclos(ed|ing)\b|released back to the pool")


def translate_error(error: Exception, ops: Sequence[Op] = ()) -> Exception:
    """Return the StoreError for `error`, or `error` itself when it is a defect in our SQL.

    `ops` are the ops of the failed batch statement; they name the stale one.
    """
    if isinstance(error, asyncpg.UniqueViolationError):
        return ConflictError(error.constraint_name)
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        return IntegrityError(str(error))
    if isinstance(error, asyncpg.InvalidTextRepresentationError):
        message = stale_message(str(error), ops)
        return error if message is None else StaleError(message)
    if isinstance(error, NOT_WRITABLE_ERRORS):
        return NotWritableError(f"PostgreSQL cannot write: {error}")
    # Check before CONNECTION_LOST_ERRORS, which holds base classes of some of these.
    if isinstance(error, BUSY_ERRORS):
        return BusyError(f"the database is busy: {error or type(error).__name__}")
    # asyncpg has no separate class for "connection is closed" and "has been released".
    closed = isinstance(error, asyncpg.InterfaceError) and CLOSED_PATTERN.search(str(error))
    if closed or isinstance(error, CONNECTION_LOST_ERRORS):
        reason = str(error) or "no answer"
        return UnreachableError(f"the connection to PostgreSQL was lost: {reason}")
    return error
