"""Amounts as API strings and as page text. Inside the sandbox: int minor units (kopecks)."""

import re

WIRE_AMOUNT_PATTERN = re.compile(r"\d{1,12}\.\d{2}")
CURRENCY_SYMBOLS = {"RUB": "₽", "USD": "$", "EUR": "€", "BYN": "Br", "KZT": "₸"}
NBSP = "\u00a0"


def to_wire(amount_minor: int) -> str:
    """Return the decimal string of the API: 150000 minor units -> "1500.00"."""
    return f"{amount_minor // 100}.{amount_minor % 100:02d}"


def from_wire(text: str) -> int | None:
    """Parse a decimal string of the API to minor units; None unless it has exactly two decimals."""
    if not WIRE_AMOUNT_PATTERN.fullmatch(text):
        return None
    whole, cents = text.split(".")
    return int(whole) * 100 + int(cents)


def format_amount(amount_minor: int, currency: str, lang: str = "ru") -> str:
    """Format minor units for a page: "1 500,00 ₽" in Russian, "RUB 1,500.00" in English.

    Spaces are non-breaking.
    """
    grouped = f"{amount_minor // 100:,}"
    if lang == "en":
        return f"{currency}{NBSP}{grouped}.{amount_minor % 100:02d}"
    sign = CURRENCY_SYMBOLS.get(currency, currency)
    return f"{grouped.replace(',', NBSP)},{amount_minor % 100:02d}{NBSP}{sign}"
