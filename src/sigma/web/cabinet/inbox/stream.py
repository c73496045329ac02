"""Live updates of the inbox: server-sent events about changed conversations.

Protocol: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.response import Response, Stream

from sigma.domain.accounts.member import Permission
from sigma.domain.limits import too_many_requests
from sigma.domain.time_units import HOUR_US, MINUTE_US
from sigma.services.accounts import users
from sigma.services.accounts.users import Session
from sigma.services.context import OUTAGE_ERRORS, Context
from sigma.services.conversations import inbox
from sigma.services.conversations.change_feed import ChangeFeed, ConversationChange
from sigma.services.notifications import settings as notification_settings
from sigma.web.cabinet.guards import NO_STORE_HEADERS, SESSION_COOKIE, WebRequest
from sigma.web.cabinet.responses import MAX_UNREAD_COUNT
from sigma.web.cabinet.urls import query_values
from sigma.web.cookies import read_cookie
from sigma.web.forms import first_value

RETRY_MS = 2000
HEADERS = NO_STORE_HEADERS | {"x-accel-buffering": "no"}  # nginx would buffer the response
HEARTBEAT = b": heartbeat\n\n"
SESSION_ENDED = (
    b"event: session_ended\ndata: {}\n\n"  # the session has ended: the page must not reconnect
)


@get("/inbox/live")
async def stream_changes(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Stream the ids of changed conversations until the session ends.

    Resumes after `Last-Event-ID`, else after `?since=` (UTC microseconds), at most one hour back.
    Raises RefusedError("too_many_requests") when the session has too many open streams.
    """
    session.member.require(Permission.ANSWER)
    cursor = request.headers.get("last-event-id") or first_value(query_values(request), "since")
    now_us = ctx.now_us()
    since = int(cursor) if cursor.isdecimal() and len(cursor) < 18 else now_us
    change_feed: ChangeFeed = request.app.state.change_feed
    if change_feed.is_full(session.secret_hash):
        raise too_many_requests(MINUTE_US)
    secret = read_cookie(request, SESSION_COOKIE)
    stream = event_stream(
        ctx, change_feed, session, secret, min(max(since, now_us - HOUR_US), now_us)
    )
    return Stream(stream, media_type="text/event-stream; charset=utf-8", headers=HEADERS)


@get("/inbox/unread")
async def unread_count(
    ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Return the number of unread conversations, for the title and icon of an open page, and
    whether a growing number plays a sound.
    """
    session.member.require(Permission.ANSWER)
    body = {
        "unread": await inbox.count_unread(ctx, session.member),
        "sound": await notification_settings.has_sound(ctx, session.member),
    }
    return Response(msgspec.json.encode(body), media_type="application/json")


async def event_stream(
    ctx: Context, change_feed: ChangeFeed, session: Session, secret: str, since_us: int
) -> AsyncIterator[bytes]:
    """Yield server-sent events of the changes since `since_us` until the session ends."""
    changes = change_feed.changes(session.member.shop_id, since_us)
    with change_feed.stream(session.secret_hash):
        yield f"retry: {RETRY_MS}\nid: {since_us}\n\n".encode()
        # Without the database the stream ends quietly: the page connects again.
        with contextlib.suppress(*OUTAGE_ERRORS):
            async with contextlib.aclosing(changes):
                async for change in changes:
                    current = await users.find_session(ctx, secret)
                    if current is None or not _may_read(current, session.shop.id):
                        yield SESSION_ENDED
                        return
                    yield HEARTBEAT if change is None else _encode_event(change)


def _may_read(session: Session, shop_id: str) -> bool:
    is_same_shop = session.shop.id == shop_id  # the person may have switched
    return is_same_shop and session.member.can(Permission.ANSWER) and session.meets_shop_rule


def _encode_event(change: ConversationChange) -> bytes:
    """Encode a change as a server-sent event. It has ids only; the page requests the content."""
    unread = (
        str(change.unread_count)
        if change.unread_count <= MAX_UNREAD_COUNT
        else f"{MAX_UNREAD_COUNT}+"
    )
    payload = {
        "ids": change.conversation_ids,
        "everything": change.is_truncated,
        "unread": unread if change.unread_count else "",
    }
    data = msgspec.json.encode(payload).decode()
    return f"id: {change.cursor_us}\nevent: changed\ndata: {data}\n\n".encode()


HANDLERS = [unread_count, stream_changes]
