"""The checklist of a community: nothing is ticked that VK did not say, do or a person confirmed."""

from typing import Any

import pytest
from msgspec.structs import replace as filled

from sigma.domain.accounts.member import Member, Role
from sigma.domain.errors import Refused
from sigma.domain.messaging.community import Community
from sigma.services.communities import checklist, communities, event_intake
from sigma.services.communities.checklist import Item, State
from sigma.services.vk import links
from sigma_sandbox.vk.world.models import Contact
from tests.clubs import Club, connected, open_club
from tests.world import World

COUNTED = 9


async def points(world: World, community: Community) -> dict[str, Item]:
    """The points as they are shown now."""
    kept = await communities.get(world.ctx, world.member, community.id)
    return {item.name: item for item in checklist.items(kept.community, kept.connection)}


async def spoil(world: World, club: Club, code: int, on: str) -> None:
    """VK answers a method with an error, for this community."""
    rule = {"vk_error": {"value": code, "on": on}, "shop": str(club.group_id)}
    answer = await world.http.post(f"{world.sandbox.base_url}/control", json=rule)
    assert answer.status_code == 200, answer.text


async def test_an_empty_community_shows_what_is_missing_and_what_cannot_be_known(
    world: World,
) -> None:
    made = await connected(world, open_club(world))
    found = await points(world, made)
    assert {name: item.state for name, item in found.items()} == {
        "exists": State.DONE,
        "avatar": State.MISSING,
        "description": State.MISSING,
        "contact": State.MISSING,
        "services": State.UNKNOWN,
        "messages": State.UNKNOWN,
        "bots": State.UNKNOWN,
        "delivery": State.DONE,
        "rights": State.DONE,
        "goods": State.MISSING,
    }
    assert checklist.ready(list(found.values())) == (3, COUNTED)
    page = f"{world.sandbox.base_url}/vk/club{made.group_id}"
    assert found["avatar"].url == f"{page}/manage#about"
    assert found["rights"].url == f"{page}/tokens"


async def test_a_filled_community_is_ready(world: World) -> None:
    club = open_club(
        world,
        description="Маникюр",
        has_photo=True,
        contacts=[Contact(1001, "Мастер", "+7 900 123-45-67", "")],
        main_section=51,
        messages=True,
        bots_capabilities=True,
    )
    made = await connected(world, club)
    assert (await points(world, made))["bots"].state is State.UNKNOWN, "VK tells it to nobody"
    assert await checklist.switch_on(world.ctx, world.member, made.id)
    found = await points(world, made)
    assert checklist.ready(list(found.values())) == (COUNTED, COUNTED)


async def test_one_button_switches_on_messages_and_bot_features_and_reads_back(
    world: World,
) -> None:
    club = open_club(world)
    made = await connected(world, club)
    assert await checklist.switch_on(world.ctx, world.member, made.id)
    now = club.vk.community(club.group_id)
    assert (now.messages, now.bots_capabilities) == (True, True)
    found = await points(world, made)
    assert (found["messages"].state, found["bots"].state) == (State.DONE, State.DONE)

    club.vk.put_community(filled(now, messages=False))
    await checklist.refresh(world.ctx, world.member, made.id)
    assert (await points(world, made))["messages"].state is State.MISSING


@pytest.mark.parametrize("code", [7, 15, 27])
async def test_what_vk_does_not_let_us_switch_is_left_to_the_owner(world: World, code: int) -> None:
    club = open_club(world)
    made = await connected(world, club)
    await spoil(world, club, code, "groups.setSettings")
    assert not await checklist.switch_on(world.ctx, world.member, made.id)
    messages = (await points(world, made))["messages"]
    assert (messages.state, messages.does) == (State.UNKNOWN, "")
    await communities.mend(world.ctx, world.member, made.id, club.new_key())
    assert (await points(world, made))["messages"].does == "switch", "another key may do it"


async def test_the_description_is_written_and_read_back(world: World) -> None:
    club = open_club(world)
    made = await connected(world, club)
    assert await checklist.describe(world.ctx, world.member, made.id, " Маникюр и педикюр ")
    assert club.vk.community(club.group_id).description == "Маникюр и педикюр"
    assert (await points(world, made))["description"].state is State.DONE


@pytest.mark.parametrize("code", [3, 7, 15, 23, 27])
async def test_a_withdrawn_method_becomes_an_instruction(world: World, code: int) -> None:
    club = open_club(world)
    made = await connected(world, club)
    await spoil(world, club, code, "groups.edit")
    assert not await checklist.describe(world.ctx, world.member, made.id, "Маникюр")
    assert not await checklist.goods_on(world.ctx, world.member, made.id)
    found = await points(world, made)
    for name in ("description", "goods"):
        assert (found[name].state, found[name].does) == (State.MISSING, "")
        assert found[name].why == "refused"


async def test_goods_are_switched_on_where_vk_lets_us(world: World) -> None:
    made = await connected(world, open_club(world))
    assert await checklist.goods_on(world.ctx, world.member, made.id)
    assert (await points(world, made))["goods"].state is State.DONE


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 4001])
async def test_a_description_that_is_none_is_refused_here(world: World, text: str) -> None:
    made = await connected(world, open_club(world))
    with pytest.raises(Refused) as caught:
        await checklist.describe(world.ctx, world.member, made.id, text)
    assert caught.value.problems[0].field == "description"


