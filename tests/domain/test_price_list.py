"""Price list import: what each row changes."""

from typing import Any

import pytest

from sigma.domain.catalogue.price_list import (
    ChangeKind,
    ImportRow,
    PlannedChange,
    count_by_kind,
    plan,
    services_to_save,
)
from sigma.domain.catalogue.service import InvoiceTemplate, PriceKind, Service
from sigma.domain.errors import Problem
from sigma.domain.money import Money
from tests.domain.factories import NOW_US, SHOP


def service(number: int, title: str = "Маникюр") -> Service:
    return Service(
        f"svc_{number}",
        SHOP.id,
        title,
        NOW_US,
        price_kind=PriceKind.FIXED,
        amount=Money(150_000),
        position=number,
        invoice_template=InvoiceTemplate((), 9, "https://vk.me/x"),
    )


def row(number: int = 2, service_id: str = "", **values: Any) -> ImportRow:
    return ImportRow(number, service_id, values)


def new_service(number: int) -> Service:
    return Service(f"svc_new{number}", SHOP.id, "", NOW_US, position=10 + number)


def plan_rows(existing: list[Service], *rows: ImportRow) -> list[PlannedChange]:
    return plan(existing, rows, new_service)


@pytest.mark.parametrize(
    ("import_row", "kind", "columns"),
    [
        (row(title="МАНИКЮР "), ChangeKind.CHANGE, ("title",)),
        (row(title="Маникюр", amount=Money(150_000)), ChangeKind.UNCHANGED, ()),
        (row(title="Маникюр", amount=Money(1)), ChangeKind.CHANGE, ("price",)),
        (row(title="Маникюр", expires_days=3), ChangeKind.CHANGE, ("expires_days",)),
        (row(service_id="svc_1", title="Педикюр"), ChangeKind.CHANGE, ("title",)),
        (row(service_id="svc_1", is_visible=False), ChangeKind.CHANGE, ("visible",)),
        (row(title="Педикюр"), ChangeKind.ADD, ()),
    ],
)
def test_row_is_matched_by_id_or_title(
    import_row: ImportRow, kind: ChangeKind, columns: tuple[str, ...]
) -> None:
    (change,) = plan_rows([service(1)], import_row)
    assert (change.kind, change.changed_columns) == (kind, columns)


def test_fields_without_a_column_keep_their_values() -> None:
    (change,) = plan_rows([service(1)], row(title="Маникюр", expires_days=3))
    assert change.service is not None
    assert change.service.invoice_template == InvoiceTemplate((), 3, "https://vk.me/x")
    assert change.service.amount == Money(150_000)


@pytest.mark.parametrize(
    ("import_row", "code"),
    [
        (row(service_id="svc_9", title="Чужая"), "service_unknown"),
        (row(title="Двойник"), "ambiguous_title"),
        (row(title=""), "required"),
        (ImportRow(2, "", {"title": "Цена"}, (Problem("price", "money_format"),)), "money_format"),
    ],
)
def test_invalid_row_is_reported(import_row: ImportRow, code: str) -> None:
    existing = [service(1), service(2, "Двойник"), service(3, "двойник")]
    (change,) = plan_rows(existing, import_row)
    assert (change.kind, change.problems[0].code) == (ChangeKind.INVALID, code)
    assert change.service is None


def test_second_row_for_the_same_service_is_refused() -> None:
    planned = plan_rows([], row(2, title="Новая"), row(3, title="новая "), row(4, title="Другая"))
    assert [change.kind for change in planned] == [
        ChangeKind.ADD,
        ChangeKind.INVALID,
        ChangeKind.ADD,
    ]
    assert planned[1].problems[0].params == {"row": 2}
    assert [s.position for s in services_to_save(planned)] == [10, 11]
    assert count_by_kind(planned) == {
        ChangeKind.ADD: 2,
        ChangeKind.CHANGE: 0,
        ChangeKind.UNCHANGED: 0,
        ChangeKind.INVALID: 1,
    }


def test_only_added_and_changed_services_are_saved() -> None:
    rows = row(2, title="Маникюр"), row(3, title="Педикюр", is_visible=False), row(4, title="Новая")
    planned = plan_rows([service(1), service(2, "Педикюр")], *rows)
    assert [s.id for s in services_to_save(planned)] == ["svc_2", "svc_new0"]
