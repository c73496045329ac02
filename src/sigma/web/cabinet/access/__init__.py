"""Setup, sign-in and sign-out, password and language."""
