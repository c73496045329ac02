"""The seller's door: pages for people who signed in. Each handler parses, calls one service and answers."""
