"""VK orders: which invoice an order may be linked to, and the payment status that VK must show."""

import pytest

from sigma.domain.billing import invoice as invoices
from sigma.domain.billing.invoice import Invoice
from sigma.domain.errors import RefusedError
from sigma.domain.messaging import vk_order
from sigma.domain.messaging.card import CardContent, CardState
from sigma.domain.messaging.vk_order import VkOrder
from sigma.domain.money import Money
from tests.domain.factories import NOW_US, SequentialIds, invoice, payment

ORDER = VkOrder(
    "ord_1", "shp_1", "con_1", "cnv_1", 5, 7, "7-5", 100, "RUB", "body", created_at_us=NOW_US
)


def test_received_order_has_a_timeline_event() -> None:
    stored, event = vk_order.record_received(ORDER, SequentialIds()).rows
    assert stored == ORDER
    assert (event.kind, event.subject_id) == ("vk_order.received", ORDER.id)  # type: ignore[attr-defined]


def test_order_changes_with_its_amount_only() -> None:
    assert not vk_order.record_changed(ORDER, Money(100), "another ciphertext of the same")
    (changed,) = vk_order.record_changed(ORDER, Money(200), "new").rows
    assert isinstance(changed, VkOrder)
    assert (changed.amount, changed.body_encrypted) == (Money(200), "new")


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
