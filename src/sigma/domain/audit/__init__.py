"""The audit log: who did what, from where; entries chained by a keyed hash."""
