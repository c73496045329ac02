"""The filters of the lists: one object for a page's URL, the API, a saved view and an export.

`parse_payment_filter` and `parse_invoice_filter` are the only parsers, `to_values` writes what they
read. A list, its totals and an export select exactly the same rows for equal filters.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sigma.domain.billing import invoice, payment
from sigma.domain.billing.question import KEY_PATTERN, parse_email, parse_phone
from sigma.domain.errors import Problem
from sigma.domain.lists.amount import amount_text, parse_amount
from sigma.domain.lists.period import Period, Preset, bound_text, parse_bound
from sigma.domain.lists.search_query import MAX_QUERY_LENGTH
from sigma.domain.text_cleaning import clean_text

Values = Mapping[str, Sequence[str]]  # parameter → raw values; the first one counts

ALL_TIME = Period()

_ID = re.compile(r"[a-z]{2,6}_[0-9a-z]{10,40}", re.ASCII)
_METHOD = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_METADATA_KEY = re.compile(r"metadata\[([^\[\]]{1,40})\]")
_MAX_METADATA_VALUE = 500
_MAX_METADATA_FILTERS = 5


class Sort(StrEnum):
    """The order of a list, as in the parameter `sort`: a minus sign means descending."""

    NEWEST = "-created"
    OLDEST = "created"
    LARGEST = "-amount"
    SMALLEST = "amount"

    @property
    def is_by_amount(self) -> bool:
        """Whether the list is sorted by sum, not by date."""
        return self in (Sort.LARGEST, Sort.SMALLEST)

    @property
    def is_descending(self) -> bool:
        """Whether the newest or largest comes first."""
        return self in (Sort.NEWEST, Sort.LARGEST)


class Refunded(StrEnum):
    """How much of a payment is refunded."""

    ANY = "any"
    PART = "part"
    FULL = "full"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFilter:
    """What the filters of payments and invoices share. Empty values do not filter.

    `member_id`: who issued the invoice (user or API key). `amount_from` and `amount_to` are
    inclusive, in minor units of any currency. `email` and `phone` are normalized as answers are.
    `metadata`: pairs of key and value, all of which must be equal.
    """

    query: str = ""
    period: Period = ALL_TIME
    status: str = ""
    service_id: str = ""
    member_id: str = ""
    customer_id: str = ""
    amount_from: int | None = None
    amount_to: int | None = None
    email: str = ""
    phone: str = ""
    metadata: tuple[tuple[str, str], ...] = ()
    sort: Sort = Sort.NEWEST

    @property
    def is_active(self) -> bool:
        """Whether any condition is set: an empty list then means "nothing found"."""
        values = self.to_values()
        values.pop("sort", None)
        return bool(values)

    def to_values(self) -> dict[str, str]:
        """Return the parameters of a URL (or of a saved view) that parse to this filter."""
        own_bounds = self.period.preset is None
        values = {
            "q": self.query,
            "period": self.period.preset or "",
            "created_from": bound_text(self.period.start) if own_bounds else "",
            "created_to": bound_text(self.period.end) if own_bounds else "",
            "status": self.status,
            "service": self.service_id,
            "member": self.member_id,
            "customer_id": self.customer_id,
            "amount_from": amount_text(self.amount_from),
            "amount_to": amount_text(self.amount_to),
            "email": self.email,
            "phone": self.phone,
            "sort": "" if self.sort is Sort.NEWEST else self.sort,
        }
        values |= {f"metadata[{key}]": value for key, value in self.metadata}
        values |= self._own_values()
        return {name: str(value) for name, value in values.items() if value}

    def _own_values(self) -> dict[str, str]:
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFilter(ListFilter):
    """The filter of payments.

    `empty_answer`: key of a question that was asked and not answered. `method`: kind of the payment
    method, such as "card" or "sbp".
    """

    invoice_id: str = ""
    refunded: Refunded | None = None
    needs_attention: bool = False
    method: str = ""
    connection_id: str = ""
    empty_answer: str = ""

    def _own_values(self) -> dict[str, str]:
        return {
            "invoice_id": self.invoice_id,
            "refunded": self.refunded or "",
            "attention": "yes" if self.needs_attention else "",
            "method": self.method,
            "connection": self.connection_id,
            "empty": self.empty_answer,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceFilter(ListFilter):
    """The filter of invoices. `status` is the effective one: past its expiry an open is expired."""


PAYMENT_STATUSES: Collection[str] = frozenset(map(str, payment.Status))
INVOICE_STATUSES: Collection[str] = frozenset(map(str, invoice.Status))
METADATA = "metadata[key]"
# Parameters of both lists. `query` and `invoice` are older names of `q` and `invoice_id`.
SHARED_PARAMETERS = (
    "q",
    "query",
    "period",
    "created_from",
    "created_to",
    "status",
    "service",
    "member",
    "customer_id",
    "amount_from",
    "amount_to",
    "email",
    "phone",
    "sort",
    METADATA,
)
INVOICE_PARAMETERS = SHARED_PARAMETERS
PAYMENT_PARAMETERS = (
    *SHARED_PARAMETERS,
    "invoice",
    "invoice_id",
    "refunded",
    "attention",
    "method",
    "connection",
    "empty",
)


def is_filter_parameter(name: str, parameters: Collection[str]) -> bool:
    """Return whether a parameter is one of `parameters`; `metadata[key]` stands for any key."""
    is_metadata = _METADATA_KEY.fullmatch(name) is not None
    return name in parameters or (is_metadata and METADATA in parameters)


@dataclass(slots=True)
class _Reader:
    """Reads parameters and collects the problems of those that make no sense."""

    values: Values
    problems: list[Problem]

    def text(self, *names: str) -> str:
        raw = next((found[0] for name in names if (found := self.values.get(name))), "")
        return clean_text(raw[: 4 * _MAX_METADATA_VALUE])

    def choice(self, name: str, choices: Collection[str]) -> str:
        value = self.text(name)
        if value and value not in choices:
            self.problems.append(Problem(name, "choose"))
            return ""
        return value

    def pattern(self, pattern: re.Pattern[str], code: str, *names: str) -> str:
        value = self.text(*names)
        if value and not pattern.fullmatch(value):
            self.problems.append(Problem(names[0], code))
            return ""
        return value

    def amount(self, name: str) -> int | None:
        value = self.text(name)
        readings = parse_amount(value)
        if value and len(readings) != 1:
            code = "money_ambiguous" if readings else "money_format"
            self.problems.append(Problem(name, code))
            return None
        return readings[0] if readings else None

    def email(self) -> str:
        value = self.text("email")
        email = parse_email(value) if value else ""
        if email is None:
            self.problems.append(Problem("email", "email"))
        return (email or "").casefold()

    def phone(self) -> str:
        value = self.text("phone")
        phone = parse_phone(value) if value else ""
        if isinstance(phone, Problem):
            self.problems.append(phone)
            return ""
        return phone

    def period(self) -> Period:
        if preset := self.choice("period", frozenset(map(str, Preset))):
            return Period(Preset(preset))
        bounds = []
        for name in ("created_from", "created_to"):
            value = self.text(name)
            bound = parse_bound(value) if value else None
            if value and bound is None:
                self.problems.append(Problem(name, "date"))
            bounds.append(bound)
        return Period(None, *bounds)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        pairs = [
            (match[1], found[0][:_MAX_METADATA_VALUE])
            for name, found in sorted(self.values.items())
            if found and found[0] and (match := _METADATA_KEY.fullmatch(name))
        ]
        if len(pairs) > _MAX_METADATA_FILTERS:
            self.problems.append(Problem("metadata", "too_many", {"max": _MAX_METADATA_FILTERS}))
        return tuple(pairs[:_MAX_METADATA_FILTERS])


def parse_payment_filter(values: Values) -> tuple[PaymentFilter, list[Problem]]:
    """Read a filter of payments. A wrong value filters nothing and is returned as a Problem."""
    reader = _Reader(values, [])
    refunded = reader.choice("refunded", frozenset(map(str, Refunded)))
    parsed = PaymentFilter(
        **_shared_values(reader, PAYMENT_STATUSES),
        invoice_id=reader.pattern(_ID, "id", "invoice_id", "invoice"),
        refunded=Refunded(refunded) if refunded else None,
        needs_attention=reader.choice("attention", ("yes",)) == "yes",
        method=reader.pattern(_METHOD, "choose", "method"),
        connection_id=reader.pattern(_ID, "id", "connection"),
        empty_answer=reader.pattern(KEY_PATTERN, "choose", "empty"),
    )
    return parsed, reader.problems


def parse_invoice_filter(values: Values) -> tuple[InvoiceFilter, list[Problem]]:
    """Read a filter of invoices. A wrong value filters nothing and is returned as a Problem."""
    reader = _Reader(values, [])
    return InvoiceFilter(**_shared_values(reader, INVOICE_STATUSES)), reader.problems


def _shared_values(reader: _Reader, statuses: Collection[str]) -> dict[str, Any]:
    sort = reader.choice("sort", frozenset(map(str, Sort)))
    return {
        "query": reader.text("q", "query")[:MAX_QUERY_LENGTH],
        "period": reader.period(),
        "status": reader.choice("status", statuses),
        "service_id": reader.pattern(_ID, "id", "service"),
        "member_id": reader.pattern(_ID, "id", "member"),
        "customer_id": reader.pattern(_ID, "id", "customer_id"),
        "amount_from": reader.amount("amount_from"),
        "amount_to": reader.amount("amount_to"),
        "email": reader.email(),
        "phone": reader.phone(),
        "metadata": reader.metadata(),
        "sort": Sort(sort) if sort else Sort.NEWEST,
    }
