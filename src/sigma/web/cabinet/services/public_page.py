"""The settings of the shop's public page of services: whether there is one, and its name."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.domain.errors import Refused
from sigma.services.accounts.users import Session
from sigma.services.checkout import storefront
from sigma.services.context import Context
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.invoices.form import make_key
from sigma.web.cabinet.responses import cabinet_page, go, posted, refusal, words_of
from sigma.web.forms import one


@get("/services/page")
async def front_settings(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """The form, with a name made from the shop's when it has none yet."""
    session.member.must(Permission.CATALOGUE)
    slug = session.shop.slug
    return await _page(request, ctx, session, slug or proposed(session.shop.name), bool(slug), {})


@post("/services/page")
async def save_front(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Opens the page under a name, or closes it."""
    given = await posted(request)
    on, slug = bool(one(given, "on")), one(given, "slug").lower()
    try:
        await storefront.save_slug(ctx, session.member, slug if on else None)
    except Refused as refused:
        if refused.code != "validation":
            raise
        errors = refusal(words_of(session), refused)
        return await _page(request, ctx, session, slug, on, errors)
    return go("/services/page", "services.done_front" if on else "services.done_front_off")


def proposed(name: str) -> str:
    """A name for the page in Latin letters: «Студия «Лак»» → "studiya-lak"."""
    slug = make_key(name).replace("_", "-")
    return slug if len(slug) > 2 else ""


async def _page(
    request: WebRequest,
    ctx: Context,
    session: Session,
    slug: str,
    on: bool,
    errors: dict[str, str],
) -> Response[Any]:
    shop = session.shop
    return cabinet_page(
        request,
        session,
        "cabinet/services/page.html",
        place="services",
        status=422 if errors else 200,
        errors=errors,
        slug=slug,
        on=on,
        url=storefront.url(ctx, shop.slug) if shop.slug else "",
        base=storefront.url(ctx, ""),
        payable=await storefront.payable(ctx, shop.id),
        community=bool(await storefront.links(ctx, shop.id, [])),
        hide_plus=True,
    )


HANDLERS = [front_settings, save_front]
