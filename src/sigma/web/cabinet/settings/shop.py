"""Settings: the list of places, and the shop itself: requisites, documents, look of its page."""

from dataclasses import asdict
from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.response import Response

from sigma.domain.accounts.shop import Seller, SellerKind
from sigma.domain.billing.question import read_phone
from sigma.domain.errors import Problem, Refused
from sigma.services.accounts import shops
from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.texts import LOCALES
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.responses import Given, cabinet_page, go, posted, refusal, words_of
from sigma.web.cabinet.settings.time_zones import zones
from sigma.web.forms import one

# name (words: settings.place_…), address, picture, whose permission: settings, jobs or nobody's
INDEX = (
    ("shop", "/settings/shop", "shop", "settings"),
    ("connections", "/settings/connections", "card", "settings"),
    ("auto", "/settings/auto-answers", "dialogs", "settings"),
    ("mail", "/settings/mail", "mail", "settings"),
    ("keys", "/settings/keys", "key", "settings"),
    ("jobs", "/settings/jobs", "jobs", "jobs"),
    ("access", "/settings/access", "lock", ""),
)
LINES = ("refund_terms", "consent_text", "address")
SELLER = ("full_name", "inn", "ogrn", "address", "phone", "email")
SELLER_DOCUMENTS = ("offer_url", "policy_url", "refund_terms")
SHOP = ("name", "tz", "accent", "return_url", "consent_text", "locale", "kind")


@get("/settings")
async def index_page(request: WebRequest, session: NamedDependency[Session]) -> Response[Any]:
    """The list of settings; «Ещё» on a phone."""
    return cabinet_page(
        request,
        session,
        "cabinet/settings/index.html",
        place="settings",
        index=INDEX,
        locales=LOCALES,
    )


@get("/settings/shop")
async def shop_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """The form of the shop."""
    shop = await shops.get(ctx, session.member)
    kept = {name: str(getattr(shop, name, "")) for name in SHOP}
    seller = {k: str(v) for k, v in asdict(shop.seller).items()}
    seller["phone"] = words_of(session).phone(shop.seller.phone) or shop.seller.phone
    return _form(request, ctx, session, kept | seller, {})


@post("/settings/shop")
async def save_shop(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Stores the shop."""
    typed = read_shop(await posted(request))
    try:
        await shops.save_seller(
            ctx,
            session.member,
            name=typed["name"],
            seller=_seller(typed),
            tz=typed["tz"],
            accent=typed["accent"],
            return_url=typed["return_url"],
            consent_text=typed["consent_text"],
            locale=typed["locale"] if typed["locale"] in LOCALES else None,
        )
    except Refused as refused:
        if refused.code != "validation":
            raise
        return _form(request, ctx, session, typed, refusal(words_of(session), refused), 422)
    return go("/settings/shop", "settings.done_shop")


def read_shop(given: Given) -> dict[str, str]:
    """The posted texts by field, cleaned."""
    names = (*SHOP, *SELLER, *SELLER_DOCUMENTS)
    return {name: one(given, name, lines=name in LINES) for name in names}


def _seller(typed: dict[str, str]) -> Seller:
    kind = SellerKind(typed["kind"]) if typed["kind"] in set(SellerKind) else SellerKind.NPD
    phone = read_phone(typed["phone"]) if typed["phone"] else ""
    return Seller(
        kind=kind,
        full_name=typed["full_name"],
        inn=typed["inn"].replace(" ", ""),
        # A self-employed person has none, and the page hides the field.
        ogrn="" if kind is SellerKind.NPD else typed["ogrn"].replace(" ", ""),
        address=typed["address"],
        phone=typed["phone"] if isinstance(phone, Problem) else phone,
        email=typed["email"],
        offer_url=typed["offer_url"],
        policy_url=typed["policy_url"],
        refund_terms=typed["refund_terms"],
    )


def _form(
    request: WebRequest,
    ctx: Context,
    session: Session,
    typed: dict[str, str],
    errors: dict[str, str],
    status: int = 200,
) -> Response[Any]:
    return cabinet_page(
        request,
        session,
        "cabinet/settings/shop.html",
        place="settings",
        status=status,
        errors=errors,
        typed=typed,
        kinds=list(SellerKind),
        zones=zones(session.locale, ctx.now(), typed["tz"] if not errors else session.shop.tz),
        locales=LOCALES,
    )


HANDLERS = [index_page, shop_page, save_shop]
