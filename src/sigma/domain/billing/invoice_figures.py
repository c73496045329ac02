"""What reports count of an invoice: its first opening by a client, and its first payment."""

from dataclasses import replace

from sigma.domain.billing.invoice import Invoice, Status
from sigma.domain.change import Change
from sigma.domain.figures import Figures, Tally


def record_opening(invoice: Invoice, now_us: int) -> Change:
    """Record that a client has opened the payment page of an open invoice for the first time.

    The Change is empty otherwise. The caller must hold the invoice lock.
    """
    if invoice.opened_at_us is not None or invoice.status is not Status.OPEN:
        return Change()
    opened = _opened(invoice, now_us)
    return Change((opened,), tallies=(_tally(opened, now_us, Figures(opened_count=1)),))


def count_payment(invoice: Invoice, now_us: int) -> tuple[Invoice, tuple[Tally, ...]]:
    """Return the invoice with one more payment, and what the first one adds to the figures.

    An invoice that was paid without a recorded opening counts as opened now.
    """
    counted = replace(invoice, paid_count=invoice.paid_count + 1)
    if invoice.paid_count:
        return counted, ()
    if invoice.opened_at_us is None:
        figures = Figures(opened_count=1, paid_count=1)
        return _opened(counted, now_us), (_tally(invoice, now_us, figures),)
    return counted, (_tally(invoice, invoice.opened_at_us, Figures(paid_count=1)),)


def _opened(invoice: Invoice, now_us: int) -> Invoice:
    """Decide where reports count the invoice.

    A conversation that it is sent into later, or that is erased, must move no figures: the totals
    of its opening are written.
    """
    return replace(invoice, opened_at_us=now_us, source=invoice.attribution.source)


def _tally(invoice: Invoice, at_us: int, figures: Figures) -> Tally:
    return Tally(invoice.shop_id, at_us, invoice.amount.currency, invoice.attribution, figures)
