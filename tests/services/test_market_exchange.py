"""Market exchange: comparing services with a community's market items and applying the choices."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace as struct_replace

from sigma.channels.vk import market
from sigma.domain.catalogue.market_pair import Choice, Pair, PairState
from sigma.domain.catalogue.service import PriceKind, fields_of
from sigma.domain.errors import RefusedError
from sigma.domain.messaging.community import Community
from sigma.domain.money import Money
from sigma.services.catalogue import services
from sigma.services.market import market_apply, market_diff
from sigma.services.market.market_apply import ApplyResult
from sigma.store.messaging import communities
from sigma_sandbox.vk.world.images import draw_photo
from sigma_sandbox.vk.world.models import MarketItem
from tests.photos import make_photo
from tests.sandbox_communities import SandboxCommunity, connect_community, create_community
from tests.service_factories import DESCRIPTION, list_services
from tests.service_factories import create_described_service as add_service
from tests.world import World


class VkMarket:
    """A community whose access key may edit the market, and the market items in VK."""

    def __init__(self, world: World, club: SandboxCommunity, community: Community) -> None:
        self.world, self.club, self.community = world, club, community

    async def pairs(self) -> dict[str, Pair]:
        comparison = await market_diff.compare(self.world.ctx, self.world.member, self.community.id)
        assert comparison.access_error == ""
        return {pair.title: pair for pair in comparison.pairs}

    async def states(self) -> dict[str, PairState]:
        return {title: pair.state for title, pair in (await self.pairs()).items()}

    async def apply(self, **choices: Choice) -> ApplyResult:
        """Compare, then apply the choices given by service title."""
        pairs = await self.pairs()
        by_key = {
            pairs[t].key: (str(choice), pairs[t].fingerprint) for t, choice in choices.items()
        }
        return await self.apply_raw(by_key)

    async def apply_raw(self, choice_by_key: dict[str, tuple[str, str]]) -> ApplyResult:
        return await market_apply.apply_choices(
            self.world.ctx, self.world.member, self.community.id, choice_by_key
        )

    def item(self, title: str) -> MarketItem:
        (found,) = [i for i in self.club.vk.list_items(self.club.group_id) if i.title == title]
        return found

    def edit_item(self, title: str, **fields: Any) -> None:
        """Change an item the way its owner would on VK's own pages."""
        self.club.vk.put_item(struct_replace(self.item(title), **fields))

    def add_item(self, title: str, **more: Any) -> MarketItem:
        picture = self.club.vk.add_photo(-self.club.group_id, *draw_photo("#884466"))
        usual: dict[str, Any] = {"price_minor": 220_000, "photo_ids": [picture.id]}
        return self.club.vk.add_item(
            self.club.group_id, title, more.pop("description", DESCRIPTION), **(usual | more)
        )


async def set_faults(world: World, club: SandboxCommunity, **rules: Any) -> None:
    url = f"{world.sandbox.base_url}/control"
    answer = await world.http.post(url, json={"shop": str(club.group_id), **rules})
    assert answer.status_code == 200, answer.text


@pytest.fixture
async def vk_market(world: World) -> VkMarket:
    club = create_community(world, market="basic")
    await set_faults(world, club, vk_market_open=True)
    return VkMarket(world, club, await connect_community(world, club))


async def add_large_photo(world: World) -> str:
    return (await services.add_photo(world.ctx, world.member, make_photo(1300, 1300))).id


async def test_comparison_reports_a_market_the_key_cannot_access(world: World) -> None:
    community = await connect_community(world, create_community(world, market="basic"))
    comparison = await market_diff.compare(world.ctx, world.member, community.id)
    assert (comparison.access_error, comparison.pairs) == ("27", ())
    club = create_community(world)  # the market is switched off
    await set_faults(world, club, vk_market_open=True)
    without_market = await connect_community(world, club)
    comparison = await market_diff.compare(world.ctx, world.member, without_market.id)
    assert comparison.access_error == "1438"


