"""What a card says follows from the facts alone."""

from dataclasses import replace

import pytest

from sigma.domain.billing import invoice as invoices
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.payment import Status
from sigma.domain.messaging.card import Face, Taken, look_of
from sigma.domain.money import Money
from tests.domain.objects import NOW
from tests.domain.objects import invoice as make_invoice
from tests.domain.objects import payment as make_payment

OPEN, OVER = make_invoice(), make_invoice(expires_at=NOW - 1)
PAID = make_payment(status=Status.CAPTURED)
ALL = PAID.amount.minor
VOID = replace(OPEN, status=invoices.Status.VOID)
FULL = make_invoice(max_payments=2, paid_count=2, status=invoices.Status.PAID)


@pytest.mark.parametrize(
    ("invoice", "backs", "opened", "face"),
    [
        (OPEN, [], None, Face.ISSUED),
        (OPEN, [], NOW, Face.OPENED),
        (OPEN, [0], None, Face.PAID),  # by somebody who had the link from elsewhere
        (OPEN, [0], NOW, Face.PAID),
        (OPEN, [1], NOW, Face.PART_REFUNDED),
        (OPEN, [ALL], NOW, Face.REFUNDED),
        (OPEN, [ALL, 0], NOW, Face.PAID),  # one too many was given back: the other one counts
        (OPEN, [ALL, ALL], NOW, Face.REFUNDED),
        (VOID, [], NOW, Face.VOID),
        (VOID, [0], NOW, Face.PAID),  # money came all the same: the client must see it
        (OVER, [], NOW, Face.EXPIRED),
        (OVER, [0], NOW, Face.PAID),
        (FULL, [], NOW, Face.FULL),
        (FULL, [0], NOW, Face.PAID),
    ],
)
def test_a_card_says_what_the_facts_say(
    invoice: Invoice, backs: list[int], opened: int | None, face: Face
) -> None:
    assert PAID.amount > Money(1)
    assert look_of(invoice, [Taken(PAID, back) for back in backs], opened, NOW).face is face


def test_a_second_refund_in_part_is_another_look() -> None:
    looks = [look_of(OPEN, [Taken(PAID, back)], NOW, NOW) for back in (100, 250)]
    assert [look.back for look in looks] == [Money(100), Money(250)]
    assert looks[0].face is looks[1].face
    assert looks[0].mark != looks[1].mark


def test_the_receipt_of_a_card_is_of_the_payment_that_is_still_paid() -> None:
    other = replace(PAID, id="pay_2")
    assert look_of(OPEN, [Taken(PAID), Taken(other, ALL)], NOW, NOW).paid == PAID
    assert look_of(OPEN, [Taken(PAID), Taken(other)], NOW, NOW).paid == other


def test_a_dialog_is_promised_news_only_where_there_is_one() -> None:
    assert not invoices.shown_anew(OPEN)
    (job,) = invoices.shown_anew(replace(OPEN, conversation_id="dlg_1")).jobs
    assert (job.kind, job.subject) == ("card.refresh", OPEN.id)
