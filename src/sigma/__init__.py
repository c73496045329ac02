"""Sigma: get paid in a chat."""
