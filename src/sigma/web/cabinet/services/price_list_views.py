"""View models of the price list preview. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sigma.domain.catalogue.cell_texts import clean_cell
from sigma.domain.catalogue.price_headers import Meaning
from sigma.domain.catalogue.price_list import ChangeKind, PlannedChange, count_by_kind
from sigma.domain.catalogue.price_sheet import Column
from sigma.domain.catalogue.service import Service
from sigma.domain.errors import Problem
from sigma.services.catalogue.price_list_import import PriceList
from sigma.texts import Translator
from sigma.web.prices import price_text

MAX_ROWS_PER_KIND = 200  # rows of the preview; the counts are of all
MAX_TEXT = 160  # characters of an old or new value
# Invalid rows first: they need the seller.
_KINDS = (ChangeKind.INVALID, ChangeKind.CHANGE, ChangeKind.ADD, ChangeKind.UNCHANGED)


@dataclass(frozen=True, slots=True)
class ColumnView:
    """A column with the choice of its meaning."""

    index: int
    header: str
    example: str
    meaning: str
    note: str  # why it is left out, or ""


@dataclass(frozen=True, slots=True)
class DifferenceView:
    """A field that changes; `before` is "" for a new service."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class RowView:
    """A row of the file with its effect."""

    row_number: int
    title: str
    category: str
    kind: ChangeKind
    differences: list[DifferenceView]
    problems: list[str]


@dataclass(frozen=True, slots=True)
class KindView:
    """The rows of one kind of change; `hidden_count` rows more are not listed."""

    kind: ChangeKind
    count: int
    rows: list[RowView]

    @property
    def hidden_count(self) -> int:
        """Return how many rows are not listed."""
        return self.count - len(self.rows)


def preview_context(
    found: PriceList, planned: list[PlannedChange], translator: Translator
) -> dict[str, Any]:
    """Return the template context of the preview."""
    counts = count_by_kind(planned)
    return {
        "columns": [_column_view(column, translator) for column in found.columns],
        "meanings": [("", translator.t("services.column_none"))]
        + [(str(m), translator.t(f"services.column_{m}")) for m in Meaning],
        "kinds": [
            KindView(kind, counts[kind], [_row_view(c, translator) for c in rows])
            for kind in _KINDS
            if counts[kind] and (rows := [c for c in planned if c.kind is kind][:MAX_ROWS_PER_KIND])
        ],
        "counts": {str(kind): count for kind, count in counts.items()},
        "skipped": [
            (s.row_number, s.text, translator.t(f"services.skipped_{s.reason}"))
            for s in found.skipped[:MAX_ROWS_PER_KIND]
        ],
        "skipped_count": len(found.skipped),
        "sheets": [(s.name, s.name) for s in found.sheets],
        "sheet": next((s.name for s in found.sheets if s.is_used), ""),
        "sheet_notes": [
            translator.t(
                "services.sheet_left_out_hidden" if s.is_hidden else "services.sheet_left_out",
                sheet=s.name,
                rows=s.row_count,
            )
            for s in found.sheets
            if not s.is_used and s.row_count
        ],
        "apply_count": counts[ChangeKind.ADD] + counts[ChangeKind.CHANGE],
    }


def _column_view(column: Column, translator: Translator) -> ColumnView:
    note = ""
    if column.meaning is None and column.example:
        note = translator.t(f"services.left_out_{column.left_out}")
    meaning = str(column.meaning) if column.meaning else ""
    return ColumnView(column.index, column.header, _cut(clean_cell(column.example)), meaning, note)


def _row_view(change: PlannedChange, translator: Translator) -> RowView:
    differences = []
    if change.service is not None and change.kind in (ChangeKind.ADD, ChangeKind.CHANGE):
        names = change.changed_columns if change.before else ("price", "description", "external_id")
        differences = [
            difference
            for name in names
            if (difference := _difference(name, change.before, change.service, translator)).after
            or change.before
        ]
    return RowView(
        change.row_number,
        change.title,
        change.category,
        change.kind,
        differences,
        row_problem_texts(change.problems, translator),
    )


def _difference(
    name: str, before: Service | None, after: Service, translator: Translator
) -> DifferenceView:
    old = _field_text(name, before, translator) if before else ""
    new = _field_text(name, after, translator)
    return DifferenceView(translator.t(f"services.column_{name}"), _cut(old), _cut(new))


def _field_text(name: str, service: Service, translator: Translator) -> str:
    if name == "price":
        return price_text(service, translator)
    if name == "visible":
        return translator.t("services.visible_now" if service.is_visible else "services.hidden_now")
    if name == "expires_days":
        return str(service.invoice_template.expires_days or "")
    return str(getattr(service, name))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1].rstrip()}…"


def row_problem_texts(problems: Iterable[Problem], translator: Translator) -> list[str]:
    """Return the problem texts of a row, each with the name of its column."""
    texts = []
    for p in problems:
        key = f"services.column_{p.field.split('.')[0]}"
        name = translator.t(key) if translator.has(key) else ""
        text = translator.problem_text(p)
        texts.append(f"{name}: {text}" if name else text)
    return texts
