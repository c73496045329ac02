"""Price list import: what each row of a file changes in the catalogue.

A row is matched to a service by id or by title, so a second import of the same file changes
nothing.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sigma.domain.catalogue.service import Service, fields_of, normalized_title, with_fields
from sigma.domain.errors import Problem, RefusedError

# The columns that change a service, and the fields of the service that hold their values.
_FIELDS_BY_COLUMN = {
    "title": ("title",),
    "description": ("description",),
    "price": ("price_kind", "amount"),
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

    `values`: field → value for the columns of the file (title, description, price_kind, amount,
    is_visible, expires_days). Other fields of an existing service are not changed.
    """

    row_number: int
    service_id: str
    values: dict[str, Any]
    problems: tuple[Problem, ...] = ()

    @property
    def title(self) -> str:
        """The title; empty when the file has no title column."""
        return str(self.values.get("title", ""))


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """What a row would do. `changed_columns`: column names; `service`: the new state."""

    row_number: int
    title: str
    kind: ChangeKind
    service: Service | None = None
    changed_columns: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def plan(
    existing: Iterable[Service], rows: Iterable[ImportRow], make_service: Callable[[int], Service]
) -> list[PlannedChange]:
    """Plan the change of each row. `make_service(n)` returns the n-th new, empty service."""
    by_id, by_title = {s.id: s for s in existing}, dict[str, list[Service]]()
    for service in by_id.values():
        by_title.setdefault(normalized_title(service.title), []).append(service)
    row_by_target: dict[str, int] = {}
    planned: list[PlannedChange] = []
    added = 0
    for row in rows:
        match = _find_service(row, by_id, by_title)
        target = match.id if isinstance(match, Service) else f"new {normalized_title(row.title)}"
        problems = list(row.problems)
        if isinstance(match, Problem):
            problems.append(match)
        elif not problems and target in row_by_target:
            problems.append(Problem("row", "duplicate_row", {"row": row_by_target[target]}))
        if problems or isinstance(match, Problem):
            planned.append(
                PlannedChange(
                    row.row_number, row.title, ChangeKind.INVALID, problems=tuple(problems)
                )
            )
            continue
        row_by_target[target] = row.row_number
        change = _plan_row(row, match, lambda: make_service(added))  # noqa: B023 - called at once
        added += change.kind is ChangeKind.ADD
        planned.append(change)
    return planned


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


def _find_service(
    row: ImportRow, by_id: dict[str, Service], by_title: dict[str, list[Service]]
) -> Service | Problem | None:
    if row.service_id:
        return by_id.get(row.service_id) or Problem("id", "service_unknown")
    same_title = by_title.get(normalized_title(row.title), [])
    if len(same_title) > 1:
        return Problem("title", "ambiguous_title")
    return same_title[0] if same_title else None


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
        return PlannedChange(
            row.row_number, row.title, ChangeKind.INVALID, problems=refused.problems
        )
    if existing is None:
        return PlannedChange(row.row_number, after.title, ChangeKind.ADD, after)
    changed_columns = tuple(
        column
        for column, names in _FIELDS_BY_COLUMN.items()
        if any(getattr(after, name) != getattr(existing, name) for name in names)
    )
    kind = ChangeKind.CHANGE if changed_columns else ChangeKind.UNCHANGED
    return PlannedChange(row.row_number, after.title, kind, after, changed_columns)
