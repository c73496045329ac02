"""A mail server that accepts every email over SMTP and shows it on a page."""
