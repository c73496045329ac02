"""docs/security/threats.md: every file and test in the threat table exists."""

import ast
from functools import cache

import pytest

from tests.docs.markdown import ROOT, names_in_cell, read, tables

PAGE = "docs/security/threats.md"
HEADER = ["Who", "What they want", "Guard", "Code", "Test"]
ATTACKERS = {
    "Stranger with a payment link",
    "Payer who cheats",
    "Forged acquirer notice",
    "Forged VK event",
    "Stolen session",
    "Member with a low role",
    "Another shop on the same installation",
    "Thief of the database file or a backup",
    "Thief of a secret key",
    "Malicious acquirer address typed in a form",
    "Malicious VK response",
    "Malicious SMTP address typed in a form",
    "Dependency",
}


def threats() -> list[list[str]]:
    """Return the rows of the threat table without its header."""
    (table,) = [table for table in tables(read(PAGE)) if table[0] == HEADER]
    return table[1:]


@cache
def names_of_tests(file: str) -> frozenset[str]:
    """Return the test functions of a file; none when it does not exist."""
    if not (ROOT / file).is_file():
        return frozenset()
    return frozenset(
        node.name
        for node in ast.parse(read(file)).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    )


def missing_tests(names: list[str]) -> list[str]:
    """Return the names `file::function` that are no test of the repository."""
    parts = [(name, *name.partition("::")[::2]) for name in names]
    return [name for name, file, function in parts if function not in names_of_tests(file)]


def test_every_threat_has_a_guard_code_and_a_test() -> None:
    rows = threats()
    assert [row for row in rows if len(row) != len(HEADER) or not all(row)] == []
    assert {row[0] for row in rows} >= ATTACKERS


def test_every_code_file_of_a_threat_exists() -> None:
    files = [file for row in threats() for file in names_in_cell(row[3])]
    assert [file for file in files if not (ROOT / file).is_file()] == []
    assert [file for file in files if not file.startswith(("src/sigma/", "scripts/"))] == []


def test_every_test_of_a_threat_exists() -> None:
    names = [name for row in threats() for name in names_in_cell(row[4])]
    assert len(names) > len(HEADER)
    assert missing_tests(names) == []


@pytest.mark.parametrize(
    "name",
    [
        "tests/docs/test_threats.py",
        "tests/docs/test_threats.py::threats",
        "tests/docs/test_threats.py::test_gone",
        "tests/docs/gone.py::test_every_test_of_a_threat_exists",
    ],
)
def test_missing_test_is_found(name: str) -> None:
    assert missing_tests([name]) == [name]
