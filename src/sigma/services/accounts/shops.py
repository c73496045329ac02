"""Shop settings, and the summary on the home page."""

import re
from dataclasses import dataclass, replace
from zoneinfo import available_timezones

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.accounts.names import MAX_NAME, check_name
from sigma.domain.accounts.second_factor import SecondFactorRule, effective_rule
from sigma.domain.accounts.security_notice import NoticeKind
from sigma.domain.accounts.shop import Seller, Shop, check_seller, is_web_url
from sigma.domain.audit.changed_fields import changed_fields
from sigma.domain.audit.deed import Deed
from sigma.domain.audit.values import PERSONAL_SELLER_FIELDS, shop_values
from sigma.domain.bank_cards import contains_card_number
from sigma.domain.billing.question import parse_email, parse_phone
from sigma.domain.change import Change
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.money import Money
from sigma.domain.origin import Origin
from sigma.domain.text_cleaning import clean_text
from sigma.services.accounts.mail_servers import check_smtp_url
from sigma.services.billing import invoices as invoice_services
from sigma.services.billing import payments as payment_services
from sigma.services.billing.payments import PaymentRow
from sigma.services.context import Context
from sigma.services.platform import audit_log, security_notices
from sigma.store import changes, jobs
from sigma.store.accounts import shops
from sigma.store.billing import connections, invoices, ledger, payments, refunds
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.engine.interface import Tx

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
        await _record_change(ctx, tx, member, Deed.SHOP_CHANGED, shop, saved)
    return await get(ctx, member)


async def _record_change(
    ctx: Context, tx: Tx, member: Member, deed: Deed, before: Shop, after: Shop
) -> None:
    changed = changed_fields(shop_values(before), shop_values(after), hidden=PERSONAL_SELLER_FIELDS)
    if changed:
        await audit_log.record(ctx, tx, member, deed, after.id, changes=changed)


def _consent_seller_data(seller: Seller) -> tuple[str, ...]:
    """Return the seller data that the consent text names."""
    return (seller.full_name, seller.inn, seller.address, seller.email, seller.phone)


def _check_seller_form(
    name: str, seller: Seller, tz: str, accent: str, return_url: str, consent_text: str
) -> list[Problem]:
    limited = {field: (getattr(seller, field), limit) for field, limit in MAX_LENGTHS.items()}
    limited |= {"name": (name, MAX_NAME), "consent_text": (consent_text, 10_000)}
    problems = check_seller(seller)
    problems += [
        Problem(field, "too_long", {"max": limit})
        for field, (text, limit) in limited.items()
        if len(text) > limit
    ]
    problems += [
        Problem(field, "card_number")
        for field, (text, limit) in limited.items()
        if len(text) <= limit and contains_card_number(text)
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
    ctx: Context,
    member: Member,
    *,
    from_name: str,
    reply_to: str,
    smtp_url: str | None,
    origin: Origin | None = None,
) -> Shop:
    """Store the mail settings. `smtp_url` None keeps the stored URL, "" removes it.

    `origin`: where the request comes from; None sends no mails about a new server.
    Raises RefusedError("validation").
    """
    member.require(Permission.SETTINGS)
    problems = []
    if reply_to and not parse_email(reply_to):
        problems.append(Problem("reply_to", "email"))
    problems += check_name("from_name", from_name, is_required=False)
    if smtp_url and (problem := check_smtp_url(smtp_url, ctx.outbound)):
        problems.append(problem)
    if problems:
        raise validation_error(*problems)
    async with ctx.db.write() as tx:
        shop = await shops.lock(tx, member.shop_id)
        smtp_encrypted = shop.smtp_url_encrypted
        if smtp_url is not None:
            smtp_encrypted = (
                ctx.cipher.encrypt(smtp_url, EncryptedColumn.SHOP_SMTP_URL, shop.id)
                if smtp_url
                else ""
            )
        saved = replace(
            shop,
            mail_from_name=from_name.strip(),
            mail_reply_to=reply_to,
            smtp_url_encrypted=smtp_encrypted,
        )
        await changes.write(tx, Change((saved,)), ctx.now_us())
        if smtp_encrypted != shop.smtp_url_encrypted:
            kind = NoticeKind.MAIL_SERVER_CHANGED
            await security_notices.announce_by(ctx, tx, kind, member, origin)
        await _record_change(ctx, tx, member, Deed.MAIL_CHANGED, shop, saved)
    return await get(ctx, member)


