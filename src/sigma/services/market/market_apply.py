"""Doing what a person chose between the catalogue and a community's goods, line by line.

Each line is finished before the next begins, and what is finished is remembered, so that a run
that stops half-way is repeated without doing anything twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sigma.channels.vk import market
from sigma.channels.vk.errors import Final, Later, NeedsPerson, VkError
from sigma.channels.vk.market import Item
from sigma.domain.accounts.member import Member
from sigma.domain.catalogue.service import Service
from sigma.domain.change import Change
from sigma.domain.errors import Problem, Refused
from sigma.services.catalogue.services import Offer, add_photo, applied, fresh, offer_of, room_for
from sigma.services.context import SECOND, Context
from sigma.services.market.market_diff import (
    Choice,
    Comparison,
    Pair,
    Seen,
    agreed,
    compare,
    draft_of,
    there,
    words_of,
)
from sigma.services.vk import community_client
from sigma.store import changes
from sigma.store.catalogue import services

BUDGET = 20 * SECOND  # a browser waits no longer; the rest is taken up by pressing again


@dataclass(frozen=True, slots=True)
class Failure:
    """A line that did not work out: VK's code and words, or what is wrong with its texts."""

    title: str
    code: str
    words: str = ""
    problems: tuple[Problem, ...] = ()


@dataclass
class Outcome:
    """What came of the choices. `stopped`: "", "silent" or "time": the rest waits."""

    taken: int = 0
    pushed: int = 0
    tied: int = 0
    meanwhile: int = 0  # changed after the person looked
    waiting: int = 0
    stopped: str = ""
    failures: list[Failure] = field(default_factory=list)


async def act(
    ctx: Context, member: Member, community_id: str, chosen: Mapping[str, tuple[str, str]]
) -> Outcome:
    """Does what was chosen: line's key → (choice, mark of what the person saw).

    Raises Refused: "no_community", "vk_refused", "vk_silent" when nothing could be begun.
    """
    seen = await compare(ctx, member, community_id)
    outcome, started, pushed = Outcome(), ctx.now(), dict[str, int]()
    for pair in seen.open_pairs:
        choice, mark = chosen.get(pair.key, ("", ""))
        if choice in ("", Choice.LEAVE):
            continue
        if mark != pair.mark or choice not in pair.choices:
            outcome.meanwhile += 1
            continue
        if outcome.stopped or ctx.now() - started > BUDGET:
            outcome.stopped = outcome.stopped or "time"
            outcome.waiting += 1
            continue
        await _one(ctx, member, seen, pair, Choice(choice), outcome, pushed)
    if pushed:
        await _read_back(ctx, seen, pushed)
    return outcome


async def _one(
    ctx: Context,
    member: Member,
    seen: Comparison,
    pair: Pair,
    choice: Choice,
    outcome: Outcome,
    pushed: dict[str, int],
) -> None:
    try:
        if choice is Choice.TAKE:
            await _take(ctx, member, seen, pair)
            outcome.taken += 1
        elif choice is Choice.PUSH:
            service_id, item_id = await _push(ctx, seen, pair)
            pushed[service_id] = item_id
            outcome.pushed += 1
        else:
            await _tie(ctx, seen, pair, tied=choice is Choice.TIE)
            outcome.tied += 1
    except Later:
        outcome.stopped = "silent"
        outcome.waiting += 1
    except NeedsPerson as broken:
        await community_client.broken(ctx, seen.line.community.id, broken)
        outcome.stopped = "key"
        outcome.waiting += 1
    except Final as no:
        outcome.failures.append(Failure(pair.title, str(no.code), no.words))
    except Refused as refused:
        outcome.failures.append(Failure(pair.title, refused.code, problems=refused.problems))


