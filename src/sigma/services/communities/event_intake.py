"""What VK tells us: kept before it is answered, then acted upon dialog by dialog, in order."""

import hmac
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import structlog

from sigma.channels.vk import events, groups, market
from sigma.channels.vk import messages as vk_messages
from sigma.channels.vk.errors import Final, NeedsPerson, VkError
from sigma.channels.vk.events import Event, Pressed
from sigma.channels.vk.fields import inner, number
from sigma.domain.billing.connection import Notice, Status
from sigma.domain.change import Change, Job
from sigma.domain.errors import Refused
from sigma.domain.messaging.community import Community
from sigma.services.communities import checklist
from sigma.services.context import MINUTE, SECOND, Context
from sigma.services.conversations import message_sync
from sigma.services.invoice_cards import vk_orders
from sigma.services.vk import community_client
from sigma.store import changes, jobs
from sigma.store.accounts import shops
from sigma.store.billing import connections
from sigma.store.encryption import Unsealable
from sigma.store.engine.interface import Op, StoreError
from sigma.store.messaging import cards, communities, conversations
from sigma.texts import Words

log = structlog.get_logger()

OK = "ok"
MAX_BODY = events.MAX_BODY_BYTES
QUIET = 30 * MINUTE  # after such a silence something may have been missed: VK repeats for a while
NOTED = 30 * SECOND  # how exactly it is remembered when VK was last heard
AT_ONCE = 500
NO_PERMISSION, BLOCKED = "901", "900"
MESSAGES = ("message_new", "message_reply", "message_edit")
GROUP, UNREADABLE = "group", ""


class NotKept(Exception):  # noqa: N818 - a word of ours
    """The database did not keep an event: VK shall bring it again."""


@dataclass(frozen=True, slots=True)
class _Heard:
    """An event that was kept, opened again; `said` is what its kind reads from it."""

    notice: Notice
    type: str
    said: Any = None


async def take(ctx: Context, connection_id: str, body: bytes, retry: int) -> str:
    """Keeps an event that VK brings to our address, and says what to answer: "ok", or the code by
    which VK makes sure of the address. `retry`: how often VK has brought it before.

    Raises NotKept, and Refused: not_found, bad_request, forbidden for what does not come from VK.
    """
    try:
        return await _taken(ctx, connection_id, body, retry)
    except StoreError as error:
        log.warning("vk.not_kept", connection=connection_id, error=type(error).__name__)
        raise NotKept from error


async def _taken(ctx: Context, connection_id: str, body: bytes, retry: int) -> str:
    async with ctx.db.read() as tx:
        connection = await connections.get(tx, connection_id)
        community = await communities.get(tx, connection_id)
    if community is None or connection is None or connection.status is not Status.ACTIVE:
        raise Refused("not_found", what="connection")
    try:
        event = events.read(body)
    except ValueError as error:
        raise Refused("bad_request") from error
    _check_sender(ctx, community, event)
    if event.type == "confirmation":
        if not community.confirmation:
            raise Refused("not_found", what="confirmation")
        return community.confirmation
    if retry:
        log.info("vk.repeated", connection=connection.id, type=event.type, retry=retry)
    now = ctx.now()
    ops = _kept(ctx, community, [event], now)
    async with ctx.db.write() as tx:
        await tx.write_all(ops, jobs.CHANNEL)
        if now - community.heard_at > NOTED:
            await communities.heard(tx, community.id, now)
    return OK


def _check_sender(ctx: Context, community: Community, event: Event) -> None:
    """VK signs nothing: it knows our secret, and names the community. Raises Refused."""
    sealed = community.hook_secret_sealed
    secret = str(ctx.sealer.open(sealed)) if sealed else ""
    same = hmac.compare_digest(event.secret.encode(), secret.encode())
    # VK asks for the code also without the secret; it is of no use to anybody else.
    known = same or (event.type == "confirmation" and not event.secret)
    if not known or not secret or event.group_id != community.group_id:
        log.warning("vk.forged", connection=community.id)
        raise Refused("forbidden")


