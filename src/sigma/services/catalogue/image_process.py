"""Decodes one photo in a process of its own: file on stdin, JSON header and two files on stdout.

Run by `limited_process` as `image_process.py MAX_PIXELS MAX_JPEG_PIXELS FULL_SIDE SMALL_SIDE`.
Imports nothing of Sigma: it starts fast.
"""

import io
import json
import sys
import warnings

from PIL import Image, ImageOps

FORMATS = ("JPEG", "PNG", "WEBP")
TOO_LARGE_EXIT, UNREADABLE_EXIT = 3, 5


class TooLargeError(Exception):
    """The photo declares more pixels than are decoded."""


def reencode(
    data: bytes, max_pixels: int, max_jpeg_pixels: int, full_side_px: int, small_side_px: int
) -> list[tuple[Image.Image, str, bytes]]:
    """Return the full and the small picture, each with its media type and content.

    Raises TooLargeError, MemoryError, and many types of errors for a broken file.
    """
    with Image.open(io.BytesIO(data), formats=FORMATS) as file:
        # The header decides before any pixel is decoded.
        if file.width * file.height > (max_jpeg_pixels if file.format == "JPEG" else max_pixels):
            raise TooLargeError
        # Decode a large JPEG at 1/2, 1/4 or 1/8 scale.
        file.draft(None, (full_side_px, full_side_px))
        if file.width * file.height > max_pixels:
            raise TooLargeError
        full = normalize(file, full_side_px)
    small = full.copy()
    small.thumbnail((small_side_px, small_side_px))
    return [encode(full), encode(small)]


def normalize(file: Image.Image, side_px: int) -> Image.Image:
    """Return the first frame, scaled down, rotated by its EXIF orientation, as RGB or RGBA."""
    has_alpha = file.mode in ("RGBA", "LA", "PA") or "transparency" in file.info
    image = file
    if file.mode.startswith("I"):  # 16 bits a pixel: `convert` would cut them off at white
        image = file.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    elif file.mode in ("1", "P", "PA") or (has_alpha and file.mode != "RGBA"):
        image = file.convert("RGBA" if has_alpha else "RGB")  # before scaling: it averages colours
    image.thumbnail((side_px, side_px))
    image = ImageOps.exif_transpose(image).convert("RGBA" if has_alpha else "RGB")
    if has_alpha and image.getchannel("A").getextrema() == (255, 255):
        image = image.convert("RGB")
    return image


def encode(image: Image.Image) -> tuple[Image.Image, str, bytes]:
    """Encode the pixels alone: no EXIF, no colour profile, no comments."""
    clean = Image.frombytes(image.mode, image.size, image.tobytes())
    out = io.BytesIO()
    if clean.mode == "RGBA":
        clean.save(out, "PNG", optimize=True)
        return clean, "image/png", out.getvalue()
    clean.save(out, "JPEG", quality=85, optimize=True, progressive=True)
    return clean, "image/jpeg", out.getvalue()


def main() -> int:
    """Read stdin, write a line of JSON and the contents one after another."""
    warnings.simplefilter("ignore")  # the limits above are ours
    Image.MAX_IMAGE_PIXELS = None
    try:
        images = reencode(sys.stdin.buffer.read(), *map(int, sys.argv[1:5]))
    except (TooLargeError, MemoryError):
        return TOO_LARGE_EXIT
    except Exception:  # noqa: BLE001 - decoders raise many types of errors
        return UNREADABLE_EXIT
    header = [
        {"media_type": kind, "width": image.width, "height": image.height, "size": len(content)}
        for image, kind, content in images
    ]
    sys.stdout.buffer.write(json.dumps(header).encode() + b"\n")
    for _, _, content in images:
        sys.stdout.buffer.write(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
