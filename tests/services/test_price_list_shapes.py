"""Price lists in the shapes that programs and people make them. Nothing is dropped silently."""

import datetime as dt
from typing import Any

import pytest
from openpyxl.worksheet.worksheet import Worksheet

from sigma.domain.catalogue.price_headers import LeftOut, Meaning
from sigma.domain.catalogue.price_table import SkipReason
from sigma.services.catalogue.price_list_import import PriceList
from tests.price_lists import ods, parse_file, price_of, xls, xlsx, xml_book

MANICURE, PEDICURE = ("fixed", "1500.00", "", "RUB", ""), ("from", "2000.00", "", "RUB", "")
TABLE: list[list[Any]] = [["Услуга", "Цена"], ["Маникюр", 1500], ["Педикюр", "от 2000"]]
ON_REQUEST = ("agreement", "", "", "", "")


def csv_text(rows: list[list[Any]], delimiter: str = ";", end: str = "\r\n") -> str:
    return "".join(delimiter.join(map(str, row)) + end for row in rows)


def brief(found: PriceList) -> list[tuple[str, tuple[str, ...]]]:
    """Return title and price of every row; fail for a row with a problem."""
    assert [row.problems for row in found.rows if row.problems] == []
    return [(row.title, price_of(row)) for row in found.rows]


def with_categories(found: PriceList) -> list[tuple[str | None, str, str]]:
    return [(row.category, row.title, price_of(row)[1]) for row in found.rows]


def meanings(found: PriceList) -> dict[str, str | None]:
    return {c.header: str(c.meaning) if c.meaning else None for c in found.columns}


def left_out(found: PriceList) -> dict[str, LeftOut]:
    return {c.header: c.left_out for c in found.columns if c.meaning is None}


def skipped(found: PriceList) -> list[tuple[int, SkipReason]]:
    return [(row.row_number, row.reason) for row in found.skipped]


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_csv_is_read_with_any_delimiter_and_line_end(delimiter: str, end: str) -> None:
    assert brief(parse_file(csv_text(TABLE, delimiter, end))) == [
        ("Маникюр", MANICURE),
        ("Педикюр", PEDICURE),
    ]


@pytest.mark.parametrize(
    "encoding",
    [
        *("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1251", "koi8-r", "cp866"),
        "mac_cyrillic",
    ],
)
def test_csv_is_read_in_any_encoding(encoding: str) -> None:
    assert len(brief(parse_file(csv_text(TABLE).encode(encoding)))) == 2
    assert parse_file(csv_text(TABLE).encode(encoding)).rows[0].title == "Маникюр"


@pytest.mark.parametrize("make", [xlsx, xls, ods, xml_book, lambda rows: xml_book(rows, "cp1251")])
def test_price_list_is_read_from_every_spreadsheet_format(make: Any) -> None:
    assert brief(parse_file(make(TABLE))) == [("Маникюр", MANICURE), ("Педикюр", PEDICURE)]


@pytest.mark.parametrize("encoding", ["utf-8", "cp1251"])
def test_html_table_saved_as_xls_is_read(encoding: str) -> None:
    page = """<html xmlns:x="urn:schemas-microsoft-com:office:excel"><head><style>td{}</style>
    </head><body><p>Салон</p><table border=1><tr><td colspan=2>Прайс-лист
    <tr><th>Услуга</th><th>Цена</th></tr>
    <tr><td rowspan="2">Маникюр<br>с покрытием</td><td>1&nbsp;500 &#8381;</td></tr>
    <tr><td>от 2 000</td></tr><tr><td>Педикюр</td><td>до 3000</td></tr></table></body></html>"""
    found = parse_file(page.encode(encoding, "xmlcharrefreplace"))
    assert [(row.title, price_of(row)[:3]) for row in found.rows] == [
        ("Маникюр с покрытием", ("fixed", "1500.00", "")),
        ("Маникюр с покрытием", ("from", "2000.00", "")),
        ("Педикюр", ("range", "", "3000.00")),
    ]
    assert skipped(found) == [(1, SkipReason.ABOVE_HEADER)]


