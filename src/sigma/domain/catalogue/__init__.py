"""Rules for the services that a shop offers, and the parser of typed invoice phrases."""
