"""Photos for tests, drawn here so that their pixels are known."""

import io
from typing import Any

from PIL import Image


def make_photo(
    width_px: int = 1400, height_px: int = 1300, image_format: str = "JPEG", **more: Any
) -> bytes:
    """Return an encoded red picture whose upper left quarter is white. Sizes are in pixels."""
    mode = more.pop("mode", "RGB")
    image = Image.new(mode, (width_px, height_px), (200, 30, 60, 255)[: len(mode)])
    image.paste((255, 255, 255, 255)[: len(mode)], (0, 0, width_px // 2, height_px // 2))
    out = io.BytesIO()
    image.save(out, image_format, **more)
    return out.getvalue()


def decode_image(data: bytes) -> Image.Image:
    """Decode a picture completely."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image