def test_sep_line_of_excel_names_the_delimiter() -> None:
    found = parse_file("sep=|\r\nУслуга|Цена; руб\r\nМаникюр; полный|1500\r\n")
    assert brief(found) == [("Маникюр; полный", MANICURE)]
    assert found.rows[0].row_number == 3


def test_rouble_sign_lost_in_cp1251_is_recognised() -> None:
    data = "Наименование услуги;Цена, руб.\r\nМаникюр;1 500,00 ₽\r\n".encode("cp1251", "replace")
    assert b"?" in data
    assert brief(parse_file(data)) == [("Маникюр", MANICURE)]


def test_logo_contacts_and_date_above_the_header_are_reported() -> None:
    found = parse_file(
        "Салон «Лак»;;\n+7 916 123-45-67, lak@example.org;;\n\nЦены действуют с 01.11.2026;;\n"
        "№;Наименование;Стоимость, руб.\n1;Маникюр;1500\n2;Педикюр;от 2000\nИтого;;3500\n"
    )
    assert brief(found) == [("Маникюр", MANICURE), ("Педикюр", PEDICURE)]
    above = [(n, SkipReason.ABOVE_HEADER) for n in (1, 2, 4)]
    assert skipped(found) == [*above, (8, SkipReason.TOTAL)]
    assert left_out(found) == {"№": LeftOut.ROW_NUMBER}


def test_1c_export_with_codes_groups_and_header_in_row_8_is_read() -> None:
    rows: list[list[Any]] = [[], ["", "ООО «Ромашка»"], [], ["", "Прайс-лист"], []]
    rows += [["", "Показаны цены на 01.11.2026"], []]
    rows += [["Код", "Артикул", "Номенклатура", "Ед. изм.", "Розничная цена", "Оптовая цена"]]
    rows += [["00001", "", "Парикмахерские услуги"]]
    rows += [["00002", "A-1", "Стрижка", "шт", "1 500,00", "1 200,00"]]
    rows += [["00003", "A-2", "Аренда кресла", "ч", 500.0, 400.0]]
    rows += [["00010", "", "Маникюр"], ["00011", "B-1", "Стрижка", "шт", 1000.0, 800.0]]
    found = parse_file(xlsx(rows))
    assert with_categories(found) == [
        ("Парикмахерские услуги", "Стрижка", "1500.00"),
        ("Парикмахерские услуги", "Аренда кресла", "500.00"),
        ("Маникюр", "Стрижка", "1000.00"),
    ]
    assert [price_of(row)[4] for row in found.rows] == ["шт", "час", "шт"]
    assert [row.external_id for row in found.rows] == ["00002", "00003", "00011"]
    assert [row.service_id for row in found.rows] == ["", "", ""]
    assert left_out(found) == {"Артикул": LeftOut.SECOND, "Оптовая цена": LeftOut.OTHER_PRICE}
    assert [n for n, reason in skipped(found) if reason is SkipReason.CATEGORY] == [9, 12]


def test_header_of_two_rows_with_prices_by_master_is_read() -> None:
    def merge(sheet: Worksheet) -> None:
        sheet.merge_cells("A1:A2")
        sheet.merge_cells("B1:C1")

    rows: list[list[Any]] = [
        ["Услуга", "Цена, руб."],
        ["", "Мастер", "Топ-мастер"],
        ["Стрижка", 1500, 2500],
    ]
    found = parse_file(xlsx(rows, merge))
    assert brief(found) == [("Стрижка", MANICURE)]
    assert meanings(found) == {
        "Услуга": "title",
        "Цена, руб. / Мастер": "price",
        "Цена, руб. / Топ-мастер": None,
    }
    assert left_out(found) == {"Цена, руб. / Топ-мастер": LeftOut.SECOND_PRICE}
    plain = parse_file("Услуга;Мастер;Топ-мастер\nСтрижка;1500;2500\n")
    assert brief(plain) == [("Стрижка", MANICURE)]
    assert left_out(plain) == {"Топ-мастер": LeftOut.SECOND_PRICE}
    other = parse_file(
        "Услуга;Мастер;Топ-мастер\nСтрижка;1500;2500\n", meanings={1: "", 2: "price"}
    )
    assert price_of(other.rows[0])[1] == "2500.00"


