"""Notification settings of the signed-in member: ways, what by which way, quiet hours, tests."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.errors import RefusedError
from sigma.domain.local_time import time_zone
from sigma.domain.notifications.kind import Kind, Way
from sigma.domain.notifications.preferences import (
    DIGEST_MINUTES,
    Choice,
    Preferences,
    QuietHours,
)
from sigma.domain.urls import is_https_url
from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.services.notifications import links, settings, telegram_bots
from sigma.web.cabinet.guards import RECENT_AUTHENTICATION, WebRequest
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
from sigma.web.retry_after import retry_after_headers

URL = "/settings/notifications"
LINKED_WAYS = (Way.VK, Way.TELEGRAM)
# Quiet hours that the form offers to a member without any: from 22:00 to 8:00.
DEFAULT_QUIET = ("22:00", "08:00")
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)
MAX_REPLY_CHARS = 200  # of the answer of a way: it is stored in the flash cookie


@dataclass(frozen=True, slots=True)
class NotificationForm:
    """The form as entered. `choices`: "kind:way" of what is on; times as "22:00"."""

    choices: frozenset[str]
    is_quiet: bool
    quiet_from: str
    quiet_until: str
    quiet_tz: str
    digest: str
    has_sound: bool


def form_from_preferences(preferences: Preferences, shop_tz: str) -> NotificationForm:
    """Return the form of stored preferences."""
    quiet = preferences.quiet
    return NotificationForm(
        frozenset(f"{kind}:{way}" for kind, way in preferences.choices),
        quiet is not None,
        _clock_text(quiet.from_min) if quiet else DEFAULT_QUIET[0],
        _clock_text(quiet.until_min) if quiet else DEFAULT_QUIET[1],
        quiet.tz if quiet else shop_tz,
        str(preferences.digest_minutes),
        preferences.has_sound,
    )


def parse_form(form_data: FormValues) -> NotificationForm:
    """Parse the posted form without validating it."""
    return NotificationForm(
        frozenset(
            f"{kind}:{way}"
            for kind in Kind
            for way in Way
            if first_value(form_data, f"{kind}-{way}")
        ),
        bool(first_value(form_data, "quiet")),
        first_value(form_data, "quiet_from"),
        first_value(form_data, "quiet_until"),
        first_value(form_data, "quiet_tz"),
        first_value(form_data, "digest"),
        bool(first_value(form_data, "sound")),
    )


def _clock_text(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _parse_minutes(text: str) -> int | None:
    match = _TIME.fullmatch(text)
    return int(match[1]) * 60 + int(match[2]) if match else None


def _parse_choices(form: NotificationForm) -> frozenset[Choice]:
    pairs = [one.partition(":") for one in form.choices]
    return frozenset((Kind(kind), Way(way)) for kind, _, way in pairs)


def _is_zone(name: str) -> bool:
    return name == "UTC" or (bool(name) and getattr(time_zone(name), "key", "") == name)


@get(URL)
async def notifications_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Show the notification settings."""
    return await _page(request, ctx, session)


