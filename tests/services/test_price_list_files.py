"""Price list files are bounded: bombs, broken and foreign files end in a refusal with words."""

import io
import zipfile

import pytest
from openpyxl.worksheet.worksheet import Worksheet

from sigma.domain.catalogue.price_sheet import MAX_COLUMNS, Cell, Sheet
from sigma.domain.catalogue.price_table import parse_sheet
from sigma.domain.errors import RefusedError
from sigma.services.catalogue import spreadsheet_process
from sigma.services.catalogue.price_list_files import MAX_ROWS, Book, decode_text, read_book
from sigma.services.catalogue.price_list_import import pack, unpack
from tests.price_lists import hostile_field, xlsx, xml_book


def archive(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return out.getvalue()


def refusal_code(data: bytes) -> str:
    with pytest.raises(RefusedError) as caught:
        read_book(data)
    assert caught.value.problems[0].field == "file"
    return caught.value.problems[0].code


def test_zip_bomb_is_refused() -> None:
    bomb = archive({"xl/workbook.xml": b"0" * (spreadsheet_process.MAX_UNPACKED_BYTES + 1)})
    assert len(bomb) < 1024**2
    assert refusal_code(bomb) == "file_complex"


@pytest.mark.parametrize("surplus", [0, 1])
def test_number_of_files_in_an_archive_is_bounded(surplus: int) -> None:
    count = spreadsheet_process.MAX_FILES - 1 + surplus
    pictures = {f"xl/media/{number}.png": b"" for number in range(count)}
    data = archive({"xl/workbook.xml": b"<broken", **pictures})
    assert refusal_code(data) == ("file_complex" if surplus else "file_unreadable")


@pytest.mark.parametrize("corner", ["XFD1048576", "XFD8000"])  # 17 billion cells; 3 GB of them
def test_huge_table_in_a_small_file_is_refused(corner: str) -> None:
    def fill_corner(sheet: Worksheet) -> None:
        sheet[corner] = "x"

    assert refusal_code(xlsx([["Услуга"]], fill_corner)) == "file_complex"


def test_lying_size_in_a_zip_is_refused() -> None:
    data = bytearray(archive({"xl/workbook.xml": b"0" * 1000}))
    for header, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(header) + offset
        data[at : at + 4] = (10).to_bytes(4, "little")
    assert refusal_code(bytes(data)) == "file_unreadable"


def test_entities_of_xml_are_refused() -> None:
    bomb = xml_book([["&"]]).replace(b"?><", b'?><!DOCTYPE x [<!ENTITY a "aaaa">]><', 1)
    assert refusal_code(bomb) == "file_unreadable"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (archive({"word/document.xml": b"<w/>"}), "file_format"),
        (archive({"xl/workbook.xml": b"<broken"}), "file_unreadable"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 5000, "file_unreadable"),
        (b"\x89PNG\r\n\x1a\n", "file_format"),
        (b"<table>" + b"<tr><td>1" * (MAX_ROWS + 1), "too_many"),
        (b"<table><tr>" + b"<td>1" * 101, "file_columns"),
        (xml_book([list(range(101))]), "file_columns"),
        (xlsx([list(range(101))]), "file_columns"),
    ],
)
def test_foreign_broken_and_huge_files_are_refused(data: bytes, code: str) -> None:
    assert refusal_code(data) == code


def test_huge_spans_of_html_take_no_memory() -> None:
    page = "<table><tr><td colspan=99999 rowspan=99999>а</table>" * 50
    assert sum(len(sheet.rows) for sheet in read_book(page.encode()).sheets) == 50


def test_hidden_field_holds_the_file_and_is_bounded() -> None:
    book = read_book(xlsx([["Услуга", "Цена"], ["Маникюр", 1500.5]]))
    assert unpack(pack(book)) == book
    bomb = b"x\x9c" + b"\0" * 100
    for text in (hostile_field(bomb), "не base64", hostile_field(b"{}")):
        with pytest.raises(RefusedError) as caught:
            unpack(text)
        assert caught.value.code == "bad_request"


def test_forged_field_cannot_have_more_than_a_file() -> None:
    """A million columns, or rows without numbers, would keep a thread busy for hours."""
    for sheet in (
        Sheet("", [["Сумма"] * (MAX_COLUMNS + 1)], [1]),
        Sheet("", [["Сумма"], ["1"]], [1]),
        Sheet("", [["1"]] * (MAX_ROWS + 1), [1] * (MAX_ROWS + 1)),
    ):
        with pytest.raises(RefusedError) as caught:
            unpack(pack(Book([sheet])))
        assert caught.value.code == "bad_request"


def test_merged_cells_that_overlap_and_reach_far_cost_no_more_than_the_table() -> None:
    far = 10**9
    rows: list[list[Cell]] = [["Услуга", "Цена"]]
    rows.extend([f"Услуга {n}", "100"] for n in range(2000))
    wide = [(0, n % 2, 0, far) for n in range(2000)]
    deep = [(n, n % 2, far, n % 2) for n in range(2000)]
    parsed = parse_sheet(Sheet("", rows, list(range(1, len(rows) + 1)), merged=[*wide, *deep]))
    assert parsed is not None
    assert len(parsed.rows) == 2000


def test_latin_code_page_and_broken_utf8() -> None:
    assert decode_text("Café;Crème brûlée\n".encode("cp1252")) == "Café;Crème brûlée\n"
    damaged = ("Название;Цена\n" + "Маникюр;1500\n" * 200).encode() + b"\xff"
    assert decode_text(damaged).endswith("1500\n\ufffd")


@pytest.mark.parametrize(
    ("number_format", "value", "text"),
    [
        ("#,##0.00", 5.0, 5.0),
        ("0%", 0.1, "10%"),
        ("0000", 7.0, "0007"),
        ("[$$-409]#,##0.00", 5.5, "$ 5.5"),
        ('#,##0.00"р."', 5.0, "5 р."),
        ('_-* #,##0.00\\ "₽"_-;-* #,##0.00\\ "₽"_-', 5.0, "5 ₽"),
        ("[Red]#,##0;[Blue]-#,##0", 5.0, 5.0),
    ],
)
def test_number_format_of_excel_becomes_part_of_the_value(
    number_format: str, value: float, text: str | float
) -> None:
    assert spreadsheet_process.with_format(value, number_format) == text