async def test_pulled_items_keep_photos_prices_and_visibility(
    world: World, vk_market: VkMarket
) -> None:
    vk_market.add_item("Маникюр", price_minor=220_050)
    vk_market.add_item("Наращивание", price_minor=250_000, price_type=2)
    vk_market.add_item("Образ невесты", price_minor=0, price_type=3)
    vk_market.add_item("Скрытая", availability=2)
    assert set((await vk_market.states()).values()) == {PairState.NEW_REMOTE}
    outcome = await vk_market.apply(
        **dict.fromkeys(("Маникюр", "Наращивание", "Образ невесты", "Скрытая"), Choice.PULL)
    )
    assert (outcome.pulled, outcome.failures) == (4, [])
    by_title = {service.title: service for service in await list_services(world)}
    assert by_title["Маникюр"].amount == Money(220_050)
    assert by_title["Маникюр"].vk_item_id == vk_market.item("Маникюр").id
    assert by_title["Маникюр"].photo_id is not None
    assert by_title["Наращивание"].price_kind is PriceKind.FROM
    assert by_title["Наращивание"].amount == Money(250_000)
    assert by_title["Образ невесты"].price_kind is PriceKind.AGREEMENT
    assert not by_title["Скрытая"].is_visible
    assert set((await vk_market.states()).values()) == {PairState.SAME}


async def test_pushed_services_are_read_back_as_equal(world: World, vk_market: VkMarket) -> None:
    photo_id = await add_large_photo(world)
    two_lines = "Снятие, форма.\r\nПолтора часа."  # VK normalizes line breaks
    await add_service(world, amount=Money(150_050), photo_id=photo_id, description=two_lines)
    await add_service(world, "Наращивание", price_kind=PriceKind.FROM, photo_id=photo_id)
    pairs = await vk_market.pairs()
    assert (pairs["Маникюр"].push_problems, pairs["Маникюр"].push_warnings) == ((), ())
    assert pairs["Наращивание"].push_warnings == ("price",)
    result = await vk_market.apply(Маникюр=Choice.PUSH, Наращивание=Choice.PUSH)
    assert (result.pushed, result.failures) == (2, [])
    assert vk_market.item("Маникюр").price_minor == 150_050
    assert vk_market.item("Маникюр").photo_ids
    assert vk_market.item("Наращивание").price_minor == 0
    assert set((await vk_market.states()).values()) == {PairState.SAME}
    second_result = await vk_market.apply(Маникюр=Choice.PUSH, Наращивание=Choice.PUSH)
    assert (second_result.pushed, second_result.outdated) == (0, 0)
    assert len(vk_market.club.vk.list_items(vk_market.club.group_id)) == 2


async def test_one_sided_changes_are_pulled_and_pushed(world: World, vk_market: VkMarket) -> None:
    vk_market.add_item("Маникюр")
    vk_market.add_item("Педикюр")
    await vk_market.apply(Маникюр=Choice.PULL, Педикюр=Choice.PULL)
    vk_market.edit_item("Маникюр", price_minor=230_000)
    (pedicure,) = [service for service in await list_services(world) if service.title == "Педикюр"]
    await services.save(
        world.ctx, world.member, pedicure.id, replace(fields_of(pedicure), amount=Money(99_900))
    )
    assert await vk_market.states() == {
        "Маникюр": PairState.CHANGED_REMOTE,
        "Педикюр": PairState.CHANGED_LOCAL,
    }
    await vk_market.apply(Маникюр=Choice.PULL, Педикюр=Choice.PUSH)
    assert {service.title: service.amount for service in await list_services(world)} == {
        "Маникюр": Money(230_000),
        "Педикюр": Money(99_900),
    }
    assert vk_market.item("Педикюр").price_minor == 99_900
    assert set((await vk_market.states()).values()) == {PairState.SAME}


