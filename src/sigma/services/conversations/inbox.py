"""The dialogs of a shop: the list with its searches, and what a person says of a dialog: read,
needs no answer, I am answering, I take it over.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from sigma.channels.vk import messages as vk_messages
from sigma.channels.vk.errors import Later, NeedsPerson, VkError
from sigma.domain.accounts.member import Member, Permission
from sigma.domain.change import Change, Job
from sigma.domain.errors import Refused
from sigma.domain.messaging import conversation as domain
from sigma.domain.messaging.card import Face
from sigma.domain.messaging.conversation import Conversation
from sigma.services.context import HOUR, MINUTE, SECOND, Context, page
from sigma.services.conversations import change_feed, message_codec
from sigma.services.conversations.search_index import marks
from sigma.services.vk.community_client import broken, line
from sigma.store import changes
from sigma.store.encryption import Unsealable
from sigma.store.engine.interface import Tx
from sigma.store.messaging import communities, conversations, inbox

ONLY = ("unread", "unanswered")
COUNTED = 100  # the menu counts no further
MAX_WORDS = 8  # of a search


@dataclass(frozen=True, slots=True)
class Row:
    """A dialog in the list. `preview` is None when no key of ours opens it.

    `answering` is the name of somebody else who is writing an answer now.
    """

    conversation: Conversation
    preview: str | None
    service: str
    face: Face | None
    answering: str


@dataclass(frozen=True, slots=True)
class Listing:
    """A part of the list, and how many dialogs wait in the whole shop. `at` is when it was read.

    `communities`: id → name; `troubled` names one whose key a person must mend.
    """

    rows: list[Row]
    next_cursor: str | None
    unread: int
    unanswered: int
    communities: dict[str, str]
    troubled: str
    at: int


async def listing(
    ctx: Context,
    member: Member,
    *,
    only: str = "",
    query: str = "",
    limit: int = 25,
    cursor: str | None = None,
) -> Listing:
    """The shop's dialogs, the latest first. `only` is "", "unread" or "unanswered".

    `query` finds a name, or words that were written in the dialog.
    """
    member.must(Permission.ANSWER)
    now = ctx.now()
    async with ctx.db.read() as tx:
        counted = await conversations.counts(tx, member.shop_id)
        read = await inbox.listing(
            tx,
            member.shop_id,
            only=only if only in ONLY else "",
            query=query,
            words=marks(ctx.sealer, member.shop_id, query)[:MAX_WORDS],
            before=_place(cursor),
            limit=limit + 1,
        )
        found = page(read, limit, lambda c: f"{c.last_at}.{c.id}")
        rows = await _rows(ctx, tx, member, found.data, now)
        connected = await communities.of_shop(tx, member.shop_id)
    return Listing(
        rows=rows,
        next_cursor=found.next_cursor,
        unread=counted["unread"],
        unanswered=counted["unanswered"],
        communities={c.id: c.name for c in connected},
        troubled=next((c.name for c in connected if c.trouble), ""),
        at=now,
    )


def _place(cursor: str | None) -> tuple[int, str] | None:
    at, _, conversation_id = (cursor or "").partition(".")
    return (int(at), conversation_id) if at.isdecimal() and len(at) < 18 else None


async def _rows(
    ctx: Context, tx: Tx, member: Member, found: list[Conversation], now: int
) -> list[Row]:
    faces = await inbox.faces(tx, [c.id for c in found])
    titles = await inbox.titles(tx, {c.service_id for c in found if c.service_id})
    answering = any(c.answered_by(now) not in ("", member.actor) for c in found)
    people = await inbox.people(tx, member.shop_id) if answering else {}
    return [
        Row(
            conversation=c,
            preview=_preview(ctx, c),
            service=titles.get(c.service_id or "", ""),
            face=faces.get(c.id),
            answering=_other(c.answered_by(now), member, people),
        )
        for c in found
    ]


def _preview(ctx: Context, conversation: Conversation) -> str | None:
    try:
        return message_codec.read_preview(ctx.sealer, conversation.preview_sealed)
    except Unsealable:
        return None


def _other(user_id: str, member: Member, people: dict[str, str]) -> str:
    return people.get(user_id, "") if user_id and user_id != member.actor else ""


async def unread(ctx: Context, member: Member) -> int:
    """How many dialogs are unread, up to COUNTED; 0 for who may not see them."""
    if not member.may(Permission.ANSWER):
        return 0
    async with ctx.db.read() as tx:
        return await inbox.unread(tx, member.shop_id, COUNTED)


async def get(ctx: Context, member: Member, conversation_id: str) -> Conversation:
    """The dialog. Raises Refused("not_found")."""
    member.must(Permission.ANSWER)
    async with ctx.db.read() as tx:
        return await seen(tx, member, conversation_id)


async def seen(tx: Tx, member: Member, conversation_id: str) -> Conversation:
    """The dialog as it is now, if it is the shop's. Raises Refused("not_found")."""
    found = await conversations.get(tx, conversation_id)
    if found is None or found.shop_id != member.shop_id:
        raise Refused("not_found", what="conversation")
    return found


