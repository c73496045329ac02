"""The community checklist: an item is done only if VK, Sigma or the owner confirms it."""

import pytest
from msgspec.structs import replace as struct_replace

from sigma.domain.accounts.member import Member, Role
from sigma.domain.errors import RefusedError
from sigma.domain.messaging.checklist import ChecklistItem, ItemState, count_done
from sigma.domain.messaging.community import Community
from sigma.services.communities import checklist, communities, event_intake
from sigma.services.vk import links
from sigma_sandbox.vk.world.models import Contact
from tests.sandbox_communities import SandboxCommunity, connect_community, create_community
from tests.world import World

COUNTED_ITEMS = 9


async def list_items(world: World, community_with_facts: Community) -> dict[str, ChecklistItem]:
    """Return the checklist items by name, built from the stored row."""
    stored = await communities.get(world.ctx, world.member, community_with_facts.id)
    return {item.name: item for item in checklist.build_items(stored.community, stored.connection)}


async def set_vk_error(world: World, club: SandboxCommunity, code: int, on: str) -> None:
    """Make VK answer method `on` with an error code, for this community only."""
    rule = {"vk_error": {"value": code, "on": on}, "shop": str(club.group_id)}
    answer = await world.http.post(f"{world.sandbox.base_url}/control", json=rule)
    assert answer.status_code == 200, answer.text


async def test_new_community_has_missing_and_unknown_items(world: World) -> None:
    community = await connect_community(world, create_community(world))
    items = await list_items(world, community)
    assert {name: item.state for name, item in items.items()} == {
        "exists": ItemState.DONE,
        "avatar": ItemState.MISSING,
        "description": ItemState.MISSING,
        "contact": ItemState.MISSING,
        "services": ItemState.UNKNOWN,
        "messages": ItemState.UNKNOWN,
        "bots": ItemState.UNKNOWN,
        "delivery": ItemState.DONE,
        "rights": ItemState.DONE,
        "market": ItemState.MISSING,
    }
    assert count_done(list(items.values())) == (3, COUNTED_ITEMS)
    page = f"{world.sandbox.base_url}/vk/club{community.group_id}"
    assert items["avatar"].url == f"{page}/manage#about"
    assert items["rights"].url == f"{page}/tokens"


async def test_complete_community_has_every_item_done(world: World) -> None:
    club = create_community(
        world,
        description="Маникюр",
        has_photo=True,
        contacts=[Contact(1001, "Мастер", "+7 900 123-45-67", "")],
        main_section=51,
        messages=True,
        bots_capabilities=True,
    )
    community = await connect_community(world, club)
    assert (await list_items(world, community))["bots"].state is ItemState.UNKNOWN, (
        "VK has no method that returns it"
    )
    assert await checklist.enable_messages(world.ctx, world.member, community.id)
    items = await list_items(world, community)
    assert count_done(list(items.values())) == (COUNTED_ITEMS, COUNTED_ITEMS)


async def test_messages_and_bots_are_enabled_and_read_back(world: World) -> None:
    club = create_community(world)
    community = await connect_community(world, club)
    assert await checklist.enable_messages(world.ctx, world.member, community.id)
    at_vk = club.vk.get_community(club.group_id)
    assert (at_vk.messages, at_vk.bots_capabilities) == (True, True)
    items = await list_items(world, community)
    assert (items["messages"].state, items["bots"].state) == (ItemState.DONE, ItemState.DONE)

    club.vk.put_community(struct_replace(at_vk, messages=False))
    await checklist.refresh(world.ctx, world.member, community.id)
    assert (await list_items(world, community))["messages"].state is ItemState.MISSING


@pytest.mark.parametrize("code", [7, 15, 27])
async def test_switch_that_vk_refuses_is_left_to_the_owner(world: World, code: int) -> None:
    club = create_community(world)
    community = await connect_community(world, club)
    await set_vk_error(world, club, code, "groups.setSettings")
    assert not await checklist.enable_messages(world.ctx, world.member, community.id)
    messages = (await list_items(world, community))["messages"]
    assert (messages.state, messages.action) == (ItemState.UNKNOWN, "")
    await communities.replace_key(world.ctx, world.member, community.id, club.create_access_key())
    assert (await list_items(world, community))["messages"].action == "switch", (
        "a new key may be allowed to do it"
    )


async def test_description_is_set_and_read_back(world: World) -> None:
    club = create_community(world)
    community = await connect_community(world, club)
    assert await checklist.set_description(
        world.ctx, world.member, community.id, " Маникюр и педикюр "
    )
    assert club.vk.get_community(club.group_id).description == "Маникюр и педикюр"
    assert (await list_items(world, community))["description"].state is ItemState.DONE


