"""Rendering of VK's pages for the person who looks at them."""

from typing import Any

from litestar import Response

from sigma_sandbox.responses import AnyRequest, render_page
from sigma_sandbox.vk.http import get_vk
from sigma_sandbox.vk.pages import view_models
from sigma_sandbox.vk.world.models import Person

PERSON_COOKIE = "vk_person"


def current_person(request: AnyRequest) -> Person:
    """Return the person of the cookie, else the first client.

    Creates a client when there are none.
    """
    vk = get_vk(request)
    chosen_id = request.cookies.get(PERSON_COOKIE, "")
    clients = {str(one.id): one for one in vk.list_clients()}
    if chosen_id in clients:
        return clients[chosen_id]
    return next(iter(clients.values()), None) or vk.add_person("Мария", "Соколова")


def render_vk_page(
    request: AnyRequest, template: str, status: int = 200, **values: Any
) -> Response[bytes]:
    """Render a page of the `vk` templates; `me` defaults to the current person."""
    values.setdefault("me", view_models.person_view(current_person(request)))
    return render_page(request, f"vk/{template}", status, **values)


def svg_response(drawing: bytes) -> Response[bytes]:
    """Return an SVG response that runs no scripts, even when opened directly."""
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "max-age=300"}
    headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return Response(drawing, media_type="image/svg+xml", headers=headers)
