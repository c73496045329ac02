"""The world we write to."""
