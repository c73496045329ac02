"""Услуги: the catalogue, its order, what clients see of it, links and QR codes."""

import io
from typing import Any

import segno
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.domain.catalogue.service import Service
from sigma.domain.errors import Refused
from sigma.services.accounts.users import Session
from sigma.services.catalogue import services
from sigma.services.checkout import storefront
from sigma.services.context import Context
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.responses import cabinet_page, go, posted, words_of
from sigma.web.forms import one, read_id
from sigma.web.prices import price_text


@get("/services")
async def service_list(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """The shop's services in their order."""
    found = await services.listing(ctx, session.member)
    words = words_of(session)
    return cabinet_page(
        request,
        session,
        "cabinet/services/list.html",
        place="services",
        rows=[(service, price_text(service, words)) for service in found],
        links=await storefront.links(ctx, session.shop.id, found),
        may_edit=session.member.may(Permission.CATALOGUE),
        small_of=services.small_of,
        front_url=_front(ctx, session),
        hide_plus=True,
    )


def _front(ctx: Context, session: Session) -> str:
    slug = session.shop.slug
    return storefront.url(ctx, slug) if slug else ""


@post("/services/{service_id:str}/move")
async def move(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    service_id: FromPath[str],
) -> Response[Any]:
    """One place up or down."""
    step = -1 if one(await posted(request), "way") == "up" else 1
    await services.move(ctx, session.member, read_id(service_id, "svc"), step)
    return go("/services")


@post("/services/{service_id:str}/show")
async def show(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    service_id: FromPath[str],
) -> Response[Any]:
    """Shows it to clients or hides it."""
    visible = one(await posted(request), "visible") == "1"
    await services.show(ctx, session.member, read_id(service_id, "svc"), visible)
    return go("/services")


@post("/services/{service_id:str}/delete")
async def delete(
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    service_id: FromPath[str],
) -> Response[Any]:
    """Takes it out of the catalogue; the page has asked whether to."""
    gone = await services.delete(ctx, session.member, read_id(service_id, "svc"))
    return go("/services", "services.done_deleted", title=gone.title)


@get("/services/{service_id:str}/qr/{kind:str}")
async def service_qr(
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    service_id: FromPath[str],
    kind: FromPath[str],
) -> Response[bytes]:
    """The way to write about a service ("dialog.svg") or to its public page ("page.svg"); also
    as PNG to print.
    """
    service = await services.get(ctx, session.member, read_id(service_id, "svc"))
    name, _, form = kind.partition(".")
    url = (await addresses(ctx, session, service)).get(name, "")
    if not url or form not in ("svg", "png"):
        raise Refused("not_found")
    return qr_file(url, form, f"service-{name}.png")


@get("/services/page/qr/{kind:str}")
async def page_qr(
    ctx: NamedDependency[Context], session: NamedDependency[Session], kind: FromPath[str]
) -> Response[bytes]:
    """The way to the public page of all services."""
    url, form = _front(ctx, session), kind.removeprefix("page.")
    if not url or form not in ("svg", "png"):
        raise Refused("not_found")
    return qr_file(url, form, "services.png")


async def addresses(ctx: Context, session: Session, service: Service) -> dict[str, str]:
    """Where a service lives: "dialog" and "page", those that there are."""
    found = await storefront.links(ctx, session.shop.id, [service])
    shown = {"dialog": found.get(service.id, "")}
    if (front := _front(ctx, session)) and service.visible:
        shown["page"] = f"{front}/{service.id}"
    return {name: url for name, url in shown.items() if url}


def qr_file(url: str, form: str, name: str) -> Response[bytes]:
    """A link as a picture. Dark on white in any theme: cameras want it so."""
    picture, code = io.BytesIO(), segno.make_qr(url, error="m")
    if form == "svg":
        code.save(picture, kind="svg", border=4, scale=6, dark="#000", light="#fff", xmldecl=False)
        return Response(picture.getvalue(), media_type="image/svg+xml")
    code.save(picture, kind="png", border=4, scale=12)
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(picture.getvalue(), media_type="image/png", headers=headers)


HANDLERS = [service_list, move, show, delete, service_qr, page_qr]
