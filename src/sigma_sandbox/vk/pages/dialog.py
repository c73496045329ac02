"""A dialog as its client sees it: writing, pressing buttons, allowing; with scripts and without."""

import asyncio
from typing import Any
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.params import FromPath

from sigma_sandbox.responses import Asked, away, json_response, missing, render
from sigma_sandbox.vk.actions.client_actions import PRESS_LIFE, Closed, Missing, Vk
from sigma_sandbox.vk.pages import view_models
from sigma_sandbox.vk.pages.client import me, show, show_club, vk_of
from sigma_sandbox.vk.world.models import Attachment, Community, Person

# How long an unchanged dialog or a button without an answer is held before the page asks again:
# shorter than the server's patience when it stops.
HOLD_S = 0.8
LOOK_S = 0.04
START = '{"command":"start"}'
HELLO = "Здравствуйте! Меня интересует «{title}»."
CLOSED = "Сообщество не принимает сообщения."
NO_ANSWER = "Сообщество не ответило на нажатие."
MAX_TEXT = 9000


def _club(request: Asked, name: str) -> Community | None:
    """The community of "write-1"; `write-club` links with a short name work too."""
    if not name.startswith("write-"):
        return None
    return vk_of(request).community_by(name.removeprefix("write-"))


def _wants_json(request: Asked) -> bool:
    return "json" in request.headers.get("accept", "")


def _drawn(request: Asked, club: Community) -> dict[str, Any]:
    """The changing parts of the page, as its script puts them in place."""
    vk, person = vk_of(request), me(request)
    vk.read(person.id, club.id)
    feed = view_models.feed(vk, club, vk.dialog(club.id, person.id))
    values = {"club": view_models.club_page(vk, club), "feed": feed, "ref": "", "ref_source": ""}
    dialogs = view_models.dialogs(vk, person)
    return {
        "mark": feed.mark,
        "feed": render("vk/feed.html", **values),
        "under": render("vk/under.html", **values),
        "side": render("vk/dialogs.html", club=values["club"], dialogs=dialogs),
        "typing": feed.typing,
    }


@get("/{name:str}")
async def open_page(request: Asked, name: FromPath[str]) -> Response[bytes]:
    """A community by its address, or the dialog with it ("write-1")."""
    if name.startswith("write-"):
        club = _club(request, name)
        return missing(request) if club is None else _show_dialog(request, club)
    club = vk_of(request).community_by(name)
    return missing(request) if club is None else show_club(request, club)


def _show_dialog(
    request: Asked, club: Community, status: int = 200, draft: str = "", says: str = ""
) -> Response[bytes]:
    vk, person, asked = vk_of(request), me(request), request.query_params
    vk.read(person.id, club.id)
    dialog = vk.dialog(club.id, person.id)
    item_id = asked.get("item", "")
    item = next((one for one in view_models.cards(vk, club) if str(one.id) == item_id), None)
    event_id = asked.get("event", "")
    answer = _answer(vk, event_id) if event_id else None
    return show(
        request,
        "dialog.html",
        status,
        club=view_models.club_page(vk, club),
        feed=view_models.feed(vk, club, dialog),
        dialogs=view_models.dialogs(vk, person),
        allowed=bool(dialog.allowed),
        item=item,
        draft=draft or (HELLO.format(title=item.title) if item else ""),
        ref=asked.get("ref", ""),
        ref_source=asked.get("ref_source", ""),
        answer={"say": says, "link": "", "wait": ""} if says else answer,
    )


@get("/{name:str}/feed")
async def follow(request: Asked, name: FromPath[str]) -> Response[bytes]:
    """The dialog as soon as it differs from `?mark=`; 204 when nothing happened for a while."""
    club = _club(request, name)
    if club is None:
        return missing(request)
    vk, person = vk_of(request), me(request)
    seen = request.query_params.get("mark", "")
    dialog = vk.dialog(club.id, person.id)
    if view_models.mark(club, dialog) == seen:
        dialog = await vk.wait_dialog(club.id, person.id, dialog.version, HOLD_S)
        club = vk.communities[club.id]
        if view_models.mark(club, dialog) == seen:
            return Response(b"", status_code=204)
    return json_response(_drawn(request, club))


