"""One row of a price list as the fields of a service, with its problems."""

import functools
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sigma.domain.catalogue import price_words as words
from sigma.domain.catalogue.cell_texts import clean_cell, unescape_formula
from sigma.domain.catalogue.price_headers import LeftOut, Meaning, is_named_price
from sigma.domain.catalogue.price_list import ImportRow
from sigma.domain.catalogue.price_sheet import Cell, Column, cell_text
from sigma.domain.catalogue.price_text import Price, PriceContext, is_price_like, parse_price
from sigma.domain.catalogue.service import MAX_EXPIRES_DAYS, PriceKind
from sigma.domain.errors import Problem
from sigma.domain.money import CURRENCY_EXPONENTS, Money, MoneyError

_YES = {"да", "yes", "y", "1", "true", "истина", "+", "on", "вкл", "активна", "активен", "active"}
_NO = {"нет", "no", "n", "0", "false", "ложь", "-", "—", "off", "выкл", "скрыта", "hidden"}

_parse_price = functools.lru_cache(maxsize=4096)(parse_price)  # prices of a file repeat


class RowParser:
    """Parses the rows of one table; the columns stay the same."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = {c.meaning: c for c in columns if c.meaning is not None}
        self._other_prices = [c for c in columns if _is_other_price(c)]
        self._descriptions = [c for c in columns if c.meaning is Meaning.DESCRIPTION]

    def parse(self, row_number: int, row: Sequence[Cell], category: str | None) -> ImportRow:
        """Return the row. `category` None: the file says nothing about categories."""
        values: dict[str, Any] = {}
        problems: list[Problem] = []
        service_id = clean_cell(self._text(row, Meaning.ID))
        if Meaning.TITLE in self._columns:
            values["title"] = clean_cell(self._text(row, Meaning.TITLE))
        if not service_id and not values.get("title"):
            problems.append(Problem("title", "required"))
        if self._descriptions:
            values["description"] = self._description(row)
        if category is not None:
            values["category"] = category
        if Meaning.EXTERNAL_ID in self._columns:
            values["external_id"] = clean_cell(self._text(row, Meaning.EXTERNAL_ID))
        if Meaning.PRICE in self._columns or Meaning.PRICE_MAX in self._columns:
            price = self._price_elsewhere(row) or self._price(row)
            if isinstance(price, Problem):
                problems.append(price)
            else:
                values |= {
                    "price_kind": price.kind,
                    "amount": price.amount,
                    "max_amount": price.max_amount,
                    "price_unit": price.unit,
                }
        for name, parsed in self._settings(row).items():
            if isinstance(parsed, Problem):
                problems.append(parsed)
            else:
                values[name] = parsed
        return ImportRow(row_number, service_id, values, tuple(problems))

    def _cell(self, row: Sequence[Cell], meaning: Meaning) -> Cell:
        column = self._columns.get(meaning)
        return row[column.index] if column is not None and column.index < len(row) else ""

    def _text(self, row: Sequence[Cell], meaning: Meaning) -> str:
        return unescape_formula(cell_text(self._cell(row, meaning)))

    def _description(self, row: Sequence[Cell]) -> str:
        """Return the first description as it is, each other one after its header."""
        parts = []
        for n, column in enumerate(self._descriptions):
            cell = row[column.index] if column.index < len(row) else ""
            if text := clean_cell(unescape_formula(cell_text(cell)), multiline=True):
                parts.append(f"{column.header}: {text}" if n else text)
        return "\n".join(parts)

    def _price(self, row: Sequence[Cell]) -> Price | Problem:
        currency = self._currency(row)
        if isinstance(currency, Problem):
            return currency
        unit = words.normalize_unit(clean_cell(self._text(row, Meaning.UNIT)))
        low = self._amount(row, Meaning.PRICE, currency, unit)
        high = self._amount(row, Meaning.PRICE_MAX, currency, unit)
        if isinstance(low, Problem) or isinstance(high, Problem):
            return low if isinstance(low, Problem) else high
        if high.max_amount is None:
            return low
        if low.kind in (PriceKind.AGREEMENT, PriceKind.FREE):
            return high
        if low.amount == high.max_amount:
            return Price(PriceKind.FIXED, low.amount, None, low.unit or high.unit)
        return Price(PriceKind.RANGE, low.amount, high.max_amount, low.unit or high.unit)

    def _price_elsewhere(self, row: Sequence[Cell]) -> Problem | None:
        """Return a problem when the price is empty and a column that is left out has one."""
        if self._text(row, Meaning.PRICE) or self._text(row, Meaning.PRICE_MAX):
            return None
        for column in self._other_prices:
            text = cell_text(row[column.index]) if column.index < len(row) else ""
            if any(c.isdigit() for c in text) and is_price_like(text):
                return Problem("price", "price_elsewhere", {"column": column.header, "text": text})
        return None

    def _amount(
        self, row: Sequence[Cell], meaning: Meaning, currency: str, unit: str
    ) -> Price | Problem:
        column = self._columns.get(meaning)
        if column is None:
            return Price(PriceKind.AGREEMENT)
        kind = PriceKind.RANGE if meaning is Meaning.PRICE_MAX else column.kind
        if meaning is Meaning.PRICE and kind is PriceKind.RANGE:
            kind = PriceKind.FIXED  # the seller made «Цена до» the price
        context = PriceContext(
            currency, column.currency, unit or column.unit, kind, column.thousands
        )
        cell = self._cell(row, meaning)
        text = clean_cell(cell) if isinstance(cell, str) else cell
        price = _parse_price(text, context)
        is_bare = not isinstance(text, str) or not (
            words.find_currencies(text) or words.THOUSANDS.search(text)
        )
        if column.scale == 1 or not is_bare or isinstance(price, Problem):
            return price
        return _scaled(price, column.scale)

    def _currency(self, row: Sequence[Cell]) -> str | Problem:
        text = clean_cell(self._text(row, Meaning.CURRENCY))
        if not text:
            return ""
        if text.upper() in CURRENCY_EXPONENTS:
            return text.upper()
        codes = words.find_currencies(text)
        if len(codes) == 1 and codes[0] in CURRENCY_EXPONENTS:
            return codes[0]
        return Problem("currency", "money_currency")

    def _settings(self, row: Sequence[Cell]) -> dict[str, bool | int | Problem | None]:
        parsed: dict[str, bool | int | Problem | None] = {}
        if Meaning.VISIBLE in self._columns:
            parsed["is_visible"] = _parse_visible(self._text(row, Meaning.VISIBLE))
        if Meaning.EXPIRES_DAYS in self._columns:
            parsed["expires_days"] = _parse_days(self._text(row, Meaning.EXPIRES_DAYS))
        return parsed


def _scaled(price: Price, scale: Decimal) -> Price | Problem:
    """Return the price times what the header says, or a problem when it is no whole kopeck."""
    scaled: list[Money | None] = []
    for money in (price.amount, price.max_amount):
        minor = money.minor * scale if money else Decimal(0)
        if minor % 1:
            return Problem("price", "money_fraction")
        try:
            scaled.append(Money(int(minor), money.currency) if money else None)
        except MoneyError as error:
            return Problem("price", error.code)
    return Price(price.kind, scaled[0], scaled[1], price.unit)


def _is_other_price(column: Column) -> bool:
    """Return whether a column that is left out has prices of the services, not their VAT."""
    return column.meaning is None and (
        column.left_out is LeftOut.SECOND_PRICE
        or (column.left_out is LeftOut.OTHER_PRICE and is_named_price(column.header))
    )


def _parse_visible(text: str) -> bool | Problem:
    normalized = clean_cell(text).casefold()
    if normalized in _YES | {""}:
        return True
    return False if normalized in _NO else Problem("visible", "yes_no")


def _parse_days(text: str) -> int | Problem | None:
    bare = "".join(clean_cell(text).split())
    if not bare:
        return None
    if not (bare.isascii() and bare.isdigit() and len(bare) < 10):
        return Problem("expires_days", "count")
    bounds = {"min": 1, "max": MAX_EXPIRES_DAYS}
    days = int(bare)
    return days if 1 <= days <= MAX_EXPIRES_DAYS else Problem("expires_days", "range", bounds)
