"""Invoices inside conversations: cards, payment links, VK orders, auto-replies, to-do board."""
