"""The shop's own settings, and what its home page tells."""

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.accounts.shop import Seller, Shop, check_seller, url_ok
from sigma.domain.billing.question import read_email, read_phone
from sigma.domain.change import Change
from sigma.domain.errors import Problem, Refused, invalid
from sigma.domain.money import Money
from sigma.services.billing import invoices as invoice_services
from sigma.services.billing import payments as payment_services
from sigma.services.billing.payments import PaymentRow
from sigma.services.context import SECOND, Context
from sigma.store import changes, jobs
from sigma.store.accounts import shops
from sigma.store.billing import connections, payments

LIMITS = {"full_name": 200, "address": 300, "phone": 60, "email": 200, "refund_terms": 5000}


async def get(ctx: Context, member: Member) -> Shop:
    """The member's shop."""
    member.must(Permission.READ)
    async with ctx.db.read() as tx:
        shop = await shops.get(tx, member.shop_id)
    if shop is None:
        raise Refused("not_found", what="shop")
    return shop


async def save_seller(
    ctx: Context,
    member: Member,
    *,
    name: str,
    seller: Seller,
    tz: str,
    accent: str,
    return_url: str,
    consent_text: str,
    locale: str | None = None,
) -> Shop:
    """Stores what clients see of the shop. Raises Refused("validation") by field.

    The consent's version grows whenever what it says may have changed.
    """
    member.must(Permission.SETTINGS)
    problems = _check(name, seller, tz, accent, return_url, consent_text)
    if problems:
        raise invalid(*problems)
    async with ctx.db.write() as tx:
        shop = await shops.lock(tx, member.shop_id)
        consent_changed = (consent_text, _consents(seller)) != (
            shop.consent_text,
            _consents(shop.seller),
        )
        saved = replace(
            shop,
            name=name.strip(),
            seller=seller,
            tz=tz,
            accent=accent,
            return_url=return_url,
            consent_text=consent_text,
            consent_version=shop.consent_version + consent_changed,
            locale=locale or shop.locale,
        )
        await changes.write(tx, Change((saved,)), ctx.now())
    return await get(ctx, member)


def _consents(seller: Seller) -> tuple[str, ...]:
    """What of the seller the consent text names."""
    return (seller.full_name, seller.inn, seller.address, seller.email, seller.phone)


def _check(
    name: str, seller: Seller, tz: str, accent: str, return_url: str, consent_text: str
) -> list[Problem]:
    limited = {field: (getattr(seller, field), limit) for field, limit in LIMITS.items()}
    limited |= {"name": (name, 100), "consent_text": (consent_text, 10_000)}
    problems = check_seller(seller)
    problems += [
        Problem(field, "too_long", {"max": limit})
        for field, (text, limit) in limited.items()
        if len(text) > limit
    ]
    if seller.phone and isinstance(phone := read_phone(seller.phone), Problem):
        problems.append(Problem("phone", phone.code))
    for field, code, wrong in (
        ("name", "required", not name.strip()),
        ("email", "email", seller.email and not read_email(seller.email)),
        ("tz", "choose", tz not in available_timezones()),
        ("accent", "colour", accent and not re.fullmatch("#[0-9a-fA-F]{6}", accent)),
        ("return_url", "url", return_url and not url_ok(return_url)),
    ):
        if wrong:
            problems.append(Problem(field, code))
    return problems


async def save_mail(
    ctx: Context, member: Member, *, from_name: str, reply_to: str, smtp_url: str | None
) -> Shop:
    """Stores how the shop's mail goes out. `smtp_url` None keeps the stored one, "" removes it."""
    member.must(Permission.SETTINGS)
    problems = []
    if reply_to and not read_email(reply_to):
        problems.append(Problem("reply_to", "email"))
    if len(from_name) > 100:
        problems.append(Problem("from_name", "too_long", {"max": 100}))
    if smtp_url and not _smtp_ok(smtp_url):
        problems.append(Problem("smtp_url", "smtp_url"))
    if problems:
        raise invalid(*problems)
    async with ctx.db.write() as tx:
        shop = await shops.lock(tx, member.shop_id)
        sealed = shop.smtp_sealed
        if smtp_url is not None:
            sealed = ctx.sealer.seal(smtp_url) if smtp_url else ""
        saved = replace(
            shop, mail_from_name=from_name.strip(), mail_reply_to=reply_to, smtp_sealed=sealed
        )
        await changes.write(tx, Change((saved,)), ctx.now())
    return await get(ctx, member)


def _smtp_ok(url: str) -> bool:
    scheme, _, rest = url.partition("://")
    return scheme in ("smtp", "smtps") and bool(rest.rsplit("@", 1)[-1].strip("/"))


@dataclass(frozen=True, slots=True)
class Home:
    """What the first page tells: money taken (by the shop's own day and month), what needs a
    person, what is not set up.
    """

    captured_today: Money
    captured_month: Money
    open_invoices: int
    attention: list[PaymentRow]
    recent: list[PaymentRow]
    dead_jobs: int
    seller_complete: bool
    has_connection: bool
    has_invoice: bool


async def home(ctx: Context, member: Member) -> Home:
    """The shop at a glance."""
    shop = await get(ctx, member)
    now = datetime.fromtimestamp(ctx.now() / SECOND, ZoneInfo(shop.tz))
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    month = day.replace(day=1)
    open_ones = await invoice_services.listing(ctx, member, status="open", limit=100)
    any_invoice = await invoice_services.listing(ctx, member, limit=1)
    async with ctx.db.read() as tx:
        today = await payments.captured_since(tx, shop.id, _us(day))
        this_month = await payments.captured_since(tx, shop.id, _us(month))
        active = await connections.active(tx, shop.id)
        dead = await jobs.dead(tx, shop.id) if member.may(Permission.JOBS) else []
    return Home(
        captured_today=Money(today.get("RUB", 0)),
        captured_month=Money(this_month.get("RUB", 0)),
        open_invoices=len(open_ones.data),
        attention=(await payment_services.listing(ctx, member, attention=True, limit=10)).data,
        recent=(await payment_services.listing(ctx, member, limit=8)).data,
        dead_jobs=len(dead),
        seller_complete=shop.seller.complete,
        has_connection=active is not None,
        has_invoice=bool(any_invoice.data),
    )


def _us(moment: datetime) -> int:
    return (moment - datetime.fromtimestamp(0, moment.tzinfo)) // timedelta(microseconds=1)
