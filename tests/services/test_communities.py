"""Connecting a community: whose key it is, what it may, how events come, and how it is mended."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from msgspec.structs import replace as other

from sigma.domain.accounts.member import Member, Role
from sigma.domain.billing.connection import Status
from sigma.domain.change import Change, Job
from sigma.domain.errors import Refused
from sigma.domain.messaging.community import Community, Delivery
from sigma.services.billing import connections
from sigma.services.communities import communities, event_subscription
from sigma.services.context import HOUR, Context
from sigma.services.vk import community_client
from sigma.store import changes, jobs
from sigma.store.messaging import communities as rows
from sigma.web.app import create_app
from sigma_sandbox.server import bind, make_server
from sigma_sandbox.vk.actions.seed import OWNER
from tests.clubs import connected, open_club
from tests.world import World


async def refused(world: World, key: str, known: Community | None = None) -> str:
    """The code of what is said about a key."""
    if known is None:
        pasting = communities.connect(world.ctx, world.member, key)
    else:
        pasting = communities.mend(world.ctx, world.member, known.id, key)
    with pytest.raises(Refused) as caught:
        await pasting
    return caught.value.problems[0].code if caught.value.problems else caught.value.code


async def kept(world: World, community: Community) -> Community:
    """The row as it is now."""
    return (await communities.get(world.ctx, world.member, community.id)).community


@asynccontextmanager
async def listening(world: World) -> AsyncIterator[Context]:
    """Sigma on a real socket, where the sandbox's VK can call it."""
    with bind("127.0.0.1", 0) as sock:
        address = f"http://127.0.0.1:{sock.getsockname()[1]}"
        ctx = replace(world.ctx, settings=replace(world.ctx.settings, base_url=address))
        app: Any = create_app(ctx)
        server = make_server(app)
        running = asyncio.create_task(server.serve(sockets=[sock]))
        await server.ready.wait()
        try:
            yield ctx
        finally:
            server.should_exit = True
            await running


async def test_a_pasted_key_shows_whose_it_is_and_what_it_may(world: World) -> None:
    club = open_club(world, "Студия «Лак»", "manage", "messages")
    found = await communities.look(world.ctx, world.member, f"  {club.key[:30]}\n{club.key[30:]} ")
    assert (found.group.name, found.group.id) == ("Студия «Лак»", club.group_id)
    assert found.group.photo.startswith("http")
    assert (found.missing, found.lacking, found.connected) == ((), ("photos",), False)
    assert await communities.listing(world.ctx, world.member) == []


async def test_a_connected_community_is_heard_and_its_key_is_sealed(world: World) -> None:
    club = open_club(world)
    made = await connected(world, club)
    assert (made.group_id, made.delivery, made.trouble) == (club.group_id, Delivery.LONGPOLL, "")
    assert event_subscription.told(made) == {"state": "ok", "callback": ""}
    longpoll = club.vk.longpoll(club.group_id)
    assert longpoll.enabled
    assert {"message_new", "message_reply", "message_event"} <= set(longpoll.events)
    line = await community_client.line(world.ctx, made.id)
    assert club.key not in line.connection.secret_sealed
    assert line.connection.provider == "vk"
    assert line.connection.account == str(club.group_id)
    assert world.connection.id in {
        c.id for c in await connections.listing(world.ctx, world.member)
    }, "acquirers are not mixed with communities"
    assert await connections.listing(world.ctx, world.member) == [world.connection]


async def test_the_goods_are_tried_once_and_the_answer_is_remembered(world: World) -> None:
    made = await connected(world, open_club(world))
    assert made.market == "27"
    club = open_club(world, market="basic")
    rule = {"vk_market_open": True, "shop": str(club.group_id)}
    await world.http.post(f"{world.sandbox.base_url}/control", json=rule)
    assert (await connected(world, club)).market == "ok"


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("", "required"),
        ("короткий ключ по-русски", "vk_key_shape"),
        ("vk1.a", "vk_key_shape"),
        ("vk1.a." + "x" * 60, "vk_key_wrong"),
    ],
)
async def test_what_is_no_key_is_told_in_words(world: World, key: str, said: str) -> None:
    assert await refused(world, key) == said


