"""Live rows of a list: server-sent events that say that its first page has changed.

The page then requests its rows again. It shares streams and their limit with the inbox.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from litestar.response import Stream

from sigma.domain.limits import too_many_requests
from sigma.domain.time_units import MINUTE_US
from sigma.services.accounts import users
from sigma.services.accounts.users import Session
from sigma.services.context import OUTAGE_ERRORS, Context
from sigma.services.conversations.change_feed import HEARTBEAT_S, ChangeFeed
from sigma.web.cabinet.guards import NO_STORE_HEADERS, SESSION_COOKIE, WebRequest
from sigma.web.cookies import read_cookie

RETRY_MS = 3000
POLL_S = 2.0  # between two looks at the list while nothing is notified
HEADERS = NO_STORE_HEADERS | {"x-accel-buffering": "no"}  # nginx would buffer the response
Digest = Callable[[Session], Awaitable[str]]


def open_stream(request: WebRequest, ctx: Context, session: Session, digest: Digest) -> Stream:
    """Return the stream of a list; `digest` changes whenever its first page does.

    Raises RefusedError("too_many_requests") when the session has too many open streams.
    """
    change_feed: ChangeFeed = request.app.state.change_feed
    if change_feed.is_full(session.secret_hash):
        raise too_many_requests(MINUTE_US)
    secret = read_cookie(request, SESSION_COOKIE)
    events = list_events(ctx, change_feed, session, secret, digest)
    return Stream(events, media_type="text/event-stream; charset=utf-8", headers=HEADERS)


async def list_events(
    ctx: Context, change_feed: ChangeFeed, session: Session, secret: str, digest: Digest
) -> AsyncIterator[bytes]:
    """Yield an event for each change of the list, until the session or the process ends."""
    with change_feed.stream(session.secret_hash):
        yield f"retry: {RETRY_MS}\n\n".encode()
        # Without the database the stream ends quietly: the page connects again.
        with contextlib.suppress(*OUTAGE_ERRORS):
            before, quiet_s = await digest(session), 0.0
            while not await _is_closing(change_feed):
                current = await users.find_session(ctx, secret)
                if (
                    current is None
                    or current.shop.id != session.shop.id
                    or not current.meets_shop_rule
                ):
                    yield b"event: session_ended\ndata: {}\n\n"
                    return
                now, quiet_s = await digest(current), quiet_s + POLL_S
                if now != before:
                    yield b"event: changed\ndata: {}\n\n"
                    before, quiet_s = now, 0.0
                elif quiet_s >= HEARTBEAT_S:
                    yield b": heartbeat\n\n"
                    quiet_s = 0.0


async def _is_closing(change_feed: ChangeFeed) -> bool:
    """Wait for the next look at the list; return at once whether the process stops."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(change_feed.closing.wait(), POLL_S)
    return change_feed.closing.is_set()
