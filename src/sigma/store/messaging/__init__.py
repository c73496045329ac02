"""Queries on communities, conversations, messages, invoice cards and VK orders."""
