"""House rules that are easy to forget: jobs have handlers, nothing is patched, no path leaks."""

import ast
import re
from collections.abc import Iterator

import pytest

from sigma.worker import HANDLERS
from tests.shape.source_files import ROOT, tracked


def enqueued_job_kinds(source: str) -> Iterator[str]:
    """Yield the job kinds that this source enqueues."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "Job":
            kind = node.args[0] if node.args else node.keywords[0].value
            yield ast.unparse(kind).strip("'")


def test_every_enqueued_job_has_a_handler_and_every_handler_is_used() -> None:
    paths = tracked("src/sigma/domain/*.py", "src/sigma/services/*.py", "src/sigma/channels/*.py")
    enqueued = {kind for path in paths for kind in enqueued_job_kinds(path.read_text())}
    assert enqueued == set(HANDLERS)


# Written in two halves, so that this file does not find itself.
REGISTRIES = ["pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org", "npmjs" + ".com"]
REGISTRIES += ["yarnpkg" + ".com", "debian" + ".org", "ubuntu" + ".com"]
MACHINE_SPECIFIC = re.compile(
    "|".join(map(re.escape, REGISTRIES)) + r"|(?<![\w.~-])/(?:work|root)/"
)


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    found = []
    for path in tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue  # a picture
        found += [
            f"{path.relative_to(ROOT)}:{number}"
            for number, line in enumerate(text.splitlines(), 1)
            if MACHINE_SPECIFIC.search(line)
        ]
    assert found == []


REPOSITORY_PATH = re.compile(
    r"\b(?:tests|docs|scripts|bench|frontend)/[\w/.-]+\.(?:py|md|js|css|sh)\b"
)


def missing_paths(text: str) -> list[str]:
    """Return the files of the repository that a text names and that do not exist."""
    return [name for name in REPOSITORY_PATH.findall(text) if not (ROOT / name).is_file()]


def test_files_named_in_the_source_exist() -> None:
    paths = tracked("src/*.py", "scripts/*", "bench/*.py", "frontend/src/*")
    found = {str(path.relative_to(ROOT)): missing_paths(path.read_text()) for path in paths}
    assert {name: missing for name, missing in found.items() if missing} == {}


def test_missing_file_is_found() -> None:
    assert missing_paths("see tests/nothing.py and `docs/api.md`") == ["tests/nothing.py"]


EVASIONS = {"skip", "skipif", "xfail", "importorskip"}
PATCHERS = {"setattr", "patch", "Mock", "MagicMock", "AsyncMock"}


def find_evasions(source: str) -> Iterator[str]:
    """Yield the lines where a test is skipped, or repositions a real part by a patch."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value)
            if owner in {"pytest", "pytest.mark", "unittest"} and node.attr in EVASIONS:
                yield f"{node.lineno}: {owner}.{node.attr}"
            if owner.split(".")[-1] in {"monkeypatch", "mock", "mocker"} and node.attr in PATCHERS:
                yield f"{node.lineno}: {owner}.{node.attr}"
        if isinstance(node, ast.ImportFrom) and node.module == "unittest.mock":
            yield f"{node.lineno}: unittest.mock"


def test_no_test_is_skipped_and_nothing_is_patched() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{position}"
        for path in tracked("tests/*.py")
        for position in find_evasions(path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "@pytest.mark.skip\ndef test_x(): ...",
        "@pytest.mark.skipif(True, reason='')\ndef test_x(): ...",
        "pytestmark = pytest.mark.xfail",
        "def test_x():\n    pytest.skip('no browser')",
        "def test_x(monkeypatch):\n    monkeypatch.setattr(time, 'time', lambda: 0)",
        "from unittest.mock import AsyncMock",
    ],
)
def test_evasion_is_found(line: str) -> None:
    assert list(find_evasions(line))


def find_foreign_awaits(source: str) -> Iterator[str]:
    """Yield the awaits inside a transaction that do not use it.

    They take a second connection of the pool or wait for the network while the first one is held:
    enough such requests at once wait for each other for ever.
    """
    for block in ast.walk(ast.parse(source)):
        if not isinstance(block, ast.AsyncWith):
            continue
        names = {
            item.optional_vars.id
            for item in block.items
            if isinstance(item.optional_vars, ast.Name)
            and ast.unparse(item.context_expr).endswith(("db.read()", "db.write()"))
        }
        for node in ast.walk(block) if names else ():
            if isinstance(node, ast.Await):
                used = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
                call = ast.unparse(node.value)
                if not names & used and not call.startswith("asyncio.to_thread("):
                    yield f"{node.lineno}: {call}"


def test_transactions_await_only_their_own_statements() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in tracked("src/sigma/*.py")
        for line in find_foreign_awaits(path.read_text())
    ]
    assert found == []


def test_foreign_await_is_found() -> None:
    source = (
        "async def f(ctx):\n async with ctx.db.read() as tx:\n  await get(tx)\n  await other(ctx)"
    )
    assert list(find_foreign_awaits(source)) == ["4: other(ctx)"]
