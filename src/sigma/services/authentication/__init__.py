"""Signing in: passkeys, second steps, sessions, forgotten passwords, confirmation of identity."""
