"""Webhook endpoints of acquirers and of VK: store the body, respond at once, process later."""
