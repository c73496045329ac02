"""The bar of filters of a list, its saved views and its live rows."""
