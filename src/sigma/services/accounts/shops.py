"""Shop settings, and the summary on the home page."""

import re
from dataclasses import dataclass, replace
from zoneinfo import available_timezones

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.accounts.shop import Seller, Shop, check_seller, is_web_url
from sigma.domain.bank_cards import contains_card_number
from sigma.domain.billing.question import parse_email, parse_phone
from sigma.domain.change import Change
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.local_time import local_date, start_of_day
from sigma.domain.money import Money
from sigma.domain.text_cleaning import clean_text
from sigma.services.billing import invoices as invoice_services
from sigma.services.billing import payments as payment_services
from sigma.services.billing.payments import PaymentRow
from sigma.services.context import Context
from sigma.store import changes, jobs
from sigma.store.accounts import shops
from sigma.store.billing import connections, payments

# characters
MAX_LENGTHS = {"full_name": 200, "address": 300, "phone": 60, "email": 200, "refund_terms": 5000}


async def get(ctx: Context, member: Member) -> Shop:
    """Return the member's shop. Raises RefusedError("not_found")."""
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        shop = await shops.get(tx, member.shop_id)
    if shop is None:
        raise RefusedError("not_found", what="shop")
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
    """Store what clients see of the shop. Raises RefusedError("validation") with all problems.

    The consent version is incremented when the consent text or seller data in it has changed.
    """
    member.require(Permission.SETTINGS)
    problems = _check_seller_form(name, seller, tz, accent, return_url, consent_text)
    if problems:
        raise validation_error(*problems)
    async with ctx.db.write() as tx:
        shop = await shops.lock(tx, member.shop_id)
        consent_changed = (consent_text, _consent_seller_data(seller)) != (
            shop.consent_text,
            _consent_seller_data(shop.seller),
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
        await changes.write(tx, Change((saved,)), ctx.now_us())
    return await get(ctx, member)


def _consent_seller_data(seller: Seller) -> tuple[str, ...]:
    """Return the seller data that the consent text names."""
    return (seller.full_name, seller.inn, seller.address, seller.email, seller.phone)


def _check_seller_form(
    name: str, seller: Seller, tz: str, accent: str, return_url: str, consent_text: str
) -> list[Problem]:
    limited = {field: (getattr(seller, field), limit) for field, limit in MAX_LENGTHS.items()}
    limited |= {"name": (name, 100), "consent_text": (consent_text, 10_000)}
    problems = check_seller(seller)
    problems += [
        Problem(field, "too_long", {"max": limit})
        for field, (text, limit) in limited.items()
        if len(text) > limit
    ]
    problems += [
        Problem(field, "card_number")
        for field, (text, _) in limited.items()
        if contains_card_number(text)
    ]
    if seller.phone and isinstance(phone := parse_phone(seller.phone), Problem):
        problems.append(Problem("phone", phone.code))
    for field, code, is_wrong in (
        ("name", "required", not clean_text(name)),
        ("email", "email", seller.email and not parse_email(seller.email)),
        ("tz", "choose", tz not in available_timezones()),
        ("accent", "colour", accent and not re.fullmatch("#[0-9a-fA-F]{6}", accent)),
        ("return_url", "url", return_url and not is_web_url(return_url)),
    ):
        if is_wrong:
            problems.append(Problem(field, code))
    return problems


async def save_mail(
    ctx: Context, member: Member, *, from_name: str, reply_to: str, smtp_url: str | None
) -> Shop:
    """Store the mail settings. `smtp_url` None keeps the stored URL, "" removes it.

    Raises RefusedError("validation").
    """
    member.require(Permission.SETTINGS)
    problems = []
    if reply_to and not parse_email(reply_to):
        problems.append(Problem("reply_to", "email"))
    if len(from_name) > 100:
        problems.append(Problem("from_name", "too_long", {"max": 100}))
    if smtp_url and not _is_smtp_url(smtp_url):
        problems.append(Problem("smtp_url", "smtp_url"))
    if problems:
        raise validation_error(*problems)
    async with ctx.db.write() as tx:
        shop = await shops.lock(tx, member.shop_id)
        smtp_encrypted = shop.smtp_url_encrypted
        if smtp_url is not None:
            smtp_encrypted = ctx.cipher.encrypt(smtp_url) if smtp_url else ""
        saved = replace(
            shop,
            mail_from_name=from_name.strip(),
            mail_reply_to=reply_to,
            smtp_url_encrypted=smtp_encrypted,
        )
        await changes.write(tx, Change((saved,)), ctx.now_us())
    return await get(ctx, member)


def _is_smtp_url(url: str) -> bool:
    scheme, _, rest = url.partition("://")
    return scheme in ("smtp", "smtps") and bool(rest.rsplit("@", 1)[-1].strip("/"))


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Summary of a shop: captured money, payments that need attention, missing setup steps.

    "Today" and "this month" are in the shop's time zone and count roubles only.
    `open_invoice_count` is at most 100.
    """

    captured_today: Money
    captured_this_month: Money
    open_invoice_count: int
    attention_payments: list[PaymentRow]
    recent_payments: list[PaymentRow]
    dead_job_count: int
    is_seller_complete: bool
    has_connection: bool
    has_invoice: bool


async def get_dashboard(ctx: Context, member: Member) -> Dashboard:
    """Return the summary for the home page. Raises RefusedError("not_found")."""
    shop = await get(ctx, member)
    day = local_date(ctx.now_us(), shop.tz)
    day_start_us = start_of_day(day, shop.tz)
    month_start_us = start_of_day(day.replace(day=1), shop.tz)
    open_page = await invoice_services.list_page(ctx, member, status="open", limit=100)
    any_invoice = await invoice_services.list_page(ctx, member, limit=1)
    async with ctx.db.read() as tx:
        today = await payments.sum_captured(tx, shop.id, day_start_us)
        this_month = await payments.sum_captured(tx, shop.id, month_start_us)
        active = await connections.find_active(tx, shop.id)
        dead_jobs = await jobs.list_dead(tx, shop.id) if member.can(Permission.JOBS) else []
    return Dashboard(
        captured_today=Money(today.get("RUB", 0)),
        captured_this_month=Money(this_month.get("RUB", 0)),
        open_invoice_count=len(open_page.data),
        attention_payments=(
            await payment_services.list_page(ctx, member, attention=True, limit=10)
        ).data,
        recent_payments=(await payment_services.list_page(ctx, member, limit=8)).data,
        dead_job_count=len(dead_jobs),
        is_seller_complete=shop.seller.is_complete,
        has_connection=active is not None,
        has_invoice=bool(any_invoice.data),
    )
