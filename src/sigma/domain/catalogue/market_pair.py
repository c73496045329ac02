"""Pairs of services and market items of a VK community: which side changed, and what to do then.

`Service.vk_synced_state` stores both sides as they were when they were last equal, so a change on
one side can be distinguished from changes on both. `Pair.fingerprint` identifies what the member
saw: a choice is applied only while the pair is unchanged. VK has no field for «от» (price from)
and «по договорённости» (price by agreement).
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sigma.domain.catalogue.market_item import (
    DEFAULT_CATEGORY_ID,
    MarketItem,
    MarketItemDraft,
    find_draft_problem,
)
from sigma.domain.catalogue.service import (
    MAX_DESCRIPTION,
    MAX_TITLE,
    PriceKind,
    Service,
    fields_of,
    normalized_title,
    with_fields,
    with_market_link,
)
from sigma.domain.text_cleaning import clean_text

MIN_SIDE_PX, GOOD_SIDE_PX = 400, 1280  # pixels: the minimum of VK, and what VK recommends

SideState = dict[str, Any]


class PairState(StrEnum):
    """The state of a pair of a service and a market item."""

    SAME = "same"
    UNLINKED_EQUAL = "unlinked_equal"  # not linked yet, but with equal fields
    NEW_REMOTE = "new_remote"
    NEW_LOCAL = "new_local"
    CHANGED_REMOTE = "changed_remote"
    CHANGED_LOCAL = "changed_local"
    CHANGED_BOTH = "changed_both"
    REMOTE_DELETED = "remote_deleted"  # the linked item no longer exists in the community


class Choice(StrEnum):
    """What a member can do with a pair."""

    PULL = "pull"  # copy the market item to the service
    PUSH = "push"  # copy the service to the market item
    LINK = "link"  # link the service and the item without copying
    UNLINK = "unlink"  # remove the link
    SKIP = "skip"


# The first choice is the default. Where data could be lost, the default is SKIP.
CHOICES: dict[PairState, tuple[Choice, ...]] = {
    PairState.SAME: (),
    PairState.UNLINKED_EQUAL: (Choice.LINK, Choice.SKIP),
    PairState.NEW_REMOTE: (Choice.PULL, Choice.SKIP),
    PairState.NEW_LOCAL: (Choice.PUSH, Choice.SKIP),
    PairState.CHANGED_REMOTE: (Choice.PULL, Choice.SKIP),
    PairState.CHANGED_LOCAL: (Choice.PUSH, Choice.SKIP),
    PairState.CHANGED_BOTH: (Choice.SKIP, Choice.PULL, Choice.PUSH),
    PairState.REMOTE_DELETED: (Choice.SKIP, Choice.PUSH, Choice.UNLINK),
}


@dataclass(frozen=True, slots=True)
class Pair:
    """A service, a market item, or both. `key` is unique in a comparison.

    `fingerprint`: hash of both sides. `push_problems`: codes of why VK would refuse a push.
    `push_warnings`: codes of what VK will show differently.
    """

    key: str
    state: PairState
    service: Service | None
    item: MarketItem | None
    fingerprint: str
    push_problems: tuple[str, ...] = ()
    push_warnings: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The title of the service, else of the item."""
        return self.service.title if self.service else self.item.title if self.item else ""

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The possible choices, the default first."""
        choices = [c for c in CHOICES[self.state] if c is not Choice.PUSH or not self.push_problems]
        return tuple(choices) if choices != [Choice.SKIP] else ()

    def is_applicable(self, choice: str, fingerprint: str) -> bool:
        """Return whether a member who saw `fingerprint` may make this choice."""
        return fingerprint == self.fingerprint and choice in self.choices


def local_state(service: Service) -> SideState:
    """Return the compared fields of a service."""
    return {
        "title": service.title,
        "description": service.description,
        "price_kind": str(service.price_kind),
        "amount_minor": service.amount.minor if service.amount else None,
        "currency": service.amount.currency if service.amount else "",
        "is_visible": service.is_visible,
        "photo_id": service.photo_id or "",
    }


def remote_state(item: MarketItem) -> SideState:
    """Return the compared fields of a market item."""
    return {
        "title": item.title,
        "description": item.description,
        "price_kind": str(item.price_kind),
        "amount_minor": item.amount.minor if item.amount else None,
        "currency": item.amount.currency if item.amount else "",
        "is_visible": item.is_available,
        "photo_id": str(item.photo_id or item.photo_url),
    }


def synced_state(service: Service, remote: SideState) -> SideState:
    """Return the value for `Service.vk_synced_state` when both sides are equal."""
    return {"local": local_state(service), "remote": remote}


def match_pairs(
    services: Iterable[Service],
    items: Iterable[MarketItem],
    community_id: str,
    sizes: Mapping[str, tuple[int, int]],
) -> list[Pair]:
    """Pair services and market items by link, then by title.

    `sizes`: photo id → (width, height) in pixels.
    """
    item_by_id = {item.id: item for item in items}
    by_title: dict[str, list[MarketItem]] = {}
    for one in item_by_id.values():
        by_title.setdefault(normalized_title(one.title), []).append(one)
    candidates = [s for s in services if s.vk_connection_id in (None, community_id)]
    paired_ids = {s.vk_item_id for s in candidates}
    result = []
    for service in candidates:
        item = item_by_id.get(service.vk_item_id or 0)
        if service.vk_item_id is None:
            same_title = [
                i
                for i in by_title.get(normalized_title(service.title), [])
                if i.id not in paired_ids
            ]
            item = same_title[0] if same_title else None
        if item is not None:
            paired_ids.add(item.id)
        result.append(_build_pair(service, item, sizes))
    result += [
        _build_pair(None, one, sizes) for one in item_by_id.values() if one.id not in paired_ids
    ]
    return result


def _build_pair(
    service: Service | None, item: MarketItem | None, sizes: Mapping[str, tuple[int, int]]
) -> Pair:
    key = service.id if service else f"item-{item.id}" if item else ""
    states = [local_state(service) if service else None, remote_state(item) if item else None]
    fingerprint = hashlib.sha256(json.dumps(states, sort_keys=True).encode()).hexdigest()[:32]
    push_problems = _find_push_problems(service, item, sizes) if service else ()
    push_warnings = _find_push_warnings(service, sizes) if service else ()
    state = _pair_state(service, item)
    return Pair(key, state, service, item, fingerprint, push_problems, push_warnings)


def _pair_state(service: Service | None, item: MarketItem | None) -> PairState:
    if service is None:
        return PairState.NEW_REMOTE
    if item is None:
        return PairState.NEW_LOCAL if service.vk_item_id is None else PairState.REMOTE_DELETED
    if service.vk_item_id is None:
        return PairState.UNLINKED_EQUAL if _is_equal(service, item) else PairState.CHANGED_BOTH
    is_local_changed = service.vk_synced_state.get("local") != local_state(service)
    is_remote_changed = service.vk_synced_state.get("remote") != remote_state(item)
    if is_local_changed and is_remote_changed:
        return PairState.SAME if _is_equal(service, item) else PairState.CHANGED_BOTH
    if is_local_changed:
        return PairState.CHANGED_LOCAL
    return PairState.CHANGED_REMOTE if is_remote_changed else PairState.SAME


def _is_equal(service: Service, item: MarketItem) -> bool:
    """Return whether both sides are equal, except for photos, which cannot be compared."""
    local, remote = local_state(service) | {"photo_id": ""}, remote_state(item) | {"photo_id": ""}
    return local == remote


def _find_push_problems(
    service: Service, item: MarketItem | None, sizes: Mapping[str, tuple[int, int]]
) -> tuple[str, ...]:
    codes = []
    draft = item_draft(service, item, photo_id=1)
    if problem := find_draft_problem(draft):
        codes.append(problem)
    size = sizes.get(service.photo_id or "")
    if size is not None and min(size) < MIN_SIDE_PX:
        codes.append("photo_small")
    elif size is None and not (item and item.photo_id):
        codes.append("photo")
    return tuple(codes)


def _find_push_warnings(service: Service, sizes: Mapping[str, tuple[int, int]]) -> tuple[str, ...]:
    size = sizes.get(service.photo_id or "")
    codes = ["price"] if service.price_kind is not PriceKind.FIXED else []
    if size is not None and MIN_SIDE_PX <= min(size) < GOOD_SIDE_PX:
        codes.append("photo_size")
    return tuple(codes)


def item_draft(service: Service, item: MarketItem | None, photo_id: int) -> MarketItemDraft:
    """Return the market item to send to VK for a service."""
    return MarketItemDraft(
        title=service.title,
        description=service.description,
        amount=service.amount if service.price_kind is PriceKind.FIXED else None,
        photo_id=photo_id,
        is_available=service.is_visible,
        category_id=item.category_id if item else DEFAULT_CATEGORY_ID,
        url=item.url if item else "",
    )


def clean_texts(item: MarketItem) -> tuple[str, str]:
    """Return title and description of an item, cut to our limits, without control characters."""
    title = clean_text(item.title)[:MAX_TITLE].rstrip()
    return title, clean_text(item.description, multiline=True)[:MAX_DESCRIPTION].rstrip()


def is_item_photo_new(service: Service | None, item: MarketItem) -> bool:
    """Return whether the item has a photo that the service did not get from it yet."""
    synced: SideState = service.vk_synced_state.get("remote", {}) if service else {}
    return bool(item.photo_url) and synced.get("photo_id") != remote_state(item)["photo_id"]


def is_service_photo_new(service: Service, item: MarketItem | None) -> bool:
    """Return whether the service has a photo that the item did not get from it yet."""
    synced: SideState = service.vk_synced_state.get("local", {})
    has_item_photo = item is not None and bool(item.photo_id)
    return bool(service.photo_id) and (
        not has_item_photo or synced.get("photo_id") != service.photo_id
    )


def pull(service: Service, item: MarketItem, photo_id: str | None, community_id: str) -> Service:
    """Return the service with the content of the item, linked to it.

    `photo_id`: our copy of the item's photo, or None to keep the service's photo. Raises
    RefusedError("validation").
    """
    title, description = clean_texts(item)
    base = fields_of(service)
    fields = replace(
        base,
        title=title,
        description=description,
        price_kind=item.price_kind,
        amount=item.amount,
        is_visible=item.is_available,
        photo_id=photo_id or base.photo_id,
    )
    return link(with_fields(service, fields), item, community_id)


def link(service: Service, item: MarketItem, community_id: str) -> Service:
    """Return the service linked to the item; both sides count as equal."""
    synced = synced_state(service, remote_state(item))
    return with_market_link(service, community_id, item.id, synced)


def link_pushed(
    current: Service, pushed: Service, draft: MarketItemDraft, item_id: int, community_id: str
) -> Service:
    """Return the current service linked to the item that was pushed to VK.

    `pushed`: the service as it was sent; later changes of it still count as local changes.
    """
    remote: SideState = {
        "title": draft.title,
        "description": draft.description,
        "price_kind": str(PriceKind.FIXED if draft.amount else PriceKind.AGREEMENT),
        "amount_minor": draft.amount.minor if draft.amount else None,
        "currency": draft.amount.currency if draft.amount else "",
        "is_visible": draft.is_available,
        "photo_id": str(draft.photo_id),
    }
    return with_market_link(current, community_id, item_id, synced_state(pushed, remote))


def with_remote_state(service: Service, item: MarketItem) -> Service:
    """Return the service with the state of its item as VK returns it after a push.

    VK may change the values that it receives. The service is returned unchanged if it is linked to
    another item now.
    """
    if service.vk_item_id != item.id:
        return service
    synced = service.vk_synced_state | {"remote": remote_state(item)}
    return replace(service, vk_synced_state=synced)
