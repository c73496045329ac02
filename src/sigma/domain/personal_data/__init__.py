"""How long personal data is stored, who a client is, and what an erasure removes."""
