"""Apply a member's choices between the catalogue and a community's market items, pair by pair.

Each pair is finished and stored before the next one begins, so a run that stops half-way can be
repeated without doing anything twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sigma.channels.vk import market
from sigma.channels.vk.errors import NeedsOwnerError, PermanentError, RetryLaterError, VkError
from sigma.domain.accounts.member import Member
from sigma.domain.catalogue import market_pair
from sigma.domain.catalogue.market_item import MarketItem
from sigma.domain.catalogue.market_pair import Choice, Pair
from sigma.domain.catalogue.service import require_unchanged, without_market_link
from sigma.domain.change import Change
from sigma.domain.errors import Problem, RefusedError
from sigma.domain.time_units import SECOND_US
from sigma.services.catalogue.services import add_photo, lock_catalogue, new_service
from sigma.services.context import Context
from sigma.services.market.market_diff import Comparison, compare
from sigma.services.vk import community_client
from sigma.store import changes
from sigma.store.catalogue import photos, services

# Time limit of one request; the member applies the remaining pairs with another request.
TIME_BUDGET_US = 20 * SECOND_US


@dataclass(frozen=True, slots=True)
class Failure:
    """A pair that failed: VK's error code and message, or the problems of its fields."""

    title: str
    code: str
    vk_message: str = ""
    problems: tuple[Problem, ...] = ()


@dataclass
class ApplyResult:
    """Numbers of pairs by outcome.

    `stop_reason`: why the remaining pairs wait: "silent" (VK does not respond), "time" (budget is
    used up), "key" (access key is broken), or "" when none waits.
    """

    pulled: int = 0
    pushed: int = 0
    linked: int = 0  # linked or unlinked
    outdated: int = 0  # changed since the member saw the comparison
    waiting: int = 0
    stop_reason: str = ""
    failures: list[Failure] = field(default_factory=list)


async def apply_choices(
    ctx: Context, member: Member, community_id: str, choice_by_key: Mapping[str, tuple[str, str]]
) -> ApplyResult:
    """Apply choices: pair key → (choice, fingerprint of the pair as the member saw it).

    A pair whose fingerprint has changed is skipped. Raises RefusedError like `compare`.
    """
    comparison = await compare(ctx, member, community_id)
    result, started_at_us, pushed = ApplyResult(), ctx.now_us(), dict[str, int]()
    for pair in comparison.differing_pairs:
        choice, fingerprint = choice_by_key.get(pair.key, ("", ""))
        if choice in ("", Choice.SKIP):
            continue
        if not pair.is_applicable(choice, fingerprint):
            result.outdated += 1
            continue
        if result.stop_reason or ctx.now_us() - started_at_us > TIME_BUDGET_US:
            result.stop_reason = result.stop_reason or "time"
            result.waiting += 1
            continue
        await _apply_pair(ctx, member, comparison, pair, Choice(choice), result, pushed)
    if pushed:
        await _read_back(ctx, comparison, pushed)
    return result


async def _apply_pair(
    ctx: Context,
    member: Member,
    comparison: Comparison,
    pair: Pair,
    choice: Choice,
    result: ApplyResult,
    pushed: dict[str, int],
) -> None:
    try:
        if choice is Choice.PULL:
            await _pull(ctx, member, comparison, pair)
            result.pulled += 1
        elif choice is Choice.PUSH:
            service_id, item_id = await _push(ctx, comparison, pair)
            pushed[service_id] = item_id
            result.pushed += 1
        else:
            await _link(ctx, comparison, pair, is_linked=choice is Choice.LINK)
            result.linked += 1
    except RetryLaterError:
        result.stop_reason = "silent"
        result.waiting += 1
    except NeedsOwnerError as error:
        await community_client.mark_key_broken(ctx, comparison.client.community.id, error)
        result.stop_reason = "key"
        result.waiting += 1
    except PermanentError as error:
        result.failures.append(Failure(pair.title, str(error.code), error.detail))
    except RefusedError as refused:
        result.failures.append(Failure(pair.title, refused.code, problems=refused.problems))


