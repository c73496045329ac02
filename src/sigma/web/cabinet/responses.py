"""Helpers of all cabinet handlers: read forms, render pages, redirect with a flash message."""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.domain.errors import Problem, RefusedError
from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.services.paging import Page
from sigma.texts import Translator
from sigma.web.cabinet.guards import NO_STORE_HEADERS, WebRequest
from sigma.web.cookies import build_cookie, read_cookie
from sigma.web.rendering import render_page
from sigma.web.submitted_form import field_values, read_form

FLASH_COOKIE = "sigma_flash"
_FLASH_KEY = re.compile(r"[a-z]+\.done_[a-z_]+")

# The menu: name (texts: cabinet.section_…), URL, icon, permission required to see it.
# A phone shows the first three of PHONE_SECTIONS that the member may see, and `settings`: «Ещё»,
# which lists the others.
MENU_SECTIONS = (
    ("home", "/", "home", Permission.READ),
    ("inbox", "/inbox", "conversations", Permission.ANSWER),
    ("invoices", "/invoices", "invoice", Permission.READ),
    ("payments", "/payments", "payments", Permission.READ),
    ("customers", "/customers", "people", Permission.READ),
    ("services", "/services", "service", Permission.READ),
    ("vk", "/vk", "vk", Permission.SETTINGS),
    ("settings", "/settings", "settings", Permission.READ),
)
PHONE_SECTIONS = ("home", "inbox", "invoices", "payments")
MAX_UNREAD_COUNT = 99  # a larger count is shown as "99+"

FormValues = dict[str, list[str]]


async def read_form_values(request: WebRequest) -> FormValues:
    """Return the posted form, name → values, uncleaned. Uploaded files are left out."""
    return field_values(await read_form(request))


def translator_for(session: Session) -> Translator:
    """Return the translator with the user's language and the shop's time zone."""
    return Translator(session.locale, session.shop.tz)


def problem_texts(translator: Translator, problems: Iterable[Problem]) -> dict[str, str]:
    """Return field → text of its first problem."""
    texts: dict[str, str] = {}
    for problem in problems:
        texts.setdefault(problem.field, translator.problem_text(problem))
    return texts


def refusal_texts(translator: Translator, error: RefusedError) -> dict[str, str]:
    """Return field → error text for a refused form. Key "" is about the whole form."""
    if error.problems:
        return problem_texts(translator, error.problems)
    return {"": translator.refusal_text(error)}


def render_cabinet_page(
    request: WebRequest,
    session: Session,
    template: str,
    *,
    section: str,
    status: int = 200,
    **context: Any,
) -> Response[Any]:
    """Render a template in the cabinet's layout and clear the flash cookie.

    `section`: the active menu section; `context["errors"]`: field → text, see parts.html.
    """
    ctx: Context = request.app.state.ctx
    translator = translator_for(session)
    flashes = _read_flash(request, translator)
    sections = [item for item in MENU_SECTIONS if session.member.can(item[3])]
    names = [item[0] for item in sections]
    on_phone = {*[name for name in PHONE_SECTIONS if name in names][:3], "settings"}
    layout: dict[str, Any] = {
        "session": session,
        "shop": session.shop,
        "csrf": session.csrf,
        "now_us": ctx.now_us(),
        "menu_sections": sections,
        "under_more": [s for s in sections if len(sections) > 4 and s[0] not in on_phone],
        "unread_text": unread_text(request),
        "own_shops": getattr(request.state, "own_shops", Page([])),
        "broken_communities": getattr(request.state, "broken_communities", ()),
        "section": section,
        "flashes": flashes,
        "errors": {},
        "can_issue": session.member.can(Permission.ISSUE),
        "can_change_settings": session.member.can(Permission.SETTINGS),
        "can_see_jobs": session.member.can(Permission.JOBS),
        "can_see_client_data": session.member.can(Permission.PERSONAL_DATA),
        "can": lambda name: session.member.can(Permission(name)),
        "hide_plus": False,
    }
    response = render_page(
        request, template, translator, status=status, headers=NO_STORE_HEADERS, **(layout | context)
    )
    if flashes or read_cookie(request, FLASH_COOKIE):
        response.set_cookie(build_cookie(ctx, FLASH_COOKIE, "", max_age_s=0))
    return response


def unread_text(request: WebRequest) -> str:
    """Return the number of unread conversations as the menu shows it; empty when zero."""
    count = int(getattr(request.state, "unread_count", 0))
    return f"{MAX_UNREAD_COUNT}+" if count > MAX_UNREAD_COUNT else str(count or "")


def redirect(
    url: str, flash_key: str = "", *, tone: str = "good", **params: str | int
) -> Response[Any]:
    """Redirect (303) to `url`; the text key `flash_key` ("settings.done_shop") is shown there once.

    The text travels in a cookie (flash message) with `tone` (good, bad, wait, quiet) and `params`.
    """
    flash = ""
    if flash_key:
        assert _FLASH_KEY.fullmatch(flash_key), "the text key of a flash message is area.done_…"
        body = json.dumps([tone, flash_key, params]).encode()
        flash = base64.urlsafe_b64encode(body).decode().rstrip("=")
    return _Redirect(url, flash)


class _Redirect(Response[Any]):
    """A redirect that sets the flash cookie: its name depends on the application's settings."""

    def __init__(self, url: str, flash: str) -> None:
        super().__init__("", status_code=303, headers={"location": url})
        self._flash = flash

    def to_asgi_response(self, app: Any, request: Any, **options: Any) -> Any:
        """Add the flash cookie and return the ASGI response."""
        if self._flash:
            ctx: Context = request.app.state.ctx
            self.set_cookie(build_cookie(ctx, FLASH_COOKIE, self._flash, max_age_s=60))
        return super().to_asgi_response(app, request, **options)


def _read_flash(request: WebRequest, translator: Translator) -> list[Mapping[str, str]]:
    raw = read_cookie(request, FLASH_COOKIE)
    if not raw or len(raw) > 2000:
        return []
    try:
        tone, key, params = json.loads(base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4)))
        if tone not in ("good", "bad", "wait", "quiet") or not _FLASH_KEY.fullmatch(key):
            return []
        return [{"tone": tone, "text": translator.t(key, **params)}]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, binascii.Error):
        return []  # a cookie of an older version, or a forged one