@post(URL)
async def save_notifications(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Save the choices, or show the form as entered with the errors."""
    form = parse_form(await read_form_values(request))
    errors, quiet = {}, None
    translator = translator_for(session)
    if form.is_quiet:
        times = {
            name: _parse_minutes(getattr(form, name)) for name in ("quiet_from", "quiet_until")
        }
        errors = {
            name: translator.t("errors.problem.time")
            for name, minutes in times.items()
            if minutes is None
        }
        if not _is_zone(form.quiet_tz):
            errors["quiet_tz"] = translator.t("errors.problem.choose")
        quiet = QuietHours(times["quiet_from"] or 0, times["quiet_until"] or 0, form.quiet_tz)
    if not errors:
        try:
            await settings.save(
                ctx,
                session.member,
                choices=_parse_choices(form),
                quiet=quiet,
                digest_minutes=int(form.digest) if form.digest.isdecimal() else 0,
                has_sound=form.has_sound,
            )
        except RefusedError as error:
            if error.code != "validation":
                raise
            errors = refusal_texts(translator, error)
        else:
            return redirect(URL, "notifications.done_saved")
    return await _page(request, ctx, session, form=form, errors=errors, status=422)


@post(f"{URL}/link", opt=RECENT_AUTHENTICATION)
async def start_link(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Make a code to write to the community or to the bot. Field `way`: vk or telegram."""
    way = Way(_known(first_value(await read_form_values(request), "way"), LINKED_WAYS))
    try:
        if way is Way.TELEGRAM:
            await telegram_bots.await_code(ctx, session.member)
        else:
            await links.create_code(ctx, session.member, way)
    except RefusedError as error:
        if error.code != "too_many_requests":
            raise
        texts = refusal_texts(translator_for(session), error)
        response = await _page(request, ctx, session, errors=texts, status=error.http_status)
        response.headers.update(retry_after_headers(error))
        return response
    # A page of its own, which may be reloaded: that makes no new code.
    return redirect(f"{URL}/link/{way}")


@get(f"{URL}/link/{{way:str}}")
async def link_page(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    way: FromPath[str],
) -> Response[Any]:
    """Show the code that waits; without one (used, expired) lead to the settings."""
    if way not in LINKED_WAYS:
        raise RefusedError("not_found", what="page")
    code = await links.get_code(ctx, session.member, Way(way))
    if code is None:
        return redirect(f"{URL}#way-{way}")
    current = await settings.get(ctx, session.member)
    return render_cabinet_page(
        request,
        session,
        "cabinet/settings/notification_link.html",
        section="settings",
        way=way,
        code=code,
        current=current,
        chat_url=telegram_bots.chat_url(current.bot, code) if current.bot else "",
        hide_plus=True,
    )


@post(f"{URL}/push", opt=RECENT_AUTHENTICATION)
async def subscribe(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Store the push subscription of this browser: `endpoint`, `p256dh`, `auth`."""
    form_data = await read_form_values(request)
    values = [first_value(form_data, name) for name in ("endpoint", "p256dh", "auth")]
    name = session.device_name or translator_for(session).t("notifications.this_browser")
    try:
        await links.subscribe(ctx, session.member, values[0], values[1], values[2], name)
    except RefusedError as error:
        if error.code not in ("validation", "too_many_requests"):
            raise
        texts = refusal_texts(translator_for(session), error)
        return await _page(
            request, ctx, session, errors={"": next(iter(texts.values()))}, status=error.http_status
        )
    return redirect(URL, "notifications.done_push")


@post(f"{URL}/addresses/{{address_id:str}}/remove")
async def remove_address(
    ctx: NamedDependency[Context], session: NamedDependency[Session], address_id: FromPath[str]
) -> Response[Any]:
    """Unlink a VK page, a chat or a browser of the signed-in member."""
    await links.remove(ctx, session.member, address_id)
    return redirect(URL, "notifications.done_removed")


@post(f"{URL}/test")
async def send_test(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Send a test by the field `way` and show what its service has answered."""
    way = Way(_known(first_value(await read_form_values(request), "way"), tuple(Way)))
    translator = translator_for(session)
    try:
        result = await settings.send_test(ctx, session.member, way)
    except RefusedError as error:
        if error.code != "too_many_requests":
            raise
        texts = refusal_texts(translator, error)
        response = await _page(request, ctx, session, errors=texts, status=error.http_status)
        response.headers.update(retry_after_headers(error))
        return response
    name = translator.t(f"notifications.way.{way}")
    answer = reply_text(translator, result.reply)[:MAX_REPLY_CHARS]
    if result.is_accepted:
        return redirect(URL, "notifications.done_test", way=name, answer=answer)
    return redirect(URL, "notifications.done_test_failed", tone="bad", way=name, answer=answer)


@post(f"{URL}/telegram", opt=RECENT_AUTHENTICATION)
async def save_bot(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Connect the shop's Telegram bot: `token`, `api_url`."""
    form_data = await read_form_values(request)
    token, api_url = first_value(form_data, "token"), first_value(form_data, "api_url")
    try:
        bot = await telegram_bots.save(ctx, session.member, token, api_url)
    except RefusedError as error:
        if error.code != "validation":
            raise
        texts = refusal_texts(translator_for(session), error)
        return await _page(
            request, ctx, session, errors=texts, bot_api_url=api_url, status=error.http_status
        )
    return redirect(URL, "notifications.done_bot", name=bot.username)


@post(f"{URL}/telegram/remove", opt=RECENT_AUTHENTICATION)
async def remove_bot(
    ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Disconnect the shop's Telegram bot."""
    await telegram_bots.remove(ctx, session.member)
    return redirect(URL, "notifications.done_bot_removed")


def _known(value: str, ways: tuple[Way, ...]) -> str:
    """Return the value of a way. Raises RefusedError("bad_request") for another one."""
    if value not in [str(way) for way in ways]:
        raise RefusedError("bad_request")
    return value


def _is_secure_context(base_url: str) -> bool:
    """Return whether browsers allow push there: https, or this very machine."""
    host = urlsplit(base_url).hostname or ""
    return is_https_url(base_url) or host in ("localhost", "127.0.0.1", "::1")


def reply_text(translator: Any, reply: str) -> str:
    """Return the answer of a way as it is shown: our own codes as a text."""
    key = f"notifications.reply.{reply}"
    return str(translator.t(key)) if translator.has(key) else reply


async def _page(
    request: WebRequest,
    ctx: Context,
    session: Session,
    *,
    form: NotificationForm | None = None,
    errors: dict[str, str] | None = None,
    bot_api_url: str = "",
    status: int = 200,
) -> Response[Any]:
    current = await settings.get(ctx, session.member)
    translator, tz = translator_for(session), session.shop.tz
    form = form or form_from_preferences(current.preferences, tz)
    zone = form.quiet_tz if _is_zone(form.quiet_tz) else tz
    return render_cabinet_page(
        request,
        session,
        "cabinet/settings/notifications.html",
        section="settings",
        status=status,
        errors=errors or {},
        current=current,
        form=form,
        ways=list(Way),
        reply_text=lambda reply: reply_text(translator, reply),
        zones=zone_choices(session.locale, ctx.now_us(), zone),
        digests=[
            (str(n), translator.plural(n, "notifications.digest_minutes")) for n in DIGEST_MINUTES
        ],
        bot_api_url=bot_api_url,
        is_secure=_is_secure_context(ctx.settings.base_url),
        hide_plus=True,
    )


HANDLERS = [
    notifications_page,
    save_notifications,
    start_link,
    link_page,
    subscribe,
    remove_address,
    send_test,
    save_bot,
    remove_bot,
]
