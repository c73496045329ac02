"""The public page of a shop's services, and their photos."""