async def test_a_persons_key_is_no_communitys(world: World) -> None:
    key = world.sandbox.vk.create_user_key(OWNER, ["groups", "messages"])
    assert await refused(world, key) == "vk_key_kind"


@pytest.mark.parametrize(
    ("rights", "said"),
    [(("manage", "photos"), "vk_no_messages"), (("messages",), "vk_no_manage")],
)
async def test_a_key_that_may_too_little_is_not_connected(
    world: World, rights: tuple[str, ...], said: str
) -> None:
    assert await refused(world, open_club(world, "", *rights).key) == said


async def test_a_revoked_key_and_a_silent_vk_are_told_apart(world: World) -> None:
    club = open_club(world)
    rule = {"vk_http_500": True, "shop": str(club.group_id)}
    await world.http.post(f"{world.sandbox.base_url}/control", json=rule)
    assert await refused(world, club.key) == "vk_silent"
    await world.http.post(f"{world.sandbox.base_url}/control", json=rule | {"vk_http_500": None})
    club.revoke()
    assert await refused(world, club.key) == "vk_key_wrong"


async def test_the_same_community_is_connected_once(world: World) -> None:
    club = open_club(world)
    made = await connected(world, club)
    assert await refused(world, club.new_key()) == "vk_already"
    found = await communities.look(world.ctx, world.member, club.new_key())
    assert found.connected
    assert found.known is not None
    assert found.known.id == made.id


async def test_two_people_who_connect_at_the_same_moment_make_one_connection(world: World) -> None:
    club = open_club(world)
    tries = await asyncio.gather(
        *(communities.connect(world.ctx, world.member, club.new_key()) for _ in range(2)),
        return_exceptions=True,
    )
    made = [one for one in tries if isinstance(one, Community)]
    said = [one.problems[0].code for one in tries if isinstance(one, Refused)]
    assert len(made) == 1
    assert said == ["vk_already"]
    assert len(await communities.listing(world.ctx, world.member)) == 1


async def test_an_operator_connects_nothing(world: World) -> None:
    operator = Member("usr_x", world.shop.id, Role.OPERATOR)
    with pytest.raises(Refused) as caught:
        await communities.connect(world.ctx, operator, open_club(world).key)
    assert caught.value.code == "forbidden"


async def test_another_shops_community_is_not_there(world: World) -> None:
    made = await connected(world, open_club(world))
    stranger = Member("usr_x", "shp_other", Role.OWNER)
    for act in (communities.get, communities.check, communities.disconnect, communities.renew):
        with pytest.raises(Refused) as caught:
            await act(world.ctx, stranger, made.id)
        assert caught.value.code == "not_found"


async def test_vk_calls_a_public_address_and_makes_sure_of_it_while_it_is_added(
    world: World,
) -> None:
    club = open_club(world)
    async with listening(world) as ctx:
        made = await communities.connect(ctx, world.member, club.key, wanted="callback")
        assert made.delivery is Delivery.CALLBACK, event_subscription.told(made)
        (server,) = club.vk.servers_of(club.group_id)
        assert server.status == "ok"
        assert server.url == f"{ctx.settings.base_url}/hooks/vk/{made.id}"
        assert server.secret
        assert server.secret == ctx.sealer.open(made.hook_secret_sealed)
        assert len(server.secret) <= 50
        assert len(server.title) <= 14
        assert made.server_id == server.id
        assert {"message_new", "market_order_new", "group_change_settings"} <= set(server.events)

        await communities.renew(ctx, world.member, made.id)
        assert club.vk.servers_of(club.group_id) == [server], "set up again, it is the same one"

        await communities.choose_delivery(ctx, world.member, made.id, "longpoll")
        after = await kept(world, made)
        assert (after.delivery, after.server_id) == (Delivery.LONGPOLL, None)
        assert club.vk.servers_of(club.group_id) == []


