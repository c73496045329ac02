"""Photos that people send: decoded within limits, drawn anew without what a camera writes beside.

Pillow parses what strangers made, so the kind and the size are known before a pixel is decoded.
"""

import asyncio
import io
from dataclasses import dataclass

from PIL import Image, ImageOps

from sigma.domain.errors import Problem, Refused, invalid

MAX_BYTES = 8 * 1024 * 1024
MAX_PIXELS = 50_000_000  # a phone's largest; decoded at most 200 MB
FULL, SMALL = 1600, 320  # the longer side, in points
_FORMATS = ("JPEG", "PNG", "WEBP")


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture of ours: its file, what it is, its size in points."""

    data: bytes
    media_type: str
    width: int
    height: int


async def drawn(data: bytes) -> tuple[Drawn, Drawn]:
    """The picture as it is shown, and a small one for lists.

    Raises Refused("validation") about "photo": photo_size, photo_pixels, photo_format.
    """
    if len(data) > MAX_BYTES:
        raise invalid(Problem("photo", "photo_size", {"max": MAX_BYTES // 1024**2}))
    return await asyncio.to_thread(_drawn, data)


def _drawn(data: bytes) -> tuple[Drawn, Drawn]:
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as file:
            if file.width * file.height > MAX_PIXELS:
                raise invalid(Problem("photo", "photo_pixels"))
            file.draft(None, (FULL, FULL))  # a large JPEG is decoded at a half, a fourth, an eighth
            full = _upright(file)
        small = full.copy()
        small.thumbnail((SMALL, SMALL))
        return _file(full), _file(small)
    except (Refused, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise invalid(Problem("photo", "photo_pixels")) from None
    except Exception:  # noqa: BLE001 - whatever a decoder trips over, it is no photo
        raise invalid(Problem("photo", "photo_format")) from None


def _upright(file: Image.Image) -> Image.Image:
    """The first frame at the size of ours, turned as it was taken, in plain colours."""
    see_through = file.mode in ("RGBA", "LA", "PA") or "transparency" in file.info
    image = file.convert("RGBA" if see_through else "RGB")
    image.thumbnail((FULL, FULL))
    image = ImageOps.exif_transpose(image)
    if see_through and image.getchannel("A").getextrema() == (255, 255):
        image = image.convert("RGB")
    return image


def _file(image: Image.Image) -> Drawn:
    """A fresh file of the points alone: no EXIF, no profile, no comments."""
    clean = Image.frombytes(image.mode, image.size, image.tobytes())
    out = io.BytesIO()
    if clean.mode == "RGBA":
        clean.save(out, "PNG", optimize=True)
        kind = "image/png"
    else:
        clean.save(out, "JPEG", quality=85, optimize=True, progressive=True)
        kind = "image/jpeg"
    return Drawn(out.getvalue(), kind, clean.width, clean.height)
