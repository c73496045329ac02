"""`python -m bench.spreadsheets`: what LibreOffice reads in our CSV and XLSX files.

Writes one table with every kind of column and all hostile values of the tests, in Russian and in
English, opens the files with a headless LibreOffice (`apt-get install --no-install-recommends
libreoffice-calc-nogui`), and compares the type and the value of each cell with what was written.
Exit code 1 when anything differs. Not a test: most machines have no LibreOffice, and no test is
skipped here; `tests/services/test_exports.py` reads the same files with two other libraries.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

from sigma.documents.tables import xlsx_table
from sigma.documents.tables.columns import Column, ColumnKind, TableFormat, local_time, money_text
from sigma.documents.tables.csv_table import csv_header, csv_rows, safe_cell
from tests.services.test_exports import HOSTILE

# Import: `;`, `"`, UTF-8, from row 1, the language, quoted cells are no texts, numbers and dates
# are looked for: as when a person opens the file. https://wiki.documentfoundation.org/
# Documentation/DevGuide/Spreadsheet_Documents#Filter_Options_for_the_CSV_Filter
IMPORT = "Text - txt - csv (StarCalc):59,34,76,1,,{language},false,true"
LANGUAGES = {"ru": 1049, "en": 1033}
NAMESPACE = "{urn:oasis:names:tc:opendocument:xmlns:%s:1.0}"
TABLE, OFFICE, TEXT = (NAMESPACE % name for name in ("table", "office", "text"))
Cell = tuple[str, str]  # the type of a value in OpenDocument, and the value
COLUMNS = (
    Column("Текст", ColumnKind.TEXT),
    Column("Целое", ColumnKind.INTEGER),
    Column("Сумма", ColumnKind.MONEY),
    Column("Время", ColumnKind.MOMENT),
    Column("Число", ColumnKind.NUMBER),
    Column("Дата", ColumnKind.DATE),
)
MOMENT_US = 1_795_514_700_000_000  # 24 November 2026, 10:05:00 UTC
# A CSV has no types: these texts look like numbers, and every program reads them as numbers.
NUMBERS_IN_CSV = {"1E5": "100000", "0012": "12"}


def rows() -> Iterator[tuple[object, ...]]:
    """Yield a row for each hostile value; sums around the limits of a double and of a kopeck."""
    for number, text in enumerate(HOSTILE):
        sign = -1 if number % 7 == 3 else 1
        minor = sign * (1, 99, 100, 123_456, 150_050, 99_999_999_999, 10**13 - 1)[number % 7]
        moment_us = MOMENT_US + number * 40_000_000_000_123
        yield text, number, minor, moment_us, f"{number},5", f"2026-{number % 12 + 1:02}-28"


def xlsx_bytes(table: TableFormat) -> bytes:
    """Return the workbook as an export writes it: pieces in a frame."""
    pieces = [
        xlsx_table.sheet_start(table),
        xlsx_table.sheet_rows(table, rows(), 2),
        xlsx_table.SHEET_END,
    ]
    packed = b"".join(map(xlsx_table.compress, pieces)) + xlsx_table.END_OF_STREAM
    sheet = b"".join(pieces)
    frame = xlsx_table.Package(
        "Платежи", compressed_bytes=len(packed), size_bytes=len(sheet), crc=zlib.crc32(sheet)
    )
    return frame.start + packed + frame.end


def convert(soffice: str, source: Path, folder: Path, *options: str) -> list[list[Cell]]:
    """Return the cells that LibreOffice reads, from its flat XML: types, values and formulas."""
    folder.mkdir()
    profile = f"-env:UserInstallation=file://{folder}/profile"
    command = [soffice, profile, "--headless", *options, "--convert-to", "fods"]
    command += ["--outdir", str(folder), str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    (made,) = folder.glob("*.fods")
    return [list(read_row(row)) for row in ET.parse(made).iter(f"{TABLE}table-row")]


def read_row(row: ET.Element) -> Iterator[Cell]:
    """Yield the cells of a row: (type, value); the type of a formula is "formula"."""
    for cell in row.iter(f"{TABLE}table-cell"):
        kind = cell.get(f"{OFFICE}value-type", "")
        value = cell.get(f"{OFFICE}value") or cell.get(f"{OFFICE}date-value")
        if kind == "string":
            value = "\n".join(read_text(part) for part in cell.iter(f"{TEXT}p"))
        formula = cell.get(f"{TABLE}formula")
        yield ("formula", formula) if formula else (kind, value or "")


def read_text(part: ET.Element) -> str:
    """Return a paragraph; several spaces are elements of their own."""
    text = part.text or ""
    for inner in part:
        if inner.tag == f"{TEXT}s":
            text += " " * int(inner.get(f"{TEXT}c", "1"))
        text += (inner.text or "") + (inner.tail or "")
    return text


def find_differences(found: list[list[Cell]], table: TableFormat, *, is_csv: bool) -> Iterator[str]:
    """Yield what LibreOffice reads otherwise than it was written."""
    wanted = list(rows())
    cells_of_rows = [cells for cells in found[1:] if any(value for _, value in cells)]
    if len(cells_of_rows) != len(wanted):
        yield f"{len(cells_of_rows)} rows instead of {len(wanted)}"
        return
    for cells, row in zip(cells_of_rows, wanted, strict=True):
        for cell, column, value in zip(cells, COLUMNS, row, strict=False):
            if cell != (expected := expected_cell(value, column.kind, table, is_csv=is_csv)):
                yield f"{column.title}: {value!r} is read as {cell}, not {expected}"


def expected_cell(value: object, kind: ColumnKind, table: TableFormat, *, is_csv: bool) -> Cell:
    """Return the type and the value that LibreOffice must read."""
    if kind is ColumnKind.TEXT:
        text = str(value)
        if is_csv and text in NUMBERS_IN_CSV:
            return "float", NUMBERS_IN_CSV[text]
        return "string", safe_cell(text) if is_csv else text
    if kind is ColumnKind.MOMENT:
        assert isinstance(value, int)
        return "date", local_time(value, table.zone).strftime("%Y-%m-%dT%H:%M:%S")
    if kind is ColumnKind.MONEY:
        assert isinstance(value, int)
        return "float", money_text(value).rstrip("0").rstrip(".")
    if kind is ColumnKind.DATE:
        return "date", str(value)
    return "float", str(value).replace(",", ".")


def main() -> None:
    """Write the files, convert them, compare."""
    parser = argparse.ArgumentParser(prog="python -m bench.spreadsheets", description=__doc__)
    parser.add_argument("--soffice", default=shutil.which("soffice"), help="LibreOffice's program")
    args = parser.parse_args()
    if not args.soffice:
        sys.exit("LibreOffice is not installed: there is no soffice on the PATH")
    count = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for locale, language in LANGUAGES.items():
            table = TableFormat(COLUMNS, locale, "Europe/Moscow")
            files = {
                "csv": csv_header(table) + csv_rows(table, rows()),
                "xlsx": xlsx_bytes(table),
            }
            for ending, data in files.items():
                source = folder / f"{locale}.{ending}"
                source.write_bytes(data)
                options = [f"--infilter={IMPORT.format(language=language)}"]
                is_csv = ending == "csv"
                cells = convert(
                    args.soffice, source, folder / f"{locale}-{ending}", *(options * is_csv)
                )
                problems = list(find_differences(cells, table, is_csv=is_csv))
                count += len(problems)
                print(f"{locale} {ending:<5}{len(cells) - 1} rows, {len(problems)} differences")
                print("".join(f"  {problem}\n" for problem in problems), end="")
    sys.exit(1 if count else 0)


if __name__ == "__main__":
    main()
