"""Price list import: what each row of a file changes in the catalogue.

A row is matched to a service by its id in Sigma, by its code in the seller's other program, or by
title and category, so a second import of the same file changes nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sigma.domain.catalogue.service import Service, fields_of, normalized_title, with_fields
from sigma.domain.errors import Problem, RefusedError

# The columns that change a service, and the fields of the service that hold their values.
_FIELDS_BY_COLUMN = {
    "title": ("title",),
    "category": ("category",),
    "description": ("description",),
    "price": ("price_kind", "amount", "max_amount", "price_unit"),
    "external_id": ("external_id",),
    "visible": ("is_visible",),
    "expires_days": ("invoice_template",),
}


class ChangeKind(StrEnum):
    """What a row does to the catalogue."""

    ADD = "add"
    CHANGE = "change"
    UNCHANGED = "unchanged"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class ImportRow:
    """A row of a price list. `row_number` counts the rows of the file.

    `values`: field → value for the columns of the file (title, description, category, external_id,
    price_kind, amount, max_amount, price_unit, is_visible, expires_days). Other fields of an
    existing service are not changed.
    """

    row_number: int
    service_id: str
    values: dict[str, Any]
    problems: tuple[Problem, ...] = ()

    @property
    def title(self) -> str:
        """The title; empty when the file has no title column."""
        return str(self.values.get("title", ""))

    @property
    def category(self) -> str | None:
        """The category; None when the file says nothing about categories."""
        return self.values.get("category")

    @property
    def external_id(self) -> str:
        """The code in the seller's other program, or ""."""
        return str(self.values.get("external_id", ""))


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """What a row would do.

    `service`: the new state; `before`: the state that it replaces. `changed_columns`: names of the
    columns that differ. `category` is that of the row, also when it is invalid.
    """

    row_number: int
    title: str
    kind: ChangeKind
    service: Service | None = None
    before: Service | None = None
    category: str = ""
    changed_columns: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def plan(
    existing: Iterable[Service], rows: Sequence[ImportRow], make_service: Callable[[int], Service]
) -> list[PlannedChange]:
    """Plan the change of each row. `make_service(n)` returns the n-th new, empty service."""
    matcher = _Matcher(existing, rows)
    row_by_target: dict[str, int] = {}
    planned: list[PlannedChange] = []
    added = 0
    for row in rows:
        match = matcher.find(row)
        target = match.id if isinstance(match, Service) else _new_target(row)
        problems = list(row.problems)
        if isinstance(match, Problem):
            problems.append(match)
        elif not problems and target in row_by_target:
            problems.append(Problem("row", "duplicate_row", {"row": row_by_target[target]}))
        if problems or isinstance(match, Problem):
            planned.append(_invalid(row, problems))
            continue
        row_by_target[target] = row.row_number
        change = _plan_row(row, match, lambda: make_service(added))  # noqa: B023 - called at once
        added += change.kind is ChangeKind.ADD
        planned.append(change)
    return planned


def _new_target(row: ImportRow) -> str:
    """Return the identity of a service that a row would add."""
    if row.external_id:
        return f"code {row.external_id}"
    return f"new {normalized_title(row.category or '')} {normalized_title(row.title)}"


def _invalid(row: ImportRow, problems: Iterable[Problem]) -> PlannedChange:
    return PlannedChange(
        row.row_number,
        row.title,
        ChangeKind.INVALID,
        category=row.category or "",
        problems=tuple(problems),
    )


class _Matcher:
    """Finds the service that a row is about among the services of the shop."""

    def __init__(self, existing: Iterable[Service], rows: Iterable[ImportRow]) -> None:
        self._by_id = {service.id: service for service in existing}
        self._by_external_id: dict[str, Service] = {}
        self._by_title: dict[str, list[Service]] = {}
        for service in self._by_id.values():
            if service.external_id:
                self._by_external_id.setdefault(service.external_id, service)
            self._by_title.setdefault(normalized_title(service.title), []).append(service)
        self._rows_by_title = Counter(normalized_title(row.title) for row in rows)

    def find(self, row: ImportRow) -> Service | Problem | None:
        """Return the service, None for a new one, or the problem with the match."""
        if row.service_id:
            return self._by_id.get(row.service_id) or Problem("id", "service_unknown")
        if row.external_id and row.external_id in self._by_external_id:
            return self._by_external_id[row.external_id]
        title = normalized_title(row.title)
        same_title = [
            service
            for service in self._by_title.get(title, [])
            # A service with another code is another service, whatever its title.
            if not row.external_id or service.external_id in ("", row.external_id)
        ]
        if row.category is not None and same_title:
            category = normalized_title(row.category)
            in_category = [s for s in same_title if normalized_title(s.category) == category]
            if in_category:
                same_title = in_category
            elif self._rows_by_title[title] > 1 or len(same_title) > 1:
                return None  # the same title in another category
        if len(same_title) > 1:
            return Problem("title", "ambiguous_title")
        return same_title[0] if same_title else None


def count_by_kind(planned: Iterable[PlannedChange]) -> dict[ChangeKind, int]:
    """Return how many rows have each kind of change."""
    counts = dict.fromkeys(ChangeKind, 0)
    for change in planned:
        counts[change.kind] += 1
    return counts


def services_to_save(planned: Iterable[PlannedChange]) -> tuple[Service, ...]:
    """Return the services that the rows add or change."""
    return tuple(
        change.service
        for change in planned
        if change.service is not None and change.kind in (ChangeKind.ADD, ChangeKind.CHANGE)
    )


def _plan_row(
    row: ImportRow, existing: Service | None, make_service: Callable[[], Service]
) -> PlannedChange:
    before = existing or make_service()
    values = dict(row.values)
    template = before.invoice_template
    if "expires_days" in values:
        template = replace(template, expires_days=values.pop("expires_days"))
    try:
        after = with_fields(before, replace(fields_of(before), invoice_template=template, **values))
    except RefusedError as refused:
        return _invalid(row, refused.problems)
    if existing is None:
        return PlannedChange(
            row.row_number, after.title, ChangeKind.ADD, after, category=after.category
        )
    changed_columns = tuple(
        column
        for column, names in _FIELDS_BY_COLUMN.items()
        if any(getattr(after, name) != getattr(existing, name) for name in names)
    )
    kind = ChangeKind.CHANGE if changed_columns else ChangeKind.UNCHANGED
    return PlannedChange(
        row.row_number, after.title, kind, after, existing, after.category, changed_columns
    )
