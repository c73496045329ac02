"""Invoices: what may be asked for, how they move, and when they can be paid."""

from itertools import product
from typing import Any

import pytest

from sigma.domain.billing import invoice as invoices
from sigma.domain.billing.invoice import (
    FLOW,
    LATEST,
    Event,
    Item,
    Status,
    check_draft,
    check_payable,
)
from sigma.domain.billing.question import Kind, Question
from sigma.domain.errors import Refused
from sigma.domain.money import MAX_MINOR, Money
from tests.domain.objects import HOUR, NOW, NewIds, draft, invoice

ITEM = Item("Маникюр", "1", Money(150_000))


def item(**more: Any) -> Item:
    return Item(**({"name": "Маникюр", "quantity": "1", "price": Money(150_000)} | more))


@pytest.mark.parametrize(
    ("given", "fault"),
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
        ({"expires_at": NOW}, ("expires_at", "in_the_past")),
        ({"expires_at": NOW - 1}, ("expires_at", "in_the_past")),
        ({"expires_at": LATEST}, ("expires_at", "too_far")),
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
        ({"questions": (Question("a b", Kind.TEXT, "x"),)}, ("ask.0.key", "key_format")),
    ],
)
def test_a_draft_that_is_wrong_is_told_where_and_why(
    given: dict[str, Any], fault: tuple[str, str | None]
) -> None:
    found = {(p.field, p.code) for p in check_draft(draft(**given), NOW)}
    if fault[1] is None:  # 0.333 of 1 500 ₽ is whole kopecks: only the sum is wrong
        assert found == {("items", "items_sum")}
        return
    assert found == {fault}


@pytest.mark.parametrize(
    "quantity",
    ["", "0", "0.000", "-1", "+1", "1,5", "1.0005", "100000", "1e3", "1_0", "١", " 1", "NaN", "x"],
)
def test_a_quantity_is_a_plain_positive_decimal(quantity: str) -> None:
    problems = check_draft(draft(items=(item(quantity=quantity),)), NOW)
    assert [(p.field, p.code) for p in problems] == [("items.0.quantity", "quantity")]


def test_everything_wrong_is_told_at_once() -> None:
    wrong = draft(title="", amount=Money(0), max_payments=0, return_url="x", expires_at=1)
    with pytest.raises(Refused) as caught:
        _create(wrong)
    assert caught.value.code == "validation"
    assert {p.field for p in caught.value.problems} == {
        "title",
        "amount",
        "max_payments",
        "return_url",
        "expires_at",
    }


def _create(given: invoices.Draft, **more: Any) -> tuple[invoices.Invoice, Any]:
    return invoices.create(
        given,
        shop_id="shp_1",
        number=1,
        token="t",
        now=NOW,
        new_id=NewIds(),
        actor="usr_1",
        **more,
    )


def test_the_fullest_draft_becomes_an_open_invoice_that_will_expire() -> None:
    full = draft(
        title=" Маникюр ",
        description="строка\nещё строка",
        items=(item(quantity="2.5", price=Money(40_000)), item(price=Money(50_000))),
        questions=(Question("email", Kind.EMAIL, required=True),),
        max_payments=None,
        expires_at=NOW + HOUR,
        return_url="https://vk.me/studio?order={invoice}",
        metadata={"order": "42"},
    )
    made, change = _create(full)
    assert (made.status, made.title, made.version) == (Status.OPEN, "Маникюр", 0)
    assert change.saved[0] == made
    assert [(j.kind, j.subject, j.due_at) for j in change.jobs] == [
        ("invoice.expire", made.id, NOW + HOUR)
    ]


def test_a_draft_waits_to_be_issued_and_promises_nothing() -> None:
    made, change = _create(draft(expires_at=NOW + HOUR), issued=False)
    assert (made.status, change.jobs) == (Status.DRAFT, ())
    opened = invoices.issue(made, NOW, NewIds(), "usr_1")
    assert opened.saved[0].status is Status.OPEN  # type: ignore[attr-defined]
    assert opened.jobs[0].kind == "invoice.expire"
    with pytest.raises(Refused, match="invoice_expired"):
        invoices.issue(made, NOW + HOUR, NewIds(), "usr_1")