@pytest.mark.parametrize(
    ("choice", "amount_minor"), [(Choice.PULL, 230_000), (Choice.PUSH, 99_900)]
)
async def test_conflicting_changes_wait_for_a_choice(
    world: World, vk_market: VkMarket, choice: Choice, amount_minor: int
) -> None:
    vk_market.add_item("Маникюр")
    await vk_market.apply(Маникюр=Choice.PULL)
    vk_market.edit_item("Маникюр", price_minor=230_000)
    (service,) = await list_services(world)
    await services.save(
        world.ctx, world.member, service.id, replace(fields_of(service), amount=Money(99_900))
    )
    pair = (await vk_market.pairs())["Маникюр"]
    assert pair.state is PairState.CHANGED_BOTH
    assert pair.choices[0] is Choice.SKIP
    await vk_market.apply_raw({pair.key: (Choice.SKIP, pair.fingerprint)})
    assert vk_market.item("Маникюр").price_minor == 230_000
    assert (await list_services(world))[0].amount == Money(99_900)
    await vk_market.apply(Маникюр=choice)
    assert vk_market.item("Маникюр").price_minor == amount_minor
    assert (await list_services(world))[0].amount == Money(amount_minor)
    assert await vk_market.states() == {"Маникюр": PairState.SAME}


async def test_outdated_or_forged_choice_is_not_applied(world: World, vk_market: VkMarket) -> None:
    vk_market.add_item("Маникюр")
    pair = (await vk_market.pairs())["Маникюр"]
    vk_market.edit_item("Маникюр", description="Совсем другое описание услуги")
    outcome = await vk_market.apply_raw({pair.key: (Choice.PULL, pair.fingerprint)})
    assert (outcome.pulled, outcome.outdated) == (0, 1)
    assert await list_services(world) == []
    new_pair = (await vk_market.pairs())["Маникюр"]
    for forged in ("push", "unlink", "rubbish"):
        assert (
            await vk_market.apply_raw({new_pair.key: (forged, new_pair.fingerprint)})
        ).outdated == 1


async def test_equal_titles_are_linked_and_not_duplicated(
    world: World, vk_market: VkMarket
) -> None:
    vk_market.add_item("Маникюр", price_minor=150_000)
    vk_market.add_item("Педикюр", price_minor=777_00)
    await add_service(world, "маникюр ")
    await add_service(world, "Педикюр")
    assert await vk_market.states() == {
        "маникюр": PairState.CHANGED_BOTH,
        "Педикюр": PairState.CHANGED_BOTH,
    }
    (nails, _) = await list_services(world)
    await services.save(
        world.ctx, world.member, nails.id, replace(fields_of(nails), title="Маникюр")
    )
    assert (await vk_market.states())["Маникюр"] is PairState.UNLINKED_EQUAL
    assert (await vk_market.apply(Маникюр=Choice.LINK)).linked == 1
    assert (await vk_market.states())["Маникюр"] is PairState.SAME
    assert len(vk_market.club.vk.list_items(vk_market.club.group_id)) == 2


async def test_deleted_item_is_unlinked_or_pushed_again(world: World, vk_market: VkMarket) -> None:
    for title in ("Маникюр", "Педикюр"):
        vk_market.add_item(title)
    await vk_market.apply(Маникюр=Choice.PULL, Педикюр=Choice.PULL)
    for title in ("Маникюр", "Педикюр"):
        vk_market.edit_item(title, availability=1)
    assert set((await vk_market.states()).values()) == {PairState.REMOTE_DELETED}
    outcome = await vk_market.apply(Маникюр=Choice.UNLINK, Педикюр=Choice.PUSH)
    assert (outcome.linked, outcome.pushed) == (1, 1)
    assert await vk_market.states() == {"Маникюр": PairState.NEW_LOCAL, "Педикюр": PairState.SAME}


async def test_push_problems_are_reported_before_pushing(world: World, vk_market: VkMarket) -> None:
    photo_id = await add_large_photo(world)
    small = await services.add_photo(world.ctx, world.member, make_photo(300, 2000))
    blurry = await services.add_photo(world.ctx, world.member, make_photo(900, 900))
    await add_service(world, "Спа", photo_id=photo_id)
    await add_service(world, "Без слов", description="", photo_id=photo_id)
    await add_service(world, "Без фото")
    await add_service(world, "Мелкое фото", photo_id=small.id)
    await add_service(world, "Мутное фото", photo_id=blurry.id)
    pairs = await vk_market.pairs()
    assert {title: pair.push_problems for title, pair in pairs.items()} == {
        "Спа": ("title",),
        "Без слов": ("description",),
        "Без фото": ("photo",),
        "Мелкое фото": ("photo_small",),
        "Мутное фото": (),
    }
    assert pairs["Мутное фото"].push_warnings == ("photo_size",)
    assert pairs["Спа"].choices == ()
    forged = {pairs["Спа"].key: ("push", pairs["Спа"].fingerprint)}
    assert (await vk_market.apply_raw(forged)).outdated == 1


