"""Money in whole minor units of one currency. Decimal text exists only at the system boundary."""

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import total_ordering

# ISO 4217 exponents (minor digits) of the currencies that the supported acquirers accept.
CURRENCY_EXPONENTS = {
    "RUB": 2,
    "USD": 2,
    "EUR": 2,
    "KZT": 2,
    "BYN": 2,
    "UZS": 2,
    "AMD": 2,
    "CNY": 2,
}
MAX_MINOR = 10**13  # guard against nonsense: far below BIGINT, far above any payment

# At most 24 digits: Decimal's default precision (28) keeps all of them.
_DECIMAL = re.compile(r"\d{1,12}(\.\d{1,12})?", re.ASCII)


class MoneyError(ValueError):
    """The text or number is not a valid amount. `code` is a key in errors.toml."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


_DIGIT_GROUPS = re.compile(r"\d{1,3}( \d{3})+|\d+", re.ASCII)
# «1.500» may be 1500 or 1.5: three digits after the only separator.
_AMBIGUOUS = re.compile(r"[1-9]\d{0,2}[.,]\d{3}", re.ASCII)


def is_ambiguous_decimal(text: str) -> bool:
    """Return whether the separator of «1.500» or "1,500" may divide thousands or a fraction."""
    return bool(_AMBIGUOUS.fullmatch(text))


def normalize_decimal(text: str) -> str:
    """Return digits with at most one dot: «1 500,50» → "1500.50", "1,234.50" → "1234.50".

    If the digit groups are inconsistent, the text is returned unchanged and Money.parse refuses it.
    """
    separators = re.findall(r"[.,]", text)
    # «1 500» and "1.234.567" have no fraction.
    if not separators or len(set(separators)) == 1 < len(separators):
        whole, dot, part = text, "", ""
    else:
        whole, part = text.rsplit(separators[-1], 1)
        dot = "."
        if not part:
            return text
    if "." in whole or "," in whole:
        if " " in whole:
            return text
        whole = whole.replace(separators[0], " ")
    if not _DIGIT_GROUPS.fullmatch(whole):
        return text
    return whole.replace(" ", "") + dot + part


@total_ordering
@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (kopecks for RUB); may be negative.

    Raises TypeError when `minor` is not an int: PostgreSQL would round 12.5 silently. Raises
    MoneyError for an unknown currency or an amount beyond MAX_MINOR. Arithmetic and comparison of
    different currencies raise TypeError.
    """

    minor: int
    currency: str = "RUB"

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise TypeError(f"minor units must be int, not {type(self.minor).__name__}")
        if self.currency not in CURRENCY_EXPONENTS:
            raise MoneyError("money_currency")
        if abs(self.minor) > MAX_MINOR:
            raise MoneyError("money_too_large")

    @classmethod
    def parse(cls, text: str, currency: str = "RUB") -> "Money":
        """Parse a decimal string such as "1500.00" (dot only, no sign). Raises MoneyError."""
        if currency not in CURRENCY_EXPONENTS:
            raise MoneyError("money_currency")
        if not _DECIMAL.fullmatch(text):
            raise MoneyError("money_format")
        scaled = Decimal(text).scaleb(CURRENCY_EXPONENTS[currency])
        if scaled != scaled.to_integral_value():
            raise MoneyError("money_fraction")
        return cls(int(scaled), currency)

    def to_decimal_text(self) -> str:
        """Return the amount as a decimal string with all minor digits: "1500.00"."""
        exponent = CURRENCY_EXPONENTS[self.currency]
        sign, digits = (
            ("-" if self.minor < 0 else ""),
            str(abs(self.minor)).rjust(exponent + 1, "0"),
        )
        return f"{sign}{digits[:-exponent]}.{digits[-exponent:]}"

    def multiply(self, quantity: Decimal) -> "Money":
        """Return the amount times `quantity`.

        Raises MoneyError when the product is not a whole number of minor units.
        """
        product = self.minor * quantity
        if product != product.to_integral_value():
            raise MoneyError("money_fraction")
        return Money(int(product), self.currency)

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + self._minor_in_same_currency(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - self._minor_in_same_currency(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.minor < self._minor_in_same_currency(other)

    def __bool__(self) -> bool:
        return self.minor != 0

    def _minor_in_same_currency(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise TypeError(f"{self.currency} and {other.currency} do not mix")
        return other.minor


def sum_money(amounts: "list[Money] | tuple[Money, ...]", currency: str) -> Money:
    """Return the sum of amounts; zero of `currency` when there are none."""
    return sum(amounts, Money(0, currency))
