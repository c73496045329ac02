"""Settings of auto-replies: their texts and the shop's working hours."""

import re
from dataclasses import dataclass
from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.response import Response

from sigma.domain.errors import Problem
from sigma.domain.messaging.auto_reply import (
    DAY_MINUTES,
    MAX_TEXT,
    AutoReplySettings,
    check_auto_reply_settings,
)
from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.services.invoice_cards import auto_reply
from sigma.texts import Translator
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.responses import (
    FormValues,
    problem_texts,
    read_form_values,
    redirect,
    render_cabinet_page,
    translator_for,
)
from sigma.web.cabinet.settings.time_zones import zone_label
from sigma.web.forms import first_value

URL = "/settings/auto-answers"
# Monday to Friday from 10:00 to 20:00; the times in minutes of the day
DEFAULT_WORKDAYS, DEFAULT_OPENS_MIN, DEFAULT_CLOSES_MIN = 5, 10 * 60, 20 * 60
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class DayRow:
    """One weekday's row of the form: times as entered ("09:30"), also for a day off."""

    is_workday: bool
    opens_at: str
    closes_at: str


@dataclass(frozen=True, slots=True)
class AutoReplyForm:
    """The form as entered, not validated. `days`: seven rows, Monday first."""

    enabled: bool
    greeting_enabled: bool
    greeting: str
    invoice_enabled: bool
    closed_enabled: bool
    closed_text: str
    days: tuple[DayRow, ...]


@get(URL)
async def auto_replies_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Show the auto-reply settings."""
    rules = await auto_reply.get_settings(ctx, session.member)
    return await _form_page(request, ctx, session, form_from_rules(rules), {})


@post(URL)
async def save_auto_replies(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Save the settings, or show the form as entered with an error text beside each field."""
    form = parse_form(await read_form_values(request))
    rules, problems = parse_rules(form)
    if problems := [*problems, *check_auto_reply_settings(rules)]:
        errors = problem_texts(translator_for(session), problems)
        return await _form_page(request, ctx, session, form, errors, 422)
    await auto_reply.save_settings(ctx, session.member, rules)
    return redirect(URL, "auto.done_on" if rules.enabled else "auto.done_off")


def form_from_rules(rules: AutoReplySettings) -> AutoReplyForm:
    """Return the form of the stored rules, with a default week when no hours are stored."""
    days = [_day_row(day) for day in rules.hours] or [
        DayRow(
            n < DEFAULT_WORKDAYS, _clock_text(DEFAULT_OPENS_MIN), _clock_text(DEFAULT_CLOSES_MIN)
        )
        for n in range(7)
    ]
    return AutoReplyForm(
        rules.enabled,
        rules.greeting_enabled,
        rules.greeting,
        rules.invoice_enabled,
        rules.closed_enabled,
        rules.closed_text,
        tuple(days),
    )


def _day_row(hours: tuple[int, int] | None) -> DayRow:
    opens, closes = hours or (DEFAULT_OPENS_MIN, DEFAULT_CLOSES_MIN)
    return DayRow(hours is not None, _clock_text(opens), _clock_text(closes))


def _clock_text(minutes: int) -> str:
    """Format minutes of a day as "09:30"; 1440 (the end of the day) is "00:00"."""
    return f"{minutes // 60 % 24:02}:{minutes % 60:02}"


def parse_form(form_data: FormValues) -> AutoReplyForm:
    """Parse the posted form without validating it."""
    days = tuple(
        DayRow(
            bool(first_value(form_data, f"works-{n}")),
            first_value(form_data, f"opens-{n}"),
            first_value(form_data, f"closes-{n}"),
        )
        for n in range(7)
    )
    return AutoReplyForm(
        bool(first_value(form_data, "on")),
        bool(first_value(form_data, "greet")),
        first_value(form_data, "greeting", multiline=True),
        bool(first_value(form_data, "invoice")),
        bool(first_value(form_data, "closed")),
        first_value(form_data, "closed_text", multiline=True),
        days,
    )


def parse_rules(form: AutoReplyForm) -> tuple[AutoReplySettings, list[Problem]]:
    """Return the rules and the problems of the form's times. Days off need no valid times."""
    hours: list[tuple[int, int] | None] = []
    problems = []
    for n, day in enumerate(form.days):
        opens, closes = _parse_minutes(day.opens_at), _parse_minutes(day.closes_at)
        if not day.is_workday:
            hours.append(None)
        elif opens is None or closes is None:
            problems.append(Problem(f"hours.{n}", "time"))
            hours.append(None)
        else:
            hours.append((opens, closes or DAY_MINUTES))
    return (
        AutoReplySettings(
            form.enabled,
            form.greeting_enabled,
            form.greeting,
            form.invoice_enabled,
            form.closed_enabled,
            form.closed_text,
            tuple(hours),
        ),
        problems,
    )


def _parse_minutes(text: str) -> int | None:
    match = _TIME.fullmatch(text)
    return int(match[1]) * 60 + int(match[2]) if match else None


async def _form_page(
    request: WebRequest,
    ctx: Context,
    session: Session,
    form: AutoReplyForm,
    errors: dict[str, str],
    status: int = 200,
) -> Response[Any]:
    shop = session.shop
    shop_translator = Translator(shop.locale, shop.tz)  # clients get texts in the shop's language
    return render_cabinet_page(
        request,
        session,
        "cabinet/settings/auto_replies.html",
        section="settings",
        status=status,
        errors=errors,
        form=form,
        labels=await auto_reply.button_labels(ctx, session.member),
        greeting=shop_translator.t("auto.greeting", shop=shop.name),
        closed_text=shop_translator.t("auto.closed"),
        zone=zone_label(shop.tz, session.locale, ctx.now_us()),
        max_text=MAX_TEXT,
        hide_plus=True,
    )


HANDLERS = [auto_replies_page, save_auto_replies]
