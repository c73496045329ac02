"""Pages of the payer: the payment page, the waiting page, the receipt."""
