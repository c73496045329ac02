"""What happened in VK while nobody told us: read from its lists and its history, and written down
as if it had been told.
"""

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import structlog

from sigma.channels.vk import events
from sigma.channels.vk import messages as vk_messages
from sigma.channels.vk.errors import Final, NeedsPerson
from sigma.channels.vk.fields import flag, inner, number
from sigma.channels.vk.messages import FIRST_CHAT, PAGE
from sigma.channels.vk.users import Person
from sigma.domain.change import Change, Happening
from sigma.domain.errors import Refused
from sigma.domain.messaging.conversation import waits
from sigma.services.context import DAY, HOUR, MINUTE, SECOND, Context
from sigma.services.conversations import message_sync, outbox, profiles
from sigma.services.vk import community_client
from sigma.services.vk.community_client import Line
from sigma.store import changes
from sigma.store.messaging import communities, conversations

log = structlog.get_logger()

OVERLAP = HOUR  # VK's clock and its lists may lag
FIRST_TIME = 20  # messages of a dialog that was there before the community was connected
MOST_DIALOGS = 2000  # of a community that is connected for the first time
MOST_MISSED = 2000  # messages of one dialog
AFTER_TROUBLE, AFTER_LEAVING = 10 * MINUTE, DAY  # of a key, of the community
SLICE = 60 * SECOND  # a job has less than two minutes: the rest is another try's


async def catch_up(ctx: Context, community_id: str) -> int | None:
    """Job: after a start, an outage, a mended key. Reads every dialog that changed since it was
    last read, and writes down what is missing. Raises Later.
    """
    started = ctx.now()
    try:
        line = await community_client.line(ctx, community_id)
        whole = await _dialogs(ctx, line, started)
    except Refused:
        return None
    except NeedsPerson as no:
        await community_client.broken(ctx, community_id, no)
        return None  # whoever mends it promises it again
    if not whole:
        return ctx.now()
    async with ctx.db.write() as tx:
        community = await communities.lock(tx, community_id)
        after = replace(community, caught_up_at=max(started, community.caught_up_at))
        await changes.write(tx, Change((after,)), ctx.now())
    await outbox.resume(ctx, community_id)
    return None


async def _dialogs(ctx: Context, line: Line, started: int) -> bool:
    """Goes through the dialogs from the freshest on. False when the time ran out before."""
    community, missing = line.community, 0
    since = community.caught_up_at - OVERLAP if community.caught_up_at else 0
    for offset in range(0, MOST_DIALOGS, PAGE):
        page = await vk_messages.conversations(line.vk, "all", PAGE, offset)
        for item in page.items:
            found = await _dialog(ctx, line, item, page.people)
            missing += found
            if found and ctx.now() - started > SLICE:
                return False  # the next try finds these written and gets further
        last = inner(page.items[-1], "last_message") if page.items else {}
        if len(page.items) < PAGE or number(last, "date") * SECOND < since:
            break
    if missing and community.caught_up_at:
        await _tell(ctx, line, missing)
    return True


async def _tell(ctx: Context, line: Line, missing: int) -> None:
    """The owner can see that messages were missed, and that they are here."""
    shop_id, now = line.community.shop_id, ctx.now()
    told = Happening(
        ctx.new_id("evt", shop_id),
        shop_id,
        line.community.id,
        "community.caught_up",
        now,
        detail={"messages": missing},
    )
    await changes.commit(ctx.db, Change((told,)), now)


async def _dialog(
    ctx: Context, line: Line, item: dict[str, Any], known_people: Iterable[Person]
) -> int:
    """One row of VK's list of dialogs. Returns how many messages were missing here."""
    there, last = inner(item, "conversation"), inner(item, "last_message")
    peer_id = number(inner(there, "peer"), "id")
    if not peer_id or peer_id >= FIRST_CHAT or not last:
        return 0
    conversation = await message_sync.opened(ctx, line.community, peer_id)
    await profiles.name(ctx, line.community.id, [p for p in known_people if p.id == peer_id])
    async with ctx.db.read() as tx:
        newest = await conversations.newest_cmid(tx, conversation.id)
    read_up_to = number(there, "in_read_cmid")
    if number(last, "conversation_message_id") <= newest:
        missing = [last]  # it may have been edited
    elif newest:
        missing = await vk_messages.since(line.vk, peer_id, newest, MOST_MISSED)
    else:
        missing = await _beginning(line, peer_id)
    found = await _written(ctx, line, missing, read_up_to)
    await _as_vk_says(ctx, conversation.id, there, news=found > 0)
    return found


