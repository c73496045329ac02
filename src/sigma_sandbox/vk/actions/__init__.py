"""What clients and communities do, and the initial data."""
