"""What the lists of payments and invoices can be filtered, searched and sorted by. Pure."""
