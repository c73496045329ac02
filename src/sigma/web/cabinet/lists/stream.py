"""Live rows of a list: server-sent events that say that its first page has changed.

The page then requests its rows again. It shares streams and their limit with the inbox. A change of
any invoice or payment wakes the stream, which then looks whether the list is another one.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from litestar.response import Stream

from sigma.domain.limits import too_many_requests
from sigma.domain.time_units import MINUTE_US
from sigma.services.accounts import users
from sigma.services.accounts.users import Session
from sigma.services.context import OUTAGE_ERRORS, Context
from sigma.services.conversations.change_feed import HEARTBEAT_S, ChangeFeed
from sigma.web.cabinet.guards import NO_STORE_HEADERS, SESSION_COOKIE, WebRequest
from sigma.web.cabinet.urls import query_values
from sigma.web.cookies import read_cookie
from sigma.web.forms import first_value

RETRY_MS = 3000
# Between two looks at a list: a busy shop changes many times in a second.
MIN_INTERVAL_S = 1.0
HEADERS = NO_STORE_HEADERS | {"x-accel-buffering": "no"}  # nginx would buffer the response
CHANGED = b"event: changed\ndata: {}\n\n"
HEARTBEAT = b": heartbeat\n\n"
SESSION_ENDED = b"event: session_ended\ndata: {}\n\n"
Digest = Callable[[Session], Awaitable[str]]


def open_stream(request: WebRequest, ctx: Context, session: Session, digest: Digest) -> Stream:
    """Return the stream of a list; `digest` changes whenever its first page does.

    `?rows=` is the digest of the rows that the page has, so it misses no change before this.
    Raises RefusedError("too_many_requests") when the session has too many open streams.
    """
    change_feed: ChangeFeed = request.app.state.change_feed
    if change_feed.is_full(session.secret_hash):
        raise too_many_requests(MINUTE_US)
    secret = read_cookie(request, SESSION_COOKIE)
    page_digest = first_value(query_values(request), "rows")
    events = list_events(ctx, change_feed, session, secret, digest, page_digest)
    return Stream(events, media_type="text/event-stream; charset=utf-8", headers=HEADERS)


async def list_events(
    ctx: Context,
    change_feed: ChangeFeed,
    session: Session,
    secret: str,
    digest: Digest,
    page_digest: str = "",
) -> AsyncIterator[bytes]:
    """Yield an event for each change of the list, until the session or the process ends."""
    with change_feed.stream(session.secret_hash), change_feed.lists.active_reader():
        yield f"retry: {RETRY_MS}\n\n".encode()
        # Without the database the stream ends quietly: the page connects again.
        with contextlib.suppress(*OUTAGE_ERRORS):
            before, sent_at_s = page_digest, time.monotonic()
            while not change_feed.closing.is_set():
                # Taken before the read, so that no change is missed in between.
                signal = change_feed.lists.signal
                current = await users.find_session(ctx, secret)
                if current is None or not _may_read(current, session.shop.id):
                    yield SESSION_ENDED
                    return
                now = await digest(current)
                event = CHANGED if before and now != before else HEARTBEAT
                if event is CHANGED or time.monotonic() - sent_at_s >= HEARTBEAT_S:
                    yield event
                    sent_at_s = time.monotonic()
                before = now
                await _wait(change_feed, signal)


def _may_read(session: Session, shop_id: str) -> bool:
    return session.shop.id == shop_id and session.meets_shop_rule


async def _wait(change_feed: ChangeFeed, signal: asyncio.Event) -> None:
    """Wait for the next look at the list; return at once when the process stops."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(change_feed.closing.wait(), MIN_INTERVAL_S)
        return
    await signal.wait()  # set by the watcher at least every few seconds
