"""VK events: what VK sends about a community, by callback or by long poll."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VkEvent:
    """An event from VK, stored before VK gets its reply. Times: UTC microseconds.

    `type` is VK's event type, for example "message_new". Events with the same `conversation_key`
    are processed in order: it is "peer:<VK user id>", or "group" for the community itself.
    `digest` is VK's event id, or the hash of the content when VK sends no id, so a repeated event
    is stored once. `body_encrypted` decrypts to the event without its secret.
    """

    id: str
    shop_id: str
    connection_id: str
    conversation_key: str
    type: str
    digest: str
    body_encrypted: str
    received_at_us: int
    processed_at_us: int | None = None
    version: int = 0
