"""Rules for invoices, questions, payments, refunds, receipts and mails."""
