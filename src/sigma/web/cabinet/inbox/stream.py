"""What changes in the dialogs, told to open pages over one long answer (server-sent events)."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.response import Response, Stream

from sigma.domain.accounts.member import Permission
from sigma.domain.errors import Refused
from sigma.services.accounts import users
from sigma.services.accounts.users import Session
from sigma.services.context import HOUR, Context
from sigma.services.conversations.change_feed import Live, Told
from sigma.web.cabinet.guards import COOKIE, NO_STORE, WebRequest
from sigma.web.cabinet.invoices.invoices import asked
from sigma.web.cabinet.responses import MANY
from sigma.web.forms import one

RETRY_MS = 2000
HEADERS = NO_STORE | {"x-accel-buffering": "no"}  # nginx would keep it back until it ends
BEAT = b": beat\n\n"
BYE = b"event: bye\ndata: {}\n\n"  # the session is over: do not come back with it


@get("/inbox/live")
async def live(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Which dialogs changed since the page was drawn, as it happens, while the session lasts.

    Resumes after `Last-Event-ID`, or after `since` of the address (UTC microseconds). Raises
    Refused("too_many_requests") when the session has very many such pages.
    """
    session.member.must(Permission.ANSWER)
    told = request.headers.get("last-event-id") or one(asked(request), "since")
    now = ctx.now()
    since = int(told) if told.isdecimal() and len(told) < 18 else now
    watcher: Live = request.app.state.live
    if watcher.full(session.secret_hash):
        raise Refused("too_many_requests", minutes=1)
    secret = request.cookies.get(COOKIE, "")
    stream = _events(ctx, watcher, session, secret, min(max(since, now - HOUR), now))
    return Stream(stream, media_type="text/event-stream; charset=utf-8", headers=HEADERS)


async def _events(
    ctx: Context, watcher: Live, session: Session, secret: str, since: int
) -> AsyncIterator[bytes]:
    changes = watcher.changes(session.member.shop_id, since)
    with watcher.page(session.secret_hash):
        yield f"retry: {RETRY_MS}\nid: {since}\n\n".encode()
        async with contextlib.aclosing(changes):
            async for told in changes:
                here = await users.session(ctx, secret)
                if here is None or not here.member.may(Permission.ANSWER):
                    yield BYE
                    return
                yield BEAT if told is None else _event(told)


def _event(told: Told) -> bytes:
    """One event. It names dialogs by id alone: what was written is asked for by the page."""
    unread = str(told.unread) if told.unread <= MANY else f"{MANY}+"
    said = {"ids": told.ids, "everything": told.everything, "unread": unread if told.unread else ""}
    data = msgspec.json.encode(said).decode()
    return f"id: {told.cursor}\nevent: changed\ndata: {data}\n\n".encode()


HANDLERS = [live]
