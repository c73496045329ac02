"""docs/security/validation.md describes every field of every form, with the numbers of the code."""

import ast
import re
from pathlib import Path

import pytest

from sigma.domain.accounts import api_key, password, second_factor, slug
from sigma.domain.billing import invoice, question, refund
from sigma.domain.catalogue import service
from sigma.domain.catalogue.price_sheet import MAX_COLUMNS
from sigma.domain.catalogue.uploaded_files import EXTENSIONS, PHOTO, PRICE_LIST
from sigma.domain.messaging import auto_reply, message
from sigma.domain.personal_data import retention
from sigma.services.accounts.shops import MAX_LENGTHS
from sigma.services.billing import connection_settings
from sigma.services.catalogue import image_processing, price_list_files, spreadsheet_process
from sigma.web.bounded_request import MAX_FORM_FIELDS, MAX_QUERY_FIELDS
from tests.docs.markdown import ROOT, read, section, table_rows, tables

PAGE = read("docs/security/validation.md")
WEB = ROOT / "src/sigma/web"
FORMS = [*WEB.glob("cabinet/**/*.py"), *WEB.glob("checkout/*.py"), *WEB.glob("storefront/*.py")]
TEMPLATES = [
    file
    for folder in ("cabinet", "checkout", "storefront")
    for file in WEB.glob(f"templates/{folder}/**/*.html")
]
READERS = {"first_value", "_first_value"}
NO_INPUT = {"htmx-config"}  # the name of a <meta>
MEGABYTE = 1024**2


def field_name(node: ast.expr) -> str | None:
    """Return the name of a field as the page writes it, None when it is a variable."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = [part.value if isinstance(part, ast.Constant) else "*" for part in node.values]
        name = "".join(map(str, parts))
        return f"reauthentication_{name[1:]}" if "PROOF_PREFIX" in ast.unparse(node) else name
    return None


def fields_read(source: str) -> set[str]:
    """Return the names of the fields that a module reads from forms and queries."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = ast.unparse(node.func)
        if name in READERS and len(node.args) > 1:
            found.add(field_name(node.args[1]))
        elif name.endswith(".get") and "form" in name:
            found.add(field_name(node.args[0]))
    return {name for name in found if name}


def fields_rendered(markup: str) -> set[str]:
    """Return the names of the fields that a template renders."""
    return {
        *re.findall(r'<(?:input|select|textarea|button)\b[^>]*?\bname="([\w.-]+)"', markup),
        *re.findall(r'\bp\.(?:field|select|switch|area)\("([\w.-]+)"', markup),
    } - NO_INPUT


def known_fields() -> set[str]:
    code = [fields_read(file.read_text()) for file in FORMS]
    return set().union(*code, *(fields_rendered(file.read_text()) for file in TEMPLATES))


def documented_fields() -> set[str]:
    parts = section(PAGE, "Forms of the cabinet") + section(PAGE, "Pages of clients")
    rows = [row for table in tables(parts) for row in table[1:]]
    return {name for row in rows for name in re.findall(r"`([\w.*-]+)`", f"`{row[1]}`")}


def test_fields_of_a_form_are_found() -> None:
    source = (
        "first_value(form_data, 'a'); form_data.get('b'); first_value(f, f'x.{n}.y'); d.get('c')"
    )
    assert fields_read(source) == {"a", "b", "x.*.y"}
    assert fields_rendered('<input type="x" name="a"> {{ p.field("b", t("c")) }}') == {"a", "b"}


def test_every_field_of_a_form_is_documented() -> None:
    known = known_fields()
    assert len(known) > 100
    assert sorted(known - documented_fields()) == []


NUMBERS = [
    ("`name`, `full_name`", [100, *MAX_LENGTHS.values()]),
    ("`title`, `description`, `amount`, `max_payments`",
     [invoice.MAX_TITLE, invoice.MAX_DESCRIPTION, invoice.MAX_PAYMENTS]),
    ("`items.*.*`", [invoice.MAX_ITEMS, invoice.MAX_ITEM_NAME]),
    ("`ask.*.kind`", [question.MAX_QUESTIONS, question.MAX_LABEL, question.MAX_OPTIONS,
                      question.MAX_OPTION, question.MAX_HINT, question.MAX_KEEP_DAYS]),
    ("each question", list(question.MAX_LENGTHS.values())),
    ("`title`, `description`, `category`",
     [service.MAX_TITLE, service.MAX_DESCRIPTION, service.MAX_CATEGORY, service.MAX_PRICE_UNIT]),
    ("`price`, `amount`", [service.MAX_EXPIRES_DAYS]),
    ("`amount`, `reason`", [refund.MAX_REASON_LENGTH]),
    ("`password`, `old`", [password.MIN_PASSWORD, password.MAX_PASSWORD]),
    ("`slug`", [slug.MIN_SLUG, slug.MAX_SLUG]),
    ("`base_url`", [connection_settings.MIN_TIMEOUT_S, connection_settings.MAX_TIMEOUT_S]),
    ("`name`, `scope`", [api_key.MAX_NETWORKS, api_key.MAX_LIFETIME_DAYS]),
    ("| passkey |", [second_factor.MAX_PASSKEY_NAME]),
    ("`greeting`", [auto_reply.MAX_TEXT]),
    ("`text`, `photo`", [message.MAX_TEXT]),
    ("`contact`", [retention.MAX_DAYS]),
    ("photo of a service", [image_processing.MAX_BYTES // MEGABYTE,
                            image_processing.MAX_PIXELS // 10**6,
                            image_processing.MAX_JPEG_PIXELS // 10**6,
                            image_processing.FULL_SIDE_PX]),
    ("price list | `.csv`", [price_list_files.MAX_BYTES // MEGABYTE, price_list_files.MAX_ROWS,
                             MAX_COLUMNS, spreadsheet_process.MAX_FILES,
                             spreadsheet_process.MAX_UNPACKED_BYTES // MEGABYTE]),
]  # fmt: skip


@pytest.mark.parametrize(("words", "numbers"), NUMBERS, ids=[one[0] for one in NUMBERS])
def test_numbers_are_those_of_the_code(words: str, numbers: list[int]) -> None:
    (line,) = [line for line in PAGE.splitlines() if line.startswith("|") and words in line]
    written = {int(text.replace(",", "")) for text in re.findall(r"\d[\d,]*\d|\d", line)}
    assert set(numbers) <= written


def test_bounds_of_a_form_are_those_of_the_code() -> None:
    assert f"at most {MAX_FORM_FIELDS:,} fields" in PAGE
    assert f"a query {MAX_QUERY_FIELDS}" in PAGE


def test_extensions_of_each_upload_are_those_of_the_code() -> None:
    photo, price_list = table_rows(section(PAGE, "Files"))[1:]
    assert set(re.findall(r"\.\w+", photo[1])) == set(EXTENSIONS[PHOTO])
    assert set(re.findall(r"\.\w+", price_list[1])) == set(EXTENSIONS[PRICE_LIST])


def test_combined_rules_name_the_module_that_checks_them() -> None:
    rows = table_rows(section(PAGE, "Fields together"))[1:]
    assert len(rows) > 10
    assert [row[2] for row in rows if not Path(ROOT / row[2]).is_file()] == []