async def _take(ctx: Context, member: Member, seen: Comparison, pair: Pair) -> None:
    """Our side becomes what the item is; a new service is made for a new item."""
    item, service = pair.item, pair.service
    assert item is not None, "only what is there can be taken"
    title, description = words_of(item)
    base = offer_of(service) if service else Offer(title="")
    photo_id = base.photo_id
    before: Seen = service.vk_seen.get("there", {}) if service else {}
    if item.photo_url and before.get("photo") != there(item)["photo"]:
        photo_id = await _photo(ctx, member, seen, item) or photo_id
    offer = replace(
        base,
        title=title,
        description=description,
        price=item.price_kind,
        amount=item.amount,
        visible=item.available,
        photo_id=photo_id,
    )
    async with ctx.db.write() as tx:
        if service is None:
            await room_for(tx, member.shop_id, 1)
            position = await services.next_position(tx, member.shop_id)
            current = fresh(ctx, member.shop_id, position)
        else:
            current = await services.lock(tx, service.id)
            _unchanged(current, service)
        after = _tied(applied(current, offer), seen, item.id, agreed(applied(current, offer), item))
        await changes.write(tx, Change((after,)), ctx.now())


async def _photo(ctx: Context, member: Member, seen: Comparison, item: Item) -> str | None:
    """The item's picture as one of ours; None when it is no picture that we can draw."""
    data = await seen.line.vk.download(item.photo_url)
    try:
        return (await add_photo(ctx, member, data)).id
    except Refused:
        return None


async def _push(ctx: Context, seen: Comparison, pair: Pair) -> tuple[str, int]:
    """The item becomes what our side is; a new one is added. Returns both ids."""
    service, item = pair.service, pair.item
    assert service is not None, "only what is here can be pushed"
    vk, group_id = seen.line.vk, seen.line.community.group_id
    photo_id = item.photo_id if item else 0
    ours: Seen = service.vk_seen.get("here", {})
    if service.photo_id and (not photo_id or ours.get("photo") != service.photo_id):
        async with ctx.db.read() as tx:
            picture = await services.photo(tx, service.photo_id)
        if picture is not None:
            photo_id = await market.photo(vk, group_id, picture.data)
    draft = draft_of(service, item, photo_id)
    try:
        if item is not None:
            await market.edit(vk, group_id, item.id, draft)
            item_id = item.id
        else:
            item_id = await market.add(vk, group_id, draft)
    except ValueError as wrong:
        raise Refused("validation", problems=(Problem(str(wrong), "vk_wants"),)) from None
    expected = {
        "title": draft.title,
        "description": draft.description,
        "price": "fixed" if draft.amount else "agreement",
        "minor": draft.amount.minor if draft.amount else None,
        "currency": draft.amount.currency if draft.amount else "",
        "visible": draft.available,
        "photo": str(photo_id),
    }
    async with ctx.db.write() as tx:
        current = await services.lock(tx, service.id)
        if current.deleted_at is None:
            after = _tied(current, seen, item_id, agreed(service, expected))
            await changes.write(tx, Change((after,)), ctx.now())
    return service.id, item_id


async def _tie(ctx: Context, seen: Comparison, pair: Pair, *, tied: bool) -> None:
    service, item = pair.service, pair.item
    assert service is not None, "there is something to tie"
    async with ctx.db.write() as tx:
        current = await services.lock(tx, service.id)
        _unchanged(current, service)
        if tied and item is not None:
            after = _tied(current, seen, item.id, agreed(current, item))
        else:
            after = replace(current, vk_connection_id=None, vk_item_id=None, vk_seen={})
        await changes.write(tx, Change((after,)), ctx.now())


def _unchanged(current: Service, seen: Service) -> None:
    """Raises Refused when somebody was there after the person looked."""
    if current.version != seen.version or current.deleted_at is not None:
        raise Refused("changed_meanwhile")


def _tied(service: Service, seen: Comparison, item_id: int, both: Seen) -> Service:
    return replace(
        service, vk_connection_id=seen.line.community.id, vk_item_id=item_id, vk_seen=both
    )


async def _read_back(ctx: Context, seen: Comparison, pushed: Mapping[str, int]) -> None:
    """What VK made of what was given becomes what both sides agreed upon.

    Where it cannot be read now, what was given stands, and the next comparison shows a difference.
    """
    found: dict[int, Item] = {}
    try:
        async for item in market.every_item(seen.line.vk, seen.line.community.group_id):
            found[item.id] = item
    except VkError:
        return
    for service_id, item_id in pushed.items():
        if (now := found.get(item_id)) is None:
            continue
        async with ctx.db.write() as tx:
            current = await services.lock(tx, service_id)
            if current.vk_item_id != item_id:
                continue
            both = current.vk_seen | {"there": there(now)}
            await changes.write(tx, Change((replace(current, vk_seen=both),)), ctx.now())
