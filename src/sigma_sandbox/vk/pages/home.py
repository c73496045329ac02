"""The client's pages under `/vk/`: the home page, communities, services."""

from html import escape

from litestar import Response, get, post
from litestar.params import FromPath

from sigma_sandbox.responses import AnyRequest, not_found_page, redirect
from sigma_sandbox.vk.http import get_vk
from sigma_sandbox.vk.pages import view_models
from sigma_sandbox.vk.pages.rendering import (
    PERSON_COOKIE,
    current_person,
    render_vk_page,
    svg_response,
)
from sigma_sandbox.vk.world.models import Community


@get("/")
async def show_home(request: AnyRequest) -> Response[bytes]:
    """Show the choice of a person, the person's conversations and all communities."""
    vk, person = get_vk(request), current_person(request)
    communities = [
        {
            "name": community.name,
            "url": view_models.community_url(community),
            "picture": view_models.community_picture_url(community),
            "description": community.description,
            "service_count": view_models.service_count_text(
                len(view_models.service_cards(vk, community))
            )
            if community.services
            else "",
        }
        for community in vk.communities.values()
    ]
    people = [view_models.person_view(one) for one in vk.list_clients()]
    conversations = view_models.conversation_rows(vk, person)
    return render_vk_page(
        request,
        "home.html",
        communities=communities,
        people=people,
        conversations=conversations,
    )


@post("/me", status_code=303)
async def choose_person(request: AnyRequest) -> Response[bytes]:
    """Choose the person to act as; unknown ids are ignored."""
    chosen_id = str((await request.form()).get("person") or "")
    response = redirect("/vk/")
    if any(chosen_id == str(one.id) for one in get_vk(request).list_clients()):
        response.set_cookie(PERSON_COOKIE, chosen_id, path="/vk", httponly=True, samesite="lax")
    return response


@get("/me/{screen_name:str}")
async def follow_vk_me_link(request: AnyRequest, screen_name: FromPath[str]) -> Response[bytes]:
    """Redirect a vk.me link of the sandbox to the conversation, with `ref` and `ref_source`."""
    community = get_vk(request).find_community(screen_name)
    if community is None:
        return not_found_page(request)
    query = request.url.query
    return redirect(f"/vk/write-{community.id}{'?' + query if query else ''}")


@get("/service/{group_id:int}/{item_id:int}")
async def show_service(
    request: AnyRequest, group_id: FromPath[int], item_id: FromPath[int]
) -> Response[bytes]:
    """Show one service with links to the previous and next one."""
    vk, community = get_vk(request), get_vk(request).communities.get(group_id)
    services = view_models.service_cards(vk, community) if community else []
    positions = [n for n, one in enumerate(services) if one.id == item_id]
    if community is None or not positions:
        return not_found_page(request)
    index = positions[0]
    return render_vk_page(
        request,
        "service.html",
        community=view_models.community_context(vk, community),
        item=services[index],
        before=services[index - 1] if index else None,
        after=services[index + 1] if index + 1 < len(services) else None,
    )


def show_community(request: AnyRequest, community: Community) -> Response[bytes]:
    """Show a community's page."""
    vk = get_vk(request)
    return render_vk_page(
        request,
        "community.html",
        community=view_models.community_context(vk, community),
        items=view_models.service_cards(vk, community),
    )


@get("/covers/{name:str}")
async def show_cover(name: FromPath[str]) -> Response[bytes]:
    """Draw a cover of a colour: "c2185b.svg"."""
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
    return svg_response(drawing.encode())


HANDLERS = [show_home, choose_person, follow_vk_me_link, show_service, show_cover]
