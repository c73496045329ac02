"""Settings of the shop's public page of services: enabled or not, and its slug."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.domain.errors import RefusedError
from sigma.services.accounts.users import Session
from sigma.services.checkout import storefront
from sigma.services.context import Context
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.invoices.form import make_key
from sigma.web.cabinet.responses import (
    read_form_values,
    redirect,
    refusal_texts,
    render_cabinet_page,
    translator_for,
)
from sigma.web.forms import first_value


@get("/services/page")
async def public_page_settings(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Show the form, with a slug suggested from the shop's name when it has none."""
    session.member.require(Permission.CATALOGUE)
    slug = session.shop.slug
    return await _form_page(
        request, ctx, session, slug or suggest_slug(session.shop.name), bool(slug), {}
    )


@post("/services/page")
async def save_public_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Publish the page under a slug, or unpublish it."""
    form_data = await read_form_values(request)
    enabled, slug = bool(first_value(form_data, "on")), first_value(form_data, "slug").lower()
    try:
        await storefront.save_slug(ctx, session.member, slug if enabled else None)
    except RefusedError as error:
        if error.code != "validation":
            raise
        errors = refusal_texts(translator_for(session), error)
        return await _form_page(request, ctx, session, slug, enabled, errors)
    return redirect(
        "/services/page", "services.done_published" if enabled else "services.done_unpublished"
    )


def suggest_slug(shop_name: str) -> str:
    """Return a slug in Latin letters («Студия «Лак»» → "studiya-lak"), empty when too short."""
    slug = make_key(shop_name).replace("_", "-")
    return slug if len(slug) > 2 else ""


async def _form_page(
    request: WebRequest,
    ctx: Context,
    session: Session,
    slug: str,
    enabled: bool,
    errors: dict[str, str],
) -> Response[Any]:
    shop = session.shop
    return render_cabinet_page(
        request,
        session,
        "cabinet/services/public_page.html",
        section="services",
        status=422 if errors else 200,
        errors=errors,
        slug=slug,
        enabled=enabled,
        url=storefront.storefront_url(ctx, shop.slug) if shop.slug else "",
        base_url=storefront.storefront_url(ctx, ""),
        can_be_paid=await storefront.can_pay(ctx, shop.id),
        has_community=bool(await storefront.conversation_urls(ctx, shop.id, [])),
        hide_plus=True,
    )


HANDLERS = [public_page_settings, save_public_page]
