"""Use cases: each public function checks permissions, reads, calls the domain and writes.

No function makes a network call while a database transaction is open.
"""
