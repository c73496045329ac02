"""The start of a payment, and how many of an invoice may be started: in a time, unfinished at once.

Every link is public, so anyone who has it can start payments; each costs calls to the acquirer.
"""

from collections.abc import Sequence

from sigma.domain.billing.answers import Answers, Consent
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.payment import Payment, timeline_event
from sigma.domain.change import Change, Job, NewId
from sigma.domain.limits import (
    PAYMENT_START_INVOICE,
    PAYMENT_START_SHARED_LINK,
    Limit,
    too_many_requests,
)
from sigma.domain.time_units import MINUTE_US

# Delay of the first job: the web request itself calls the acquirer, the job repairs lost requests.
FIRST_CHECK_DELAY_US = 20_000_000
# A client pays within minutes. After this time an unfinished payment no longer counts, although the
# acquirer ends it only after an hour: otherwise a flood of a link would close it for an hour.
UNFINISHED_WINDOW_US = 15 * MINUTE_US
# One client may start a payment in an app, in a browser and on another device.
EXTRA_UNFINISHED = 4
MAX_UNFINISHED = 100  # of a link for any number of payments


def start_limit(invoice: Invoice) -> Limit:
    """Return how many starts of this invoice's payments are allowed in a time."""
    return PAYMENT_START_SHARED_LINK if invoice.is_shared_link else PAYMENT_START_INVOICE


def max_unfinished(invoice: Invoice) -> int:
    """Return how many payments of the invoice may be unfinished at once."""
    if invoice.max_payments is None:
        return MAX_UNFINISHED
    left = max(invoice.max_payments - invoice.paid_count, 1)
    return min(left + EXTRA_UNFINISHED, MAX_UNFINISHED)


def require_start_allowed(invoice: Invoice, started_at_us: Sequence[int], now_us: int) -> None:
    """Require that few enough payments are unfinished; the caller holds the invoice's lock.

    `started_at_us`: the starts of unfinished payments within UNFINISHED_WINDOW_US, newest first,
    at least the latest `max_unfinished(invoice)`. Raises RefusedError("too_many_requests").
    """
    bound = max_unfinished(invoice)
    if len(started_at_us) >= bound:
        raise too_many_requests(started_at_us[bound - 1] + UNFINISHED_WINDOW_US - now_us)


def begin(
    payment: Payment,
    answers: Answers | None,
    consent: Consent | None,
    now_us: int,
    new_id: NewId,
    *,
    is_new: bool,
) -> Change:
    """Return the Change to commit before the acquirer is called: payment, answers, consent and job.

    The job finds the outcome after a crash. `is_new` False: the browser continues its payment.
    """
    rows = tuple(row for row in (payment, answers, consent) if row is not None)
    event = timeline_event(payment, "started" if is_new else "resumed", now_us, new_id, "client")
    due = now_us + FIRST_CHECK_DELAY_US if is_new else 0
    job = Job("payment.advance", payment.id, payment.shop_id, due, payment.connection_id)
    return Change((*rows, event), jobs=(job,))
