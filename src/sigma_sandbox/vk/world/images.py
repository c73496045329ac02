"""Images: avatars drawn as SVG, photos drawn as PNG, checks of uploads."""

import io
from html import escape

from PIL import Image, ImageDraw, UnidentifiedImageError

PHOTO_SIDE_PX = 1280
CONTENT_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"}


class InvalidImageError(ValueError):
    """The uploaded bytes are not a PNG, JPEG, GIF or WebP image."""


def draw_avatar(name: str, colour: str) -> bytes:
    """Return an SVG avatar: the initials of a name on a coloured square."""
    initials = "".join(word[0] for word in name.replace("«", "").split()[:2]).upper()
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 200" width="200" height="200">'
        f'<rect width="200" height="200" fill="{colour}"/>'
        '<text x="100" y="104" fill="#fff" font-family="sans-serif" font-size="76" '
        'font-weight="600" text-anchor="middle" dominant-baseline="middle">'
        f"{escape(initials)}</text></svg>"
    ).encode()


def draw_photo(colour: str, shape: str = "circle") -> tuple[bytes, str, tuple[int, int]]:
    """Draw a square PNG photo with one shape: "circle", "square" or "petals".

    Return its content, content type and (width, height), in the order `Vk.add_photo` takes them.
    """
    image = Image.new("RGB", (PHOTO_SIDE_PX, PHOTO_SIDE_PX), colour)
    draw = ImageDraw.Draw(image, "RGBA")
    for step in range(6):
        margin = 120 + step * 80
        box = (margin, margin, PHOTO_SIDE_PX - margin, PHOTO_SIDE_PX - margin)
        fill = (255, 255, 255, 34)
        if shape == "square":
            draw.rounded_rectangle(box, radius=90, fill=fill)
        elif shape == "petals":
            draw.ellipse(
                (margin, PHOTO_SIDE_PX // 3, PHOTO_SIDE_PX - margin, PHOTO_SIDE_PX * 2 // 3),
                fill=fill,
            )
            draw.ellipse(
                (PHOTO_SIDE_PX // 3, margin, PHOTO_SIDE_PX * 2 // 3, PHOTO_SIDE_PX - margin),
                fill=fill,
            )
        else:
            draw.ellipse(box, fill=fill)
    output = io.BytesIO()
    image.save(output, "PNG", optimize=False)
    return output.getvalue(), "image/png", image.size


def identify_photo(content: bytes) -> tuple[str, tuple[int, int]]:
    """Return the content type and (width, height) of an uploaded photo.

    Raises InvalidImageError.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            content_type, size = CONTENT_TYPES.get(image.format or ""), image.size
            image.verify()
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise InvalidImageError from error
    if content_type is None:
        raise InvalidImageError
    return content_type, size
