"""Pictures drawn by the sandbox itself (avatars as SVG, photos as PNG), and uploaded ones."""

import io
from html import escape

from litestar import Response, get
from litestar.params import FromPath
from PIL import Image, ImageDraw, UnidentifiedImageError

from sigma_sandbox.responses import Asked
from sigma_sandbox.vk.actions.client_actions import Vk
from sigma_sandbox.vk.world.models import Picture

SIDE = 1280
TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"}
PALE = "#aab4c2"


class NotAPicture(ValueError):  # noqa: N818, it is an answer, not a fault
    """What was uploaded cannot be shown."""


def avatar(words: str, colour: str) -> bytes:
    """A round with the initials of these words."""
    initials = "".join(word[0] for word in words.replace("«", "").split()[:2]).upper()
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 200" width="200" height="200">'
        f'<rect width="200" height="200" fill="{colour}"/>'
        '<text x="100" y="104" fill="#fff" font-family="sans-serif" font-size="76" '
        'font-weight="600" text-anchor="middle" dominant-baseline="middle">'
        f"{escape(initials)}</text></svg>"
    ).encode()


def draw_photo(colour: str, shape: str = "circle") -> tuple[bytes, str, tuple[int, int]]:
    """A calm square photo with one shape: content, type and size, as `Vk.add_picture` takes it."""
    image = Image.new("RGB", (SIDE, SIDE), colour)
    draw = ImageDraw.Draw(image, "RGBA")
    for step in range(6):
        margin = 120 + step * 80
        box = (margin, margin, SIDE - margin, SIDE - margin)
        fill = (255, 255, 255, 34)
        if shape == "square":
            draw.rounded_rectangle(box, radius=90, fill=fill)
        elif shape == "petals":
            draw.ellipse((margin, SIDE // 3, SIDE - margin, SIDE * 2 // 3), fill=fill)
            draw.ellipse((SIDE // 3, margin, SIDE * 2 // 3, SIDE - margin), fill=fill)
        else:
            draw.ellipse(box, fill=fill)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=False)
    return out.getvalue(), "image/png", image.size


def read_photo(content: bytes) -> tuple[str, tuple[int, int]]:
    """An uploaded photo's content type and size. Raises NotAPicture."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            kind, size = TYPES.get(image.format or ""), image.size
            image.verify()
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise NotAPicture from error
    if kind is None:
        raise NotAPicture
    return kind, size


def _shown(content: bytes, kind: str) -> Response[bytes]:
    headers = {
        "Cache-Control": "max-age=300",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        "Access-Control-Allow-Origin": "*",
    }
    return Response(content, media_type=kind, headers=headers)


def _vk(request: Asked) -> Vk:
    vk = request.app.state["vk"]
    assert isinstance(vk, Vk)
    return vk


@get("/{picture_id:int}")
async def photo(request: Asked, picture_id: FromPath[int]) -> Response[bytes]:
    """A photo."""
    picture: Picture | None = _vk(request).pictures.get(picture_id)
    if picture is None:
        return Response(b"", status_code=404)
    return _shown(picture.content, picture.content_type)


@get("/people/{name:str}")
async def person(request: Asked, name: FromPath[str]) -> Response[bytes]:
    """A person's avatar."""
    number = name.removesuffix(".svg")
    found = _vk(request).people.get(int(number)) if number.isdecimal() else None
    if found is None:
        return Response(b"", status_code=404)
    words = f"{found.first_name} {found.last_name}"
    return _shown(avatar(words, found.colour), "image/svg+xml")


@get("/communities/{name:str}")
async def community(request: Asked, name: FromPath[str]) -> Response[bytes]:
    """A community's avatar, or the grey one of those that have none."""
    number = name.removesuffix(".svg")
    found = _vk(request).communities.get(int(number)) if number.isdecimal() else None
    if found is None:
        return Response(b"", status_code=404)
    uploaded = _vk(request).pictures.get(found.photo_id)
    if not found.has_photo:
        return _shown(avatar("?", PALE), "image/svg+xml")
    if uploaded is not None:
        return _shown(uploaded.content, uploaded.content_type)
    return _shown(avatar(found.name, found.colour), "image/svg+xml")


HANDLERS = [photo, person, community]
