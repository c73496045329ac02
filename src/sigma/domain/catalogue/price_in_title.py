"""Lists of one column, «Маникюр — 1500 руб.», as sheets of titles and prices."""

import re

from sigma.domain.catalogue import price_words as words
from sigma.domain.catalogue.price_sheet import Cell, Sheet
from sigma.domain.catalogue.price_text import Price, parse_price

_SPLIT = re.compile(
    r"(?P<title>.*?[^\W\d].*?)(?P<mark>\s*(?:[-–—:=_…]|\.{2,})[-–—:=_….\s]*|\s+)"
    r"(?P<price>(?:(?:от|до|from|up to)\s+)?\d[\d\s.,]*(?:[-–—]\s*\d[\d\s.,]*)?"
    r"(?P<money>₽|р\b\.?|руб\w*\.?|rub\b|тыс\w*\.?|т\.\s?р\.?|[$€₸])?(?:\s*/\s*[^\W\d]+\.?)?)\s*[.;,]?",
    re.IGNORECASE,
)

_SPOKEN = re.compile(
    rf"(?P<title>.*\w.*?)\s*(?:\s[-–—]|:|\.{{2,}})\s*"
    rf"(?P<price>{words.FREE_WORDS.pattern}|{words.AGREEMENT_WORDS.pattern})",
    re.IGNORECASE,
)
_PHONE = re.compile(r"(?:\+7|\b8)[\s(-]*\d{3}[\s)-]*\d{3}[\s-]?\d{2}[\s-]?\d{2}")
MAX_TEXT = 300  # characters; a longer text is no title with a price


def split_prices(sheet: Sheet) -> Sheet:
    """Return the sheet with the prices of its only column in a second one.

    Unchanged unless every row has at most one text and at least half of them, two or more, end in
    a price: with a currency, or behind a dash, a colon or dots.
    """
    texts: list[str] = []
    for row in sheet.rows:
        filled = [cell for cell in row if cell != ""]
        if len(filled) > 1 or any(not isinstance(cell, str) for cell in filled):
            return sheet
        texts.append(str(filled[0]).strip() if filled else "")
    pairs = [_split(text) for text in texts]
    count = sum(bool(price) for _, price in pairs)
    if count < 2 or count * 2 < sum(bool(text) for text in texts):
        return sheet
    rows: list[list[Cell]] = [[title, price] if price else [title] for title, price in pairs]
    return Sheet(sheet.name, rows, sheet.row_numbers, sheet.is_hidden)


def _split(text: str) -> tuple[str, str]:
    if len(text) > MAX_TEXT or _PHONE.search(text):
        return text, ""
    if spoken := _SPOKEN.fullmatch(text):
        return spoken["title"], spoken["price"]
    match = _SPLIT.fullmatch(text)
    if match is None or not (match["money"] or match["mark"].strip()):
        return text, ""
    price = parse_price(match["price"])
    is_priced = isinstance(price, Price) and bool(price.amount or price.max_amount)
    return (match["title"].strip(), match["price"].strip()) if is_priced else (text, "")