@pytest.mark.parametrize("code", [3, 7, 15, 23, 27])
async def test_unavailable_vk_method_turns_an_action_into_an_instruction(
    world: World, code: int
) -> None:
    club = create_community(world)
    community = await connect_community(world, club)
    await set_vk_error(world, club, code, "groups.edit")
    assert not await checklist.set_description(world.ctx, world.member, community.id, "Маникюр")
    assert not await checklist.enable_market(world.ctx, world.member, community.id)
    items = await list_items(world, community)
    for name in ("description", "market"):
        assert (items[name].state, items[name].action) == (ItemState.MISSING, "")
        assert items[name].reason == "refused"


async def test_market_is_enabled_where_vk_allows_it(world: World) -> None:
    community = await connect_community(world, create_community(world))
    assert await checklist.enable_market(world.ctx, world.member, community.id)
    assert (await list_items(world, community))["market"].state is ItemState.DONE


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 4001])
async def test_empty_or_too_long_description_is_refused(world: World, text: str) -> None:
    community = await connect_community(world, create_community(world))
    with pytest.raises(RefusedError) as caught:
        await checklist.set_description(world.ctx, world.member, community.id, text)
    assert caught.value.problems[0].field == "description"


async def test_services_item_follows_the_owners_confirmation(world: World) -> None:
    community = await connect_community(world, create_community(world))
    await checklist.confirm_services(world.ctx, world.member, community.id, True)
    item = (await list_items(world, community))["services"]
    assert (item.state, item.reason) == (ItemState.DONE, "confirmed")
    await checklist.refresh(world.ctx, world.member, community.id)
    assert (await list_items(world, community))["services"].state is ItemState.DONE, (
        "a refresh from VK keeps the confirmation"
    )
    await checklist.confirm_services(world.ctx, world.member, community.id, False)
    assert (await list_items(world, community))["services"].state is ItemState.UNKNOWN


async def test_missing_access_key_right_is_named(world: World) -> None:
    community = await connect_community(world, create_community(world, "", "manage", "messages"))
    rights = (await list_items(world, community))["rights"]
    assert (rights.state, rights.missing_rights) == (ItemState.MISSING, ("photos",))


async def test_unreachable_vk_keeps_the_known_items(world: World) -> None:
    club = create_community(world, has_photo=True)
    community = await connect_community(world, club)
    before = await list_items(world, community)
    rule = {"vk_http_500": True, "shop": str(club.group_id)}
    await world.http.post(f"{world.sandbox.base_url}/control", json=rule)
    for call in (checklist.refresh, checklist.enable_messages, checklist.enable_market):
        with pytest.raises(RefusedError) as caught:
            await call(world.ctx, world.member, community.id)
        assert caught.value.code == "vk_silent"
    assert await list_items(world, community) == before


async def test_checklist_action_detects_a_revoked_key(world: World) -> None:
    club = create_community(world)
    community = await connect_community(world, club)
    club.revoke_access_key()
    with pytest.raises(RefusedError) as caught:
        await checklist.enable_messages(world.ctx, world.member, community.id)
    assert caught.value.code == "vk_refused"
    (broken,) = await communities.list_with_problem(world.ctx, world.member)
    assert broken.error_code == "5"
    assert (await list_items(world, community))["delivery"].state is ItemState.MISSING


async def test_operator_and_stranger_cannot_use_the_checklist(world: World) -> None:
    community = await connect_community(world, create_community(world))
    operator = Member("usr_x", world.shop.id, Role.OPERATOR)
    stranger = Member("usr_x", "shp_other", Role.OWNER)
    for member, code in ((operator, "forbidden"), (stranger, "no_community")):
        with pytest.raises(RefusedError) as caught:
            await checklist.enable_messages(world.ctx, member, community.id)
        assert caught.value.code == code


async def test_contact_phone_and_email_are_not_stored(world: World) -> None:
    contact = Contact(1001, "Мастер", "+7 900 123-45-67", "anna@lak.example")
    community = await connect_community(world, create_community(world, contacts=[contact]))
    stored = (await communities.get(world.ctx, world.member, community.id)).community
    assert "123-45-67" not in str(stored.facts)
    assert "anna" not in str(stored.facts)


@pytest.mark.parametrize(
    ("typed", "expected_url"),
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
def test_typed_community_address_gives_the_access_keys_page(typed: str, expected_url: str) -> None:
    assert links.typed_access_keys_url("https://vk.com", typed) == expected_url


async def test_settings_event_marks_messages_as_missing(world: World) -> None:
    club = create_community(world, messages=True)
    community = await connect_community(world, club)
    assert (await list_items(world, community))["messages"].state is ItemState.DONE
    at_vk = club.vk.get_community(club.group_id)
    club.vk.put_community(struct_replace(at_vk, messages=False))
    changed_settings = {"user_id": 1001, "changes": {"messages": {"old_value": 1, "new_value": 0}}}
    update = {"type": "group_change_settings", "group_id": club.group_id, "event_id": "e1"}
    await event_intake.accept_long_poll(
        world.ctx, community.id, [update | {"object": changed_settings, "v": "5.199"}], "2"
    )
    await world.run_jobs()
    assert (await list_items(world, community))["messages"].state is ItemState.MISSING
