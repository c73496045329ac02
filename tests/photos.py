"""Photos for tests: drawn here, so that what is in them is known."""

import io
from typing import Any

from PIL import Image


def photo(width: int = 1400, height: int = 1300, kind: str = "JPEG", **more: Any) -> bytes:
    """A red picture with a white left upper quarter."""
    mode = more.pop("mode", "RGB")
    image = Image.new(mode, (width, height), (200, 30, 60, 255)[: len(mode)])
    image.paste((255, 255, 255, 255)[: len(mode)], (0, 0, width // 2, height // 2))
    out = io.BytesIO()
    image.save(out, kind, **more)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    """A picture, decoded."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image