async def _beginning(line: Line, peer_id: int) -> list[dict[str, Any]]:
    """Of a dialog that is not here yet: what was said since the community is connected, and a
    little of what was said before; the oldest first.
    """
    count = PAGE if line.community.caught_up_at else FIRST_TIME
    read = await vk_messages.history(line.vk, peer_id, count)
    wanted = [one for n, one in enumerate(read) if n < FIRST_TIME or _since_connected(line, one)]
    return wanted[::-1]


def _since_connected(line: Line, said: dict[str, Any]) -> bool:
    return number(said, "date") >= line.community.created_at // SECOND


async def _written(ctx: Context, line: Line, missing: list[dict[str, Any]], read_up_to: int) -> int:
    """Writes messages of a history down, the oldest first; returns how many clients' were new."""
    found = 0
    for one in missing:
        try:
            told = events.message(one)
        except ValueError:
            log.warning("vk.unreadable", connection=line.community.id)
            continue
        unread = told.cmid > read_up_to
        found += bool(await message_sync.hear(ctx, line.community, told, live=False, unread=unread))
    return found


async def _as_vk_says(
    ctx: Context, conversation_id: str, there: dict[str, Any], *, news: bool
) -> None:
    """Keeps what VK says of our right to write, and after `news` of whether an answer is due:
    somebody may have read them in VK, and answered none.
    """
    may = inner(there, "can_write")
    async with ctx.db.write() as tx:
        locked = await conversations.lock(tx, conversation_id)
        after = locked
        if "allowed" in may:
            closed = "" if flag(may, "allowed") else str(number(may, "reason") or 901)
            after = replace(after, closed=closed)
        if news and not locked.last_out and flag(there, "unanswered"):
            after = waits(after, locked.last_in_at)
        if after != locked:
            now = ctx.now()
            await changes.write(tx, Change((replace(after, changed_at=now),)), now)


async def fill(ctx: Context, conversation_id: str) -> int | None:
    """Job: an event told of a message that does not follow the last known one. What lies between
    is read, unless it was told meanwhile. Raises Later. Returns when to look again while there is
    no good key: what is read up afterwards begins at the newest message and closes no gap.
    """
    async with ctx.db.read() as tx:
        conversation = await conversations.get(tx, conversation_id)
        assert conversation is not None, "a dialog is never deleted"
        read = await conversations.messages_before(tx, conversation_id, limit=PAGE)
    known = sorted(one.cmid for one in read if one.cmid is not None)
    if not known:
        return None
    holes = [before for before, after in pairwise(known) if after > before + 1]
    starts_late = len(read) < PAGE and known[0] > 1
    try:
        line = await community_client.line(ctx, conversation.connection_id)
        if holes:
            await _between(ctx, line, conversation.peer_id, holes[0])
        if starts_late:
            await _before(ctx, line, conversation.peer_id, known[0])
    except Refused:
        return ctx.now() + AFTER_LEAVING
    except Final:
        return None
    except NeedsPerson as no:
        await community_client.broken(ctx, conversation.connection_id, no)
        return ctx.now() + AFTER_TROUBLE
    return None


async def _between(ctx: Context, line: Line, peer_id: int, cmid: int) -> None:
    missing = await vk_messages.since(line.vk, peer_id, cmid, MOST_MISSED)
    await _written(ctx, line, missing, read_up_to=0)


async def _before(ctx: Context, line: Line, peer_id: int, cmid: int) -> None:
    """The beginning of a dialog. What was said before the community was connected was seen by
    whoever answered then.
    """
    numbered = {
        number(one, "conversation_message_id"): one for one in await _beginning(line, peer_id)
    }
    earlier = {n: one for n, one in numbered.items() if n < cmid}
    seen = [n for n, one in earlier.items() if not _since_connected(line, one)]
    await _written(ctx, line, list(earlier.values()), read_up_to=max(seen, default=0))
