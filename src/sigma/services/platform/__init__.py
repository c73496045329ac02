"""Jobs, idempotency, cleanup and readiness: infrastructure of the other services."""