EXPECTED = {
    (Status.DRAFT, Event.ISSUED): Status.OPEN,
    (Status.DRAFT, Event.VOIDED): Status.VOID,
    (Status.OPEN, Event.FILLED): Status.PAID,
    (Status.OPEN, Event.VOIDED): Status.VOID,
    (Status.OPEN, Event.LAPSED): Status.EXPIRED,
    (Status.VOID, Event.VOIDED): Status.VOID,
    (Status.EXPIRED, Event.FILLED): Status.PAID,
    (Status.EXPIRED, Event.VOIDED): Status.VOID,
    (Status.EXPIRED, Event.LAPSED): Status.EXPIRED,
}


@pytest.mark.parametrize(("status", "event"), list(product(Status, Event)))
def test_every_pair_is_in_the_table_or_refused(status: Status, event: Event) -> None:
    assert set(FLOW) == set(Status)
    before = invoice(status=status)
    if (status, event) in EXPECTED:
        assert invoices.move(before, event).status is EXPECTED[status, event]
        return
    with pytest.raises(Refused) as caught:
        invoices.move(before, event)
    paid = status is Status.PAID
    assert caught.value.code == ("invoice_already_paid" if paid else "invoice_not_open")


def test_voiding_twice_changes_nothing() -> None:
    once = invoices.void(invoice(), NOW, NewIds(), "usr_1")
    assert once.saved[0].status is Status.VOID  # type: ignore[attr-defined]
    assert not invoices.void(invoice(status=Status.VOID), NOW, NewIds(), "usr_1")


@pytest.mark.parametrize(
    ("status", "now", "lapses"),
    [
        (Status.OPEN, NOW + HOUR - 1, False),
        (Status.OPEN, NOW + HOUR, True),
        (Status.OPEN, NOW + HOUR + 1, True),
        (Status.DRAFT, NOW + HOUR, False),
        (Status.PAID, NOW + HOUR, False),
        (Status.VOID, NOW + HOUR, False),
        (Status.EXPIRED, NOW + HOUR, False),
    ],
)
def test_time_is_over_at_the_very_microsecond_and_only_for_open_ones(
    status: Status, now: int, lapses: bool
) -> None:
    before = invoice(status=status, expires_at=NOW + HOUR)
    assert bool(invoices.lapse(before, now, NewIds())) is lapses
    assert not invoices.lapse(invoice(status=status), now, NewIds())  # no deadline


@pytest.mark.parametrize(
    ("given", "holds", "code"),
    [
        ({}, 0, None),
        ({"expires_at": NOW + 1}, 0, None),
        ({"expires_at": NOW}, 0, "invoice_expired"),
        ({"status": Status.EXPIRED}, 0, "invoice_expired"),
        ({"status": Status.DRAFT}, 0, "invoice_not_open"),
        ({"status": Status.VOID}, 0, "invoice_void"),
        ({"status": Status.VOID, "expires_at": NOW}, 0, "invoice_void"),
        ({"status": Status.PAID, "paid_count": 1}, 0, "invoice_already_paid"),
        ({"status": Status.PAID, "paid_count": 3, "max_payments": 3}, 0, "invoice_limit_reached"),
        ({"paid_count": 2, "max_payments": 3}, 0, None),
        ({"paid_count": 2, "max_payments": 3}, 1, "invoice_has_live_payment"),
        ({"paid_count": 2, "max_payments": None}, 9, None),
        ({}, 1, "invoice_has_live_payment"),
    ],
)
def test_an_invoice_says_why_it_cannot_be_paid(
    given: dict[str, Any], holds: int, code: str | None
) -> None:
    if code is None:
        check_payable(invoice(**given), NOW, holds)
        return
    with pytest.raises(Refused, match=code):
        check_payable(invoice(**given), NOW, holds)
