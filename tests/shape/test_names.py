"""Names are the field's words: a short list of words that may not be part of an identifier."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.shape.source_files import ROOT, tracked

# Words that named five things each, or nothing. docs/glossary.md has the words to use instead.
BANNED = {
    *("told", "tell", "asked", "seen", "shown", "kept", "said", "heard", "hear", "whoever"),
    *("wish", "wished", "acts", "door", "doors", "ear", "books", "face", "happening"),
    *("happenings", "lapse", "lapsed", "sealer", "utils", "util", "helper", "helpers", "manager"),
}
# These may be part of a clear name (`mark_delivered`, `first_line`) but are none by themselves.
BANNED_ALONE = {"mark", "marks", "place", "places", "look", "things"}

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def defined_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and name of everything that a module defines: also arguments and attributes."""
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield line, name
            case ast.ClassDef(name=name) | ast.arg(arg=name):
                yield line, name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield line, name
            case ast.alias(asname=str(name)):
                yield line, name


def banned_names(source: str) -> Iterator[str]:
    """Yield the identifiers that contain a banned word, with their line.

    The names of tests are sentences, so these words may be part of them.
    """
    for line, name in defined_names(ast.parse(source)):
        if name.startswith("test_"):
            continue
        words = [word.lower() for word in _WORDS.findall(name)]
        is_alone = name.strip("_").lower() in BANNED_ALONE
        if BANNED.intersection(words) or is_alone:
            yield f"{line}: {name}"


@pytest.mark.parametrize("folder", ["src", "tests", "bench", "scripts"])
def test_no_identifier_has_a_banned_word(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{name}"
        for path in tracked(f"{folder}/*.py")
        for name in banned_names(path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "class PaymentTold: ...",
        "def f(asked): ...",
        "said = 1",
        "class A:\n    def is_seen(self): ...",
        "mark = 1",
        "import a as b_utils",
        "self.kept = 1",
    ],
)
def test_banned_name_is_found(source: str) -> None:
    assert list(banned_names(source))


@pytest.mark.parametrize("source", ["def mark_delivered(): ...", "shown_at = first_line = 1"])
def test_word_inside_a_clear_name_passes_unless_banned(source: str) -> None:
    assert bool(list(banned_names(source))) == ("shown" in source)


def test_exceptions_end_in_error() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.name}"
        for path in tracked("src/*.py", "tests/*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
        and any(
            ast.unparse(base).split(".")[-1].endswith(("Error", "Exception")) for base in node.bases
        )
        and not node.name.endswith("Error")
    ]
    assert wrong == []


def test_no_naming_rule_is_silenced() -> None:
    pattern = re.compile(r"noqa:.*\bN818\b")
    wrong = [str(path) for path in tracked("src/*.py") if pattern.search(path.read_text())]
    assert wrong == []
