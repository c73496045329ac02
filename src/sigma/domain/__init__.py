"""Business rules: money, invoices, payments, refunds, messaging and the ledger.

Pure functions and immutable values: no I/O, no clock, no random numbers. Imports only itself.
"""