async def save_security_rules(
    ctx: Context,
    member: Member,
    *,
    second_factor_rule: SecondFactorRule,
    refund_confirmation: Money | None,
) -> None:
    """Store what the shop demands of its members at sign-in and before large refunds.

    `refund_confirmation` None: refunds need no confirmation. Raises RefusedError("validation"),
    also for a rule that is weaker than what the installation requires.
    """
    member.require(Permission.SETTINGS)
    is_required = ctx.settings.is_second_factor_required
    if second_factor_rule is not effective_rule(second_factor_rule, is_required=is_required):
        raise validation_error(Problem("second_factor_rule", "choose"))
    if refund_confirmation is not None and refund_confirmation.currency != "RUB":
        raise validation_error(Problem("refund_confirmation", "money_currency"))
    minor = None if refund_confirmation is None else refund_confirmation.minor
    async with ctx.db.write() as tx:
        shop = await shops.lock(tx, member.shop_id)
        saved = replace(
            shop, second_factor_rule=second_factor_rule, refund_confirmation_minor=minor
        )
        await changes.write(tx, Change((saved,)), ctx.now_us())
        changed = changed_fields(_security_rules(shop), _security_rules(saved))
        deed = Deed.SECURITY_RULES_CHANGED
        await audit_log.record(ctx, tx, member, deed, shop.id, changes=changed)


def _security_rules(shop: Shop) -> dict[str, object]:
    return {
        "second_factor_rule": str(shop.second_factor_rule),
        "refund_confirmation": shop.refund_confirmation_minor,
    }


@dataclass(frozen=True, slots=True)
class Owed:
    """Money of one currency that is owed now.

    `by_clients`: open invoices for one payment; not those that a card is held for. `held`:
    authorized on cards, not captured yet. `refunds_due`: extra, late and voided payments, to be
    refunded or accepted, without those whose refund is under way. `refunds_pending`: all refunds
    under way.
    """

    by_clients: Money
    held: Money
    refunds_due: Money
    refunds_pending: Money


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Summary of a shop: what is owed, payments that need attention, missing setup steps.

    `owed` has one item per currency that occurs.
    """

    owed: list[Owed]
    open_invoice_count: int
    attention_payments: list[PaymentRow]
    has_more_attention: bool
    recent_payments: list[PaymentRow]
    dead_job_count: int
    is_seller_complete: bool
    has_connection: bool
    has_invoice: bool


async def get_dashboard(ctx: Context, member: Member) -> Dashboard:
    """Return the summary for the home page. Raises RefusedError("not_found")."""
    shop = await get(ctx, member)
    now_us = ctx.now_us()
    any_invoice = await invoice_services.list_page(ctx, member, limit=1)
    attention = await payment_services.list_page(ctx, member, attention=True, limit=10)
    recent = await payment_services.list_page(ctx, member, limit=8)
    async with ctx.db.read() as tx:
        open_invoices = await invoices.sum_open(tx, shop.id, now_us)
        active = await connections.find_active(tx, shop.id)
        dead_job_count = await jobs.count_dead(tx, shop.id) if member.can(Permission.JOBS) else 0
        return Dashboard(
            owed=await _owed(
                tx, shop.id, {currency: minor for currency, (_, minor) in open_invoices.items()}
            ),
            open_invoice_count=sum(count for count, _ in open_invoices.values()),
            attention_payments=attention.data,
            has_more_attention=attention.next_cursor is not None,
            recent_payments=recent.data,
            dead_job_count=dead_job_count,
            is_seller_complete=shop.seller.is_complete,
            has_connection=active is not None,
            has_invoice=bool(any_invoice.data),
        )


async def _owed(tx: Tx, shop_id: str, by_clients: dict[str, int]) -> list[Owed]:
    pending = await refunds.sum_pending(tx, shop_id)
    booked_due = await ledger.sum_refunds_due(tx, shop_id)
    sums = (
        by_clients,
        await payments.sum_authorized(tx, shop_id),
        # The ledger books a refund when it succeeds: what is under way needs no second one.
        {c: minor - pending.get(c, (0, 0))[1] for c, minor in booked_due.items()},
        {c: minor for c, (minor, _) in pending.items()},
    )
    return [
        Owed(*(Money(minor.get(currency, 0), currency) for minor in sums))
        for currency in _currencies(*sums)
    ]


def _currencies(*sums: dict[str, int]) -> list[str]:
    """Return the currencies with a sum that is not zero: roubles first, then by code."""
    found = {currency for minor in sums for currency in minor if minor[currency]}
    return sorted(found, key=lambda currency: (currency != "RUB", currency))
