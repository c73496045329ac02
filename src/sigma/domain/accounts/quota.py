"""Quotas of a shop, which the administrator of the installation may set. By default none."""

from dataclasses import dataclass

from sigma.domain.errors import Problem

MAX_QUOTA = 10**15


@dataclass(frozen=True, slots=True)
class Quotas:
    """How much a shop may use; None: as much as it wants.

    `invoices_per_day` and `messages_per_day` (outgoing) count a day from the first one.
    `storage_bytes` is the size of the shop's photos.
    """

    invoices_per_day: int | None = None
    messages_per_day: int | None = None
    storage_bytes: int | None = None

    @property
    def has_any(self) -> bool:
        """Whether anything is limited."""
        return self != Quotas()


def check_quotas(quotas: Quotas) -> list[Problem]:
    """Return the problems of quotas by field."""
    return [
        Problem(name, "range", {"min": 0, "max": MAX_QUOTA})
        for name in Quotas.__dataclass_fields__
        if not 0 <= (getattr(quotas, name) or 0) <= MAX_QUOTA
    ]