def test_columns_from_and_to_make_a_range() -> None:
    for header in ("Услуга;Цена от;Цена до\n", "Услуга;Цена;\n;от;до\n"):
        found = parse_file(f"{header}А;1000;1500\nБ;1000;\nВ;;1500\nГ;1000;1000\n")
        assert [price_of(row)[:3] for row in found.rows] == [
            ("range", "1000.00", "1500.00"),
            ("from", "1000.00", ""),
            ("range", "", "1500.00"),
            ("fixed", "1000.00", ""),
        ]


def test_price_header_gives_kind_currency_and_unit() -> None:
    found = parse_file("Title,Price from (USD/hour)\nManicure,50\nMassage,60 EUR\n")
    assert [price_of(row) for row in found.rows] == [
        ("from", "50.00", "", "USD", "час"),
        ("from", "60.00", "", "EUR", "час"),
    ]


@pytest.mark.parametrize("header", ["", "1;2;3\n", "Услуга;Цена;Код\n"])
def test_repeated_header_and_column_numbers_are_no_services(header: str) -> None:
    found = parse_file(f"Услуга;Цена;Код\n{header}Маникюр;1500;а1\nУслуга;Цена;Код\nСпа;9;а2\n")
    assert [row.title for row in found.rows] == ["Маникюр", "Спа"]
    assert skipped(found)[-1][1] is SkipReason.REPEATED_HEADER


def test_file_without_a_header_is_recognised_by_values() -> None:
    found = parse_file("1;Маникюр;1500\n2;Педикюр;от 2000\n3;Спа;2 500 ₽\n")
    assert [row.title for row in found.rows] == ["Маникюр", "Педикюр", "Спа"]
    assert meanings(found) == {"A": None, "B": "title", "C": "price"}
    assert [row.row_number for row in found.rows] == [1, 2, 3]
    assert [row.title for row in parse_file("Маникюр\nПедикюр\n").rows] == ["Маникюр", "Педикюр"]


@pytest.mark.parametrize(
    "text",
    [
        "Услуга;Цена\nМАНИКЮР;\nКлассика;1000\nГель;1500\nПЕДИКЮР;\nКлассика;1500\n",
        "Услуга;Цена\nМАНИКЮР\nКлассика;1000\nГель;1500\n;\nПЕДИКЮР\nКлассика;1500\n",
        "Услуга;Цена\n1. МАНИКЮР:;\nКлассика;1000\nГель;1500\n2. ПЕДИКЮР;\nКлассика;1500\n",
        "№;Услуга;Цена\nМАНИКЮР;;\n1;Классика;1000\n2;Гель;1500\nПЕДИКЮР;;\n3;Классика;1500\n",
        "МАНИКЮР;Цена\nКлассика;1000\nГель;1500\n;\nПЕДИКЮР;Цена\nКлассика;1500\n",
    ],
)
def test_rows_with_only_a_name_are_categories(text: str) -> None:
    assert with_categories(parse_file(text)) == [
        ("МАНИКЮР", "Классика", "1000.00"),
        ("МАНИКЮР", "Гель", "1500.00"),
        ("ПЕДИКЮР", "Классика", "1500.00"),
    ]


def test_category_in_small_letters_and_services_without_a_price() -> None:
    found = parse_file("Услуга;Цена\nМаникюр;\nКлассика;1000\nПедикюр;\nСпа;1500\nКонсультация;\n")
    assert with_categories(found) == [
        ("Маникюр", "Классика", "1000.00"),
        ("Педикюр", "Спа", "1500.00"),
        ("Педикюр", "Консультация", ""),
    ]
    flat = parse_file("Услуга;Цена\nКлассика;1000\nКонсультация;\nСпа;1500\n")
    assert [row.title for row in flat.rows] == ["Классика", "Консультация", "Спа"]
    assert [row.category for row in flat.rows] == [None, None, None]
    assert price_of(flat.rows[1]) == ON_REQUEST


def test_nested_categories_keep_both_names() -> None:
    found = parse_file(
        "Услуга;Цена\nПАРИКМАХЕРСКАЯ;\nЖенский зал;\nСтрижка;2000\nМужской зал;\nСтрижка;1000\n"
        "НОГТИ;\nМаникюр;1500\n"
    )
    assert [row.category for row in found.rows] == [
        "ПАРИКМАХЕРСКАЯ / Женский зал",
        "ПАРИКМАХЕРСКАЯ / Мужской зал",
        "НОГТИ",
    ]


