"""Acquirer notices: what an acquirer sends to the notice URL of a connection."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AcquirerNotice:
    """A notification from an acquirer, stored before it is processed. Times: UTC microseconds.

    Notices are not authenticated: they only name the object to fetch. A processed notice is
    deleted after `delete_at_us`. `digest` is the hash of the
    body, so a repeated notice is stored once. `claimed_id` is the id of our payment that the notice
    names; unverified.
    """

    id: str
    shop_id: str
    connection_id: str
    event: str
    object_id: str
    claimed_id: str
    digest: str
    body_encrypted: str
    received_at_us: int
    processed_at_us: int | None = None
    delete_at_us: int | None = None
    version: int = 0
