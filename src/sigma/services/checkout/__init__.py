"""The client side: payment page, receipt, and the public page of a shop."""
