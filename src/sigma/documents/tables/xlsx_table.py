"""XLSX in parts: rows become pieces of one worksheet, and the pieces one file.

The libraries build a workbook from its first row to its last in one process: an export could not
continue after a restart. For 100,000 rows of 17 columns openpyxl (write_only) spends 14.5 seconds
of CPU time, XlsxWriter (constant_memory) 9.6, this module 2.4 (`python -m bench.export --libraries
100000`). A worksheet is plain XML, so each piece is compressed by itself: raw deflate streams that
end with a full flush can be put one after another.

Format: ECMA-376, Office Open XML; ZIP: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterable
from html import escape
from typing import Any

from sigma.documents.tables.columns import (
    MAX_CELL_CHARS,
    ColumnKind,
    Row,
    TableFormat,
    clean_cell,
    decimal_text,
    iso_date,
    local_time,
    money_text,
)

MAX_ROWS = 1_048_575  # of a worksheet, without the row of headers
MAX_SHEET_BYTES = 2**32 - 2**20  # of the worksheet's XML: more needs ZIP64
_DAY_ZERO = 693_594  # the ordinal of 30.12.1899, day 0 of spreadsheet programs
_FIRST_DAY = 61  # before March 1900 Excel counts a day that there never was
# Excel takes _x0041_ in a text for the character with this code.
# Most texts have nothing that must be replaced.
_NEEDS_CARE = re.compile(r"[&<>\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]|_x")
_ESCAPED_CHARACTER = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
# Numbers of the cell formats in styles.xml.
_MONEY, _MOMENT, _DATE, _HEADER, _TEXT = 1, 2, 3, 4, 5
_WIDTHS = {ColumnKind.MONEY: 14, ColumnKind.MOMENT: 20, ColumnKind.TEXT: 24}

_NAMESPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_CONTENT = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels"'
    ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_CONTENT}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_CONTENT}.worksheet+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_CONTENT}.styles+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_RELATIONS}/officeDocument" Target="xl/workbook.xml"/>'
    "</Relationships>",
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_RELATIONS}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{_RELATIONS}/styles" Target="styles.xml"/></Relationships>',
    "xl/styles.xml": f'<styleSheet xmlns="{_NAMESPACE}"><numFmts count="2">'
    '<numFmt numFmtId="164" formatCode="dd\\.mm\\.yyyy\\ hh:mm:ss"/>'
    '<numFmt numFmtId="165" formatCode="dd\\.mm\\.yyyy"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="6">'
    + "".join(
        f'<xf numFmtId="{number}" fontId="{font}" fillId="0" borderId="0" xfId="0"'
        f' applyNumberFormat="1" applyFont="1"/>'
        # 4: #,##0.00; 49: text, so that a cell stays text when somebody edits it.
        for number, font in ((0, 0), (4, 0), (164, 0), (165, 0), (0, 1), (49, 0))
    )
    + '</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/>'
    "</cellStyles></styleSheet>",
}
_SHEET = "xl/worksheets/sheet1.xml"


def sheet_start(table: TableFormat) -> bytes:
    """Return the XML of the worksheet up to and with the row of headers, which stays in view."""
    widths = "".join(
        f'<col min="{n}" max="{n}" width="{_WIDTHS.get(column.kind, 14)}" customWidth="1"/>'
        for n, column in enumerate(table.columns, 1)
    )
    cells = "".join(
        _text_cell(f"{name}1", column.title, _HEADER)
        for name, column in zip(_names(table), table.columns, strict=True)
    )
    return (
        f'{_DECLARATION}<worksheet xmlns="{_NAMESPACE}"><sheetViews><sheetView workbookViewId="0">'
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
        f'</sheetView></sheetViews><cols>{widths}</cols><sheetData><row r="1">{cells}</row>'
    ).encode()


SHEET_END = b"</sheetData></worksheet>"


def sheet_rows(table: TableFormat, rows: Iterable[Row], first_number: int) -> bytes:
    """Return the XML of rows of raw values. `first_number`: of the first row, the headers have 1.

    A text is an inline string: no program takes one for a formula.
    """
    columns = [
        (name, _cell_writer(table, column.kind))
        for name, column in zip(_names(table), table.columns, strict=True)
    ]
    parts: list[str] = []
    for number, row in enumerate(rows, first_number):
        parts.append(f'<row r="{number}">')
        parts += [
            write(f"{name}{number}", value)
            for (name, write), value in zip(columns, row, strict=True)
            if value is not None and value != ""
        ]
        parts.append("</row>")
    return "".join(parts).encode()


def _cell_writer(table: TableFormat, kind: ColumnKind) -> Callable[[str, Any], str]:
    zone = table.zone

    def text(cell: str, value: str) -> str:
        return _text_cell(cell, value, _TEXT)

    def number(cell: str, value: str) -> str:
        decimal = decimal_text(value)
        return text(cell, value) if decimal is None else f'<c r="{cell}"><v>{decimal}</v></c>'

    def date(cell: str, value: str) -> str:
        day = iso_date(value)
        if day is None or day.toordinal() - _DAY_ZERO < _FIRST_DAY:
            return text(cell, value)
        return f'<c r="{cell}" s="{_DATE}"><v>{day.toordinal() - _DAY_ZERO}</v></c>'

    def moment(cell: str, at_us: int) -> str:
        at = local_time(at_us, zone)
        second = at.hour * 3600 + at.minute * 60 + at.second
        days = at.toordinal() - _DAY_ZERO + second / 86_400
        return f'<c r="{cell}" s="{_MOMENT}"><v>{days!r}</v></c>'

    def money(cell: str, minor: int) -> str:
        return f'<c r="{cell}" s="{_MONEY}"><v>{money_text(minor)}</v></c>'

    def integer(cell: str, value: int) -> str:
        return f'<c r="{cell}"><v>{value}</v></c>'

    writers: dict[ColumnKind, Callable[[str, Any], str]] = {
        ColumnKind.TEXT: text,
        ColumnKind.INTEGER: integer,
        ColumnKind.MONEY: money,
        ColumnKind.MOMENT: moment,
        ColumnKind.NUMBER: number,
        ColumnKind.DATE: date,
    }
    return writers[kind]


def _text_cell(cell: str, value: str, style: int) -> str:
    text = value
    if len(value) > MAX_CELL_CHARS or _NEEDS_CARE.search(value):
        # Line breaks of Windows would be read as two.
        text = clean_cell(value).replace("\r\n", "\n").replace("\r", "\n")
        text = escape(_ESCAPED_CHARACTER.sub("_x005F_", text), quote=False)
    return (
        f'<c r="{cell}" s="{style}" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'
    )


def _names(table: TableFormat) -> list[str]:
    """Return the names of the columns: A, B, …, Z, AA, …"""
    names = []
    for number in range(1, len(table.columns) + 1):
        name = ""
        while number:
            number, letter = divmod(number - 1, 26)
            name = chr(65 + letter) + name
        names.append(name)
    return names


def compress(data: bytes) -> bytes:
    """Return a raw deflate stream without an end: others can follow it."""
    compressor = zlib.compressobj(level=5, wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush(zlib.Z_FULL_FLUSH)


def decompress(data: bytes) -> bytes:
    """Return the data of one piece of `compress`."""
    return zlib.decompressobj(wbits=-zlib.MAX_WBITS).decompress(data)


END_OF_STREAM = zlib.compressobj(wbits=-zlib.MAX_WBITS).flush()  # an empty last block


class Package:
    """The bytes of an XLSX file around its compressed worksheet.

    `compressed_bytes`: of the worksheet, all pieces with END_OF_STREAM; `size_bytes` and `crc`
    (CRC-32) are those of its XML. The file is `start`, the pieces, END_OF_STREAM, `end`.
    """

    def __init__(self, title: str, *, compressed_bytes: int, size_bytes: int, crc: int) -> None:
        name = escape(re.sub(r"[\[\]:*?/\\']", " ", title)[:31])
        workbook = (
            f'<workbook xmlns="{_NAMESPACE}" xmlns:r="{_RELATIONS}"><sheets>'
            f'<sheet name="{name}" sheetId="1" r:id="rId1"/></sheets></workbook>'
        )
        directory = b""
        self.start = b""
        for part, xml in (_PARTS | {"xl/workbook.xml": workbook}).items():
            data = (_DECLARATION + xml).encode()
            packed = compress(data) + END_OF_STREAM
            fields = _fields(part, len(packed), len(data), zlib.crc32(data))
            directory += _directory_entry(part, fields, len(self.start))
            self.start += _local_header(part, fields) + packed
        fields = _fields(_SHEET, compressed_bytes, size_bytes, crc)
        directory += _directory_entry(_SHEET, fields, len(self.start))
        self.start += _local_header(_SHEET, fields)
        count = len(_PARTS) + 2
        offset = len(self.start) + compressed_bytes
        end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, count, count, len(directory), offset, 0)
        self.end = directory + end

    @property
    def overhead_bytes(self) -> int:
        """The size of the file without the worksheet."""
        return len(self.start) + len(self.end)


def _fields(name: str, compressed_bytes: int, size_bytes: int, crc: int) -> bytes:
    """Return what a local header and a directory entry share: version, method, time, sizes."""
    day_1 = 0x21  # 1.1.1980
    return struct.pack(
        "<HHHHHIIIHH", 20, 0, 8, 0, day_1, crc, compressed_bytes, size_bytes, len(name), 0
    )


def _local_header(name: str, fields: bytes) -> bytes:
    return struct.pack("<I", 0x04034B50) + fields + name.encode()


def _directory_entry(name: str, fields: bytes, offset: int) -> bytes:
    tail = struct.pack("<HHHII", 0, 0, 0, 0, offset)
    return struct.pack("<IH", 0x02014B50, 20) + fields + tail + name.encode()
