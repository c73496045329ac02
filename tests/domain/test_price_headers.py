"""Headers of price lists by meaning, as real programs and people write them."""

import pytest

from sigma.domain.catalogue.price_headers import LeftOut, Meaning, guess_header
from sigma.domain.catalogue.service import PriceKind

TITLES = ["Наименование", "Наименование услуги", "Услуга", "УСЛУГИ", "Название", "Номенклатура"]
TITLES += ["Вид услуги", "Процедура", "Title", "Service name", "service_name", "Товар (услуга)"]
PRICES = ["Цена", "Цена, руб.", "ЦЕНА*", "Стоимость", "Стоимость услуги", "Прайс", "Price (RUB)"]
PRICES += ["Розничная цена", "Цена\nруб", "₽", "Руб.", "price_rub", "Цена за единицу", "Сумма"]


@pytest.mark.parametrize(
    ("meaning", "headers"),
    [
        (Meaning.TITLE, TITLES),
        (Meaning.PRICE, PRICES),
        (Meaning.PRICE_MAX, ["Цена до", "Max price", "до", "Цена, до"]),
        (Meaning.UNIT, ["Ед. изм.", "Ед.изм", "Единица измерения", "Unit", "Единица"]),
        (Meaning.CATEGORY, ["Категория", "Группа", "Раздел", "Категория услуг", "Category"]),
        (Meaning.EXTERNAL_ID, ["Код", "Артикул", "ID", "SKU", "Номенклатура.Код", "Код услуги"]),
        (Meaning.DESCRIPTION, ["Описание", "Комментарий", "Описание услуги", "Description"]),
        (Meaning.CURRENCY, ["Валюта", "Currency"]),
        (Meaning.VISIBLE, ["Видна", "Показывать на сайте", "Visible"]),
        (Meaning.EXPIRES_DAYS, ["Срок счёта, дней", "invoice days"]),
    ],
)
def test_header_has_its_meaning(meaning: Meaning, headers: list[str]) -> None:
    assert {header: guess_header(header).meaning for header in headers} == dict.fromkeys(
        headers, meaning
    )


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        *(("Фото", LeftOut.PHOTO), ("Ссылка на фото", LeftOut.PHOTO), ("URL", LeftOut.PHOTO)),
        *(("№", LeftOut.ROW_NUMBER), ("№ п/п", LeftOut.ROW_NUMBER), ("#", LeftOut.ROW_NUMBER)),
        *(("Старая цена", LeftOut.OTHER_PRICE), ("Оптовая цена", LeftOut.OTHER_PRICE)),
        *(("Длительность, мин", LeftOut.NO_FIELD), ("Остаток", LeftOut.NO_FIELD)),
        *(("Женский зал", LeftOut.UNKNOWN), ("", LeftOut.UNKNOWN), ("я" * 90, LeftOut.UNKNOWN)),
    ],
)
def test_header_without_a_field_is_left_out_with_its_reason(header: str, reason: LeftOut) -> None:
    guess = guess_header(header)
    assert (guess.meaning, guess.left_out) == (None, reason)


@pytest.mark.parametrize(
    ("header", "currency", "unit", "kind"),
    [
        ("Цена, руб.", "RUB", "", PriceKind.FIXED),
        ("Price, USD", "USD", "", PriceKind.FIXED),
        ("Цена (€)", "EUR", "", PriceKind.FIXED),
        ("Цена, тг", "KZT", "", PriceKind.FIXED),
        ("Цена от, ₽", "RUB", "", PriceKind.FROM),
        ("Цена за час, руб", "RUB", "час", PriceKind.FIXED),
        ("Цена (руб./м2)", "RUB", "м²", PriceKind.FIXED),
        ("Цена от-до", "", "", PriceKind.FIXED),
        ("Цена, $/€", "", "", PriceKind.FIXED),
    ],
)
def test_price_header_names_currency_unit_and_kind(
    header: str, currency: str, unit: str, kind: PriceKind
) -> None:
    guess = guess_header(header)
    assert (guess.currency, guess.unit, guess.kind) == (currency, unit, kind)
