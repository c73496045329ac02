"""Count and sums of everything that a filter finds."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sum:
    """Count, sum and received sum of the rows in one currency, in minor units."""

    count: int
    minor: int
    paid_minor: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums by currency. `is_exact` False: there are more rows than were counted."""

    sums: Mapping[str, Sum]
    is_exact: bool = True

    @property
    def count(self) -> int:
        """The number of rows of all currencies."""
        return sum(one.count for one in self.sums.values())
