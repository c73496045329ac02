"""Adapters to acquirers, one package each. Stateless; they import only the domain."""
