"""Invoices, payments, refunds, acquirer connections and notices, mails."""
