"""Files, functions and folders stay small enough to be read."""

import ast
from collections import Counter

from tests.shape.source_files import ROOT, SRC, tracked

FILE_LINES = 400
FUNCTION_LINES = 70
FOLDER_MODULES = 15
MIGRATIONS = SRC / "sigma" / "store" / "schema" / "migrations" / "versions"  # never edited again


def test_files_and_functions_are_short() -> None:
    long = []
    for path in tracked("*.py"):
        if path.is_relative_to(MIGRATIONS):
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


def test_folders_hold_few_modules() -> None:
    counts = Counter(path.parent for path in tracked("src/*.py") if path.name != "__init__.py")
    assert {
        str(folder.relative_to(ROOT)): count
        for folder, count in counts.items()
        if count > FOLDER_MODULES
    } == {}
