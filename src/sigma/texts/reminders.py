"""What an automatic reminder says, in a conversation and in a letter."""

from sigma.domain.billing.invoice import Invoice
from sigma.domain.money import Money
from sigma.domain.reminders.reminder import ReminderKind
from sigma.texts.translator import Translator


def reminder_text(invoice: Invoice, kind: ReminderKind, translator: Translator) -> str:
    """Return the occasion of a reminder as one sentence or two, without links."""
    expires = translator.datetime(invoice.expires_at_us) if invoice.expires_at_us else ""
    left = max((invoice.max_payments or 1) - invoice.paid_count, 0)
    return translator.t(
        f"reminders.text.{kind}",
        title=invoice.title,
        sum=invoice.amount,
        moment=expires,
        paid=invoice.paid_count,
        all=invoice.max_payments or 1,
        rest=Money(invoice.amount.minor * left, invoice.amount.currency),
    )
