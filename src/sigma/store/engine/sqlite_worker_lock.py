"""The lock of the only process that runs jobs on a SQLite file.

The operating system releases it when the process ends, however it ends. So a process that gets the
lock knows that its predecessor is dead.
"""

import fcntl
import os
from pathlib import Path


class WorkerLock:
    """An advisory lock on the file beside the database named `*.worker`."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f"{database.name}.worker")
        self._file: int | None = None

    def acquire(self) -> bool:
        """Take the lock, or keep it. Returns False when another process holds it."""
        if self._file is not None:
            return True
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return False  # a full or read-only disk: leases end by themselves
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            return False
        self._file = file
        return True

    def release(self) -> None:
        """Release the lock if this process holds it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
