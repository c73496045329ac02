"""Invoice cards: their content depends only on the invoice, its payments and refunds."""

from dataclasses import replace

import pytest

from sigma.domain.billing import invoice as invoices
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.payment import Status
from sigma.domain.messaging.card import (
    CapturedPayment,
    Card,
    CardContent,
    CardState,
    card_content,
    is_current,
    mark_opened,
    needs_new_message,
    with_content,
    without_fingerprint,
)
from sigma.domain.money import Money
from tests.domain.factories import NOW_US, SequentialIds
from tests.domain.factories import invoice as make_invoice
from tests.domain.factories import payment as make_payment

OPEN, EXPIRED = make_invoice(), make_invoice(expires_at_us=NOW_US - 1)
PAID = make_payment(status=Status.CAPTURED)
PAID_MINOR = PAID.amount.minor
VOID = replace(OPEN, status=invoices.Status.VOID)
FULL = make_invoice(max_payments=2, paid_count=2, status=invoices.Status.PAID)


@pytest.mark.parametrize(
    ("invoice", "refunds_minor", "opened_at_us", "expected"),
    [
        (OPEN, [], None, CardState.ISSUED),
        (OPEN, [], NOW_US, CardState.OPENED),
        (OPEN, [0], None, CardState.PAID),  # paid by another person who has the link
        (OPEN, [0], NOW_US, CardState.PAID),
        (OPEN, [1], NOW_US, CardState.PART_REFUNDED),
        (OPEN, [PAID_MINOR], NOW_US, CardState.REFUNDED),
        (OPEN, [PAID_MINOR, 0], NOW_US, CardState.PAID),  # the payment that is not refunded counts
        (OPEN, [PAID_MINOR, PAID_MINOR], NOW_US, CardState.REFUNDED),
        (VOID, [], NOW_US, CardState.VOID),
        (
            VOID,
            [0],
            NOW_US,
            CardState.PAID,
        ),  # money arrived although it is void: the client must see it
        (EXPIRED, [], NOW_US, CardState.EXPIRED),
        (EXPIRED, [0], NOW_US, CardState.PAID),
        (FULL, [], NOW_US, CardState.FULL),
        (FULL, [0], NOW_US, CardState.PAID),
    ],
)
def test_card_state_follows_invoice_payments_and_refunds(
    invoice: Invoice, refunds_minor: list[int], opened_at_us: int | None, expected: CardState
) -> None:
    assert PAID.amount > Money(1)
    assert (
        card_content(
            invoice,
            [CapturedPayment(PAID, refunded_minor) for refunded_minor in refunds_minor],
            opened_at_us,
            NOW_US,
        ).state
        is expected
    )


def test_second_partial_refund_changes_card_content() -> None:
    contents = [
        card_content(OPEN, [CapturedPayment(PAID, refunded_minor)], NOW_US, NOW_US)
        for refunded_minor in (100, 250)
    ]
    assert [content.refunded for content in contents] == [Money(100), Money(250)]
    assert contents[0].state is contents[1].state
    assert contents[0].fingerprint != contents[1].fingerprint


def test_card_shows_receipt_of_payment_that_is_not_refunded() -> None:
    other = replace(PAID, id="pay_2")
    assert (
        card_content(
            OPEN, [CapturedPayment(PAID), CapturedPayment(other, PAID_MINOR)], NOW_US, NOW_US
        ).payment
        == PAID
    )
    assert (
        card_content(OPEN, [CapturedPayment(PAID), CapturedPayment(other)], NOW_US, NOW_US).payment
        == other
    )


def test_card_refresh_is_enqueued_only_for_invoice_with_conversation() -> None:
    assert not invoices.card_refresh(OPEN)
    (job,) = invoices.card_refresh(replace(OPEN, conversation_id="cnv_1")).jobs
    assert (job.kind, job.subject_id) == ("card.refresh", OPEN.id)


CARD = Card("crd_1", "shp_1", OPEN.id, "cnv_1", NOW_US, "usr_1")


@pytest.mark.parametrize(
    ("card", "payer_hash", "row_count", "job_count"),
    [
        (CARD, "", 2, 2),
        (CARD, "browser", 2, 2),
        (replace(CARD, opened_at_us=NOW_US), "browser", 1, 0),
        (replace(CARD, opened_at_us=NOW_US), "", 0, 0),
        (replace(CARD, opened_at_us=NOW_US, payer_hash="first"), "second", 0, 0),
    ],
)
def test_first_opening_is_recorded_and_the_first_browser_stays(
    card: Card, payer_hash: str, row_count: int, job_count: int
) -> None:
    change = mark_opened(card, OPEN, payer_hash, NOW_US, SequentialIds())
    assert (len(change.rows), len(change.jobs)) == (row_count, job_count)
    assert {job.kind for job in change.jobs} <= {"card.refresh", "invoice.remind"}
    if change:
        updated = change.rows[0]
        assert isinstance(updated, Card)
        assert (updated.opened_at_us, updated.payer_hash) == (NOW_US, payer_hash)


@pytest.mark.parametrize(
    ("state", "is_edited", "expected"),
    [
        (CardState.PAID, True, False),
        (CardState.PAID, False, True),
        (CardState.OPENED, False, False),
    ],
)
def test_rejected_edit_is_sent_as_new_message_unless_only_opened(
    state: CardState, is_edited: bool, expected: bool
) -> None:
    assert needs_new_message(CardContent(state), is_edited=is_edited) == expected


def test_card_is_current_while_its_fingerprint_is_known() -> None:
    content = CardContent(CardState.PAID, PAID)
    sent = with_content(CARD, content, "msg_1")
    assert is_current(sent, content)
    assert with_content(sent, content).message_id == "msg_1"
    assert not is_current(without_fingerprint(sent), content)
