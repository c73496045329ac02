"""Rules for VK communities, conversations, messages, invoice cards and auto-replies."""
