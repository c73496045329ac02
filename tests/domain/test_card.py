"""What a card says follows from the facts alone."""

from dataclasses import replace

import pytest

from sigma.domain import invoice as invoices
from sigma.domain.card import Face, face_of
from sigma.domain.invoice import Invoice
from sigma.domain.money import Money
from sigma.domain.payment import Payment, Status
from tests.domain.objects import NOW
from tests.domain.objects import invoice as make_invoice
from tests.domain.objects import payment as make_payment

OPEN, OVER = make_invoice(), make_invoice(expires_at=NOW - 1)
PAID = make_payment(status=Status.CAPTURED)
FAILED = make_payment(status=Status.FAILED)
VOID = replace(OPEN, status=invoices.Status.VOID)


@pytest.mark.parametrize(
    ("invoice", "payments", "refunded", "opened", "face"),
    [
        (OPEN, [], 0, None, Face.ISSUED),
        (OPEN, [], 0, NOW, Face.OPENED),
        (OPEN, [FAILED], 0, NOW, Face.OPENED),
        (OPEN, [PAID], 0, None, Face.PAID),  # by somebody who had the link from elsewhere
        (OPEN, [FAILED, PAID], 0, NOW, Face.PAID),
        (OPEN, [PAID], 1, NOW, Face.PART_REFUNDED),
        (OPEN, [PAID], PAID.amount.minor, NOW, Face.REFUNDED),
        (OPEN, [PAID, PAID], PAID.amount.minor, NOW, Face.PART_REFUNDED),
        (VOID, [], 0, NOW, Face.VOID),
        (VOID, [PAID], 0, NOW, Face.PAID),  # money came all the same: the client must see it
        (OVER, [], 0, NOW, Face.EXPIRED),
        (OVER, [PAID], 0, NOW, Face.PAID),
    ],
)
def test_a_card_says_what_the_facts_say(
    invoice: Invoice, payments: list[Payment], refunded: int, opened: int | None, face: Face
) -> None:
    assert PAID.amount > Money(1)
    assert face_of(invoice, payments, refunded, opened, NOW) is face


def test_a_dialog_is_promised_news_only_where_there_is_one() -> None:
    assert not invoices.shown_anew(OPEN)
    (job,) = invoices.shown_anew(replace(OPEN, conversation_id="dlg_1")).jobs
    assert (job.kind, job.subject) == ("card.refresh", OPEN.id)
