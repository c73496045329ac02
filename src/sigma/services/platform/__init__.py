"""Jobs, idempotency, cleanup and readiness: what every other room builds on."""
