"""The images under `/vk/pictures`: stored photos, avatars of people and communities."""

from litestar import Response, get
from litestar.params import FromPath

from sigma_sandbox.responses import AnyRequest
from sigma_sandbox.vk.http import get_vk
from sigma_sandbox.vk.world.images import draw_avatar

PLACEHOLDER_COLOUR = "#aab4c2"


def _image_response(content: bytes, content_type: str) -> Response[bytes]:
    headers = {
        "Cache-Control": "max-age=300",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        "Access-Control-Allow-Origin": "*",
    }
    return Response(content, media_type=content_type, headers=headers)


@get("/{photo_id:int}")
async def show_photo(request: AnyRequest, photo_id: FromPath[int]) -> Response[bytes]:
    """Serve a stored photo."""
    photo = get_vk(request).photos.get(photo_id)
    if photo is None:
        return Response(b"", status_code=404)
    return _image_response(photo.content, photo.content_type)


@get("/people/{name:str}")
async def show_person_avatar(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    """Serve a person's avatar as SVG."""
    id_text = name.removesuffix(".svg")
    person = get_vk(request).people.get(int(id_text)) if id_text.isdecimal() else None
    if person is None:
        return Response(b"", status_code=404)
    name_text = f"{person.first_name} {person.last_name}"
    return _image_response(draw_avatar(name_text, person.colour), "image/svg+xml")


@get("/communities/{name:str}")
async def show_community_avatar(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    """Serve a community's avatar: the uploaded photo, a drawn one, or the grey placeholder."""
    id_text = name.removesuffix(".svg")
    community = get_vk(request).communities.get(int(id_text)) if id_text.isdecimal() else None
    if community is None:
        return Response(b"", status_code=404)
    uploaded_photo = get_vk(request).photos.get(community.photo_id)
    if not community.has_photo:
        return _image_response(draw_avatar("?", PLACEHOLDER_COLOUR), "image/svg+xml")
    if uploaded_photo is not None:
        return _image_response(uploaded_photo.content, uploaded_photo.content_type)
    return _image_response(draw_avatar(community.name, community.colour), "image/svg+xml")


HANDLERS = [show_photo, show_person_avatar, show_community_avatar]
