"""Imports point one way: between the rooms of the house, and between the rooms inside them."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from pathlib import PurePosixPath

import pytest

from tests.shape.source_files import ROOT, imported_modules, module_name, modules, room_of, tracked

# Which top-level room may import which. `main` and `cli` put the others together.
ROOMS: dict[str, set[str]] = {
    "domain": set(),
    "texts": {"domain"},
    "documents": {"texts", "domain"},
    "store": {"domain"},
    "outbound": set(),
    "providers": {"domain", "outbound"},
    "channels": {"domain", "outbound", "texts"},
    "services": {"domain", "store", "outbound", "providers", "channels", "texts", "documents"},
    "web": {"services", "domain", "texts"},
    "worker": {"services", "domain"},
    "weak_secrets": set(),
    "setting_readers": {"outbound", "weak_secrets"},
    "settings": {"outbound", "setting_readers"},
    "security_profile": {"outbound", "settings", "store"},
    "logs": set(),
}
ROOMS["main"] = set(ROOMS)
ROOMS["cli"] = set(ROOMS)

# Which room inside a room may import which other one. Modules beside these folders are the
# foundation of their room (services/context.py) or put it together (store/changes.py, web/app.py).
SUB_ROOMS: dict[str, dict[str, set[str]]] = {
    "domain": {
        "accounts": set(),
        "audit": {"accounts"},
        "billing": {"accounts"},
        "catalogue": {"accounts", "billing"},
        "messaging": {"accounts", "billing", "catalogue"},
        "customers": {"billing"},
        "notifications": {"accounts", "billing", "messaging"},
        "personal_data": set(),
        "reconciliation": {"billing"},
        "lists": {"billing", "messaging"},
        "reports": {"billing", "reconciliation"},
        "reminders": {"billing"},
        "exports": set(),
        "invoice_imports": {"billing", "lists"},
    },
    "store": {
        "engine": set(),
        "schema": {"engine"},
        "accounts": {"engine", "schema"},
        "audit": {"engine", "schema"},
        "billing": {"accounts", "engine", "schema"},
        "catalogue": {"engine", "schema"},
        "customers": {"billing", "engine", "messaging", "schema"},
        "messaging": {"billing", "engine", "schema"},
        "notifications": {"engine", "schema"},
        "personal_data": {"billing", "customers", "engine", "messaging", "schema"},
        "reconciliation": {"billing", "engine", "schema"},
        "lists": {"billing", "customers", "engine", "schema"},
        "reports": {"billing", "engine", "schema"},
        "exports": {"engine", "schema"},
        "invoice_imports": {"engine", "schema"},
    },
    "services": {
        "platform": set(),
        "customers": {"platform"},
        "reminders": {"platform"},
        "billing": {"customers", "platform", "reminders"},
        "accounts": {"billing", "platform"},
        "authentication": {"accounts", "billing", "platform"},
        "catalogue": {"platform"},
        "vk": {"platform"},
        "conversations": {
            *("catalogue", "customers", "notifications", "reminders", "vk", "platform")
        },
        "invoice_cards": {
            *("billing", "conversations", "customers", "reminders", "vk", "platform")
        },
        "notifications": {"billing", "vk", "platform"},
        "communities": {
            *("billing", "conversations", "invoice_cards", "notifications", "vk", "platform")
        },
        "market": {"catalogue", "vk", "platform"},
        "reconciliation": {"billing", "platform"},
        "lists": {"billing", "customers", "platform"},
        "reports": {"billing", "platform", "reconciliation"},
        "exports": {"billing", "customers", "lists", "platform"},
        "invoice_imports": {"billing", "catalogue", "customers", "platform"},
        "personal_data": {
            *("billing", "conversations", "customers", "exports", "reminders", "platform")
        },
        "checkout": {"billing", "catalogue", "customers", "invoice_cards", "vk", "platform"},
    },
    "web": {
        "middleware": set(),
        "api": {"middleware"},
        "checkout": {"middleware"},
        "storefront": {"checkout", "middleware"},
        "hooks": set(),
        "cabinet": {"checkout", "storefront"},
    },
    "web.cabinet": {
        "access": set(),
        "settings": set(),
        "vk": set(),
        "team": set(),
        "lists": set(),
        "payments": {"lists"},
        "reports": set(),
        "personal_data": set(),
        "exports": {"lists"},
        "customers": {"inbox", "payments"},
        "invoices": {"lists", "settings"},
        "inbox": {"invoices"},
        "services": {"invoices"},
        "board": {"inbox", "invoices", "payments"},
    },
}

# One module of services names the settings that are handed to all of them.
EXTRA_ARROWS = {"sigma.services.context": {"settings"}}


def top_room(module: str) -> str:
    """Return `store` for sigma.store.jobs, and "" for the package itself."""
    room = [*module.split("."), ""][1]
    return room if room in ROOMS else ""


def wrong_arrows(module: str, source: str) -> Iterator[str]:
    """Yield imports into a room that this module may not import, and imports inside functions."""
    room = top_room(module)
    allowed = {room, ""} | ROOMS.get(room, set()) | EXTRA_ARROWS.get(module, set())
    for node in ast.walk(ast.parse(source)):
        for name in imported_modules(node):
            is_sandbox = name.split(".")[0] == "sigma_sandbox"
            if (is_sandbox and room != "cli") or (not is_sandbox and top_room(name) not in allowed):
                yield f"{module}:{getattr(node, 'lineno', 0)} imports {name}"
        if room != "cli" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for inner in ast.walk(node):
                for name in imported_modules(inner):
                    yield f"{module}: {node.name} imports {name} inside"


def test_imports_between_rooms_point_one_way() -> None:
    found = [
        arrow
        for name, path in modules().items()
        if name.split(".")[0] == "sigma"
        for arrow in wrong_arrows(name, path.read_text())
    ]
    assert found == []


def test_sandbox_imports_nothing_of_sigma() -> None:
    found = [
        f"{name} imports {target}"
        for name, path in modules().items()
        if name.split(".")[0] == "sigma_sandbox"
        for node in ast.walk(ast.parse(path.read_text()))
        for target in imported_modules(node)
        if target.split(".")[0] == "sigma"
    ]
    assert found == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("sigma.domain.money", "import sigma.store.jobs"),
        ("sigma.domain.money", "from sigma import settings"),
        ("sigma.web.app", "from sigma.store.billing import invoices"),
        ("sigma.services.billing.invoices", "from sigma.settings import Settings"),
        ("sigma.main", "from sigma_sandbox.bank import api"),
        ("sigma.web.app", "def page():\n    from sigma.services.billing import invoices"),
    ],
)
def test_wrong_arrow_is_found(module: str, line: str) -> None:
    assert list(wrong_arrows(module, line))


def sub_room(module: str, parent: str) -> str:
    """Return the folder of `parent` that the module lives in, "" when it is not in one."""
    prefix = f"sigma.{parent}."
    name = module.removeprefix(prefix) if module.startswith(prefix) else ""
    folder = name.split(".")[0]
    return folder if folder in SUB_ROOMS[parent] else ""


def wrong_sub_arrows(parent: str, module: str, targets: Set[str]) -> Iterator[str]:
    """Yield imports between sub-rooms that the map does not have."""
    room = sub_room(module, parent)
    for target in sorted(targets):
        other = sub_room(target, parent)
        if room and other and other != room and other not in SUB_ROOMS[parent][room]:
            yield f"{module} imports {target}"


def _targets(source: str) -> set[str]:
    return {name for node in ast.walk(ast.parse(source)) for name in imported_modules(node)}


def test_imports_between_sub_rooms_are_on_the_map() -> None:
    found = [
        arrow
        for name, path in modules().items()
        for parent in SUB_ROOMS
        for arrow in wrong_sub_arrows(parent, name, _targets(path.read_text()))
    ]
    assert found == []


def test_wrong_sub_arrow_is_found() -> None:
    target = {"sigma.services.communities.communities"}
    assert list(wrong_sub_arrows("services", "sigma.services.vk.links", target))


@pytest.mark.parametrize("parent", SUB_ROOMS)
def test_every_sub_room_is_on_the_map(parent: str) -> None:
    folder = ROOT / "src" / "sigma" / parent.replace(".", "/")
    rooms = {path.parent.name for path in folder.glob("*/*.py")} - {"migrations"}
    assert rooms == set(SUB_ROOMS[parent])


def circles(graph: Mapping[str, Set[str]]) -> list[list[str]]:
    """Return the strongly connected groups of more than one node (Tarjan's algorithm)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                found.append(sorted(group))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def test_rooms_have_no_circle() -> None:
    graph: defaultdict[str, set[str]] = defaultdict(set)
    for name, path in modules().items():
        for target in _targets(path.read_text()):
            if target in modules() and room_of(target) != room_of(name):
                graph[room_of(name)].add(room_of(target))
    assert circles(graph) == []


def test_front_end_modules_have_no_circle() -> None:
    graph: defaultdict[str, set[str]] = defaultdict(set)
    for path in tracked("frontend/src/*.js"):
        for imported in re.findall(r"""(?:from|import)\s*["']\./([\w.-]+)["']""", path.read_text()):
            graph[path.name].add(PurePosixPath(imported).name)
    assert graph, "no JavaScript module imports another one: the pattern is wrong"
    assert circles(graph) == []


def test_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


def test_every_room_is_on_the_map() -> None:
    rooms = {name.split(".")[1] for name in modules() if name.startswith("sigma.")}
    assert rooms == set(ROOMS)


def test_module_name_of_a_package_is_its_folder() -> None:
    assert module_name(ROOT / "src" / "sigma" / "domain" / "__init__.py") == "sigma.domain"
