"""Event delivery of a community: callback servers, the long poll, and their repair."""

import pytest
from msgspec.structs import replace as struct_replace

from sigma.domain.messaging.community import Community, EventDelivery, delivery_status
from sigma.services.communities import communities, event_subscription
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.messaging import communities as rows
from tests.sandbox_communities import connect_community, create_community
from tests.services.live_server import serve_sigma
from tests.world import World


async def reload(world: World, community: Community) -> Community:
    """Reload the community's row."""
    return (await communities.get(world.ctx, world.member, community.id)).community


async def test_callback_server_is_registered_confirmed_and_removed(world: World) -> None:
    club = create_community(world)
    async with serve_sigma(world) as ctx:
        community = await communities.connect(
            ctx, world.member, club.access_key, delivery_choice="callback"
        )
        assert community.event_delivery is EventDelivery.CALLBACK, delivery_status(community)
        (server,) = club.vk.list_servers(club.group_id)
        assert server.status == "ok"
        assert server.url == f"{ctx.settings.base_url}/hooks/vk/{community.id}"
        assert server.secret
        assert server.secret == ctx.cipher.decrypt(
            community.callback_secret_encrypted,
            EncryptedColumn.COMMUNITY_CALLBACK_SECRET,
            community.id,
        )
        assert len(server.secret) <= 50
        assert len(server.title) <= 14
        assert {"message_new", "market_order_new", "group_change_settings"} <= set(server.events)

        await communities.set_up_delivery(ctx, world.member, community.id)
        assert club.vk.list_servers(club.group_id) == [server], (
            "repeating the set-up registers no second server"
        )

        await communities.choose_delivery(ctx, world.member, community.id, "long_poll")
        assert (await reload(world, community)).event_delivery is EventDelivery.LONG_POLL
        assert club.vk.list_servers(club.group_id) == []


async def test_unreachable_callback_address_falls_back_to_long_poll(world: World) -> None:
    club = create_community(world)
    community = await connect_community(world, club, "callback")
    assert community.event_delivery is EventDelivery.LONG_POLL
    assert delivery_status(community) == {"state": "ok", "callback": "wait"}
    async with serve_sigma(world) as ctx:  # the address answers now
        await communities.set_up_delivery(ctx, world.member, community.id)
        assert (await reload(world, community)).event_delivery is EventDelivery.CALLBACK


async def test_full_list_of_callback_servers_falls_back_to_long_poll(world: World) -> None:
    club = create_community(world)
    for number in range(10):
        await world.http.post(
            f"{world.sandbox.base_url}/vk/method/groups.addCallbackServer",
            data={"group_id": club.group_id, "url": f"http://127.0.0.1:9/{number}"}
            | {"title": "other", "secret_key": "", "v": "5.199", "access_token": club.access_key},
        )
    community = await connect_community(world, club, "callback")
    assert delivery_status(community) == {"state": "ok", "callback": "2000"}


async def test_lost_answer_registers_no_second_callback_server(world: World) -> None:
    club = create_community(world)
    rule = {"on": "groups.addCallbackServer", "times": 1}
    body = {"vk_cut_answer": rule, "shop": str(club.group_id)}
    await world.http.post(f"{world.sandbox.base_url}/control", json=body)
    async with serve_sigma(world) as ctx:
        community = await communities.connect(
            ctx, world.member, club.access_key, delivery_choice="callback"
        )
        assert community.event_delivery is EventDelivery.CALLBACK
    assert len(club.vk.list_servers(club.group_id)) == 1


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://pay.example.ru", True),
        ("https://pay.example.ru:8443", True),
        ("http://pay.example.ru", False),
        ("https://localhost", False),
        ("https://192.168.1.4", False),
        ("https://sigma.local", False),
    ],
)
def test_only_a_public_https_url_can_be_a_callback_address(url: str, expected: bool) -> None:
    assert event_subscription.is_public_url(url) is expected


async def test_failed_callback_server_is_set_up_again(world: World) -> None:
    club = create_community(world)
    async with serve_sigma(world) as ctx:
        community = await communities.connect(
            ctx, world.member, club.access_key, delivery_choice="callback"
        )
        (server,) = club.vk.list_servers(club.group_id)
        club.vk.put_server(struct_replace(server, status="failed"))
        world.clock.advance(hours=2)
        next_check_at_us = await event_subscription.check_events(ctx, community.id)
        assert next_check_at_us is not None
        assert next_check_at_us > ctx.now_us()
        (server,) = club.vk.list_servers(club.group_id)
        assert server.status == "ok"
        assert (await reload(world, community)).event_delivery is EventDelivery.CALLBACK


async def test_disabled_long_poll_is_enabled_again(world: World) -> None:
    club = create_community(world)
    community = await connect_community(world, club)
    club.vk.put_long_poll(
        struct_replace(club.vk.get_or_create_long_poll(club.group_id), enabled=False)
    )
    checked = await communities.verify(world.ctx, world.member, community.id)
    assert delivery_status(checked)["state"] == "off"
    await event_subscription.check_events(world.ctx, community.id)
    assert club.vk.get_or_create_long_poll(club.group_id).enabled
    assert delivery_status(await reload(world, community))["state"] == "ok"


async def test_community_with_a_broken_key_gets_no_next_check(world: World) -> None:
    club = create_community(world)
    community = await connect_community(world, club)
    club.revoke_access_key()
    assert await event_subscription.check_events(world.ctx, community.id) is None
    async with world.ctx.db.read() as tx:
        row = await rows.get(tx, community.id)
    assert row is not None
    assert row.error_code == "5"
