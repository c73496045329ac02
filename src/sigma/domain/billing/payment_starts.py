"""How many payments of an invoice may be started: in a time, and unfinished at once.

Every link is public, so anyone who has it can start payments; each costs calls to the acquirer.
"""

from collections.abc import Sequence

from sigma.domain.billing.invoice import Invoice
from sigma.domain.limits import (
    PAYMENT_START_INVOICE,
    PAYMENT_START_SHARED_LINK,
    Limit,
    too_many_requests,
)
from sigma.domain.time_units import MINUTE_US

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
