"""Services beside the goods of a community: what differs, what a person chose, what may break."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sigma.channels.vk import market
from sigma.domain.catalogue.service import PriceKind
from sigma.domain.errors import Refused
from sigma.domain.messaging.community import Community
from sigma.domain.money import Money
from sigma.services.catalogue import services
from sigma.services.catalogue.services import offer_of
from sigma.services.market import market_apply, market_diff
from sigma.services.market.market_apply import Outcome
from sigma.services.market.market_diff import Choice, Pair, State
from sigma.store.messaging import communities
from sigma_sandbox.vk.world.models import Item
from sigma_sandbox.vk.world.pictures import draw_photo
from tests.clubs import Club, connected, open_club
from tests.offers import WORDS, listing
from tests.offers import described as made
from tests.photos import photo
from tests.world import World


class Shelf:
    """A community whose key may touch its goods, and the goods as VK has them."""

    def __init__(self, world: World, club: Club, community: Community) -> None:
        self.world, self.club, self.community = world, club, community

    async def pairs(self) -> dict[str, Pair]:
        seen = await market_diff.compare(self.world.ctx, self.world.member, self.community.id)
        assert seen.closed == ""
        return {pair.title: pair for pair in seen.pairs}

    async def states(self) -> dict[str, State]:
        return {title: pair.state for title, pair in (await self.pairs()).items()}

    async def act(self, **choices: Choice) -> Outcome:
        """By title, after looking."""
        seen = await self.pairs()
        chosen = {seen[t].key: (str(c), seen[t].mark) for t, c in choices.items()}
        return await self.choose(chosen)

    async def choose(self, chosen: dict[str, tuple[str, str]]) -> Outcome:
        return await market_apply.act(self.world.ctx, self.world.member, self.community.id, chosen)

    def item(self, title: str) -> Item:
        (found,) = [i for i in self.club.vk.items_of(self.club.group_id) if i.title == title]
        return found

    def edit(self, title: str, **fields: Any) -> None:
        """Somebody changes an item on VK's own pages."""
        from msgspec.structs import replace as changed

        self.club.vk.put_item(changed(self.item(title), **fields))

    def add(self, title: str, **more: Any) -> Item:
        picture = self.club.vk.add_picture(-self.club.group_id, *draw_photo("#884466"))
        usual: dict[str, Any] = {"price": 220_000, "photo_ids": [picture.id]}
        return self.club.vk.add_item(
            self.club.group_id, title, more.pop("description", WORDS), **(usual | more)
        )


async def control(world: World, club: Club, **rules: Any) -> None:
    url = f"{world.sandbox.base_url}/control"
    answer = await world.http.post(url, json={"shop": str(club.group_id), **rules})
    assert answer.status_code == 200, answer.text


@pytest.fixture
async def shelf(world: World) -> Shelf:
    club = open_club(world, market="basic")
    await control(world, club, vk_market_open=True)
    return Shelf(world, club, await connected(world, club))


async def big_photo(world: World) -> str:
    return (await services.add_photo(world.ctx, world.member, photo(1300, 1300))).id


async def test_a_key_that_may_not_see_the_goods_is_told_so(world: World) -> None:
    community = await connected(world, open_club(world, market="basic"))
    seen = await market_diff.compare(world.ctx, world.member, community.id)
    assert (seen.closed, seen.pairs) == ("27", ())
    club = open_club(world)  # its goods are switched off
    await control(world, club, vk_market_open=True)
    off = await connected(world, club)
    seen = await market_diff.compare(world.ctx, world.member, off.id)
    assert seen.closed == "1438"


async def test_goods_come_in_with_their_photos_and_prices(world: World, shelf: Shelf) -> None:
    shelf.add("Маникюр", price=220_050)
    shelf.add("Наращивание", price=250_000, price_type=2)
    shelf.add("Образ невесты", price=0, price_type=3)
    shelf.add("Скрытая", availability=2)
    assert set((await shelf.states()).values()) == {State.NEW_THERE}
    outcome = await shelf.act(
        **dict.fromkeys(("Маникюр", "Наращивание", "Образ невесты", "Скрытая"), Choice.TAKE)
    )
    assert (outcome.taken, outcome.failures) == (4, [])
    found = {s.title: s for s in await listing(world)}
    assert found["Маникюр"].amount == Money(220_050)
    assert found["Маникюр"].vk_item_id == shelf.item("Маникюр").id
    assert found["Маникюр"].photo_id is not None
    assert found["Наращивание"].price is PriceKind.FROM
    assert found["Наращивание"].amount == Money(250_000)
    assert found["Образ невесты"].price is PriceKind.AGREEMENT
    assert not found["Скрытая"].visible
    assert set((await shelf.states()).values()) == {State.SAME}


