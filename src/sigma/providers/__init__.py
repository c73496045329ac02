"""The acquirers: one folder each. Imports the domain only; nothing here remembers anything."""