async def read(ctx: Context, member: Member, conversation_id: str, last_cmid: int) -> bool:
    """The person has seen everything up to VK's number `last_cmid`; the client is told it too.

    What came since stays unread; then, and when nothing was unread, the answer is False.
    """

    def decide(now: Conversation) -> Conversation:
        return replace(now, unread=0) if now.last_cmid <= last_cmid else now

    tell = Job("dialog.read", conversation_id, member.shop_id)
    return await _change(ctx, member, conversation_id, decide, (tell,))


async def answer_not_needed(ctx: Context, member: Member, conversation_id: str) -> None:
    """The client's last word needs no answer."""
    await _change(ctx, member, conversation_id, lambda c: replace(c, unanswered=False, unread=0))


async def answering(
    ctx: Context, member: Member, conversation_id: str, *, typing: bool = False
) -> None:
    """The person has begun to answer; the others see it for a minute after the last sign.

    Who only looks into the field does not take the place of another who is answering.
    """
    at = ctx.now()

    def decide(now: Conversation) -> Conversation:
        holder = now.answered_by(at)
        if holder == member.actor and now.answering_until - at > domain.ANSWERING // 2:
            return now  # said a moment ago
        if holder not in ("", member.actor) and not typing:
            return now
        return domain.answering(now, member.actor, at)

    await _change(ctx, member, conversation_id, decide)


async def take_over(ctx: Context, member: Member, conversation_id: str, *, by_hand: bool) -> None:
    """A person answers from now on, or the automatic answers do again."""
    await _change(ctx, member, conversation_id, lambda c: replace(c, by_hand=by_hand))


async def _change(
    ctx: Context,
    member: Member,
    conversation_id: str,
    decide: Callable[[Conversation], Conversation],
    jobs: tuple[Job, ...] = (),
) -> bool:
    """Writes what `decide` makes of a dialog; False when that is what it was."""
    member.must(Permission.ANSWER)
    async with ctx.db.write() as tx:
        now_is = await seen(tx, member, conversation_id)
        if decide(now_is) == now_is:
            return False  # mostly so: no lock is taken for nothing
        before = await conversations.lock(tx, conversation_id)
        after = decide(before)
        if after == before:
            return False
        now = ctx.now()
        after = replace(after, changed_at=now)
        await changes.write(tx, Change((after,), jobs=jobs), now)
    await change_feed.told(ctx)
    return True


async def tell_read(ctx: Context, conversation_id: str) -> int | None:
    """The job "dialog.read": VK shows the client that the messages were read.

    A courtesy: what VK refuses is left, and of an old message nobody is told.
    """
    async with ctx.db.read() as tx:
        conversation = await conversations.get(tx, conversation_id)
    if conversation is None or conversation.unread or not conversation.last_cmid:
        return None
    try:
        to = await line(ctx, conversation.connection_id)
        await vk_messages.mark_read(to.vk, conversation.peer_id, conversation.last_cmid)
    except Later as later:
        if ctx.now() - conversation.last_in_at > HOUR:
            return None
        return ctx.now() + max(int(later.retry_after_s * SECOND), MINUTE // 2)
    except NeedsPerson as error:
        await broken(ctx, conversation.connection_id, error)
    except (VkError, Refused):
        return None
    return None
