"""The API under `/bank/v3`: the operations and what they share."""