async def test_services_go_out_in_roubles_and_are_read_back_in_kopecks(
    world: World, shelf: Shelf
) -> None:
    photo_id = await big_photo(world)
    two_lines = "Снятие, форма.\r\nПолтора часа."  # VK shows them a little otherwise
    await made(world, amount=Money(150_050), photo_id=photo_id, description=two_lines)
    await made(world, "Наращивание", price=PriceKind.FROM, photo_id=photo_id)
    pairs = await shelf.pairs()
    assert (pairs["Маникюр"].blocks, pairs["Маникюр"].notes) == ((), ())
    assert pairs["Наращивание"].notes == ("price",)
    outcome = await shelf.act(Маникюр=Choice.PUSH, Наращивание=Choice.PUSH)
    assert (outcome.pushed, outcome.failures) == (2, [])
    assert shelf.item("Маникюр").price == 150_050
    assert shelf.item("Маникюр").photo_ids
    assert shelf.item("Наращивание").price == 0
    assert set((await shelf.states()).values()) == {State.SAME}
    again = await shelf.act(Маникюр=Choice.PUSH, Наращивание=Choice.PUSH)
    assert (again.pushed, again.meanwhile) == (0, 0)
    assert len(shelf.club.vk.items_of(shelf.club.group_id)) == 2


async def test_a_change_on_one_side_goes_to_the_other(world: World, shelf: Shelf) -> None:
    shelf.add("Маникюр")
    shelf.add("Педикюр")
    await shelf.act(Маникюр=Choice.TAKE, Педикюр=Choice.TAKE)
    shelf.edit("Маникюр", price=230_000)
    (pedicure,) = [s for s in await listing(world) if s.title == "Педикюр"]
    await services.save(
        world.ctx, world.member, pedicure.id, replace(offer_of(pedicure), amount=Money(99_900))
    )
    assert await shelf.states() == {
        "Маникюр": State.CHANGED_THERE,
        "Педикюр": State.CHANGED_HERE,
    }
    await shelf.act(Маникюр=Choice.TAKE, Педикюр=Choice.PUSH)
    assert {s.title: s.amount for s in await listing(world)} == {
        "Маникюр": Money(230_000),
        "Педикюр": Money(99_900),
    }
    assert shelf.item("Педикюр").price == 99_900
    assert set((await shelf.states()).values()) == {State.SAME}


@pytest.mark.parametrize(("choice", "kopecks"), [(Choice.TAKE, 230_000), (Choice.PUSH, 99_900)])
async def test_a_change_on_both_sides_is_for_a_person(
    world: World, shelf: Shelf, choice: Choice, kopecks: int
) -> None:
    shelf.add("Маникюр")
    await shelf.act(Маникюр=Choice.TAKE)
    shelf.edit("Маникюр", price=230_000)
    (service,) = await listing(world)
    await services.save(
        world.ctx, world.member, service.id, replace(offer_of(service), amount=Money(99_900))
    )
    pair = (await shelf.pairs())["Маникюр"]
    assert pair.state is State.BOTH
    assert pair.choices[0] is Choice.LEAVE
    await shelf.choose({pair.key: ("leave", pair.mark)})
    assert shelf.item("Маникюр").price == 230_000
    assert (await listing(world))[0].amount == Money(99_900)
    await shelf.act(Маникюр=choice)
    assert shelf.item("Маникюр").price == kopecks
    assert (await listing(world))[0].amount == Money(kopecks)
    assert await shelf.states() == {"Маникюр": State.SAME}


async def test_nothing_is_done_that_was_not_seen(world: World, shelf: Shelf) -> None:
    shelf.add("Маникюр")
    pair = (await shelf.pairs())["Маникюр"]
    shelf.edit("Маникюр", description="Совсем другое описание услуги")
    outcome = await shelf.choose({pair.key: ("take", pair.mark)})
    assert (outcome.taken, outcome.meanwhile) == (0, 1)
    assert await listing(world) == []
    fresh = (await shelf.pairs())["Маникюр"]
    for forged in ("push", "untie", "rubbish"):
        assert (await shelf.choose({fresh.key: (forged, fresh.mark)})).meanwhile == 1


async def test_namesakes_are_tied_and_not_made_twice(world: World, shelf: Shelf) -> None:
    shelf.add("Маникюр", price=150_000)
    shelf.add("Педикюр", price=777_00)
    await made(world, "маникюр ")
    await made(world, "Педикюр")
    assert await shelf.states() == {"маникюр": State.BOTH, "Педикюр": State.BOTH}
    (nails, _) = await listing(world)
    await services.save(
        world.ctx, world.member, nails.id, replace(offer_of(nails), title="Маникюр")
    )
    assert (await shelf.states())["Маникюр"] is State.TWIN
    assert (await shelf.act(Маникюр=Choice.TIE)).tied == 1
    assert (await shelf.states())["Маникюр"] is State.SAME
    assert len(shelf.club.vk.items_of(shelf.club.group_id)) == 2


