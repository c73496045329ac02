"""The files of the repository, and the rooms that their modules live in."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
PACKAGES = ("sigma", "sigma_sandbox")


def tracked(*patterns: str) -> list[Path]:
    """Return the files that git tracks or would add, so a mistake shows before the commit."""
    output = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard", *patterns],
        cwd=ROOT,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    ).stdout
    return sorted(path for name in output.split("\0") if name and (path := ROOT / name).is_file())


def module_name(path: Path) -> str:
    """Return the dotted name of a module file, e.g. `sigma.domain.money`."""
    parts = path.relative_to(SRC).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> dict[str, Path]:
    """Return all modules of both packages by dotted name."""
    return {module_name(path): path for path in tracked("src/*.py")}


@cache
def _packages() -> frozenset[str]:
    return frozenset(name for name, path in modules().items() if path.name == "__init__.py")


@cache
def _packages_with_rooms() -> frozenset[str]:
    return frozenset(name.rpartition(".")[0] for name in _packages())


def room_of(module: str) -> str:
    """Return the room of a module.

    A folder without sub-folders is one room. A module beside sub-folders is a room of its own.
    """
    package = module if module in _packages() else module.rpartition(".")[0]
    return module if package in _packages_with_rooms() else package


def imported_modules(node: ast.AST) -> Iterator[str]:
    """Yield the modules of both packages that one import statement brings in."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name.split(".")[0] in PACKAGES)
    elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PACKAGES:
        for alias in node.names:
            name = f"{node.module}.{alias.name}"
            yield name if name in modules() else str(node.module)
