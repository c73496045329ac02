"""Settings of the automatic answers: what is said by itself, and the hours of the shop."""

import re
from dataclasses import dataclass
from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.response import Response

from sigma.domain.errors import Problem
from sigma.domain.messaging.auto_reply import DAY_MINUTES, MAX_TEXT, AutoAnswers, check_auto_answers
from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.services.invoice_cards import auto_reply
from sigma.texts import Words
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.responses import Given, cabinet_page, go, posted, sentences, words_of
from sigma.web.cabinet.settings.time_zones import zone
from sigma.web.forms import one

URL = "/settings/auto-answers"
WORKDAYS, OPENS, CLOSES = 5, 10 * 60, 20 * 60  # what the form begins with
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the week as its row of the form shows it: what was typed, also of a day off."""

    works: bool
    opens: str
    closes: str


@dataclass(frozen=True, slots=True)
class Typed:
    """The whole form as it was typed."""

    on: bool
    greet: bool
    greeting: str
    invoice: bool
    closed: bool
    closed_text: str
    days: tuple[Day, ...]


@get(URL)
async def auto_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """The form of the automatic answers."""
    kept = await auto_reply.rules(ctx, session.member)
    return await _form(request, ctx, session, typed_of(kept), {})


@post(URL)
async def save_auto(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Stores them; what is wrong is said beside its field and nothing is lost."""
    typed = read_typed(await posted(request))
    wanted, problems = read_rules(typed)
    if problems := [*problems, *check_auto_answers(wanted)]:
        wrong = sentences(words_of(session), problems)
        return await _form(request, ctx, session, typed, wrong, 422)
    await auto_reply.save(ctx, session.member, wanted)
    return go(URL, "auto.done_on" if wanted.on else "auto.done_off")


def typed_of(kept: AutoAnswers) -> Typed:
    """The form of what is kept; of days nobody has said anything about, a usual week."""
    days = [_day(day) for day in kept.hours] or [
        Day(n < WORKDAYS, _clock(OPENS), _clock(CLOSES)) for n in range(7)
    ]
    return Typed(
        kept.on,
        kept.greet,
        kept.greeting,
        kept.invoice,
        kept.closed,
        kept.closed_text,
        tuple(days),
    )


def _day(hours: tuple[int, int] | None) -> Day:
    opens, closes = hours or (OPENS, CLOSES)
    return Day(hours is not None, _clock(opens), _clock(closes))


def _clock(minutes: int) -> str:
    """«09:30»; the end of a day is written 00:00, as clocks show it."""
    return f"{minutes // 60 % 24:02}:{minutes % 60:02}"


def read_typed(given: Given) -> Typed:
    """The posted form."""
    days = tuple(
        Day(bool(one(given, f"works-{n}")), one(given, f"opens-{n}"), one(given, f"closes-{n}"))
        for n in range(7)
    )
    return Typed(
        bool(one(given, "on")),
        bool(one(given, "greet")),
        one(given, "greeting", lines=True),
        bool(one(given, "invoice")),
        bool(one(given, "closed")),
        one(given, "closed_text", lines=True),
        days,
    )


def read_rules(typed: Typed) -> tuple[AutoAnswers, list[Problem]]:
    """What the form means, and which of its times are none. Days off need no times."""
    hours: list[tuple[int, int] | None] = []
    problems = []
    for n, day in enumerate(typed.days):
        opens, closes = _minutes(day.opens), _minutes(day.closes)
        if not day.works:
            hours.append(None)
        elif opens is None or closes is None:
            problems.append(Problem(f"hours.{n}", "time"))
            hours.append(None)
        else:
            hours.append((opens, closes or DAY_MINUTES))
    return (
        AutoAnswers(
            typed.on,
            typed.greet,
            typed.greeting,
            typed.invoice,
            typed.closed,
            typed.closed_text,
            tuple(hours),
        ),
        problems,
    )


def _minutes(text: str) -> int | None:
    found = _TIME.fullmatch(text)
    return int(found[1]) * 60 + int(found[2]) if found else None


async def _form(
    request: WebRequest,
    ctx: Context,
    session: Session,
    typed: Typed,
    errors: dict[str, str],
    status: int = 200,
) -> Response[Any]:
    shop = session.shop
    said = Words(shop.locale, shop.tz)  # clients are spoken to in the shop's language
    return cabinet_page(
        request,
        session,
        "cabinet/settings/auto_answers.html",
        place="settings",
        status=status,
        errors=errors,
        typed=typed,
        labels=await auto_reply.labels(ctx, session.member),
        greeting=said.t("auto.greeting", shop=shop.name),
        closed_text=said.t("auto.closed"),
        zone=zone(shop.tz, session.locale, ctx.now()),
        max_text=MAX_TEXT,
        hide_plus=True,
    )


HANDLERS = [auto_page, save_auto]