async def test_an_address_that_vk_cannot_reach_is_told_and_vk_is_asked_meanwhile(
    world: World,
) -> None:
    club = open_club(world)
    made = await connected(world, club, "callback")
    assert made.delivery is Delivery.LONGPOLL
    assert event_subscription.told(made) == {"state": "ok", "callback": "wait"}
    async with listening(world) as ctx:  # the address is there at last
        await communities.renew(ctx, world.member, made.id)
        assert (await kept(world, made)).delivery is Delivery.CALLBACK


async def test_a_full_list_of_addresses_is_told_and_vk_is_asked_instead(world: World) -> None:
    club = open_club(world)
    for number in range(10):
        await world.http.post(
            f"{world.sandbox.base_url}/vk/method/groups.addCallbackServer",
            data={"group_id": club.group_id, "url": f"http://127.0.0.1:9/{number}"}
            | {"title": "other", "secret_key": "", "v": "5.199", "access_token": club.key},
        )
    made = await connected(world, club, "callback")
    assert event_subscription.told(made) == {"state": "ok", "callback": "2000"}


async def test_a_lost_answer_to_adding_adds_no_second_address(world: World) -> None:
    club = open_club(world)
    rule = {"on": "groups.addCallbackServer", "times": 1}
    body = {"vk_cut_answer": rule, "shop": str(club.group_id)}
    await world.http.post(f"{world.sandbox.base_url}/control", json=body)
    async with listening(world) as ctx:
        made = await communities.connect(ctx, world.member, club.key, wanted="callback")
        assert made.delivery is Delivery.CALLBACK
    assert len(club.vk.servers_of(club.group_id)) == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://pay.example.ru", True),
        ("https://pay.example.ru:8443", True),
        ("http://pay.example.ru", False),
        ("https://localhost", False),
        ("https://192.168.1.4", False),
        ("https://sigma.local", False),
    ],
)
def test_only_a_public_https_address_is_given_to_vk(url: str, said: bool) -> None:
    assert event_subscription.public(url) is said


async def test_a_broken_key_is_seen_by_the_check_and_mended_by_another(world: World) -> None:
    club = open_club(world)
    made = await connected(world, club)
    club.revoke()
    seen = await communities.check(world.ctx, world.member, made.id)
    assert (seen.trouble, seen.facts["check"]["code"]) == ("5", "5")
    assert [c.id for c in await communities.troubles(world.ctx, world.member)] == [made.id]

    other = open_club(world, "Чужая студия")
    assert await refused(world, other.key, made) == "vk_key_other"
    assert (await kept(world, made)).trouble == "5"

    mended = await communities.mend(world.ctx, world.member, made.id, club.new_key())
    assert (mended.id, mended.trouble) == (made.id, "")
    assert await communities.troubles(world.ctx, world.member) == []
    checked = await communities.check(world.ctx, world.member, made.id)
    assert checked.facts["check"]["code"] == ""


async def test_work_that_died_of_a_broken_key_lives_again_after_mending(world: World) -> None:
    club = open_club(world)
    made = await connected(world, club)
    await world.work()
    club.revoke()
    await communities.check(world.ctx, world.member, made.id)
    await _dead_job(world, made)
    assert len(await _dead(world)) == 1
    await communities.mend(world.ctx, world.member, made.id, club.new_key())
    assert await _dead(world) == []


async def _dead_job(world: World, made: Community) -> None:
    job = Job("community.watch", made.id, made.shop_id, 1)
    await changes.commit(world.ctx.db, Change(jobs=(job,)), world.ctx.now())
    (claimed,) = [
        one
        for one in await jobs.claim(
            world.ctx.db, now=world.ctx.now(), until=world.ctx.now() + HOUR, limit=50
        )
        if one.kind == "community.watch"
    ]
    await jobs.later(world.ctx.db, claimed, world.ctx.now(), "refused: vk 5", dead=True)


