"""A mailbox that takes every letter over real SMTP and shows it."""
