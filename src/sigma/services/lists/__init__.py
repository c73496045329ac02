"""Lists of payments and invoices: filters, search, totals, saved views."""
