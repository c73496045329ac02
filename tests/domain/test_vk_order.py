"""VK orders: which invoice an order may be linked to, and the payment status that VK must show."""

from dataclasses import replace
from typing import Any

import pytest

from sigma.domain.billing import invoice as invoices
from sigma.domain.billing.invoice import Invoice
from sigma.domain.change import Change
from sigma.domain.errors import RefusedError
from sigma.domain.messaging import vk_order
from sigma.domain.messaging.card import CardContent, CardState
from sigma.domain.messaging.vk_order import OrderContent, OrderItem, VkOrder
from sigma.domain.money import Money
from tests.domain.factories import NOW_US, SequentialIds, invoice, payment

ORDER = VkOrder(
    "ord_1", "shp_1", "con_1", "cnv_1", 5, 7, "7-5", 100, "RUB", "body", created_at_us=NOW_US
)


def test_received_order_has_a_timeline_event() -> None:
    stored, event = vk_order.record_received(ORDER, SequentialIds()).rows
    assert stored == ORDER
    assert (event.kind, event.subject_id) == ("vk_order.received", ORDER.id)  # type: ignore[attr-defined]


def record_changed(
    changed: VkOrder, *, is_same_content: bool = True, is_incomplete: bool = False
) -> Change:
    return vk_order.record_changed(
        ORDER,
        replace(changed, body_encrypted="new ciphertext"),
        is_same_content=is_same_content,
        is_incomplete=is_incomplete,
        new_id=SequentialIds(),
        now_us=NOW_US,
    )


def test_order_changes_with_its_amount_content_and_status() -> None:
    assert not record_changed(ORDER), "only the ciphertext differs"
    (changed,) = record_changed(replace(ORDER, amount_minor=200)).rows
    assert isinstance(changed, VkOrder)
    assert (changed.amount, changed.body_encrypted) == (Money(200), "body")
    (changed,) = record_changed(ORDER, is_same_content=False).rows
    assert isinstance(changed, VkOrder)
    assert changed.body_encrypted == "new ciphertext"
    changed, event = record_changed(replace(ORDER, status=5)).rows
    assert isinstance(changed, VkOrder)
    assert (changed.is_canceled, event.kind) == (True, "vk_order.status_changed")  # type: ignore[attr-defined]
    (job,) = record_changed(replace(ORDER, status=5), is_incomplete=True).jobs
    assert (job.kind, job.subject_id) == ("vk_order.fetch_items", ORDER.id)


@pytest.mark.parametrize(
    ("changes", "can_be_invoiced"),
    [
        ({}, True),
        ({"status": 4}, True),
        ({"status": 5}, False),
        ({"status": 6}, False),
        ({"amount_minor": 0}, False),
        ({"currency": "GEL"}, False),
        ({"currency": ""}, False),
    ],
)
def test_order_that_stands_and_costs_something_can_be_invoiced(
    changes: dict[str, Any], can_be_invoiced: bool
) -> None:
    assert replace(ORDER, **changes).can_be_invoiced == can_be_invoiced


@pytest.mark.parametrize(
    ("quantities", "item_count", "is_incomplete"),
    [
        ((), 0, False),
        ((1, 2), 2, False),  # VK counts positions
        ((1, 2), 3, False),  # VK counts pieces
        ((1, 1), 3, True),
        ((1, 1, 1, 1, 1), 5, False),
        ((3, 3, 3, 3, 3), 7, True),
        ((3, 3, 3, 3, 3), 20, True),
    ],
)
def test_order_with_more_items_than_vk_showed_is_incomplete(
    quantities: tuple[int, ...], item_count: int, is_incomplete: bool
) -> None:
    items = tuple(OrderItem(n, quantity=quantity) for n, quantity in enumerate(quantities))
    content = OrderContent(items, item_count=item_count)
    assert content.is_incomplete == is_incomplete
    assert not replace(content, has_all_items=True).is_incomplete


def test_cancelled_order_is_not_linked_to_an_invoice() -> None:
    with pytest.raises(RefusedError) as caught:
        vk_order.link_invoice(replace(ORDER, status=5), invoice(), None, NOW_US)
    assert caught.value.problems[0].code == "order_canceled"


@pytest.mark.parametrize(
    ("other", "is_refused"),
    [
        (None, False),
        (invoice(), True),
        (invoice(expires_at_us=NOW_US - 1), False),
        (invoice(status=invoices.Status.VOID), False),
        (invoice(status=invoices.Status.PAID, paid_count=1), True),
    ],
)
def test_order_has_one_payable_or_paid_invoice(other: Invoice | None, is_refused: bool) -> None:
    if is_refused:
        with pytest.raises(RefusedError) as caught:
            vk_order.link_invoice(ORDER, invoice(id="inv_2"), other, NOW_US)
        assert caught.value.code == "validation"
        return
    (linked,) = vk_order.link_invoice(ORDER, invoice(id="inv_2"), other, NOW_US).rows
    assert isinstance(linked, VkOrder)
    assert linked.invoice_id == "inv_2"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (CardContent(CardState.ISSUED), None),
        (CardContent(CardState.PAID, payment()), "paid"),
        (CardContent(CardState.PART_REFUNDED, payment()), "paid"),
        (CardContent(CardState.REFUNDED, payment()), "returned"),
    ],
)
def test_payment_status_follows_the_card(content: CardContent, expected: str | None) -> None:
    assert vk_order.payment_status(content) == expected


def test_reported_status_is_recorded_once() -> None:
    (reported,) = vk_order.record_reported(ORDER, "paid").rows
    assert isinstance(reported, VkOrder)
    assert not vk_order.record_reported(reported, "paid")
