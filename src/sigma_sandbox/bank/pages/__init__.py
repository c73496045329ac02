"""The bank's HTML pages: hosted card page, 3-D Secure page, cabinet."""
