"""docs/asvs.md has every requirement of ASVS 5.0 levels 1 and 2, with evidence that exists."""

import ast
import functools
import re
from collections import Counter

import pytest

from tests.docs.markdown import ROOT, read, section, tables

HEADER = ["Requirement", "Level", "About", "State", "Evidence or reason"]
STATES = ("met", "partly", "not yet", "not applicable")

# By chapter and section: the level of requirement 1, 2, …; those of level 3, the last ones of each
# section, are left out. https://github.com/OWASP/ASVS, release 5.0.0
LEVELS = {
    "V1": {"1": "22", "2": "111112222", "3": "11222222222", "4": "222", "5": "12"},
    "V2": {"1": "122", "2": "112", "3": "1222", "4": "2"},
    "V3": {"2": "11", "3": "1222", "4": "112222", "5": "11122", "7": "22"},
    "V4": {"1": "122", "2": "2", "3": "22", "4": "1222"},
    "V5": {"1": "2", "2": "112", "3": "11", "4": "222"},
    "V6": {
        "1": "122",
        "2": "111111112222",
        "3": "1122",
        "4": "1122",
        "5": "22222",
        "6": "222",
        "8": "2222",
    },
    "V7": {"1": "222", "2": "1111", "3": "22", "4": "11222", "5": "22", "6": "22"},
    "V8": {"1": "12", "2": "112", "3": "1", "4": "2"},
    "V9": {"1": "111", "2": "1222"},
    "V10": {
        "1": "22",
        "2": "22",
        "3": "2222",
        "4": "11111222222",
        "5": "22222",
        "6": "22",
        "7": "222",
    },
    "V11": {"1": "22", "2": "222", "3": "112", "4": "1222", "5": "2", "6": "2"},
    "V12": {"1": "122", "2": "11", "3": "2222"},
    "V13": {"1": "2", "2": "22222", "3": "22", "4": "12222"},
    "V14": {"1": "22", "2": "1222", "3": "122"},
    "V15": {"1": "122", "2": "122", "3": "1222222"},
    "V16": {"1": "2", "2": "22222", "3": "2222", "4": "222", "5": "222"},
    "V17": {"1": "2", "2": "2222", "3": "22"},
}
COUNTS = {
    "V1": 27,
    "V2": 11,
    "V3": 19,
    "V4": 10,
    "V5": 9,
    "V6": 35,
    "V7": 18,
    "V8": 7,
    "V9": 7,
    "V10": 29,
    "V11": 14,
    "V12": 9,
    "V13": 13,
    "V14": 9,
    "V15": 13,
    "V16": 16,
    "V17": 7,
}

PAGE = read("docs/asvs.md")
ROWS = [row for table in tables(PAGE) if table[0] == HEADER for row in table[1:]]


def requirements(chapter: str) -> list[list[str]]:
    """Return id and level of each requirement of a chapter, in the order of the standard."""
    return [
        [f"v5.0.0-{chapter[1:]}.{name}.{number}", level]
        for name, levels in LEVELS[chapter].items()
        for number, level in enumerate(levels, 1)
    ]


@functools.cache
def functions_of(path: str) -> frozenset[str]:
    """Return the names of the functions of a Python file."""
    nodes = ast.walk(ast.parse(read(path)))
    return frozenset(n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def problems_of(row: list[str]) -> list[str]:
    """Return what is wrong with the state and the evidence of a row."""
    _, _, about, state, evidence = row
    names = re.findall(r"`((?:src|tests|docs|scripts|frontend|requirements)/[^`]+)`", evidence)
    found, code, tests = [], [], []
    for name in names:
        path, _, function = name.partition("::")
        if not (ROOT / path).is_file():
            found.append(f"no file {path}")
        elif path.startswith("tests/"):
            tests.append(name)
            if not function.startswith("test_") or function not in functions_of(path):
                found.append(f"no test {name}")
        elif path.startswith(("src/", "scripts/")):
            code.append(name)
    if state not in STATES:
        found.append(f"no state {state}")
    if not about or not evidence:
        found.append("nothing said")
    if state == "met" and not (code and tests):
        found.append("met without code and test")
    # `table_rows` removes the backticks of a cell that is nothing but one name.
    reason = re.sub(r"`[^`]*`|[\W_]", "", evidence) and " " in evidence
    if state != "met" and not reason:
        found.append("no reason")
    return found


def test_counts_are_those_of_the_standard() -> None:
    assert {chapter: len(requirements(chapter)) for chapter in LEVELS} == COUNTS
    levels = Counter(level for chapter in LEVELS for _, level in requirements(chapter))
    assert levels == {"1": 70, "2": 183}


@pytest.mark.parametrize("chapter", LEVELS)
def test_every_requirement_of_a_chapter_has_one_row(chapter: str) -> None:
    heading = re.search(rf"^## ({chapter}\. .+)$", PAGE, re.MULTILINE)
    assert heading, chapter
    (chapter_table,) = tables(section(PAGE, heading[1]))
    assert chapter_table[0] == HEADER
    assert [row[:2] for row in chapter_table[1:]] == requirements(chapter)


def test_every_requirement_appears_once_and_no_other() -> None:
    ids = [row[0] for row in ROWS]
    assert [name for name, count in Counter(ids).items() if count > 1] == []
    assert ids == [name for chapter in LEVELS for name, _ in requirements(chapter)]


def test_every_state_has_evidence_that_exists_or_a_reason() -> None:
    assert {row[0]: found for row in ROWS if (found := problems_of(row))} == {}


@pytest.mark.parametrize(
    ("state", "evidence", "problem"),
    [
        ("done", "a reason", "no state done"),
        ("partly", "", "nothing said"),
        ("not yet", "`src/sigma/logs.py`", "no reason"),
        ("partly", "src/sigma/logs.py", "no reason"),
        ("met", "`src/sigma/logs.py`", "met without code and test"),
        ("met", "by `tests/test_logs.py::test_stack_summary_has_no_absolute_paths`", "met without"),
        ("partly", "in `src/sigma/nothing.py`", "no file src/sigma/nothing.py"),
        ("partly", "by `tests/nothing.py::test_nothing`", "no file tests/nothing.py"),
        ("partly", "by `tests/test_logs.py::test_nothing`", "no test tests/test_logs.py"),
        ("partly", "by `tests/test_logs.py`", "no test tests/test_logs.py"),
    ],
)
def test_wrong_row_is_found(state: str, evidence: str, problem: str) -> None:
    found = problems_of(["v5.0.0-1.1.1", "1", "escaping", state, evidence])
    assert any(text.startswith(problem) for text in found), found


def test_numbers_of_the_summary_are_right() -> None:
    (summary,) = [table for table in tables(PAGE) if table[0] == list(STATES)]
    counts = Counter(row[3] for row in ROWS)
    assert summary[1:] == [[str(counts[state]) for state in STATES]]
