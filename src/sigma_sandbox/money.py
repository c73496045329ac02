"""Sums on the wire and on the pages. Inside: whole minor units."""

import re

WIRE_AMOUNT = re.compile(r"\d{1,12}\.\d{2}")
SIGNS = {"RUB": "₽", "USD": "$", "EUR": "€", "BYN": "Br", "KZT": "₸"}
NBSP = "\u00a0"


def to_wire(minor: int) -> str:
    """Minor units to the decimal string of the API: 150000 -> "1500.00"."""
    return f"{minor // 100}.{minor % 100:02d}"


def from_wire(text: str) -> int | None:
    """The API's decimal string to minor units; None when it is not exactly two digits."""
    if not WIRE_AMOUNT.fullmatch(text):
        return None
    whole, cents = text.split(".")
    return int(whole) * 100 + int(cents)


def to_person(minor: int, currency: str, lang: str = "ru") -> str:
    """A sum for a page, never wrapping: "1 500,00 ₽" in Russian, "RUB 1,500.00" in English."""
    grouped = f"{minor // 100:,}"
    if lang == "en":
        return f"{currency}{NBSP}{grouped}.{minor % 100:02d}"
    sign = SIGNS.get(currency, currency)
    return f"{grouped.replace(',', NBSP)},{minor % 100:02d}{NBSP}{sign}"
