"""docs/glossary.md agrees with the code: every noun once, with its names in every place."""

import ast
import importlib
import re
from collections import Counter
from collections.abc import Iterator

import pytest

from sigma.store.schema.all_tables import ALL_TABLES
from sigma.texts.messages import load_texts
from sigma.web.api.openapi import document
from tests.docs.markdown import names_in_cell, read
from tests.docs.markdown import tables as page_tables
from tests.shape.source_files import tracked

HEADER = ["Term", "In code", "Table", "API", "UI ru", "UI en", "Id"]
TERM, CODE, TABLE, API, UI_RU, UI_EN, ID = range(len(HEADER))


def glossary() -> list[list[str]]:
    """Return the rows of all tables of the page; a cell without a name is "—"."""
    return [
        row
        for table in page_tables(read("docs/glossary.md"))
        if table[0] == HEADER
        for row in table[1:]
    ]


def names(column: int) -> list[str]:
    """Return all names in a column. A cell may have several, each in backticks."""
    if column == TERM:  # "invoice: a request for money" has the term "invoice"
        return [row[TERM].partition(":")[0] for row in glossary()]
    return [name for row in glossary() for name in names_in_cell(row[column])]


def duplicates(values: list[str]) -> list[str]:
    return [value for value, count in Counter(values).items() if count > 1]


def new_id_prefixes(source: str) -> Iterator[str]:
    """Yield the prefixes of the ids that a module makes.

    `new_id("inv")`, `ids.new("inv")`, and `f"pho_{ctx.new_token()}"` for an id that is public.
    """
    yield from re.findall(r'f"([a-z]+)_\{ctx\.new_token\(\)\}"', source)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and node.args:
            function = ast.unparse(node.func)
            is_maker = function.split(".")[-1] == "new_id" or function.endswith("ids.new")
            if is_maker and isinstance(prefix := node.args[0], ast.Constant):
                yield str(prefix.value)


def resolve(name: str) -> object:
    """Return the module, class, function or field with this dotted name.

    The name starts inside the package `sigma`, or with `sigma_sandbox`.
    """
    parts = name.split(".") if name.startswith("sigma_sandbox.") else ["sigma", *name.split(".")]
    for end in range(len(parts), 1, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            found = getattr(found, part)
        return found
    raise LookupError(name)


def test_every_row_has_all_columns_and_no_empty_cell() -> None:
    rows = glossary()
    assert len(rows) > 40
    assert [row for row in rows if len(row) != len(HEADER) or not all(row)] == []


@pytest.mark.parametrize("column", [TERM, CODE, TABLE, API, ID], ids=lambda n: HEADER[n])
def test_every_noun_and_every_name_is_in_one_row(column: int) -> None:
    assert duplicates(names(column)) == []


def test_every_module_and_class_exists() -> None:
    missing = []
    for name in names(CODE):
        try:
            resolve(name)
        except (LookupError, AttributeError):
            missing.append(name)
    assert missing == []


def test_tables_are_those_of_the_schema() -> None:
    assert set(names(TABLE)) == set(ALL_TABLES.tables)


def test_id_prefixes_are_those_in_the_code() -> None:
    used = {
        prefix
        for path in tracked("src/sigma/*.py")
        for prefix in new_id_prefixes(path.read_text(encoding="utf-8"))
    }
    assert used
    assert {name.rstrip("_") for name in names(ID)} == used


def test_api_objects_are_those_of_the_openapi_document() -> None:
    assert set(names(API)) == set(document("http://localhost")["components"]["schemas"])


@pytest.mark.parametrize(("locale", "column"), [("ru", UI_RU), ("en", UI_EN)])
def test_every_ui_word_is_in_the_texts(locale: str, column: int) -> None:
    texts = "\n".join(
        text if isinstance(text, str) else "\n".join(text.values())
        for text in load_texts(locale).values()
    ).casefold()
    words = [
        word.strip()
        for row in glossary()
        if row[column] != "—"
        for word in re.split(r",|«|»|“|”", row[column])
        if word.strip()
    ]
    assert [word for word in words if word.casefold() not in texts] == []


def test_missing_name_is_found() -> None:
    with pytest.raises(AttributeError):
        resolve("domain.billing.invoice.Bill")
    with pytest.raises(AttributeError):
        resolve("domain.invoices")
    source = 'ctx.new_id("inv", shop)\nids.new("pay")\nf"pho_{ctx.new_token()}"'
    assert set(new_id_prefixes(source)) == {"inv", "pay", "pho"}
