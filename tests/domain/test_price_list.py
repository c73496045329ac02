"""Price list import: what each row changes."""

from dataclasses import replace
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


def categorized(number: int, title: str, category: str, external_id: str = "") -> Service:
    return replace(service(number, title), category=category, external_id=external_id)


def kinds(existing: list[Service], *rows: ImportRow) -> list[tuple[ChangeKind, str]]:
    """Return the kind of each change with the id of its service, "" for an invalid row."""
    planned = plan_rows(existing, *rows)
    return [(change.kind, change.service.id if change.service else "") for change in planned]


def test_equal_titles_in_two_categories_are_two_services() -> None:
    first = row(2, title="Стрижка", category="Дети")
    second = row(3, title="Стрижка", category="Мужчины")
    assert kinds([], first, second) == [(ChangeKind.ADD, "svc_new0"), (ChangeKind.ADD, "svc_new1")]
    existing = [categorized(1, "Стрижка", "Мужчины"), categorized(2, "Стрижка", "Дети")]
    assert kinds(existing, first, second) == [
        (ChangeKind.UNCHANGED, "svc_2"),
        (ChangeKind.UNCHANGED, "svc_1"),
    ]
    third = row(4, title="стрижка", category="Собаки")
    assert kinds(existing, first, third)[1] == (ChangeKind.ADD, "svc_new0")
    again = row(5, title="СТРИЖКА", category="дети")
    assert plan_rows(existing, first, again)[1].problems[0].code == "duplicate_row"


def test_only_service_with_the_title_changes_its_category() -> None:
    (change,) = plan_rows([categorized(1, "Стрижка", "")], row(title="Стрижка", category="Дети"))
    assert (change.kind, change.changed_columns) == (ChangeKind.CHANGE, ("category",))
    assert change.before is not None
    assert change.before.category == ""


def test_code_of_another_program_finds_the_service_under_a_new_title() -> None:
    existing = [categorized(1, "Стрижка", "", "00012"), categorized(2, "Укладка", "", "00013")]
    renamed = row(2, title="Стрижка женская", external_id="00012")
    assert kinds(existing, renamed) == [(ChangeKind.CHANGE, "svc_1")]
    other = row(3, title="Стрижка", external_id="00099")
    assert kinds(existing, other) == [(ChangeKind.ADD, "svc_new0")]
    no_code = [categorized(3, "Окраска", "")]
    assert kinds(no_code, row(title="Окраска", external_id="7")) == [(ChangeKind.CHANGE, "svc_3")]
    same = row(2, title="А", external_id="5"), row(3, title="Б", external_id="5")
    assert plan_rows([], *same)[1].problems[0].code == "duplicate_row"


def test_change_keeps_the_state_before_for_the_preview() -> None:
    values: dict[str, Any] = {
        "price_kind": PriceKind.RANGE,
        "amount": Money(100),
        "max_amount": Money(200),
    }
    (change,) = plan_rows([service(1)], row(title="Маникюр", price_unit="час", **values))
    assert change.changed_columns == ("price",)
    assert change.before is not None
    assert change.service is not None
    assert (change.before.amount, change.service.max_amount) == (Money(150_000), Money(200))
