"""Regular expressions and format strings are Sigma's own: input is only what they are applied to.

Code of a module's body runs at import, before any input: only functions are checked.
"""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.shape.source_files import ROOT, tracked

CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*")
BUILDERS = {
    "compile",
    "match",
    "fullmatch",
    "search",
    "sub",
    "subn",
    "split",
    "findall",
    "finditer",
}
# File and pattern → why no input is in it.
SAFE_PATTERNS = {
    ("domain/personal_data/erasure.py", "'|'.join(parts)"): "each part is escaped, or digits",
    ("domain/text_cleaning.py", "accents"): "characters of Unicode's own table",
    ("store/engine/statements.py", "pattern"): "a literal of the line before",
    ("web/forms.py", "names"): "constants by currency",
}
# File and format string → why it is no input.
SAFE_FORMATS = {
    ("texts/translator.py", "part"): "a part of a text of ours",
    ("web/rendering.py", "escape(translator.raw(key, params.get('n')))"): "a text of ours, escaped",
    ("web/cabinet/settings/audit_views.py", "pattern"): "a constant by kind of object",
    ("services/notifications/rendering.py", "path"): "a constant by kind of notification",
}


def function_nodes(source: str) -> Iterator[ast.AST]:
    """Yield all nodes inside the functions of a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from ast.walk(node)


def unsafe_parts(node: ast.expr) -> list[str]:
    """Return the parts of a pattern or format string that may be input."""
    match node:
        case ast.Constant():
            return []
        case ast.JoinedStr():
            return [part for value in node.values for part in unsafe_parts(value)]
        case ast.FormattedValue():
            return unsafe_parts(node.value)
        case ast.BinOp(op=ast.Add()):
            return unsafe_parts(node.left) + unsafe_parts(node.right)
        case ast.Name(id=name) | ast.Attribute(attr=name) if CONSTANT.fullmatch(name):
            return []
        case ast.Attribute(attr="pattern"):
            return unsafe_parts(node.value)
        case ast.Call() if ast.unparse(node.func) == "re.escape":
            return []
    return [ast.unparse(node)]


def unsafe_patterns(source: str) -> list[str]:
    """Return the parts of regular expressions that are neither constant nor escaped."""
    found: dict[str, None] = {}
    for node in function_nodes(source):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and ast.unparse(node.func.value) in ("re", "regex")
            and node.func.attr in BUILDERS
        ):
            named = [one.value for one in node.keywords if one.arg == "pattern"]
            for pattern in (*node.args[:1], *named):
                found |= dict.fromkeys(unsafe_parts(pattern))
    return list(found)


def unsafe_formats(source: str) -> list[str]:
    """Return the format strings that are not constant, and every use of the operator %."""
    found: dict[str, None] = {}
    for node in function_nodes(source):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("format", "format_map", "vformat", "safe_substitute")
            and ast.unparse(node.func) != "msgspec.json.format"
        ):
            found |= dict.fromkeys(unsafe_parts(node.func.value))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
            is_text = isinstance(node.left, ast.Constant | ast.JoinedStr) and not isinstance(
                getattr(node.left, "value", ""), int
            )
            if is_text or isinstance(node.right, ast.Tuple | ast.Dict):
                found[ast.unparse(node)] = None
    return list(found)


@pytest.mark.parametrize(
    ("code", "unsafe"),
    [
        ("re.search(text, other)", "text"),
        ("re.compile(f'^{name}$')", "name"),
        ("re.sub('a' + word, '', text)", "word"),
        ("re.match(pattern=query, string=text)", "query"),
        ("re.compile('|'.join(words))", "'|'.join(words)"),
        ("re.search(f'^{re.escape(name)}$', text)", None),
        ("re.search(f'{_AMOUNT}|{words.UNIT}', text)", None),
        ("re.search(r'\\d+', text)", None),
    ],
)
def test_pattern_built_of_input_is_found(code: str, unsafe: str | None) -> None:
    assert unsafe_patterns(f"def f():\n    {code}") == ([unsafe] if unsafe else [])


@pytest.mark.parametrize(
    ("code", "is_found"),
    [
        ("template.format(name=name)", True),
        ("shop.consent_text.format_map(values)", True),
        ("'%s %s' % (a, b)", True),
        ("template % {'a': 1}", True),
        ("'{} of {}'.format(a, b)", False),
        ("URL.format(id=id)", False),
        ("total % 10", False),
    ],
)
def test_format_string_of_input_is_found(code: str, is_found: bool) -> None:
    assert bool(unsafe_formats(f"def f():\n    {code}")) is is_found


def test_no_regular_expression_contains_unescaped_input() -> None:
    found = {
        (str(path.relative_to(ROOT / "src/sigma")), part)
        for path in tracked("src/sigma/*.py")
        for part in unsafe_patterns(path.read_text())
    }
    assert found == SAFE_PATTERNS.keys()


def test_no_format_string_is_input() -> None:
    found = {
        (str(path.relative_to(ROOT / "src/sigma")), part)
        for path in tracked("src/sigma/*.py")
        for part in unsafe_formats(path.read_text())
    }
    assert found == SAFE_FORMATS.keys()
