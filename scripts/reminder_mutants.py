"""Guards of reminders to clients, and of what reports count."""

from scripts.mutant import Mutant

_REMINDERS = ("tests/services/test_automatic_reminders.py",)
_TOTALS = ("tests/services/test_totals_of_deeds.py",)
_FEES = ("tests/services/test_late_fees.py",)

REMINDER_MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "reminder: the decision waits for a settlement of the same invoice",
        "src/sigma/services/invoice_cards/reminders.py",
        "        invoice = await invoices.lock(tx, invoice_id)\n        settings",
        "        invoice = await invoices.get(tx, invoice_id)\n        settings",
        _REMINDERS,
    ),
    Mutant(
        "reminder: a message that waits for VK is not sent after the payment",
        "src/sigma/services/conversations/delivery.py",
        "is_due = await reminder_facts.may_attempt(ctx, tx, message)",
        "is_due = True",
        _REMINDERS,
    ),
    Mutant(
        "reminder: a letter that waits for the mail server is not sent after the payment",
        "src/sigma/services/billing/invoice_mails.py",
        'return "" if await facts.may_hand_over(ctx, tx, reminder) else "not_due"',
        'return ""',
        _REMINDERS,
    ),
    Mutant(
        "money: a fee that is reported late is booked once",
        "src/sigma/services/billing/refund_sync.py",
        "        if change := payment_domain.record_fee(payment, reply):",
        "        if change := payment_domain.record_fee(snapshot, reply):",
        _FEES,
    ),
    Mutant(
        "totals: an invoice counts where it was first opened",
        "src/sigma/domain/billing/invoice_figures.py",
        "opened_at_us=now_us, source=invoice.attribution.source",
        "opened_at_us=now_us",
        _TOTALS,
    ),
)
