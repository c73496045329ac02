"""A saved view: a filter with a name, of one member or of the whole shop."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sigma.domain.errors import Problem
from sigma.domain.lists.filters import Values
from sigma.domain.text_cleaning import clean_text

MAX_NAME = 40  # characters
MAX_VIEWS = 30  # of one list that one member sees


class ListKind(StrEnum):
    """A list that has saved views; its address in the cabinet is `/` and this name."""

    PAYMENTS = "payments"
    INVOICES = "invoices"


@dataclass(frozen=True, slots=True)
class SavedView:
    """A filter with a name. `user_id` is empty for a view that the whole shop sees.

    `filter_values` are the parameters of the list's URL. A preset of the period stays a preset:
    «this month» is always the current one.
    """

    id: str
    shop_id: str
    kind: ListKind
    user_id: str
    name: str
    created_by: str
    created_at_us: int
    filter_values: Mapping[str, str] = field(default_factory=dict)
    version: int = 0

    @property
    def is_shared(self) -> bool:
        """Whether the whole shop sees the view."""
        return not self.user_id

    def as_query(self) -> Values:
        """Return the parameters as the parsers of filters take them."""
        return {name: [value] for name, value in self.filter_values.items()}


def check_name(name: str) -> list[Problem]:
    """Return the problems of the name of a view."""
    cleaned = clean_text(name)
    if not cleaned:
        return [Problem("name", "required")]
    return [Problem("name", "too_long", {"max": MAX_NAME})] if len(cleaned) > MAX_NAME else []
