"""The client's view of VKontakte under `/vk/`: communities, services, who one is."""

from html import escape
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from sigma_sandbox.responses import Asked, away, missing, page
from sigma_sandbox.vk.actions.client_actions import Vk
from sigma_sandbox.vk.pages import view_models
from sigma_sandbox.vk.world.models import Community, Person

COOKIE = "vk_person"


def vk_of(request: Asked) -> Vk:
    """The world the request is about."""
    vk = request.app.state["vk"]
    assert isinstance(vk, Vk)
    return vk


def me(request: Asked) -> Person:
    """Who looks: the person of the cookie, else the first client."""
    vk = vk_of(request)
    chosen = request.cookies.get(COOKIE, "")
    clients = {str(one.id): one for one in vk.clients()}
    if chosen in clients:
        return clients[chosen]
    return next(iter(clients.values()), None) or vk.add_person("Мария", "Соколова")


def show(request: Asked, template: str, status: int = 200, **values: Any) -> Response[bytes]:
    """A page of the client's view."""
    values.setdefault("me", view_models.person_face(me(request)))
    return page(request, f"vk/{template}", status, **values)


def club_of(request: Asked, group_id: int) -> Community | None:
    """The community by id."""
    return vk_of(request).communities.get(group_id)


@get("/")
async def home(request: Asked) -> Response[bytes]:
    """Who one is, one's dialogs, all communities."""
    vk, person = vk_of(request), me(request)
    clubs = [
        {
            "name": club.name,
            "url": view_models.club_url(club),
            "picture": view_models.club_picture(club),
            "description": club.description,
            "offers": view_models.offers(len(view_models.cards(vk, club))) if club.services else "",
        }
        for club in vk.communities.values()
    ]
    people = [view_models.person_face(one) for one in vk.clients()]
    dialogs = view_models.dialogs(vk, person)
    return show(request, "home.html", clubs=clubs, people=people, dialogs=dialogs)


@post("/me", status_code=303)
async def become(request: Asked) -> Response[bytes]:
    """Choose who one is."""
    chosen = str((await request.form()).get("person") or "")
    answer = away("/vk/")
    if any(chosen == str(one.id) for one in vk_of(request).clients()):
        answer.set_cookie(COOKIE, chosen, path="/vk", httponly=True, samesite="lax")
    return answer


@get("/me/{screen_name:str}")
async def by_vk_me(request: Asked, screen_name: FromPath[str]) -> Response[bytes]:
    """The vk.me link of the sandbox: the dialog, with what came along."""
    club = vk_of(request).community_by(screen_name)
    if club is None:
        return missing(request)
    query = request.url.query
    return away(f"/vk/write-{club.id}{'?' + query if query else ''}")


@get("/service/{group_id:int}/{item_id:int}")
async def service(
    request: Asked, group_id: FromPath[int], item_id: FromPath[int]
) -> Response[bytes]:
    """One service, with the neighbours to leaf to."""
    vk, club = vk_of(request), club_of(request, group_id)
    cards = view_models.cards(vk, club) if club else []
    places = [n for n, one in enumerate(cards) if one.id == item_id]
    if club is None or not places:
        return missing(request)
    at = places[0]
    return show(
        request,
        "service.html",
        club=view_models.club_page(vk, club),
        item=cards[at],
        before=cards[at - 1] if at else None,
        after=cards[at + 1] if at + 1 < len(cards) else None,
    )


def show_club(request: Asked, club: Community) -> Response[bytes]:
    """A community's page."""
    vk = vk_of(request)
    return show(
        request,
        "club.html",
        club=view_models.club_page(vk, club),
        items=view_models.cards(vk, club),
    )


@get("/covers/{name:str}")
async def cover(name: FromPath[str]) -> Response[bytes]:
    """A drawn cover of a colour: "c2185b.svg"."""
    colour = escape(name.removesuffix(".svg")[:6])
    waves = "".join(
        f'<path d="M0 {height} C 260 {height - 90} 420 {height + 90} 700 {height - 10} '
        f'S 1060 {height - 70} 1200 {height} V300 H0z" fill="#fff" opacity=".10"/>'
        for height in (120, 180, 240)
    )
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1200 300" '
        f'preserveAspectRatio="xMidYMid slice"><rect width="1200" height="300" fill="#{colour}"/>'
        f"{waves}</svg>"
    )
    return picture(drawing.encode())


def picture(drawing: bytes) -> Response[bytes]:
    """A drawn SVG, harmless also when opened by itself."""
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "max-age=300"}
    headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return Response(drawing, media_type="image/svg+xml", headers=headers)


HANDLERS = [home, become, by_vk_me, service, cover]
