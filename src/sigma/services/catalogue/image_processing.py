"""Uploaded photos: decoded within limits and encoded again without metadata.

Pillow parses untrusted files, so format and size are checked before any pixel is decoded.
"""

import asyncio
import io
from dataclasses import dataclass

from PIL import Image, ImageOps

from sigma.domain.errors import Problem, RefusedError, validation_error

MAX_BYTES = 8 * 1024 * 1024
MAX_PIXELS = 50_000_000  # the largest phone cameras; at most 200 MB decoded
FULL_SIDE_PX, SMALL_SIDE_PX = 1600, 320  # the longer side in pixels
_FORMATS = ("JPEG", "PNG", "WEBP")


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """An encoded image: file content, media type, width and height in pixels."""

    data: bytes
    media_type: str
    width: int
    height: int


async def reencode(data: bytes) -> tuple[EncodedImage, EncodedImage]:
    """Decode an image and encode it again as the full picture and the small one for lists.

    Raises RefusedError("validation") for "photo": photo_size, photo_pixels, photo_format.
    """
    if len(data) > MAX_BYTES:
        raise validation_error(Problem("photo", "photo_size", {"max": MAX_BYTES // 1024**2}))
    return await asyncio.to_thread(_reencode, data)


def _reencode(data: bytes) -> tuple[EncodedImage, EncodedImage]:
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as file:
            if file.width * file.height > MAX_PIXELS:
                raise validation_error(Problem("photo", "photo_pixels"))
            # Decode a large JPEG at 1/2, 1/4 or 1/8 scale.
            file.draft(None, (FULL_SIDE_PX, FULL_SIDE_PX))
            full = _normalize(file)
        small = full.copy()
        small.thumbnail((SMALL_SIDE_PX, SMALL_SIDE_PX))
        return _encode(full), _encode(small)
    except (RefusedError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise validation_error(Problem("photo", "photo_pixels")) from None
    except Exception:  # noqa: BLE001 - decoders raise many types of errors
        raise validation_error(Problem("photo", "photo_format")) from None


def _normalize(file: Image.Image) -> Image.Image:
    """Return the first frame, scaled down, rotated by its EXIF orientation, as RGB or RGBA."""
    has_alpha = file.mode in ("RGBA", "LA", "PA") or "transparency" in file.info
    image = file.convert("RGBA" if has_alpha else "RGB")
    image.thumbnail((FULL_SIDE_PX, FULL_SIDE_PX))
    image = ImageOps.exif_transpose(image)
    if has_alpha and image.getchannel("A").getextrema() == (255, 255):
        image = image.convert("RGB")
    return image


def _encode(image: Image.Image) -> EncodedImage:
    """Encode the pixels alone: no EXIF, no colour profile, no comments."""
    clean = Image.frombytes(image.mode, image.size, image.tobytes())
    out = io.BytesIO()
    if clean.mode == "RGBA":
        clean.save(out, "PNG", optimize=True)
        media_type = "image/png"
    else:
        clean.save(out, "JPEG", quality=85, optimize=True, progressive=True)
        media_type = "image/jpeg"
    return EncodedImage(out.getvalue(), media_type, clean.width, clean.height)