async def _pull(ctx: Context, member: Member, comparison: Comparison, pair: Pair) -> None:
    """Copy the market item into the service; create the service for a new item."""
    item, service = pair.item, pair.service
    assert item is not None, "a pull needs a market item"
    photo_id = None
    if market_pair.is_item_photo_new(service, item):
        photo_id = await _store_photo(ctx, member, comparison, item)
    async with ctx.db.write() as tx:
        if service is None:
            await lock_catalogue(tx, member.shop_id, 1)
            position = await services.next_position(tx, member.shop_id)
            current = new_service(ctx, member.shop_id, position)
        else:
            current = await services.lock(tx, service.id)
            require_unchanged(current, service)
        after = market_pair.pull(current, item, photo_id, comparison.client.community.id)
        await changes.write(tx, Change((after,)), ctx.now_us())


async def _store_photo(
    ctx: Context, member: Member, comparison: Comparison, item: MarketItem
) -> str | None:
    """Store the item's photo as ours. Returns its id, or None when it cannot be decoded."""
    data = await comparison.client.api.download(item.photo_url)
    try:
        return (await add_photo(ctx, member, data)).id
    except RefusedError:
        return None


async def _push(ctx: Context, comparison: Comparison, pair: Pair) -> tuple[str, int]:
    """Copy the service to the market item; add a new item if there is none. Returns both ids."""
    service, item = pair.service, pair.item
    assert service is not None, "a push needs a service"
    vk, group_id = comparison.client.api, comparison.client.community.group_id
    photo_id = item.photo_id if item else 0
    if service.photo_id and market_pair.is_service_photo_new(service, item):
        async with ctx.db.read() as tx:
            picture = await photos.get(tx, service.photo_id)
        if picture is not None:
            photo_id = await market.upload_photo(vk, group_id, picture.data)
    draft = market_pair.item_draft(service, item, photo_id)
    try:
        if item is not None:
            await market.edit_item(vk, group_id, item.id, draft)
            item_id = item.id
        else:
            item_id = await market.add_item(vk, group_id, draft)
    except ValueError as error:
        raise RefusedError("validation", problems=(Problem(str(error), "vk_wants"),)) from None
    async with ctx.db.write() as tx:
        current = await services.lock(tx, service.id)
        if current.deleted_at_us is None:
            after = market_pair.link_pushed(
                current, service, draft, item_id, comparison.client.community.id
            )
            await changes.write(tx, Change((after,)), ctx.now_us())
    return service.id, item_id


async def _link(ctx: Context, comparison: Comparison, pair: Pair, *, is_linked: bool) -> None:
    service, item = pair.service, pair.item
    assert service is not None, "linking needs a service"
    async with ctx.db.write() as tx:
        current = await services.lock(tx, service.id)
        require_unchanged(current, service)
        if is_linked and item is not None:
            after = market_pair.link(current, item, comparison.client.community.id)
        else:
            after = without_market_link(current)
        await changes.write(tx, Change((after,)), ctx.now_us())


async def _read_back(ctx: Context, comparison: Comparison, pushed: Mapping[str, int]) -> None:
    """Read the pushed items back and store their real state: VK may change the values.

    If reading fails, the state that we sent stays, and the next comparison may show a difference.
    """
    items: dict[int, MarketItem] = {}
    try:
        async for item in market.iterate_items(
            comparison.client.api, comparison.client.community.group_id
        ):
            items[item.id] = item
    except VkError:
        return
    for service_id, item_id in pushed.items():
        if (current_item := items.get(item_id)) is None:
            continue
        async with ctx.db.write() as tx:
            current = await services.lock(tx, service_id)
            after = market_pair.with_remote_state(current, current_item)
            if after != current:
                await changes.write(tx, Change((after,)), ctx.now_us())
