"""Invoices: validation of drafts, status transitions, and when an invoice can be paid."""

from itertools import product
from typing import Any

import pytest

from sigma.domain.billing import invoice as invoices
from sigma.domain.billing.invoice import (
    FLOW,
    MAX_EXPIRES_AT_US,
    Event,
    InvoiceItem,
    Status,
    check_draft,
    require_payable,
)
from sigma.domain.billing.question import Question, QuestionKind
from sigma.domain.change import Change
from sigma.domain.errors import RefusedError
from sigma.domain.money import MAX_MINOR, Money
from tests.domain.factories import HOUR_US, NOW_US, SequentialIds, draft, invoice

ITEM = InvoiceItem("Маникюр", "1", Money(150_000))


def item(**more: Any) -> InvoiceItem:
    usual: dict[str, Any] = {"name": "Маникюр", "quantity": "1", "price": Money(150_000)}
    return InvoiceItem(**(usual | more))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"title": ""}, ("title", "required")),
        ({"title": " \u00a0"}, ("title", "required")),
        ({"title": "x" * 201}, ("title", "too_long")),
        ({"title": "a\x00b"}, ("title", "characters")),
        ({"title": "a\r\nBcc: x@y.ru"}, ("title", "characters")),
        ({"title": "a\ud800"}, ("title", "characters")),
        ({"description": "x" * 4001}, ("description", "too_long")),
        ({"description": "a\x00b"}, ("description", "characters")),
        ({"amount": Money(0)}, ("amount", "money_positive")),
        ({"amount": Money(-1)}, ("amount", "money_positive")),
        ({"max_payments": 0}, ("max_payments", "range")),
        ({"max_payments": -1}, ("max_payments", "range")),
        ({"max_payments": 100_001}, ("max_payments", "range")),
        ({"expires_at_us": NOW_US}, ("expires_at", "in_the_past")),
        ({"expires_at_us": NOW_US - 1}, ("expires_at", "in_the_past")),
        ({"expires_at_us": MAX_EXPIRES_AT_US}, ("expires_at", "too_far")),
        ({"return_url": "javascript:alert(1)"}, ("return_url", "url")),
        ({"return_url": "vk.me/studio"}, ("return_url", "url")),
        ({"metadata": {str(n): "" for n in range(21)}}, ("metadata", "metadata")),
        ({"metadata": {"": "x"}}, ("metadata", "metadata")),
        ({"metadata": {"k" * 41: "x"}}, ("metadata", "metadata")),
        ({"metadata": {"k": "x" * 501}}, ("metadata", "metadata")),
        ({"items": (ITEM,) * 101}, ("items", "too_many")),
        ({"items": (ITEM, ITEM)}, ("items", "items_sum")),
        ({"items": (item(price=Money(149_999)),)}, ("items", "items_sum")),
        ({"items": (item(price=Money(MAX_MINOR)),) * 2}, ("items", "items_sum")),
        ({"items": (item(name=" "),)}, ("items.0.name", "required")),
        ({"items": (item(name="x" * 129),)}, ("items.0.name", "too_long")),
        ({"items": (item(name="a\nb"),)}, ("items.0.name", "characters")),
        ({"items": (ITEM, item(price=Money(1, "USD")))}, ("items.1.price", "currency_mixed")),
        ({"items": (item(quantity="0.333"),)}, ("items.0.price", None)),
        ({"items": (item(quantity="1.5", price=Money(33)),)}, ("items.0.price", "money_fraction")),
        (
            {"items": (item(quantity="99999", price=Money(MAX_MINOR)),)},
            ("items.0.price", "money_too_large"),
        ),
        ({"questions": (Question("a b", QuestionKind.TEXT, "x"),)}, ("ask.0.key", "key_format")),
    ],
)
def test_invalid_draft_is_reported_with_field_and_code(
    changes: dict[str, Any], expected: tuple[str, str | None]
) -> None:
    problems = {(p.field, p.code) for p in check_draft(draft(**changes), NOW_US)}
    if expected[1] is None:  # 0.333 of 1 500 ₽ is whole kopecks: only the sum is wrong
        assert problems == {("items", "items_sum")}
        return
    assert problems == {expected}


@pytest.mark.parametrize(
    "quantity",
    ["", "0", "0.000", "-1", "+1", "1,5", "1.0005", "100000", "1e3", "1_0", "١", " 1", "NaN", "x"],
)
def test_quantity_must_be_plain_positive_decimal(quantity: str) -> None:
    problems = check_draft(draft(items=(item(quantity=quantity),)), NOW_US)
    assert [(p.field, p.code) for p in problems] == [("items.0.quantity", "quantity")]


def test_all_problems_of_draft_are_reported_together() -> None:
    invalid = draft(title="", amount=Money(0), max_payments=0, return_url="x", expires_at_us=1)
    with pytest.raises(RefusedError) as caught:
        _create(invalid)
    assert caught.value.code == "validation"
    assert {p.field for p in caught.value.problems} == {
        "title",
        "amount",
        "max_payments",
        "return_url",
        "expires_at",
    }


def _create(invoice_draft: invoices.Draft, **more: Any) -> tuple[invoices.Invoice, Change]:
    return invoices.create(
        invoice_draft,
        shop_id="shp_1",
        number=1,
        token="t",
        now_us=NOW_US,
        new_id=SequentialIds(),
        actor="usr_1",
        **more,
    )


