"""The HTTP API under `/vk/test`: act as a client or as an owner from a test."""
