"""The list of services: order, visibility, links and QR codes."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.domain.catalogue.service import Service, grouped, grouped_page, thumbnail_id
from sigma.domain.errors import RefusedError
from sigma.services.accounts.users import Session
from sigma.services.catalogue import services
from sigma.services.checkout import storefront
from sigma.services.context import Context
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.qr_codes import qr_response
from sigma.web.cabinet.responses import (
    read_form_values,
    redirect,
    render_cabinet_page,
    translator_for,
)
from sigma.web.forms import first_value, parse_offset
from sigma.web.ids import parse_id
from sigma.web.prices import price_text

PAGE_SIZE = 200  # services on one page of the list


@get("/services")
async def service_list(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """List the shop's services in their order."""
    listed_services = await services.list_for_shop(ctx, session.member)
    translator = translator_for(session)
    offset = parse_offset(first_value(request.query_params.dict(), "from"))
    page = grouped_page(listed_services, offset, PAGE_SIZE)
    categories = [name for name, _ in grouped(listed_services) if name]
    groups = [
        (category, [(service, price_text(service, translator)) for service in members])
        for category, members in page
    ]
    page_services = [service for _, members in page for service in members]
    next_offset = offset + PAGE_SIZE
    return render_cabinet_page(
        request,
        session,
        "cabinet/services/list.html",
        section="services",
        groups=groups,
        categories=categories,
        more_url=f"/services?from={next_offset}" if next_offset < len(listed_services) else None,
        links=await storefront.conversation_urls(ctx, session.shop.id, page_services),
        can_edit=session.member.can(Permission.CATALOGUE),
        thumbnail_id=thumbnail_id,
        public_page_url=_public_page_url(ctx, session),
        hide_plus=True,
    )


def _public_page_url(ctx: Context, session: Session) -> str:
    slug = session.shop.slug
    return storefront.storefront_url(ctx, slug) if slug else ""


@post("/services/{service_id:str}/move")
async def move_service(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    service_id: FromPath[str],
) -> Response[Any]:
    """Move a service one position up or down in its category."""
    step = -1 if first_value(await read_form_values(request), "way") == "up" else 1
    await services.move(ctx, session.member, parse_id(service_id, "svc"), step)
    return redirect("/services")


@post("/services/categories/move")
async def move_category(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Move a whole category one position up or down among the categories."""
    form_data = await read_form_values(request)
    step = -1 if first_value(form_data, "way") == "up" else 1
    await services.move_category(ctx, session.member, first_value(form_data, "category"), step)
    return redirect("/services")


@post("/services/{service_id:str}/show")
async def set_visible(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    service_id: FromPath[str],
) -> Response[Any]:
    """Show a service to clients or hide it."""
    visible = first_value(await read_form_values(request), "visible") == "1"
    await services.set_visible(ctx, session.member, parse_id(service_id, "svc"), visible)
    return redirect("/services")


@post("/services/{service_id:str}/delete")
async def delete_service(
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    service_id: FromPath[str],
) -> Response[Any]:
    """Delete a service; the page asks for confirmation first."""
    service = await services.delete(ctx, session.member, parse_id(service_id, "svc"))
    return redirect("/services", "services.done_deleted", title=service.title)


@get("/services/{service_id:str}/qr/{kind:str}")
async def service_qr(
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    service_id: FromPath[str],
    kind: FromPath[str],
) -> Response[bytes]:
    """Return the QR code of a service's conversation link or public page, SVG or PNG.

    `kind`: "conversation" or "page", a dot, "svg" or "png". Raises RefusedError("not_found").
    """
    service = await services.get(ctx, session.member, parse_id(service_id, "svc"))
    name, _, file_format = kind.partition(".")
    url = (await service_urls(ctx, session, service)).get(name, "")
    if not url or file_format not in ("svg", "png"):
        raise RefusedError("not_found")
    return await qr_response(url, file_format, f"service-{name}.png")


@get("/services/page/qr/{kind:str}")
async def public_page_qr(
    ctx: NamedDependency[Context], session: NamedDependency[Session], kind: FromPath[str]
) -> Response[bytes]:
    """Return the QR code of the public page of all services; `kind`: page.svg or page.png."""
    url, file_format = _public_page_url(ctx, session), kind.removeprefix("page.")
    if not url or file_format not in ("svg", "png"):
        raise RefusedError("not_found")
    return await qr_response(url, file_format, "services.png")


async def service_urls(ctx: Context, session: Session, service: Service) -> dict[str, str]:
    """Return the existing links to a service by kind: "conversation" and "page"."""
    links = await storefront.conversation_urls(ctx, session.shop.id, [service])
    urls = {"conversation": links.get(service.id, "")}
    if (page_url := _public_page_url(ctx, session)) and service.is_visible:
        urls["page"] = f"{page_url}/{service.id}"
    return {name: url for name, url in urls.items() if url}


HANDLERS = [
    service_list,
    move_service,
    move_category,
    set_visible,
    delete_service,
    service_qr,
    public_page_qr,
]