async def _dead(world: World) -> list[Any]:
    async with world.ctx.db.read() as tx:
        return await jobs.dead(tx, world.shop.id)


async def test_a_silent_vk_is_no_trouble_of_the_key(world: World) -> None:
    club = open_club(world)
    made = await connected(world, club)
    rule = {"vk_http_500": True, "shop": str(club.group_id)}
    await world.http.post(f"{world.sandbox.base_url}/control", json=rule)
    seen = await communities.check(world.ctx, world.member, made.id)
    assert (seen.trouble, seen.facts["check"]["code"]) == ("", "silent")
    assert seen.name == made.name, "what was known stays"


async def test_a_key_that_works_again_ends_its_trouble_by_a_check(world: World) -> None:
    club = open_club(world)
    made = await connected(world, club)
    rule = {"vk_error": {"value": 42, "times": 1}, "shop": str(club.group_id)}
    await world.http.post(f"{world.sandbox.base_url}/control", json=rule)
    assert (await communities.check(world.ctx, world.member, made.id)).trouble == "42"
    assert (await communities.check(world.ctx, world.member, made.id)).trouble == ""


async def test_a_disconnected_community_keeps_its_row_and_takes_it_up_again(world: World) -> None:
    club = open_club(world)
    async with listening(world) as ctx:
        made = await communities.connect(ctx, world.member, club.key, wanted="callback")
        await communities.disconnect(ctx, world.member, made.id)
        assert club.vk.servers_of(club.group_id) == []
        off = await communities.get(ctx, world.member, made.id)
        assert off.connection.status is Status.OFF
        assert off.connection.secret_sealed == ""
        assert await communities.listing(ctx, world.member) == []
        with pytest.raises(Refused):
            await community_client.line(ctx, made.id)
        await communities.disconnect(ctx, world.member, made.id)  # twice is once

        again = await communities.connect(ctx, world.member, club.new_key())
        assert (again.id, again.created_at) == (made.id, made.created_at)
        assert len(await communities.listing(ctx, world.member)) == 1


async def test_a_delivery_that_vk_stopped_is_set_up_again_within_the_hour(world: World) -> None:
    club = open_club(world)
    async with listening(world) as ctx:
        made = await communities.connect(ctx, world.member, club.key, wanted="callback")
        (server,) = club.vk.servers_of(club.group_id)
        club.vk.put_server(other(server, status="failed"))
        world.clock.move(hours=2)
        again = await event_subscription.watch(ctx, made.id)
        assert again is not None
        assert again > ctx.now()
        (server,) = club.vk.servers_of(club.group_id)
        assert server.status == "ok"
        assert (await kept(world, made)).delivery is Delivery.CALLBACK


async def test_a_switched_off_long_poll_is_switched_on_again(world: World) -> None:
    club = open_club(world)
    made = await connected(world, club)
    club.vk.put_longpoll(other(club.vk.longpoll(club.group_id), enabled=False))
    seen = await communities.check(world.ctx, world.member, made.id)
    assert event_subscription.told(seen)["state"] == "off"
    await event_subscription.watch(world.ctx, made.id)
    assert club.vk.longpoll(club.group_id).enabled
    assert event_subscription.told(await kept(world, made))["state"] == "ok"


async def test_nobody_watches_a_community_in_trouble(world: World) -> None:
    club = open_club(world)
    made = await connected(world, club)
    club.revoke()
    assert await event_subscription.watch(world.ctx, made.id) is None
    async with world.ctx.db.read() as tx:
        row = await rows.get(tx, made.id)
    assert row is not None
    assert row.trouble == "5"


async def test_the_key_is_in_no_log_and_no_happening(
    world: World, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    club = open_club(world)
    await connected(world, club)
    club.revoke()
    with pytest.raises(Refused) as caught:
        await communities.look(world.ctx, world.member, club.key)
    told = caplog.text + "".join(capsys.readouterr()) + repr(caught.value.__dict__)
    assert club.key not in told
