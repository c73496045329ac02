"""URLs of the pages that a payer of a started payment goes to."""

from sigma.domain.billing.payment import Payment
from sigma.domain.billing.payment_actions import PayerStep, payer_step
from sigma.domain.urls import origin_of

CONTINUE_PARAM = "go"  # the waiting page opens the acquirer's page by itself


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


def next_url(invoice_token: str, payment: Payment, redirect_origins: tuple[str, ...]) -> str:
    """Return the URL to redirect the payment form to: on our pages or the acquirer's.

    Browsers follow a redirect of the form to `redirect_origins` only. The acquirer's page of
    another origin is opened by our waiting page.
    """
    if payer_step(payment) is PayerStep.CONFIRM:
        if origin_of(payment.confirmation_url) in redirect_origins:
            return payment.confirmation_url
        return f"{wait_url(invoice_token, payment)}?{CONTINUE_PARAM}=1"
    if payer_step(payment) is PayerStep.UNSTARTED:
        return f"{wait_url(invoice_token, payment)}?{CONTINUE_PARAM}=1"
    return outcome_url(invoice_token, payment) or wait_url(invoice_token, payment)
