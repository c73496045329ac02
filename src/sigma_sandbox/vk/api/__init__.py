"""The VK API: one module for each group of methods, and the upload server."""