@post("/{name:str}", status_code=200)
async def write(request: Asked, name: FromPath[str]) -> Response[bytes]:
    """A message from the composer, or the press of «Начать»."""
    club = _club(request, name)
    if club is None:
        return missing(request)
    form = {key: str(value) for key, value in (await request.form()).items()}
    text, attachments, payload = form.get("text", "").strip()[:MAX_TEXT], [], None
    if form.get("start"):
        text, payload = "Начать", START
    elif form.get("item", "").isdecimal():
        attachments = [Attachment(type="market", owner_id=-club.id, id=int(form["item"]))]
    if not text and not attachments:
        return _done(request, club)
    try:
        vk_of(request).write(
            me(request).id,
            club.id,
            text,
            attachments,
            ref=form.get("ref"),
            ref_source=form.get("ref_source"),
            payload=payload,
        )
    except Closed:
        return _refused(request, club, CLOSED, text)
    return _done(request, club)


def _done(request: Asked, club: Community, **more: str) -> Response[bytes]:
    if _wants_json(request):
        return json_response(_drawn(request, club) | more)
    event = {"event": more["event"]} if more.get("event") else {}
    return away(f"/vk/write-{club.id}{'?' + urlencode(event) if event else ''}")


def _refused(request: Asked, club: Community, says: str, draft: str = "") -> Response[bytes]:
    if _wants_json(request):
        return json_response({"say": says}, 422)
    return _show_dialog(request, club, 422, draft, says)


@post("/{name:str}/press", status_code=200)
async def press(request: Asked, name: FromPath[str]) -> Response[bytes]:
    """A button under a message (`cmid`) or under the input (0) was pressed."""
    club = _club(request, name)
    if club is None:
        return missing(request)
    form = await request.form()
    vk, person = vk_of(request), me(request)
    try:
        row, column = (int(one) for one in str(form.get("place", "")).split(","))
        done = vk.press(person.id, club.id, (row, column), int(str(form.get("cmid") or 0)))
    except (Missing, ValueError):
        return _refused(request, club, "Этой кнопки больше нет.")
    except Closed:
        return _refused(request, club, CLOSED)
    if done.event_id is None:
        return _done(request, club)
    await _answered(vk, done.event_id)
    return _done(request, club, event=done.event_id, **_answer(vk, done.event_id))


@get("/{name:str}/press/{event_id:str}")
async def pressed(request: Asked, name: FromPath[str], event_id: FromPath[str]) -> Response[bytes]:
    """What became of a press: words or a link, or still nothing (`wait`)."""
    if _club(request, name) is None:
        return missing(request)
    await _answered(vk_of(request), event_id)
    return json_response(_answer(vk_of(request), event_id))


async def _answered(vk: Vk, event_id: str) -> None:
    """Wait a little for the community's answer to a press."""
    for _ in range(int(HOLD_S / LOOK_S)):
        found = vk.presses.get(event_id)
        if found is None or found.answer is not None:
            break
        await asyncio.sleep(LOOK_S)


def _answer(vk: Vk, event_id: str) -> dict[str, str]:
    """What to show after a press: `say` words or a `link`; `wait` while neither has come."""
    found = vk.presses.get(event_id)
    told = (found and found.answer) or {}
    link = str(told.get("link") or "")
    if told.get("type") == "open_link" and view_models.is_web(link):
        return {"say": "", "link": link, "wait": ""}
    if told:
        return {"say": str(told.get("text") or ""), "link": "", "wait": ""}
    alive = found is not None and vk.now(found.group_id) - found.at < PRESS_LIFE
    return {"say": "" if alive else NO_ANSWER, "link": "", "wait": event_id if alive else ""}


@post("/{name:str}/allow", status_code=200)
async def allow(request: Asked, name: FromPath[str]) -> Response[bytes]:
    """Let the community write, or forbid it."""
    club = _club(request, name)
    if club is None:
        return missing(request)
    vk, person = vk_of(request), me(request)
    _switch(vk, person, club, str((await request.form()).get("allow")) == "1")
    return away(f"/vk/write-{club.id}")


def _switch(vk: Vk, person: Person, club: Community, on: bool) -> None:
    if on:
        vk.allow(person.id, club.id)
    else:
        vk.deny(person.id, club.id)


HANDLERS = [open_page, follow, write, press, pressed, allow]