def test_text_of_merged_cells_belongs_to_each_of_their_rows() -> None:
    def merge(sheet: Worksheet) -> None:
        for cells in ("A1:C1", "A3:A4", "A5:C5", "C6:C7"):
            sheet.merge_cells(cells)

    rows: list[list[Any]] = [
        ["Прайс-лист"],
        ["Раздел", "Услуга", "Цена"],
        ["Ногти", "Маникюр", 1500],
    ]
    rows += [["", "Гель", 500], ["Волосы"], ["Волосы", "Стрижка", 900], ["Волосы", "Укладка"]]
    found = parse_file(xlsx(rows, merge))
    assert with_categories(found) == [
        ("Ногти", "Маникюр", "1500.00"),
        ("Ногти", "Гель", "500.00"),
        ("Волосы", "Стрижка", "900.00"),
        ("Волосы", "Укладка", "900.00"),
    ]


def test_category_written_once_is_that_of_the_rows_below() -> None:
    found = parse_file("Группа;Услуга;Цена\nНогти;Маникюр;1500\n;Гель;500\nВолосы;Стрижка;900\n")
    assert [row.category for row in found.rows] == ["Ногти", "Ногти", "Волосы"]
    full = parse_file("Группа;Услуга;Цена\nНогти;А;1\nНогти;Б;2\n;В;3\n")
    assert [row.category for row in full.rows] == ["Ногти", "Ногти", ""]


def test_numbers_formats_and_dates_of_excel() -> None:
    def format_cells(sheet: Worksheet) -> None:
        for cell, number_format in (
            ("B2", "#,##0.00\\ [$₽-419]"),
            ("B3", "#,##0\\ [$€-407]"),
            ("B4", '"от "#,##0" руб/час"'),
            ("B5", "#,##0.00"),
            ("C2", "00000"),
        ):
            sheet[cell].number_format = number_format

    rows: list[list[Any]] = [["Услуга", "Цена", "Код"], ["А", 1500.0, 12], ["Б", 50, 2]]
    rows += [["В", 700, 3], ["Г", 0.1 + 0.2, 4], ["Д", dt.date(2026, 5, 12), 5], ["Е", True, 6]]
    found = parse_file(xlsx(rows, format_cells))
    assert [price_of(row) for row in found.rows[:4]] == [
        MANICURE,
        ("fixed", "50.00", "", "EUR", ""),
        ("from", "700.00", "", "RUB", "час"),
        ("fixed", "0.30", "", "RUB", ""),
    ]
    assert [row.external_id for row in found.rows[:2]] == ["00012", "2"]
    codes = [[p.code for p in row.problems] for row in found.rows[4:]]
    assert codes == [["price_date"], ["price_words"]]


def test_currency_is_read_from_the_format_of_a_cell_in_other_spreadsheets() -> None:
    euro = ("fixed", "1500.00", "", "EUR", "")
    for data in (xls(TABLE, "#,##0\\ [$€-407]"), ods(TABLE, "EUR")):
        assert brief(parse_file(data))[0] == ("Маникюр", euro)
    assert brief(parse_file(ods(TABLE, "RUB")))[0] == ("Маникюр", MANICURE)


def test_hidden_and_other_sheets_are_named() -> None:
    def hide(sheet: Worksheet) -> None:
        book = sheet.parent
        assert book is not None
        book["Старый"].sheet_state = "hidden"

    data = xlsx([["Контакты"], ["Адрес"]], hide, Старый=TABLE, Прайс=TABLE, Педикюр=TABLE)
    found = parse_file(data)
    used = [(s.name, s.is_hidden) for s in found.sheets if s.is_used]
    assert used == [("Прайс", False)]
    assert [(s.name, s.row_count, s.is_hidden) for s in found.sheets if not s.is_used] == [
        ("Sheet", 2, False),
        ("Старый", 3, True),
        ("Педикюр", 3, False),
    ]
    assert [s.name for s in parse_file(data, sheet="Старый").sheets if s.is_used] == ["Старый"]


