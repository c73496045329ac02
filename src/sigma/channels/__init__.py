"""Outgoing connections: mail over SMTP and the VKontakte API."""
