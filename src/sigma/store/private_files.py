"""Modes of Sigma's files: only their owner reads and writes them, whatever the umask is.

Existing files are changed too: an older version or a restored backup may have other modes.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

FILE_MODE: Final = 0o600
DIR_MODE: Final = 0o700
SQLITE_SUFFIXES: Final = ("", "-wal", "-shm", "-journal")


def protect_sqlite_file(path: Path) -> None:
    """Create the file if it does not exist, and set the mode of it and of its companions to 0600.

    SQLite creates `-wal` and `-shm` with the mode of the file. A file of another owner is left as
    it is; errors of opening it are left to SQLite.
    """
    with suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE))
    for suffix in SQLITE_SUFFIXES:
        set_mode(path.with_name(path.name + suffix), FILE_MODE)


def create_private_dir(path: Path) -> None:
    """Create a folder and its missing parents with the mode 0700. Raises OSError.

    A folder that exists is not changed.
    """
    missing = [one for one in (path, *path.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(DIR_MODE, exist_ok=True)
        set_mode(one, DIR_MODE)


def protect_dir(path: Path) -> None:
    """Create a folder of Sigma's own, or set the mode of the existing one to 0700. Raises OSError.

    A folder that everybody writes to (/tmp) and the root folder are left as they are.
    """
    create_private_dir(path)
    resolved = path.resolve()
    is_shared = bool(resolved.stat().st_mode & stat.S_ISVTX)
    if not is_shared and resolved != resolved.parent:
        set_mode(resolved, DIR_MODE)


def set_mode(path: Path, mode: int) -> None:
    """Set the mode of a file or folder, unless it is missing or belongs to another user."""
    with suppress(FileNotFoundError, PermissionError):
        if stat.S_IMODE(path.stat().st_mode) != mode:
            path.chmod(mode)
