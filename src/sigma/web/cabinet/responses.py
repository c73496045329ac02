"""How a cabinet handler reads a posted form and answers: by a page, or a redirect with news."""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from litestar.datastructures import Cookie
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.domain.errors import Problem, Refused
from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.texts import Words
from sigma.web.cabinet.guards import NO_STORE, WebRequest
from sigma.web.rendering import page

FLASH = "sigma_flash"
_FLASH_KEY = re.compile(r"[a-z]+\.done_[a-z_]+")

# The menu: name (words: cabinet.place_…), address, picture, what one must be allowed to see it.
# `settings` is «Ещё» on a phone. A phone has room for four: the others are under «Ещё» there.
PLACES = (
    ("home", "/", "home", Permission.READ),
    ("inbox", "/inbox", "dialogs", Permission.ANSWER),
    ("invoices", "/invoices", "invoice", Permission.READ),
    ("payments", "/payments", "payments", Permission.READ),
    ("services", "/services", "service", Permission.READ),
    ("vk", "/vk", "vk", Permission.SETTINGS),
    ("settings", "/settings", "settings", Permission.READ),
)
ON_A_PHONE = ("home", "inbox", "invoices", "settings")
MANY = 99  # the menu counts no further

Given = dict[str, list[str]]


async def posted(request: WebRequest) -> Given:
    """A posted form: name → values, as they came. Files are no part of any cabinet form."""
    form = await request.form()
    return {name: [v for v in form.getall(name) if isinstance(v, str)] for name in form}


def words_of(session: Session) -> Words:
    """The person's language and the shop's clock."""
    return Words(session.locale, session.shop.tz)


def sentences(words: Words, problems: Iterable[Problem]) -> dict[str, str]:
    """Field → what is wrong with it; the first problem of a field speaks."""
    found: dict[str, str] = {}
    for problem in problems:
        found.setdefault(problem.field, words.problem(problem))
    return found


def refusal(words: Words, refused: Refused) -> dict[str, str]:
    """What to show over and beside the fields of a refused form. Key "" is about the whole form."""
    if refused.problems:
        return sentences(words, refused.problems)
    return {"": words.refusal(refused)}


def cabinet_page(
    request: WebRequest,
    session: Session,
    template: str,
    *,
    place: str,
    status: int = 200,
    **context: Any,
) -> Response[Any]:
    """A page in the cabinet's frame. `place` is the lit one of PLACES; `errors`: see parts.html."""
    ctx: Context = request.app.state.ctx
    words = words_of(session)
    told = _told(request, words)
    places = [one for one in PLACES if session.member.may(one[3])]
    shown: dict[str, Any] = {
        "session": session,
        "shop": session.shop,
        "csrf": session.csrf,
        "now": ctx.now(),
        "places": places,
        "under_more": [one for one in places if len(places) > 4 and one[0] not in ON_A_PHONE],
        "unread": waiting(request),
        "troubles": getattr(request.state, "troubles", ()),
        "place": place,
        "flashes": told,
        "errors": {},
        "may_issue": session.member.may(Permission.ISSUE),
        "may_settings": session.member.may(Permission.SETTINGS),
        "may_jobs": session.member.may(Permission.JOBS),
        "hide_plus": False,
    }
    answer = page(request, template, words, status=status, headers=NO_STORE, **(shown | context))
    if told or request.cookies.get(FLASH):
        answer.delete_cookie(FLASH, path="/")
    return answer


def waiting(request: WebRequest) -> str:
    """How many dialogs are unread, as the menu shows it; empty when none is."""
    count = int(getattr(request.state, "unread", 0))
    return f"{MANY}+" if count > MANY else str(count or "")


def go(url: str, done: str = "", *, tone: str = "good", **params: str | int) -> Response[Any]:
    """After a form: 303 to `url`, where the text `done` ("settings.done_shop") is shown once."""
    cookies = []
    if done:
        assert _FLASH_KEY.fullmatch(done), "the key of a flash is area.done_…"
        body = json.dumps([tone, done, params]).encode()
        cookies.append(
            Cookie(
                key=FLASH,
                value=base64.urlsafe_b64encode(body).decode().rstrip("="),
                path="/",
                max_age=60,
                httponly=True,
                samesite="lax",
            )
        )
    return Response("", status_code=303, headers={"location": url}, cookies=cookies)


def _told(request: WebRequest, words: Words) -> list[Mapping[str, str]]:
    raw = request.cookies.get(FLASH, "")
    if not raw or len(raw) > 2000:
        return []
    try:
        tone, key, params = json.loads(base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4)))
        if tone not in ("good", "bad", "wait", "quiet") or not _FLASH_KEY.fullmatch(key):
            return []
        return [{"tone": tone, "text": words.t(key, **params)}]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, binascii.Error):
        return []  # a cookie of an older version or of somebody's own making
