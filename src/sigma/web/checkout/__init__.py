"""The door for clients: the payment page, the waiting page, the receipt."""
