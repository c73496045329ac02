"""URLs of the pages that a payer of a started payment goes to."""

from sigma.domain.billing.payment import Payment
from sigma.domain.billing.payment_actions import PayerStep, payer_step


def wait_url(invoice_token: str, payment: Payment) -> str:
    """Return the path of the waiting page."""
    return f"/i/{invoice_token}/wait/{payment.token}"


def receipt_url(payment: Payment) -> str:
    """Return the path of the receipt page."""
    return f"/r/{payment.token}"


def outcome_url(invoice_token: str, payment: Payment) -> str | None:
    """Return the path of the page that shows the outcome, None while the payer must wait."""
    match payer_step(payment):
        case PayerStep.RECEIPT:
            return receipt_url(payment)
        case PayerStep.RETRY:
            return f"/i/{invoice_token}?payment={payment.token}"
    return None


def next_url(invoice_token: str, payment: Payment) -> str:
    """Return the URL to continue a started payment at: on our pages or the acquirer's."""
    if payer_step(payment) is PayerStep.CONFIRM:
        return payment.confirmation_url
    return outcome_url(invoice_token, payment) or wait_url(invoice_token, payment)
