"""The seller's door: pages for people who signed in. A handler parses, calls, answers."""