def test_full_draft_becomes_open_invoice_with_expiry_job() -> None:
    full_draft = draft(
        title=" Маникюр ",
        description="строка\nещё строка",
        items=(item(quantity="2.5", price=Money(40_000)), item(price=Money(50_000))),
        questions=(Question("email", QuestionKind.EMAIL, required=True),),
        max_payments=None,
        expires_at_us=NOW_US + HOUR_US,
        return_url="https://vk.me/studio?order={invoice}",
        metadata={"order": "42"},
    )
    created, change = _create(full_draft)
    assert (created.status, created.title, created.version) == (Status.OPEN, "Маникюр", 0)
    assert change.rows[0] == created
    assert [(j.kind, j.subject_id, j.due_at_us) for j in change.jobs] == [
        ("invoice.expire", created.id, NOW_US + HOUR_US)
    ]


def test_draft_has_no_jobs_until_it_is_issued() -> None:
    created, change = _create(draft(expires_at_us=NOW_US + HOUR_US), is_issued=False)
    assert (created.status, change.jobs) == (Status.DRAFT, ())
    issued = invoices.issue(created, NOW_US, SequentialIds(), "usr_1")
    assert issued.rows[0].status is Status.OPEN  # type: ignore[attr-defined]
    assert issued.jobs[0].kind == "invoice.expire"
    with pytest.raises(RefusedError, match="invoice_expired"):
        invoices.issue(created, NOW_US + HOUR_US, SequentialIds(), "usr_1")


EXPECTED = {
    (Status.DRAFT, Event.ISSUED): Status.OPEN,
    (Status.DRAFT, Event.VOIDED): Status.VOID,
    (Status.OPEN, Event.FULLY_PAID): Status.PAID,
    (Status.OPEN, Event.VOIDED): Status.VOID,
    (Status.OPEN, Event.EXPIRED): Status.EXPIRED,
    (Status.VOID, Event.VOIDED): Status.VOID,
    (Status.EXPIRED, Event.FULLY_PAID): Status.PAID,
    (Status.EXPIRED, Event.VOIDED): Status.VOID,
    (Status.EXPIRED, Event.EXPIRED): Status.EXPIRED,
}


@pytest.mark.parametrize(("status", "event"), list(product(Status, Event)))
def test_transition_follows_table_or_is_refused(status: Status, event: Event) -> None:
    assert set(FLOW) == set(Status)
    before = invoice(status=status)
    if (status, event) in EXPECTED:
        assert invoices.apply_event(before, event).status is EXPECTED[status, event]
        return
    with pytest.raises(RefusedError) as caught:
        invoices.apply_event(before, event)
    is_paid = status is Status.PAID
    assert caught.value.code == ("invoice_already_paid" if is_paid else "invoice_not_open")


def test_second_void_changes_nothing() -> None:
    change = invoices.void(invoice(), NOW_US, SequentialIds(), "usr_1")
    assert change.rows[0].status is Status.VOID  # type: ignore[attr-defined]
    assert not invoices.void(invoice(status=Status.VOID), NOW_US, SequentialIds(), "usr_1")


@pytest.mark.parametrize(
    ("status", "now_us", "expires"),
    [
        (Status.OPEN, NOW_US + HOUR_US - 1, False),
        (Status.OPEN, NOW_US + HOUR_US, True),
        (Status.OPEN, NOW_US + HOUR_US + 1, True),
        (Status.DRAFT, NOW_US + HOUR_US, False),
        (Status.PAID, NOW_US + HOUR_US, False),
        (Status.VOID, NOW_US + HOUR_US, False),
        (Status.EXPIRED, NOW_US + HOUR_US, False),
    ],
)
def test_only_open_invoice_expires_and_exactly_at_its_deadline(
    status: Status, now_us: int, expires: bool
) -> None:
    before = invoice(status=status, expires_at_us=NOW_US + HOUR_US)
    assert bool(invoices.expire(before, now_us, SequentialIds())) is expires
    assert before.status_at(now_us) is (Status.EXPIRED if expires else status)
    assert not invoices.expire(invoice(status=status), now_us, SequentialIds())  # no deadline


@pytest.mark.parametrize(
    ("changes", "authorized_count", "code"),
    [
        ({}, 0, None),
        ({"expires_at_us": NOW_US + 1}, 0, None),
        ({"expires_at_us": NOW_US}, 0, "invoice_expired"),
        ({"status": Status.EXPIRED}, 0, "invoice_expired"),
        ({"status": Status.DRAFT}, 0, "invoice_not_open"),
        ({"status": Status.VOID}, 0, "invoice_void"),
        ({"status": Status.VOID, "expires_at_us": NOW_US}, 0, "invoice_void"),
        ({"status": Status.PAID, "paid_count": 1}, 0, "invoice_already_paid"),
        ({"status": Status.PAID, "paid_count": 3, "max_payments": 3}, 0, "invoice_limit_reached"),
        ({"paid_count": 2, "max_payments": 3}, 0, None),
        ({"paid_count": 2, "max_payments": 3}, 1, "invoice_has_live_payment"),
        ({"paid_count": 2, "max_payments": None}, 9, None),
        ({}, 1, "invoice_has_live_payment"),
    ],
)
def test_unpayable_invoice_is_refused_with_reason(
    changes: dict[str, Any], authorized_count: int, code: str | None
) -> None:
    if code is None:
        require_payable(invoice(**changes), NOW_US, authorized_count)
        return
    with pytest.raises(RefusedError, match=code):
        require_payable(invoice(**changes), NOW_US, authorized_count)
