"""What is true: money, invoices, payments, refunds and the books. Pure; imports only itself."""