async def test_an_item_that_is_gone_is_untied_or_made_again(world: World, shelf: Shelf) -> None:
    for title in ("Маникюр", "Педикюр"):
        shelf.add(title)
    await shelf.act(Маникюр=Choice.TAKE, Педикюр=Choice.TAKE)
    for title in ("Маникюр", "Педикюр"):
        shelf.edit(title, availability=1)
    assert set((await shelf.states()).values()) == {State.GONE}
    outcome = await shelf.act(Маникюр=Choice.UNTIE, Педикюр=Choice.PUSH)
    assert (outcome.tied, outcome.pushed) == (1, 1)
    assert await shelf.states() == {"Маникюр": State.NEW_HERE, "Педикюр": State.SAME}


async def test_what_vk_would_refuse_is_told_before(world: World, shelf: Shelf) -> None:
    photo_id = await big_photo(world)
    small = await services.add_photo(world.ctx, world.member, photo(300, 2000))
    blurry = await services.add_photo(world.ctx, world.member, photo(900, 900))
    await made(world, "Спа", photo_id=photo_id)
    await made(world, "Без слов", description="", photo_id=photo_id)
    await made(world, "Без фото")
    await made(world, "Мелкое фото", photo_id=small.id)
    await made(world, "Мутное фото", photo_id=blurry.id)
    pairs = await shelf.pairs()
    assert {title: pair.blocks for title, pair in pairs.items()} == {
        "Спа": ("title",),
        "Без слов": ("description",),
        "Без фото": ("photo",),
        "Мелкое фото": ("photo_small",),
        "Мутное фото": (),
    }
    assert pairs["Мутное фото"].notes == ("photo_size",)
    assert pairs["Спа"].choices == ()
    forged = {pairs["Спа"].key: ("push", pairs["Спа"].mark)}
    assert (await shelf.choose(forged)).meanwhile == 1


async def test_a_lost_answer_does_not_add_an_item_twice(world: World, shelf: Shelf) -> None:
    await made(world, photo_id=await big_photo(world))
    await control(world, shelf.club, vk_cut_answer={"on": "market.add", "times": 1})
    outcome = await shelf.act(Маникюр=Choice.PUSH)
    assert (outcome.pushed, outcome.stopped, outcome.waiting) == (0, "silent", 1)
    assert len(shelf.club.vk.items_of(shelf.club.group_id)) == 1
    assert await shelf.states() == {"Маникюр": State.TWIN}
    await shelf.act(Маникюр=Choice.TIE)
    assert await shelf.states() == {"Маникюр": State.SAME}


async def test_a_refusal_is_told_and_the_other_lines_go_on(world: World, shelf: Shelf) -> None:
    photo_id = await big_photo(world)
    await made(world, photo_id=photo_id)
    await made(world, "Педикюр", photo_id=photo_id)
    rule = {"on": "market.add", "value": 1405, "times": 1}
    await control(world, shelf.club, vk_error=rule)
    outcome = await shelf.act(Маникюр=Choice.PUSH, Педикюр=Choice.PUSH)
    assert outcome.pushed == 1
    assert [(f.title, f.code) for f in outcome.failures] == [("Маникюр", "1405")]
    assert await shelf.states() == {"Маникюр": State.NEW_HERE, "Педикюр": State.SAME}


async def test_a_key_that_breaks_half_way_stops_and_is_shown(world: World, shelf: Shelf) -> None:
    photo_id = await big_photo(world)
    for title in ("Маникюр", "Педикюр", "Укладка"):
        await made(world, title, photo_id=photo_id)
    rule = {"on": "market.add", "value": 5, "times": 1}
    await control(world, shelf.club, vk_error=rule)
    choices = dict.fromkeys(("Маникюр", "Педикюр", "Укладка"), Choice.PUSH)
    outcome = await shelf.act(**choices)
    assert (outcome.pushed, outcome.stopped, outcome.waiting) == (0, "key", 3)
    async with world.ctx.db.read() as tx:
        community = await communities.get(tx, shelf.community.id)
    assert community is not None
    assert community.trouble == "5"
    assert (await shelf.act(**choices)).pushed == 3
    shelf.club.revoke()
    with pytest.raises(Refused, match="vk_refused"):
        await shelf.pairs()


async def test_hostile_words_of_an_item_come_in_tame(world: World, shelf: Shelf) -> None:
    shelf.add("<b>Маникюр\u202e</b>" + "я" * 60, description="=cmd()\u0000\n" + "ы" * 5000)
    (pair,) = (await shelf.pairs()).values()
    outcome = await shelf.choose({pair.key: ("take", pair.mark)})
    assert outcome.failures == []
    (service,) = await listing(world)
    assert "\u0000" not in service.description
    assert len(service.description) <= 4000


def test_prices_turn_round_without_loss() -> None:
    for minor in (1, 50, 99, 100, 150_050, 220_000, 10**13):
        amount = Money(minor)
        kopecks = str(int(Decimal(market.price_in(amount)) * 100))
        assert market.price_out({"amount": kopecks, "currency": {"name": "RUB"}}) == amount
