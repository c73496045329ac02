"""The settings index, and the shop: requisites, documents, design of its public pages."""

from dataclasses import asdict
from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.response import Response

from sigma.domain.accounts.shop import Seller, SellerKind
from sigma.domain.billing.question import parse_phone
from sigma.domain.errors import Problem, RefusedError
from sigma.services.accounts import installation, shops, team
from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.texts import LOCALES
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.responses import (
    FormValues,
    read_form_values,
    redirect,
    refusal_texts,
    render_cabinet_page,
    translator_for,
)
from sigma.web.cabinet.settings.time_zones import zone_choices
from sigma.web.forms import first_value

# name (texts: settings.section_…), URL, icon, permission or "" (everyone)
SETTINGS_INDEX = (
    ("shop", "/settings/shop", "shop", "settings"),
    ("connections", "/settings/connections", "card", "settings"),
    ("auto", "/settings/auto-answers", "conversations", "settings"),
    ("reminders", "/settings/reminders", "clock", "settings"),
    ("mail", "/settings/mail", "mail", "settings"),
    ("notifications", "/settings/notifications", "bell", ""),
    ("keys", "/settings/keys", "key", "keys"),
    ("team", "/settings/team", "person", "team"),
    ("jobs", "/settings/jobs", "jobs", "jobs"),
    ("data", "/settings/data", "person", "settings"),
    ("audit", "/settings/audit", "eye", "audit"),
    ("access", "/settings/access", "lock", ""),
)
MULTILINE_FIELDS = ("refund_terms", "consent_text", "address")
SELLER_FIELDS = ("full_name", "inn", "ogrn", "address", "phone", "email")
SELLER_DOCUMENT_FIELDS = ("offer_url", "policy_url", "refund_terms")
SHOP_FIELDS = ("name", "tz", "accent", "return_url", "consent_text", "locale", "kind")


@get("/settings")
async def index_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Show the list of settings; «Ещё» on a phone."""
    return render_cabinet_page(
        request,
        session,
        "cabinet/settings/index.html",
        section="settings",
        index=SETTINGS_INDEX,
        is_only_owner=await team.is_only_owner(ctx, session.member),
        is_administrator=await installation.is_administrator(ctx, session.user.id),
        locales=LOCALES,
    )


@get("/settings/shop")
async def shop_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Show the shop's settings."""
    shop = await shops.get(ctx, session.member)
    values = {name: str(getattr(shop, name, "")) for name in SHOP_FIELDS}
    seller = {k: str(v) for k, v in asdict(shop.seller).items()}
    seller["phone"] = translator_for(session).phone(shop.seller.phone) or shop.seller.phone
    return _form_page(request, ctx, session, values | seller, {})


@post("/settings/shop")
async def save_shop(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Save the shop's settings."""
    values = parse_shop_form(await read_form_values(request))
    try:
        await shops.save_seller(
            ctx,
            session.member,
            name=values["name"],
            seller=_build_seller(values),
            tz=values["tz"],
            accent=values["accent"],
            return_url=values["return_url"],
            consent_text=values["consent_text"],
            locale=values["locale"] if values["locale"] in LOCALES else None,
        )
    except RefusedError as error:
        if error.code != "validation":
            raise
        return _form_page(
            request, ctx, session, values, refusal_texts(translator_for(session), error), 422
        )
    return redirect("/settings/shop", "settings.done_shop")


def parse_shop_form(form_data: FormValues) -> dict[str, str]:
    """Return the posted texts by field, cleaned."""
    names = (*SHOP_FIELDS, *SELLER_FIELDS, *SELLER_DOCUMENT_FIELDS)
    return {
        name: first_value(form_data, name, multiline=name in MULTILINE_FIELDS) for name in names
    }


def _build_seller(values: dict[str, str]) -> Seller:
    kind = SellerKind(values["kind"]) if values["kind"] in set(SellerKind) else SellerKind.NPD
    phone = parse_phone(values["phone"]) if values["phone"] else ""
    return Seller(
        kind=kind,
        full_name=values["full_name"],
        inn=values["inn"].replace(" ", ""),
        # A self-employed person has no OGRN, and the page hides the field.
        ogrn="" if kind is SellerKind.NPD else values["ogrn"].replace(" ", ""),
        address=values["address"],
        phone=values["phone"] if isinstance(phone, Problem) else phone,
        email=values["email"],
        offer_url=values["offer_url"],
        policy_url=values["policy_url"],
        refund_terms=values["refund_terms"],
    )


def _form_page(
    request: WebRequest,
    ctx: Context,
    session: Session,
    values: dict[str, str],
    errors: dict[str, str],
    status: int = 200,
) -> Response[Any]:
    return render_cabinet_page(
        request,
        session,
        "cabinet/settings/shop.html",
        section="settings",
        status=status,
        errors=errors,
        values=values,
        kinds=list(SellerKind),
        zones=zone_choices(
            session.locale, ctx.now_us(), values["tz"] if not errors else session.shop.tz
        ),
        locales=LOCALES,
    )


HANDLERS = [index_page, shop_page, save_shop]
