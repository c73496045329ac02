"""Benchmarks: Sigma's speed beside the limit of the bare database with the same statements."""
