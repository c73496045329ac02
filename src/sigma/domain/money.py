"""Money: whole minor units of one currency. Decimal text is read and written only at the edges."""

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import total_ordering

# ISO 4217 exponents of the currencies that the acquirers at hand can take.
EXPONENTS = {
    "RUB": 2,
    "USD": 2,
    "EUR": 2,
    "KZT": 2,
    "BYN": 2,
    "UZS": 2,
    "AMD": 2,
    "CNY": 2,
}
MAX_MINOR = 10**13  # far under BIGINT, far over any payment: a guard against nonsense

# Few enough digits for Decimal to keep every one of them.
_DECIMAL = re.compile(r"\d{1,12}(\.\d{1,12})?", re.ASCII)


class BadMoney(ValueError):  # noqa: N818 - a word of ours
    """Text that is not an amount. `code` is a key of the error texts."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@total_ordering
@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (kopecks for RUB).

    PostgreSQL would round 12.5 silently, so the type refuses it here.
    """

    minor: int
    currency: str = "RUB"

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise TypeError(f"minor units must be int, not {type(self.minor).__name__}")
        if self.currency not in EXPONENTS:
            raise BadMoney("money_currency")
        if abs(self.minor) > MAX_MINOR:
            raise BadMoney("money_too_large")

    @classmethod
    def parse(cls, text: str, currency: str = "RUB") -> "Money":
        """Reads a decimal string such as "1500.00" (dot only, no sign). Raises BadMoney."""
        if currency not in EXPONENTS:
            raise BadMoney("money_currency")
        if not _DECIMAL.fullmatch(text):
            raise BadMoney("money_format")
        scaled = Decimal(text).scaleb(EXPONENTS[currency])
        if scaled != scaled.to_integral_value():
            raise BadMoney("money_fraction")
        return cls(int(scaled), currency)

    def decimal(self) -> str:
        """The amount as a decimal string with all its minor digits: "1500.00"."""
        exponent = EXPONENTS[self.currency]
        sign, digits = (
            ("-" if self.minor < 0 else ""),
            str(abs(self.minor)).rjust(exponent + 1, "0"),
        )
        return f"{sign}{digits[:-exponent]}.{digits[-exponent:]}"

    def times(self, quantity: Decimal) -> "Money":
        """This amount taken `quantity` times.

        Raises BadMoney when that is not a whole minor unit.
        """
        product = self.minor * quantity
        if product != product.to_integral_value():
            raise BadMoney("money_fraction")
        return Money(int(product), self.currency)

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - self._same(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.minor < self._same(other)

    def __bool__(self) -> bool:
        return self.minor != 0

    def _same(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise TypeError(f"{self.currency} and {other.currency} do not mix")
        return other.minor


def total(amounts: "list[Money] | tuple[Money, ...]", currency: str) -> Money:
    """The sum of amounts, zero of `currency` when there are none."""
    return sum(amounts, Money(0, currency))
