"""Settings of automatic reminders: three switches, each with a preview."""

from dataclasses import asdict, replace
from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.response import Response

from sigma.domain.billing.invoice import Invoice, Status
from sigma.domain.money import Money
from sigma.domain.reminders.reminder import ReminderKind, ReminderSettings
from sigma.domain.time_units import DAY_US
from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.services.reminders import settings as reminder_settings
from sigma.texts import Translator
from sigma.texts.reminders import reminder_text
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.responses import read_form_values, redirect, render_cabinet_page
from sigma.web.cabinet.settings.time_zones import zone_label
from sigma.web.forms import first_value

URL = "/settings/reminders"
# As on the page: the most frequent first.
KINDS = (ReminderKind.OPENED, ReminderKind.EXPIRES, ReminderKind.REST)


@get(URL)
async def reminders_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Show the switches with previews."""
    settings = await reminder_settings.get(ctx, session.member)
    shop = session.shop
    translator = Translator(shop.locale, shop.tz)  # clients get texts in the shop's language
    return render_cabinet_page(
        request,
        session,
        "cabinet/settings/reminders.html",
        section="settings",
        settings=asdict(settings),
        previews=[(str(kind), _preview(kind, ctx, translator)) for kind in KINDS],
        zone=zone_label(shop.tz, session.locale, ctx.now_us()),
        hide_plus=True,
    )


@post(URL)
async def save_reminders(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Save the switches."""
    form_data = await read_form_values(request)
    values = {str(kind): bool(first_value(form_data, str(kind))) for kind in ReminderKind}
    await reminder_settings.save(ctx, session.member, ReminderSettings(**values))
    return redirect(URL, "reminders.done_on" if any(values.values()) else "reminders.done_off")


def _preview(kind: ReminderKind, ctx: Context, translator: Translator) -> str:
    """Return what a client would get about an invented invoice."""
    now_us = ctx.now_us()
    invoice = Invoice(
        id="inv_preview",
        shop_id="",
        number=1,
        token="preview",  # noqa: S106 - not a secret: no invoice has this token
        status=Status.OPEN,
        title=translator.t("reminders.preview_title"),
        amount=Money(150_000),
        created_at_us=now_us,
        expires_at_us=now_us + DAY_US,
    )
    if kind is ReminderKind.REST:
        invoice = replace(invoice, max_payments=3, paid_count=1)
    link = f"{ctx.settings.base_url}/i/…"
    lines = (
        reminder_text(invoice, kind, translator),
        translator.t("reminders.pay", url=link),
        translator.t("reminders.stop_hint", url=f"{ctx.settings.base_url}/stop/…"),
    )
    return "\n".join(lines)


HANDLERS = [reminders_page, save_reminders]
