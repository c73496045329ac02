"""Only their owner reads Sigma's files and folders, whatever the umask and the old modes are."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sigma.main import create_database_dir
from sigma.settings import Settings
from sigma.store.accounts import shops
from sigma.store.database import open_database
from sigma.store.private_files import create_private_dir, protect_dir, protect_sqlite_file
from sigma.store.schema.migrate import upgrade
from sigma_sandbox.persistence import FILE_NAME, ObjectStore


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """Run the block with this umask."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode_of(path: Path) -> str:
    """Return the permissions in octal."""
    return f"{stat.S_IMODE(path.stat().st_mode):o}"


def modes_in(folder: Path) -> dict[str, str]:
    """Return file name → permissions."""
    return {one.name: mode_of(one) for one in folder.iterdir()}


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o777])
async def test_sqlite_file_and_its_companions_are_private(tmp_path: Path, mask: int) -> None:
    path = tmp_path / "sigma.db"
    with umask(mask):
        upgrade(f"sqlite:///{path}")
        database = await open_database(f"sqlite:///{path}")
        try:
            await shops.next_invoice_number(database, "shp_1")
            modes = modes_in(tmp_path)
        finally:
            await database.close()
    assert modes == dict.fromkeys(("sigma.db", "sigma.db-wal", "sigma.db-shm"), "600")


def test_existing_files_are_made_private(tmp_path: Path) -> None:
    path = tmp_path / "sigma.db"
    names = ("sigma.db", "sigma.db-wal", "sigma.db-shm")
    for name in names:
        (tmp_path / name).write_bytes(b"x")
        (tmp_path / name).chmod(0o666)
    protect_sqlite_file(path)
    assert {mode_of(tmp_path / name) for name in names} == {"600"}
    assert path.read_bytes() == b"x"


def test_new_folders_are_private_and_foreign_ones_stay(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(0o755)
    shared.chmod(0o755)
    with umask(0):
        create_private_dir(shared / "a" / "b")
    assert [mode_of(shared / name) for name in ("", "a", "a/b")] == ["755", "700", "700"]


def test_own_folder_is_made_private_but_a_folder_for_everybody_is_not(tmp_path: Path) -> None:
    own, everybody = tmp_path / "own", tmp_path / "tmp"
    for folder, mode in ((own, 0o755), (everybody, 0o1777)):
        folder.mkdir()
        folder.chmod(mode)
        protect_dir(folder)
    assert (mode_of(own), mode_of(everybody)) == ("700", "1777")


def test_data_folder_of_the_settings_is_made_private(tmp_path: Path) -> None:
    data, other = tmp_path / "data", tmp_path / "other"
    for folder in (data, other):
        folder.mkdir()
        folder.chmod(0o755)
    create_database_dir(Settings(data_dir=data))
    create_database_dir(Settings(data_dir=data, database_url=f"sqlite:///{other / 'sigma.db'}"))
    assert (mode_of(data), mode_of(other)) == ("700", "755")


def test_sandbox_files_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "sandbox"
    with umask(0):
        ObjectStore(folder)
        modes = modes_in(folder)
    assert mode_of(folder) == "700"
    assert set(modes.values()) == {"600"}
    assert FILE_NAME in modes


async def test_opening_a_migrated_file_makes_it_private(tmp_path: Path) -> None:
    path = tmp_path / "sigma.db"
    upgrade(f"sqlite:///{path}")
    make_readable(path)
    database = await open_database(f"sqlite:///{path}")
    await database.close()
    assert modes_in(tmp_path)["sigma.db"] == "600"


def make_readable(path: Path) -> None:
    """Let everybody read the file, as an older version did."""
    path.chmod(0o644)
