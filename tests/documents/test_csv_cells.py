"""Cells of CSV: no program takes a text for a formula, also one that splits rows elsewhere."""

import csv
import io

import pytest

from sigma.documents.tables.csv_table import csv_text, safe_cell

FORMULAS = ("=1+1", '=HYPERLINK("http://x")', "@SUM(1)", "+cmd|' /C calc'!A0", "-cmd!A0", "\uff1d1")


@pytest.mark.parametrize("separator", [",", ";", "\t", "\n", "\r\n", ", ", ',"'])
@pytest.mark.parametrize("formula", FORMULAS)
def test_formula_after_a_separator_of_another_program_stays_text(
    separator: str, formula: str
) -> None:
    """English Excel splits at commas; quotes in the middle of such a row are letters."""
    row = csv_text([["№ 1", safe_cell(f"Урок{separator}{formula}"), "x"]])
    for delimiter in (",", ";", "\t"):
        reader = csv.reader(io.StringIO(row), delimiter=delimiter, quoting=csv.QUOTE_NONE)
        cells = [cell.strip(' "') for line in reader for cell in line]
        assert not [cell for cell in cells if cell.startswith((*"=@+-", "\uff1d"))], cells


@pytest.mark.parametrize(
    "text",
    [
        *("Тверь, -5 %", "a@b.ru, @anna", "Мыть; -стричь", "да,+7 916 000-00-00", "a,b", "x\n- да"),
        *("\n" * 3 + "x", "2+2=4, так"),
    ],
)
def test_ordinary_text_with_separators_is_not_changed(text: str) -> None:
    assert safe_cell(text).removeprefix("'") == text


def test_separators_in_a_row_take_no_time() -> None:
    """A pattern that begins anew at each of them would take minutes."""
    for text in ("x" + "\n" * 30_000, ("x,+" + "a" * 60) * 500, ',"' * 15_000):
        assert safe_cell(text) == text
