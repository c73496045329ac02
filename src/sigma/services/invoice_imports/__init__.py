"""Import of invoices from a table: preview, create in the background, undo."""