async def test_lost_answer_does_not_add_an_item_twice(world: World, vk_market: VkMarket) -> None:
    await add_service(world, photo_id=await add_large_photo(world))
    await set_faults(world, vk_market.club, vk_cut_answer={"on": "market.add", "times": 1})
    outcome = await vk_market.apply(Маникюр=Choice.PUSH)
    assert (outcome.pushed, outcome.stop_reason, outcome.waiting) == (0, "silent", 1)
    assert len(vk_market.club.vk.list_items(vk_market.club.group_id)) == 1
    assert await vk_market.states() == {"Маникюр": PairState.UNLINKED_EQUAL}
    await vk_market.apply(Маникюр=Choice.LINK)
    assert await vk_market.states() == {"Маникюр": PairState.SAME}


async def test_refused_push_is_reported_and_the_rest_continues(
    world: World, vk_market: VkMarket
) -> None:
    photo_id = await add_large_photo(world)
    await add_service(world, photo_id=photo_id)
    await add_service(world, "Педикюр", photo_id=photo_id)
    rule = {"on": "market.add", "value": 1405, "times": 1}
    await set_faults(world, vk_market.club, vk_error=rule)
    outcome = await vk_market.apply(Маникюр=Choice.PUSH, Педикюр=Choice.PUSH)
    assert outcome.pushed == 1
    assert [(f.title, f.code) for f in outcome.failures] == [("Маникюр", "1405")]
    assert await vk_market.states() == {"Маникюр": PairState.NEW_LOCAL, "Педикюр": PairState.SAME}


async def test_broken_key_stops_the_exchange_and_is_reported(
    world: World, vk_market: VkMarket
) -> None:
    photo_id = await add_large_photo(world)
    for title in ("Маникюр", "Педикюр", "Укладка"):
        await add_service(world, title, photo_id=photo_id)
    rule = {"on": "market.add", "value": 5, "times": 1}
    await set_faults(world, vk_market.club, vk_error=rule)
    choices = dict.fromkeys(("Маникюр", "Педикюр", "Укладка"), Choice.PUSH)
    outcome = await vk_market.apply(**choices)
    assert (outcome.pushed, outcome.stop_reason, outcome.waiting) == (0, "key", 3)
    async with world.ctx.db.read() as tx:
        community = await communities.get(tx, vk_market.community.id)
    assert community is not None
    assert community.error_code == "5"
    assert (await vk_market.apply(**choices)).pushed == 3
    vk_market.club.revoke_access_key()
    with pytest.raises(RefusedError, match="vk_refused"):
        await vk_market.pairs()


async def test_hostile_item_text_is_cleaned_when_pulled(world: World, vk_market: VkMarket) -> None:
    vk_market.add_item("<b>Маникюр\u202e</b>" + "я" * 60, description="=cmd()\u0000\n" + "ы" * 5000)
    (pair,) = (await vk_market.pairs()).values()
    outcome = await vk_market.apply_raw({pair.key: (Choice.PULL, pair.fingerprint)})
    assert outcome.failures == []
    (service,) = await list_services(world)
    assert "\u0000" not in service.description
    assert len(service.description) <= 4000


def test_prices_round_trip_without_loss() -> None:
    for minor in (1, 50, 99, 100, 150_050, 220_000, 10**13):
        amount = Money(minor)
        kopecks = str(int(Decimal(market.encode_price(amount)) * 100))
        assert market.parse_price({"amount": kopecks, "currency": {"name": "RUB"}}) == amount
