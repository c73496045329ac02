"""Photos of services."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Photo:
    """A re-encoded photo of a service: scaled down and without EXIF. `width`, `height`: pixels."""

    id: str
    shop_id: str
    media_type: str
    width: int
    height: int
    data: bytes
    created_at_us: int
    version: int = 0