async def take_updates(
    ctx: Context,
    community_id: str,
    updates: Iterable[dict[str, Any]],
    ts: str,
    *,
    missed: bool = False,
) -> None:
    """Keeps a batch of the long poll together with the moment it ends at: both, or neither.

    `missed`: something may lie before it, which the history tells.
    """
    async with ctx.db.read() as tx:
        community = await communities.get(tx, community_id)
    assert community is not None, "a community that is listened to is connected"
    found = []
    for one in updates:
        try:
            event = events.envelope(one)
        except ValueError:
            log.warning("vk.unreadable", connection=community_id)
            continue
        if event.group_id == community.group_id:
            found.append(event)
    now = ctx.now()
    ops = _kept(ctx, community, found, now, missed=missed)
    async with ctx.db.write() as tx:
        await communities.polled(tx, community_id, ts, now)
        if ops:
            await tx.write_all(ops, jobs.CHANNEL)


def _kept(
    ctx: Context, community: Community, told: list[Event], now: int, *, missed: bool = False
) -> list[Op]:
    """The writes that keep events and promise to act upon them; what nobody needs is left out.

    `missed`: the history shall be read too, as after a long silence.
    """
    ops, subjects = [], set()
    for event in told:
        subject = _subject(event)
        if not subject:
            continue
        notice = Notice(
            id=ctx.new_id("ntc", community.shop_id),
            shop_id=community.shop_id,
            connection_id=community.id,
            event=event.type,
            object_id=subject,
            our_id="",
            digest=f"vk:{event.event_id}",
            body_sealed=ctx.sealer.seal(replace(event, secret="")),
            received_at=now,
        )
        ops.append(communities.told(notice))
        subjects.add(subject)
    promised = [Job("dialog.take", f"{community.id}:{one}", community.shop_id) for one in subjects]
    if missed or now - community.heard_at > QUIET:
        promised.append(Job("community.catch_up", community.id, community.shop_id))
    return ops + [jobs.promise(job, now) for job in promised]


def _subject(event: Event) -> str:
    """Whose dialog an event belongs to, "group" for the community's own, "" for nobody's."""
    if event.type not in _KINDS:
        return ""
    if event.type in ("group_change_settings", "group_change_photo"):
        return GROUP
    said = inner(event.object, "message") or event.object
    peer_id = number(said, "peer_id") or number(said, "user_id")
    return f"peer:{peer_id}" if peer_id and peer_id < vk_messages.FIRST_CHAT else ""


async def handle(ctx: Context, subject: str) -> int | None:
    """Job: acts upon all that VK told of one dialog, each event in a transaction of its own.

    An event that we trip over holds up none after it, and is tried again with the job.
    """
    connection_id, _, object_id = subject.partition(":")
    async with ctx.db.read() as tx:
        kept = await communities.unhandled(tx, connection_id, object_id)
        community = await communities.get(tx, connection_id)
    if community is None:
        return None
    tripped: Exception | None = None
    for heard in _in_order([_opened(ctx, notice) for notice in kept]):
        try:
            await _KINDS[heard.type].act(ctx, community, heard)
        except (StoreError, VkError):
            raise  # the next ones would fare no better
        except Exception as error:  # noqa: BLE001 - one strange event must not end a dialog
            log.error("vk.event_error", notice=heard.notice.id, error=type(error).__name__)
            tripped = error
    if tripped is not None:
        raise tripped
    return ctx.now() if len(kept) == AT_ONCE else None


def _opened(ctx: Context, notice: Notice) -> _Heard:
    """An event as it was kept. What cannot be read is of a kind that does nothing."""
    try:
        event = msgspec.convert(ctx.sealer.open(notice.body_sealed), Event)
        return _Heard(notice, event.type, _KINDS[event.type].read(event.object))
    except (Unsealable, ValueError):
        return _Heard(notice, UNREADABLE)


def _in_order(heard: list[_Heard]) -> list[_Heard]:
    """Messages by their number in the dialog, an edit after what it edits, on the places that
    messages have among the other events.
    """

    def order(one: _Heard) -> tuple[int, bool, int]:
        return one.said.cmid, one.type == "message_edit", one.said.edited_us

    sorted_ones = iter(sorted((one for one in heard if one.type in MESSAGES), key=order))
    return [next(sorted_ones) if one.type in MESSAGES else one for one in heard]


async def _done(ctx: Context, heard: _Heard) -> None:
    async with ctx.db.write() as tx:
        await connections.mark_handled(tx, heard.notice.id, ctx.now())


async def _message(ctx: Context, community: Community, heard: _Heard) -> None:
    await message_sync.hear(ctx, community, heard.said, notice_id=heard.notice.id)


async def _allowed(ctx: Context, community: Community, heard: _Heard) -> None:
    """A person lets us write, perhaps before the first word."""
    await message_sync.opened(ctx, community, heard.said.user_id)
    await _close(ctx, community, heard, heard.said.user_id, "")


