"""Reconciliation: comparison of Sigma's payments, refunds and ledger with the acquirer's lists."""
