"""Services of a shop, their photos and the price list import."""