async def _denied(ctx: Context, community: Community, heard: _Heard) -> None:
    await _close(ctx, community, heard, heard.said.user_id, NO_PERMISSION)


async def _blocked(ctx: Context, community: Community, heard: _Heard) -> None:
    await _close(ctx, community, heard, heard.said, BLOCKED)


async def _unblocked(ctx: Context, community: Community, heard: _Heard) -> None:
    await _close(ctx, community, heard, heard.said, "", BLOCKED)


async def _close(
    ctx: Context, community: Community, heard: _Heard, peer_id: int, closed: str, only: str = ""
) -> None:
    """Remembers why nothing can be written to a person; `only` if that was the reason."""
    async with ctx.db.write() as tx:
        known = await conversations.by_peer(tx, community.id, peer_id)
        if known is not None:
            locked = await conversations.lock(tx, known.id)
            if locked.closed != closed and only in ("", locked.closed):
                now = ctx.now()
                after = replace(locked, closed=closed, changed_at=now)
                again = () if closed else await cards.anew(tx, locked.id)
                await changes.write(tx, Change((after,), jobs=again), now)
        await connections.mark_handled(tx, heard.notice.id, ctx.now())
    await ctx.db.notify("inbox")


async def _pressed(ctx: Context, community: Community, heard: _Heard) -> None:
    """A button was pressed: the client sees that we know. VK takes the answer for a minute only."""
    pressed: Pressed = heard.said
    if ctx.now() - heard.notice.received_at < MINUTE:
        async with ctx.db.read() as tx:
            shop = await shops.get(tx, community.shop_id)
        assert shop is not None, "a community has its shop"
        seen = vk_messages.snackbar(Words(shop.locale).t("dialogs.pressed"))
        whose = (pressed.user_id, pressed.peer_id)
        try:
            line = await community_client.line(ctx, community.id)
            await vk_messages.answer_event(line.vk, pressed.event_id, *whose, seen)
        except (VkError, Refused) as error:
            log.info("vk.unanswered_press", notice=heard.notice.id, error=str(error))
    await _done(ctx, heard)


async def _renamed(ctx: Context, community: Community, heard: _Heard) -> None:
    """The community has another name, picture or settings. Raises Later."""
    try:
        line = await community_client.line(ctx, community.id)
        group = await groups.who(line.vk, community.group_id)
    except NeedsPerson as no:
        await community_client.broken(ctx, community.id, no)
    except (Refused, Final) as no:  # disconnected meanwhile, or VK tells this key nothing
        log.info("vk.unread_settings", notice=heard.notice.id, error=str(no))
    else:
        async with ctx.db.write() as tx:
            locked = await communities.lock(tx, community.id)
            facts = locked.facts | checklist.facts_of(group)
            after = replace(locked, facts=facts, **checklist.seen_fields(group))
            after = checklist.settings_changed(after, heard.said or {})
            if after != locked:
                await changes.write(tx, Change((after,)), ctx.now())
    await _done(ctx, heard)


async def _ordered(ctx: Context, community: Community, heard: _Heard) -> None:
    """An order of VK's own shop, new or changed."""
    await vk_orders.take(ctx, community, heard.said, notice_id=heard.notice.id)


async def _nothing(ctx: Context, _: Community, heard: _Heard) -> None:
    log.warning("vk.unreadable", notice=heard.notice.id, type=heard.notice.event)
    await _done(ctx, heard)


def _user(said: dict[str, Any]) -> int:
    return number(said, "user_id")


def _anything(_: dict[str, Any]) -> None:
    return None


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a kind of event is read (ValueError for rubbish), and what it does."""

    read: Callable[[dict[str, Any]], Any]
    act: Callable[[Context, Community, _Heard], Awaitable[None]]


_KINDS = {
    UNREADABLE: _Kind(_anything, _nothing),
    **dict.fromkeys(MESSAGES, _Kind(events.message, _message)),
    "message_allow": _Kind(events.consent, _allowed),
    "message_deny": _Kind(events.consent, _denied),
    "user_block": _Kind(_user, _blocked),
    "user_unblock": _Kind(_user, _unblocked),
    "message_event": _Kind(events.pressed, _pressed),
    "group_change_settings": _Kind(events.changes, _renamed),
    "group_change_photo": _Kind(_anything, _renamed),
    "market_order_new": _Kind(market.read_order, _ordered),
    "market_order_edit": _Kind(market.read_order, _ordered),
}
