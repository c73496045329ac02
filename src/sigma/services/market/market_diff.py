"""The catalogue beside the goods of a community: what differs, and doing what a person chose.

Each pair remembers what both sides were when they last agreed (`Service.vk_seen`), so a change on
one side is told from a change on both. Nothing is written that was not chosen after seeing it:
what a line showed travels with the choice as `mark`. Every line is done for itself, so a broken
run is taken up where it stopped by comparing again. VK cannot be told «от» nor «по договорённости».
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sigma.channels.vk import market
from sigma.channels.vk.errors import Final, Later, NeedsPerson
from sigma.channels.vk.market import Item
from sigma.domain.accounts.member import Member, Permission
from sigma.domain.catalogue.service import MAX_DESCRIPTION, MAX_TITLE, PriceKind, Service, folded
from sigma.domain.errors import Refused
from sigma.services.context import Context
from sigma.services.vk import community_client
from sigma.services.vk.community_client import Line
from sigma.store.catalogue import services as catalogue_services
from sigma.store.messaging import communities

MAX_ITEMS = 2000
MIN_SIDE, GOOD_SIDE = 400, 1280  # points; VK wants the first and likes the second

Seen = dict[str, Any]


class State(StrEnum):
    """How a pair of a service and an item stands."""

    SAME = "same"
    TWIN = "twin"  # not tied yet, but they say the same
    NEW_THERE = "new_there"
    NEW_HERE = "new_here"
    CHANGED_THERE = "changed_there"
    CHANGED_HERE = "changed_here"
    BOTH = "both"
    GONE = "gone"  # the item is no longer in the community


class Choice(StrEnum):
    """What a person wants of a pair."""

    TAKE = "take"  # as it is in the community
    PUSH = "push"  # as it is here
    TIE = "tie"  # they are the same thing
    UNTIE = "untie"  # they have nothing to do with each other any more
    LEAVE = "leave"


# The first is proposed; where losing somebody's words is possible, nothing is.
CHOICES: dict[State, tuple[Choice, ...]] = {
    State.SAME: (),
    State.TWIN: (Choice.TIE, Choice.LEAVE),
    State.NEW_THERE: (Choice.TAKE, Choice.LEAVE),
    State.NEW_HERE: (Choice.PUSH, Choice.LEAVE),
    State.CHANGED_THERE: (Choice.TAKE, Choice.LEAVE),
    State.CHANGED_HERE: (Choice.PUSH, Choice.LEAVE),
    State.BOTH: (Choice.LEAVE, Choice.TAKE, Choice.PUSH),
    State.GONE: (Choice.LEAVE, Choice.PUSH, Choice.UNTIE),
}


@dataclass(frozen=True, slots=True)
class Pair:
    """A service, an item, or both. `key` names the line; `mark` is what a person saw of it.

    `blocks`: why VK would refuse it; `notes`: what VK will not show as it is here.
    """

    key: str
    state: State
    service: Service | None
    item: Item | None
    mark: str
    blocks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What to call it."""
        return self.service.title if self.service else self.item.title if self.item else ""

    @property
    def choices(self) -> tuple[Choice, ...]:
        """What can be chosen, the proposed first."""
        left = [c for c in CHOICES[self.state] if c is not Choice.PUSH or not self.blocks]
        return tuple(left) if left != [Choice.LEAVE] else ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both sides. `closed` is empty, or VK's code of why this key may not see the goods."""

    line: Line
    closed: str = ""
    pairs: tuple[Pair, ...] = field(default=())

    @property
    def open_pairs(self) -> list[Pair]:
        """The pairs that differ."""
        return [pair for pair in self.pairs if pair.state is not State.SAME]


def here(service: Service) -> Seen:
    """What our side says."""
    return {
        "title": service.title,
        "description": service.description,
        "price": str(service.price),
        "minor": service.amount.minor if service.amount else None,
        "currency": service.amount.currency if service.amount else "",
        "visible": service.visible,
        "photo": service.photo_id or "",
    }


def there(item: Item) -> Seen:
    """What the community's side says."""
    return {
        "title": item.title,
        "description": item.description,
        "price": str(item.price_kind),
        "minor": item.amount.minor if item.amount else None,
        "currency": item.amount.currency if item.amount else "",
        "visible": item.available,
        "photo": str(item.photo_id or item.photo_url),
    }


def agreed(service: Service, item: Item | Seen) -> Seen:
    """What to remember when both sides agree."""
    return {"here": here(service), "there": there(item) if isinstance(item, Item) else item}


