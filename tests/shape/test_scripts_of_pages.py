"""The scripts of the pages give no input a way to the prototype of objects."""

import re

import pytest

from tests.shape.source_files import ROOT

# Ways to write to `Object.prototype`: merging foreign objects, and keys that input chooses.
DANGEROUS = {
    "merge": re.compile(r"Object\.assign\(|\b(?:m|deepM)erge\(|structuredClone\(|\bextend\("),
    "prototype": re.compile(r"__proto__|\.prototype\b|setPrototypeOf|\bconstructor\b\s*\["),
    "computed key": re.compile(
        r"\w\[[^\]\d\"'`][^\]]*\]\s*(?:\[[^\]]*\]\s*)?(?:=(?![=>])|\?\?=|\|\|=)"
    ),
    "for in": re.compile(r"for\s*\(\s*(?:const|let|var)\s+\w+\s+in\b"),
    "reviver": re.compile(r"JSON\.parse\([^()]*,"),
}
# Keys of this list are names in the code, not input.
ALLOWED = {("passkeys.js", "computed key")}


def findings(source: str) -> set[str]:
    return {name for name, pattern in DANGEROUS.items() if pattern.search(source)}


def test_no_script_merges_objects_or_writes_a_key_that_input_chooses() -> None:
    scripts = sorted((ROOT / "frontend/src").rglob("*.js"))
    assert len(scripts) >= 8
    found = {(path.name, name) for path in scripts for name in findings(path.read_text())}
    assert found == ALLOWED


EXPORT = re.compile(r"^export (?:async )?(?:const|let|function) (\w+)", re.MULTILINE)
DECLARED = re.compile(r"(?:const|let|function) (\w+)|import \{([^}]*)\}")


def undeclared_exports(source: str, exported: set[str]) -> set[str]:
    """Return the exports of other scripts that a script uses without importing them.

    The bundler takes an undeclared name for one of the browser's.
    """
    code = re.sub(r"//[^\n]*|([\"'`])(?:\\.|(?!\1)[^\\])*\1", "", source)
    known = {
        name for match in DECLARED.findall(source) for name in re.findall(r"\w+", " ".join(match))
    }
    return {
        name
        for name in exported
        if re.search(rf"(?<!\w)(?:(?<!\.)|(?<=\.\.\.)){name}\b(?!:)", code)
    } - known


def test_exports_of_other_scripts_are_imported() -> None:
    sources = {path: path.read_text() for path in (ROOT / "frontend/src").rglob("*.js")}
    exported = {name for source in sources.values() for name in EXPORT.findall(source)}
    assert {"AUTOMATIC", "applyPage"} <= exported
    for path, source in sources.items():
        assert undeclared_exports(source, exported) == set(), path.name


def test_missing_import_is_found() -> None:
    assert undeclared_exports("fetch(url, { ...AUTOMATIC })", {"AUTOMATIC"}) == {"AUTOMATIC"}
    imported = 'import { AUTOMATIC } from "./a.js";\nfetch(url, AUTOMATIC)'
    assert undeclared_exports(imported, {"AUTOMATIC"}) == set()


def test_keys_of_a_passkey_are_a_fixed_list() -> None:
    source = (ROOT / "frontend/src/passkeys.js").read_text()
    written = re.findall(r"for \(const (\w+) of ([^)]+)\)[^;]*?\b\w+\[\1\] =", source, re.DOTALL)
    assert written
    for _, values in written:
        assert re.fullmatch(r"\[(?:\"\w+\",? ?)+\]|[A-Z_]+", values), values


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("Object.assign(state, JSON.parse(text))", "merge"),
        ("options[key] = value", "computed key"),
        ("a[b][c] = value", "computed key"),
        ("for (const key in input) use(key)", "for in"),
        ('x["__proto__"]', "prototype"),
        ("JSON.parse(text, (k, v) => v)", "reviver"),
    ],
)
def test_dangerous_code_is_found(source: str, name: str) -> None:
    assert name in findings(source)
