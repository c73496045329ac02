"""Queries on invoices, payments, refunds, receipts, mails, connections and the ledger."""