def test_html_in_descriptions_becomes_text() -> None:
    html = "<p>Снятие,&nbsp;форма</p><ul><li>покрытие</li></ul><script>x()</script>5 < 10"
    found = parse_file(f'Название;Описание;Цена\n"Уход за лицом &amp; телом";"{html}";5\n')
    assert found.rows[0].title == "Уход за лицом & телом"
    assert found.rows[0].values["description"] == "Снятие, форма\n\n• покрытие\n5 < 10"
    plain = parse_file("Название;Описание\nR&D <3;5<7 и 8>6\n").rows[0]
    assert (plain.title, plain.values["description"]) == ("R&D <3", "5<7 и 8>6")


def test_multiline_quoted_cells_keep_row_numbers() -> None:
    found = parse_file(
        'Услуга;Описание;Цена\nМаникюр;"снятие;\n""гель"" и\r\nформа";1500\nСпа;;5\n'
    )
    assert found.rows[0].values["description"] == 'снятие;\n"гель" и\nформа'
    assert [row.row_number for row in found.rows] == [2, 5]


def test_photos_links_and_unknown_columns_are_left_out_by_name() -> None:
    found = parse_file("Название;Фото;Ссылка;Длительность;Цена;Зал\nМаникюр;a.jpg;b;60;1500;2\n")
    assert brief(found) == [("Маникюр", MANICURE)]
    assert left_out(found) == {
        "Фото": LeftOut.PHOTO,
        "Ссылка": LeftOut.PHOTO,
        "Длительность": LeftOut.NO_FIELD,
        "Зал": LeftOut.UNKNOWN,
    }


def test_code_that_repeats_identifies_nothing() -> None:
    found = parse_file("Код;Услуга;Цена\n7;А;1\n7;Б;2\n8;В;3\n")
    assert left_out(found) == {"Код": LeftOut.REPEATED_CODE}
    assert [row.external_id for row in found.rows] == ["", "", ""]


def test_notes_below_the_table_are_no_services() -> None:
    found = parse_file(
        "Услуга;Цена\nМаникюр;1500\n\n* Цены указаны без материалов\nЗапись: +7 916 123-45-67\n"
    )
    assert [row.title for row in found.rows] == ["Маникюр"]
    assert skipped(found) == [(4, SkipReason.NOTE), (5, SkipReason.NOTE)]


def test_same_header_twice_has_two_names() -> None:
    found = parse_file("Услуга;Цена;Цена;\nМаникюр;1500;1700;прочее\n")
    assert meanings(found) == {"Услуга": "title", "Цена": "price", "Цена (2)": None, "D": None}


def test_separators_of_thousands_are_learnt_from_the_column() -> None:
    found = parse_file('Title,Price\nA,"1,500.00"\nB,"2,000"\n')
    assert [price_of(row)[1] for row in found.rows] == ["1500.00", "2000.00"]
    found = parse_file("Услуга;Цена\nА;1.500,00\nБ;2.000\n")
    assert [price_of(row)[1] for row in found.rows] == ["1500.00", "2000.00"]
    found = parse_file("Услуга;Цена\nБ;2.000\n")
    assert [p.code for p in found.rows[0].problems] == ["money_ambiguous"]


def test_row_with_a_price_and_no_title_is_an_error_not_dropped() -> None:
    found = parse_file("Услуга;Цена\nМаникюр;1500\n;900\n")
    assert [(p.field, p.code) for p in found.rows[1].problems] == [("title", "required")]


def test_seller_changes_the_columns() -> None:
    text = "Название;Опт;Цена;Прим.\nМаникюр;1000;1500;снятие\n"
    found = parse_file(text, meanings={1: Meaning.PRICE, 2: "", 3: Meaning.DESCRIPTION})
    assert price_of(found.rows[0])[1] == "1000.00"
    assert found.rows[0].values["description"] == "снятие"
    assert left_out(found) == {"Цена": LeftOut.BY_SELLER}
    joined = parse_file("Название;Описание;Прим.\nА;раз;два\n", meanings={2: Meaning.DESCRIPTION})
    assert joined.rows[0].values["description"] == "раз\nПрим.: два"
