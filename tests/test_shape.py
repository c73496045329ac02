"""The shape of the house: which room may know which, how long things may be, what has no place."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sigma.worker import HANDLERS

ROOT = Path(__file__).parents[1]
SIGMA = ROOT / "src" / "sigma"

# Who may import whom. `main` and `cli` put everything together, so they may import every room.
ROOMS = {
    "domain": set(),
    "texts": {"domain"},
    "documents": {"texts", "domain"},
    "store": {"domain"},
    "providers": {"domain"},
    "channels": {"domain", "texts"},
    "services": {"domain", "store", "providers", "channels", "texts", "documents"},
    "web": {"services", "domain", "texts"},
    "worker": {"services", "domain"},
    "settings": set(),
    "logs": set(),
    "sandbox": set(),
}
ROOMS["main"] = set(ROOMS) - {"sandbox"}
ROOMS["cli"] = set(ROOMS)
# One file of services holds the settings that are handed to all of them.
MORE = {"sigma.services.context": {"settings"}}

NO_ROOM = ""

FILE_LINES = 400
FUNCTION_LINES = 70
ONCE_AND_NEVER_CHANGED = SIGMA / "store" / "migrations" / "versions"


def tracked(*patterns: str) -> list[Path]:
    """Files that git knows or would take in, so a mistake shows before it is committed."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard", *patterns],
        cwd=ROOT,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    ).stdout
    return sorted(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


def module_name(path: Path) -> str:
    parts = path.relative_to(SIGMA.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(name: str) -> str:
    """`store` for sigma.store.db; what lies in the package itself, as its version, has no room."""
    return room if (room := [*name.split("."), NO_ROOM][1]) in ROOMS else NO_ROOM


def imported(node: ast.AST) -> Iterator[str]:
    """Full names of what one import statement brings in from Sigma."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = [f"{node.module}.{alias.name}" for alias in node.names]
    else:
        return
    yield from (name for name in names if name.split(".")[0] == "sigma")


def wrong_arrows(module: str, source: str) -> Iterator[str]:
    """Imports that point from this module into a room it may not know, or hide in a function."""
    room = room_of(module)
    allowed = {room, NO_ROOM} | ROOMS.get(room, set()) | MORE.get(module, set())
    for node in ast.walk(ast.parse(source)):
        for name in imported(node):
            if room_of(name) not in allowed:
                yield f"{module}:{node.lineno} imports {name}"  # type: ignore[attr-defined]
        if room != "cli" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for inner in ast.walk(node):
                for name in imported(inner):
                    yield f"{module}: {node.name} imports {name} inside"


def test_imports_point_one_way() -> None:
    files = tracked("src/sigma/**.py")
    assert files
    found = [arrow for path in files for arrow in wrong_arrows(module_name(path), path.read_text())]
    assert found == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("sigma.domain.money", "import sigma.store.db"),
        ("sigma.domain.money", "from sigma import settings"),
        ("sigma.web.app", "from sigma.store import invoices"),
        ("sigma.services.invoices", "from sigma.settings import Settings"),
        ("sigma.sandbox.bank.app", "from sigma.domain import money"),
        ("sigma.main", "from sigma.sandbox.bank import app"),
        ("sigma.web.app", "def page():\n    from sigma.services import invoices"),
    ],
)
def test_an_arrow_the_other_way_is_seen(module: str, line: str) -> None:
    assert list(wrong_arrows(module, line))


def test_every_room_is_on_the_map() -> None:
    rooms = {
        module_name(path).split(".")[1]
        for path in tracked("src/sigma/**.py")
        if module_name(path) != "sigma"
    }
    assert rooms - set(ROOMS) == set()


def test_files_and_functions_fit_a_reader() -> None:
    long = []
    for path in tracked("*.py"):
        if path.is_relative_to(ONCE_AND_NEVER_CHANGED):
            continue
        source = path.read_text()
        if (lines := source.count("\n")) > FILE_LINES:
            long.append(f"{path.relative_to(ROOT)} has {lines} lines")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    long.append(f"{path.relative_to(ROOT)}: {node.name} has {lines} lines")
    assert long == []


def promised_jobs(source: str) -> Iterator[str]:
    """The kinds of work that this code promises, as it spells them."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "Job":
            kind = node.args[0] if node.args else node.keywords[0].value
            yield ast.unparse(kind).strip("'")


def test_every_promised_job_has_a_handler_and_every_handler_is_promised() -> None:
    rooms = tracked(
        "src/sigma/domain/**.py", "src/sigma/services/**.py", "src/sigma/channels/**.py"
    )
    promised = {kind for path in rooms for kind in promised_jobs(path.read_text())}
    assert promised == set(HANDLERS)


# Written in two halves, so that this file does not find itself.
REGISTRIES = ["pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org", "npmjs" + ".com"]
REGISTRIES += ["yarnpkg" + ".com", "debian" + ".org", "ubuntu" + ".com"]
OF_ONE_MACHINE = re.compile("|".join(map(re.escape, REGISTRIES)) + r"|(?<![\w.~-])/(?:work|root)/")


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
            if OF_ONE_MACHINE.search(line)
        ]
    assert found == []


AVOIDED = {"skip", "skipif", "xfail", "importorskip"}
PATCHES = {"setattr", "patch", "Mock", "MagicMock", "AsyncMock"}


def evasions(source: str) -> Iterator[str]:
    """Places where a test avoids running, or runs on parts that are not the real ones."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value)
            if owner in {"pytest", "pytest.mark", "unittest"} and node.attr in AVOIDED:
                yield f"{node.lineno}: {owner}.{node.attr}"
            if owner.split(".")[-1] in {"monkeypatch", "mock", "mocker"} and node.attr in PATCHES:
                yield f"{node.lineno}: {owner}.{node.attr}"
        if isinstance(node, ast.ImportFrom) and node.module == "unittest.mock":
            yield f"{node.lineno}: unittest.mock"


def test_no_test_is_skipped_and_nothing_is_patched() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{place}"
        for path in tracked("tests/**.py")
        for place in evasions(path.read_text())
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
def test_an_evasion_is_seen(line: str) -> None:
    assert list(evasions(line))
