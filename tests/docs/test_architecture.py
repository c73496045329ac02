"""docs/architecture.md and docs/sqlite-group-commit.md agree with the code."""

import ast
from collections.abc import Iterable
from functools import cache

import pytest

from sigma.store.engine import sqlite, sqlite_queue, sqlite_reads, sqlite_writer
from tests.docs.markdown import ROOT, names_in_cell, read, section, tables
from tests.shape.test_arrows import ROOMS, SUB_ROOMS

PAGE = "docs/architecture.md"
WALK_HEADER = ["File", "Function", "What happens"]
ROOM_HEADER = ["Room", "What is in it", "May import"]


def walk_steps(title: str) -> list[tuple[str, str]]:
    """Return the (file, function) pairs of the walk below the heading `title`."""
    (walk,) = [table for table in tables(section(read(PAGE), title)) if table[0] == WALK_HEADER]
    return [(file, function) for file, function, _ in walk[1:]]


def walks() -> list[list[list[str]]]:
    """Return the rows of every walk of the page, without headers."""
    return [table[1:] for table in tables(read(PAGE)) if table[0] == WALK_HEADER]


@cache
def defined_names(file: str) -> frozenset[str]:
    """Return the functions, classes and methods (`Class.method`) that a file defines."""
    names = set()
    for node in ast.parse(read(file)).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{one.name}" for one in node.body if hasattr(one, "name")}
    return frozenset(names)


def folders(files: Iterable[str]) -> set[str]:
    """Return the folders of the files. A folder inside another one of them is not counted."""
    parents = {file.rpartition("/")[0] for file in files}
    return {one for one in parents if not any(one.startswith(f"{other}/") for other in parents)}


def test_every_file_of_a_walk_exists() -> None:
    files = [row[0] for walk in walks() for row in walk]
    assert len(walks()) >= 2
    assert [file for file in files if not (ROOT / file).is_file()] == []


def test_every_function_of_a_walk_is_defined_in_its_file() -> None:
    missing = [
        f"{file}: {function}"
        for walk in walks()
        for file, function, _ in walk
        if function not in defined_names(file)
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("title", "max_files", "max_folders"),
    [
        ("An amount, from the API to the ledger", 20, 6),
        ("A refund, from the API to the ledger", 20, 6),
        ("A message, from the hook to the list", 16, 16),
    ],
)
def test_walk_has_few_files_and_folders(title: str, max_files: int, max_folders: int) -> None:
    files = {file for file, _ in walk_steps(title)}
    assert len(files) <= max_files
    assert len(folders(files)) <= max_folders


@pytest.mark.parametrize(
    ("title", "first", "last"),
    [
        ("An amount, from the API to the ledger", "web/api/", "store/changes.py"),
        ("A refund, from the API to the ledger", "web/api/", "store/changes.py"),
        ("A message, from the hook to the list", "web/hooks/", "store/messaging/inbox.py"),
    ],
)
def test_walk_begins_and_ends_where_its_title_says(title: str, first: str, last: str) -> None:
    files = [file.removeprefix("src/sigma/") for file, _ in walk_steps(title)]
    assert files[0].startswith(first)
    assert files[-1] == last


def test_folder_inside_another_one_is_counted_once() -> None:
    assert folders(["a/b/x.py", "a/b/c/y.py", "a/d/z.py"]) == {"a/b", "a/d"}


def documented_rooms() -> dict[str, set[str]]:
    """Return room → rooms that it may import, from the tables of the page."""
    return {
        row[0]: set(names_in_cell(row[2]))
        for table in tables(read(PAGE))
        if table[0] == ROOM_HEADER
        for row in table[1:]
    }


def test_documented_rooms_and_arrows_are_those_of_the_arrows_test() -> None:
    expected = {room: arrows for room, arrows in ROOMS.items() if room not in ("main", "cli")}
    for parent, rooms in SUB_ROOMS.items():
        folder = parent.replace(".", "/")
        expected |= {f"{folder}/{room}": arrows for room, arrows in rooms.items()}
    documented = documented_rooms()
    assert documented.pop("main") == documented.pop("cli") == {"all others"}
    assert documented == expected


def test_constants_of_the_group_commit_page_have_their_values() -> None:
    (constants,) = [
        table[1:]
        for table in tables(read("docs/sqlite-group-commit.md"))
        if table[0][0] == "Constant"
    ]
    values: dict[str, object] = {}
    for module in (sqlite, sqlite_queue, sqlite_reads, sqlite_writer):
        values |= vars(module)
    assert {name: values[name] for name, _, _ in constants} == {
        name: float(value) for name, value, _ in constants
    }