async def test_services_are_on_when_a_person_says_so_and_not_when_it_is_taken_back(
    world: World,
) -> None:
    made = await connected(world, open_club(world))
    await checklist.say(world.ctx, world.member, made.id, True)
    said = (await points(world, made))["services"]
    assert (said.state, said.why) == (State.DONE, "said")
    await checklist.refresh(world.ctx, world.member, made.id)
    assert (await points(world, made))["services"].state is State.DONE, "VK's answer keeps it"
    await checklist.say(world.ctx, world.member, made.id, False)
    assert (await points(world, made))["services"].state is State.UNKNOWN


async def test_a_key_without_photos_is_told_by_name(world: World) -> None:
    made = await connected(world, open_club(world, "", "manage", "messages"))
    rights = (await points(world, made))["rights"]
    assert (rights.state, rights.names) == (State.MISSING, ("photos",))


async def test_a_silent_vk_changes_nothing_that_was_known(world: World) -> None:
    club = open_club(world, has_photo=True)
    made = await connected(world, club)
    before = await points(world, made)
    rule = {"vk_http_500": True, "shop": str(club.group_id)}
    await world.http.post(f"{world.sandbox.base_url}/control", json=rule)
    for act in (checklist.refresh, checklist.switch_on, checklist.goods_on):
        with pytest.raises(Refused) as caught:
            await act(world.ctx, world.member, made.id)
        assert caught.value.code == "vk_silent"
    assert await points(world, made) == before


async def test_a_revoked_key_is_noticed_by_the_checklist_too(world: World) -> None:
    club = open_club(world)
    made = await connected(world, club)
    club.revoke()
    with pytest.raises(Refused) as caught:
        await checklist.switch_on(world.ctx, world.member, made.id)
    assert caught.value.code == "vk_refused"
    (broken,) = await communities.troubles(world.ctx, world.member)
    assert broken.trouble == "5"
    assert (await points(world, made))["delivery"].state is State.MISSING


async def test_only_who_may_set_up_the_shop_touches_the_checklist(world: World) -> None:
    made = await connected(world, open_club(world))
    operator = Member("usr_x", world.shop.id, Role.OPERATOR)
    stranger = Member("usr_x", "shp_other", Role.OWNER)
    for member, code in ((operator, "forbidden"), (stranger, "no_community")):
        with pytest.raises(Refused) as caught:
            await checklist.switch_on(world.ctx, member, made.id)
        assert caught.value.code == code


async def test_nobodys_phone_is_kept_of_vks_answer(world: World) -> None:
    contact = Contact(1001, "Мастер", "+7 900 123-45-67", "anna@lak.example")
    made = await connected(world, open_club(world, contacts=[contact]))
    kept = (await communities.get(world.ctx, world.member, made.id)).community
    assert "900" not in str(kept.facts)
    assert "anna" not in str(kept.facts)


def community(**facts: Any) -> Community:
    """A row with these facts and nothing else."""
    return Community("con_1", "shp_1", 1, "Студия", "studio", "", 0, facts=facts)


def test_what_vk_tells_of_its_settings_is_taken_over() -> None:
    off = checklist.settings_changed(community(messages={"on": True}), {"messages": 0})
    assert off.facts["messages"] == {"on": False, "off": True}
    on = checklist.settings_changed(off, {"messages": 1, "title": "Студия"})
    assert on.facts["messages"]["on"]
    same = community()
    assert checklist.settings_changed(same, {"title": "x"}) is same


@pytest.mark.parametrize(
    ("typed", "leads"),
    [
        ("https://vk.com/studio", "https://vk.com/studio?act=tokens"),
        ("vk.com/club123", "https://vk.com/club123?act=tokens"),
        ("https://m.vk.com/public7?from=x", "https://vk.com/public7?act=tokens"),
        ("studio.lak", "https://vk.com/studio.lak?act=tokens"),
        ("4242", "https://vk.com/club4242?act=tokens"),
        ("https://vk.com/", ""),
        ("vk.com", ""),
        ("наша студия", ""),
        ("javascript:alert(1)", ""),
    ],
)
def test_a_typed_address_leads_to_the_page_of_keys_or_nowhere(typed: str, leads: str) -> None:
    assert links.typed_tokens_url("https://vk.com", typed) == leads


async def test_messages_switched_off_in_vk_are_missing_here_by_its_own_word(world: World) -> None:
    club = open_club(world, messages=True)
    made = await connected(world, club)
    assert (await points(world, made))["messages"].state is State.DONE
    now = club.vk.community(club.group_id)
    club.vk.put_community(filled(now, messages=False))
    told = {"user_id": 1001, "changes": {"messages": {"old_value": 1, "new_value": 0}}}
    update = {"type": "group_change_settings", "group_id": club.group_id, "event_id": "e1"}
    await event_intake.take_updates(
        world.ctx, made.id, [update | {"object": told, "v": "5.199"}], "2"
    )
    await world.work()
    assert (await points(world, made))["messages"].state is State.MISSING
