"""Price lists as files of the programs that sellers use, and their parsing in tests."""

import base64
import io
import zipfile
from collections.abc import Callable, Sequence
from typing import Any
from xml.sax.saxutils import escape

import openpyxl
import xlwt
from openpyxl.worksheet.worksheet import Worksheet

from sigma.domain.catalogue.price_list import ImportRow
from sigma.services.catalogue.price_list_files import Book, read_book
from sigma.services.catalogue.price_list_import import ImportChoices, PriceList, pack, parse_book

Cells = Sequence[Sequence[Any]]


def parse_file(data: bytes | str, **choices: Any) -> PriceList:
    """Read and parse a file as the import does; text is UTF-8."""
    book = read_book(data.encode() if isinstance(data, str) else data)
    return parse_book(book, ImportChoices(**choices))


def parse_rows(data: bytes | str) -> list[ImportRow]:
    """Return the rows of a file."""
    return parse_file(data).rows


def packed_file(data: bytes | str) -> str:
    """Return the hidden field of the preview for a file."""
    return pack(read_book(data.encode() if isinstance(data, str) else data))


def hostile_field(content: bytes) -> str:
    """Return a hidden field with other content."""
    return base64.urlsafe_b64encode(content).decode()


def price_of(row: ImportRow) -> tuple[str, str, str, str, str]:
    """Return kind, amount, upper end, currency and unit of a row, as text."""
    low, high = row.values.get("amount"), row.values.get("max_amount")
    price = low or high
    return (
        str(row.values.get("price_kind", "")),
        low.to_decimal_text() if low else "",
        high.to_decimal_text() if high else "",
        price.currency if price else "",
        row.values.get("price_unit", ""),
    )


def xlsx(rows: Cells, change: Callable[[Worksheet], None] | None = None, **more: Cells) -> bytes:
    """Return a workbook as Excel saves it. `more`: further sheets by name."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    _fill(sheet, rows)
    for name, cells in more.items():
        _fill(book.create_sheet(name), cells)
    if change is not None:
        change(sheet)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _fill(sheet: Worksheet, rows: Cells) -> None:
    for r, row in enumerate(rows, 1):
        for c, value in enumerate(row, 1):
            if value != "":
                sheet.cell(r, c).value = value


def xls(rows: Cells, number_format: str = "General") -> bytes:
    """Return a workbook in the binary format of Excel 97, numbers in one format."""
    book = xlwt.Workbook()
    sheet = book.add_sheet("Прайс")
    style = xlwt.easyxf(num_format_str=number_format)
    for r, row in enumerate(rows):
        for c, value in enumerate(row):
            sheet.write(r, c, value, style)
    out = io.BytesIO()
    book.save(out)
    return bytes(out.getvalue())


def ods(rows: Cells, currency: str = "") -> bytes:
    """Return a spreadsheet of LibreOffice; its numbers may be money of one currency."""

    def cell(value: Any) -> str:
        if isinstance(value, int | float):
            kind = f'currency" office:currency="{currency}' if currency else "float"
            return f'<table:table-cell office:value-type="{kind}" office:value="{value}"/>'
        if not value:
            return "<table:table-cell/>"
        return (
            '<table:table-cell office:value-type="string">'
            f"<text:p>{escape(value)}</text:p></table:table-cell>"
        )

    body = "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows)
    namespaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text")
    )
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {namespaces}>'
        '<office:body><office:spreadsheet><table:table table:name="Прайс">'
        f"{body}</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    mime = "application/vnd.oasis.opendocument.spreadsheet"
    manifest = (
        '<?xml version="1.0"?><manifest:manifest'
        ' xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{mime}"/>'
        "</manifest:manifest>"
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", mime)
        archive.writestr("content.xml", content)
        archive.writestr("META-INF/manifest.xml", manifest)
    return out.getvalue()


def xml_book(rows: Cells, encoding: str = "utf-8") -> bytes:
    """Return an XML Spreadsheet 2003, as CRM programs save .xls."""

    def cell(value: Any) -> str:
        kind = "Number" if isinstance(value, int | float) else "String"
        return f'<Cell><Data ss:Type="{kind}">{escape(str(value))}</Data></Cell>'

    body = "".join(f"<Row>{''.join(map(cell, row))}</Row>" for row in rows)
    namespace = "urn:schemas-microsoft-com:office:spreadsheet"
    return (
        f'<?xml version="1.0" encoding="{encoding}"?><Workbook xmlns="{namespace}"'
        f' xmlns:ss="{namespace}"><Worksheet ss:Name="Лист1"><Table>{body}</Table></Worksheet>'
        "</Workbook>"
    ).encode(encoding)


def empty_book() -> Book:
    """Return a file without sheets."""
    return Book([])