async def compare(ctx: Context, member: Member, community_id: str) -> Comparison:
    """Both sides as they are now.

    Raises Refused: "not_found", "no_community", "vk_refused", "vk_silent".
    """
    member.must(Permission.CATALOGUE)
    async with ctx.db.read() as tx:
        community = await communities.get(tx, community_id)
    if community is None or community.shop_id != member.shop_id:
        raise Refused("not_found", what="community")
    line = await community_client.line(ctx, community_id)
    items: list[Item] = []
    try:
        async for item in market.every_item(line.vk, line.community.group_id):
            items.append(item)
            if len(items) >= MAX_ITEMS:
                break
    except Final as no:
        return Comparison(line, closed=str(no.code))
    except NeedsPerson as broken:
        await community_client.broken(ctx, community_id, broken)
        raise Refused("vk_refused") from None
    except Later:
        raise Refused("vk_silent") from None
    async with ctx.db.read() as tx:
        services = await catalogue_services.of_shop(tx, member.shop_id)
        sizes = await catalogue_services.photo_sizes(tx, member.shop_id)
    return Comparison(line, pairs=tuple(pairs(services, items, community_id, sizes)))


def pairs(
    services: Iterable[Service],
    items: Iterable[Item],
    community_id: str,
    sizes: dict[str, tuple[int, int]],
) -> list[Pair]:
    """Every service and every item of a community, in their order. Pure."""
    left = {item.id: item for item in items}
    by_title: dict[str, list[Item]] = {}
    for one in left.values():
        by_title.setdefault(folded(one.title), []).append(one)
    ours = [s for s in services if s.vk_connection_id in (None, community_id)]
    taken = {s.vk_item_id for s in ours}
    found = []
    for service in ours:
        item = left.get(service.vk_item_id or 0)
        if service.vk_item_id is None:
            twins = [i for i in by_title.get(folded(service.title), []) if i.id not in taken]
            item = twins[0] if twins else None
        if item is not None:
            taken.add(item.id)
        found.append(_pair(service, item, sizes))
    found += [_pair(None, one, sizes) for one in left.values() if one.id not in taken]
    return found


def _pair(service: Service | None, item: Item | None, sizes: dict[str, tuple[int, int]]) -> Pair:
    key = service.id if service else f"item-{item.id}" if item else ""
    shown = [here(service) if service else None, there(item) if item else None]
    mark = hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()[:32]
    blocks = _blocks(service, item, sizes) if service else ()
    notes = _notes(service, sizes) if service else ()
    return Pair(key, _state(service, item), service, item, mark, blocks, notes)


def _state(service: Service | None, item: Item | None) -> State:
    if service is None:
        return State.NEW_THERE
    if item is None:
        return State.NEW_HERE if service.vk_item_id is None else State.GONE
    if service.vk_item_id is None:
        return State.TWIN if _alike(service, item) else State.BOTH
    ours = service.vk_seen.get("here") != here(service)
    theirs = service.vk_seen.get("there") != there(item)
    if ours and theirs:
        return State.SAME if _alike(service, item) else State.BOTH
    if ours:
        return State.CHANGED_HERE
    return State.CHANGED_THERE if theirs else State.SAME


def _alike(service: Service, item: Item) -> bool:
    """Whether both say the same; photos cannot be compared."""
    ours, theirs = here(service) | {"photo": ""}, there(item) | {"photo": ""}
    return ours == theirs


def _blocks(
    service: Service, item: Item | None, sizes: dict[str, tuple[int, int]]
) -> tuple[str, ...]:
    found = []
    draft = draft_of(service, item, photo_id=1)
    try:
        market.check_draft(draft)
    except ValueError as wrong:
        found.append(str(wrong))
    size = sizes.get(service.photo_id or "")
    if size is not None and min(size) < MIN_SIDE:
        found.append("photo_small")
    elif size is None and not (item and item.photo_id):
        found.append("photo")
    return tuple(found)


def _notes(service: Service, sizes: dict[str, tuple[int, int]]) -> tuple[str, ...]:
    size = sizes.get(service.photo_id or "")
    found = ["price"] if service.price is not PriceKind.FIXED else []
    if size is not None and MIN_SIDE <= min(size) < GOOD_SIDE:
        found.append("photo_size")
    return tuple(found)


def draft_of(service: Service, item: Item | None, photo_id: int) -> market.Draft:
    """What the item shall be."""
    return market.Draft(
        title=service.title,
        description=service.description,
        amount=service.amount if service.price is PriceKind.FIXED else None,
        photo_id=photo_id,
        available=service.visible,
        category_id=item.category_id if item else market.ANY_CATEGORY,
        url=item.url if item else "",
    )


def words_of(item: Item) -> tuple[str, str]:
    """The title and description of an item as ours can be: not longer, no control characters."""
    title = "".join(c for c in item.title if c.isprintable())[:MAX_TITLE].strip()
    text = "".join(c for c in item.description if c.isprintable() or c == "\n")
    return title, text[:MAX_DESCRIPTION].strip()
