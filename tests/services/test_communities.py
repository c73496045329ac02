"""Communities: checking and connecting an access key, broken keys, disconnecting."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from sigma.channels.vk.errors import NeedsOwnerError
from sigma.domain.accounts.member import Member, Role
from sigma.domain.billing.connection import Status
from sigma.domain.change import Change, Job
from sigma.domain.errors import RefusedError
from sigma.domain.job_lanes import Lane
from sigma.domain.messaging.community import Community, EventDelivery, delivery_status
from sigma.domain.time_units import HOUR_US
from sigma.services.billing import connections
from sigma.services.communities import access_keys, communities
from sigma.services.vk import community_client
from sigma.store import changes, job_claims, jobs
from sigma.store.billing import connections as connection_rows
from sigma.store.billing import timeline as timeline_rows
from sigma_sandbox.vk.actions.seed import OWNER_ID
from tests.sandbox_communities import connect_community, create_community
from tests.services.live_server import serve_sigma
from tests.world import World


async def refusal_code(world: World, key: str, community: Community | None = None) -> str:
    """Return the refusal code for a new access key, or for replacing the key of `community`."""
    if community is None:
        call = communities.connect(world.ctx, world.member, key)
    else:
        call = communities.replace_key(world.ctx, world.member, community.id, key)
    with pytest.raises(RefusedError) as caught:
        await call
    return caught.value.problems[0].code if caught.value.problems else caught.value.code


async def test_pasted_key_shows_its_community_and_missing_rights(world: World) -> None:
    club = create_community(world, "Студия «Лак»", "manage", "messages")
    inspected = await access_keys.inspect(
        world.ctx, world.member, f"  {club.access_key[:30]}\n{club.access_key[30:]} "
    )
    assert (inspected.group.name, inspected.group.id) == ("Студия «Лак»", club.group_id)
    assert inspected.group.photo_url.startswith("http")
    assert (inspected.missing_required, inspected.missing_recommended, inspected.is_connected) == (
        (),
        ("photos",),
        False,
    )
    assert await communities.list_connected(world.ctx, world.member) == []


async def test_connected_community_uses_long_poll_and_its_key_is_encrypted(world: World) -> None:
    club = create_community(world)
    community = await connect_community(world, club)
    assert (community.group_id, community.event_delivery, community.error_code) == (
        club.group_id,
        EventDelivery.LONG_POLL,
        "",
    )
    assert delivery_status(community) == {"state": "ok", "callback": ""}
    long_poll = club.vk.get_or_create_long_poll(club.group_id)
    assert long_poll.enabled
    assert {"message_new", "message_reply", "message_event"} <= set(long_poll.events)
    client = await community_client.open_client(world.ctx, community.id)
    assert club.access_key not in client.connection.secret_encrypted
    assert client.connection.provider == "vk"
    assert client.connection.account == str(club.group_id)
    assert world.connection.id in {
        connection.id for connection in await connections.list_for_shop(world.ctx, world.member)
    }, "communities are not listed among the acquirers"
    assert await connections.list_for_shop(world.ctx, world.member) == [world.connection]


async def test_market_access_is_probed_on_connect_and_stored(world: World) -> None:
    community = await connect_community(world, create_community(world))
    assert community.market_access == "27"
    club = create_community(world, market="basic")
    rule = {"vk_market_open": True, "shop": str(club.group_id)}
    await world.http.post(f"{world.sandbox.base_url}/control", json=rule)
    assert (await connect_community(world, club)).market_access == "ok"


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("", "required"),
        ("короткий ключ по-русски", "vk_key_shape"),
        ("vk1.a", "vk_key_shape"),
        ("vk1.a." + "x" * 60, "vk_key_wrong"),
    ],
)
async def test_invalid_key_is_refused_with_a_code(world: World, key: str, code: str) -> None:
    assert await refusal_code(world, key) == code


async def test_user_key_is_refused(world: World) -> None:
    key = world.sandbox.vk.create_user_key(OWNER_ID, ["groups", "messages"])
    assert await refusal_code(world, key) == "vk_key_kind"


@pytest.mark.parametrize(
    ("rights", "code"),
    [(("manage", "photos"), "vk_no_messages"), (("messages",), "vk_no_manage")],
)
async def test_key_without_required_rights_is_refused(
    world: World, rights: tuple[str, ...], code: str
) -> None:
    assert await refusal_code(world, create_community(world, "", *rights).access_key) == code


async def test_revoked_key_and_unreachable_vk_have_different_codes(world: World) -> None:
    club = create_community(world)
    rule = {"vk_http_500": True, "shop": str(club.group_id)}
    await world.http.post(f"{world.sandbox.base_url}/control", json=rule)
    assert await refusal_code(world, club.access_key) == "vk_silent"
    await world.http.post(f"{world.sandbox.base_url}/control", json=rule | {"vk_http_500": None})
    club.revoke_access_key()
    assert await refusal_code(world, club.access_key) == "vk_key_wrong"


async def test_connecting_the_same_community_again_is_refused(world: World) -> None:
    club = create_community(world)
    community = await connect_community(world, club)
    assert await refusal_code(world, club.create_access_key()) == "vk_already"
    inspected = await access_keys.inspect(world.ctx, world.member, club.create_access_key())
    assert inspected.is_connected
    assert inspected.existing is not None
    assert inspected.existing.id == community.id


async def test_concurrent_connects_create_one_connection(world: World) -> None:
    club = create_community(world)
    results = await asyncio.gather(
        *(communities.connect(world.ctx, world.member, club.create_access_key()) for _ in range(2)),
        return_exceptions=True,
    )
    connected_rows = [result for result in results if isinstance(result, Community)]
    refusals = [result.problems[0].code for result in results if isinstance(result, RefusedError)]
    assert len(connected_rows) == 1
    assert refusals == ["vk_already"]
    assert len(await communities.list_connected(world.ctx, world.member)) == 1


async def test_operator_cannot_connect_a_community(world: World) -> None:
    operator = Member("usr_x", world.shop.id, Role.OPERATOR)
    with pytest.raises(RefusedError) as caught:
        await communities.connect(world.ctx, operator, create_community(world).access_key)
    assert caught.value.code == "forbidden"


async def test_community_of_another_shop_is_not_found(world: World) -> None:
    community = await connect_community(world, create_community(world))
    stranger = Member("usr_x", "shp_other", Role.OWNER)
    for call in (
        communities.get,
        communities.verify,
        communities.disconnect,
        communities.set_up_delivery,
    ):
        with pytest.raises(RefusedError) as caught:
            await call(world.ctx, stranger, community.id)
        assert caught.value.code == "not_found"


async def test_check_detects_a_broken_key_and_a_new_key_repairs_it(world: World) -> None:
    club = create_community(world)
    community = await connect_community(world, club)
    club.revoke_access_key()
    broken = await communities.verify(world.ctx, world.member, community.id)
    assert (broken.error_code, broken.facts["check"]["code"]) == ("5", "5")
    assert [row.id for row in await communities.list_with_problem(world.ctx, world.member)] == [
        community.id
    ]

    other_club = create_community(world, "Чужая студия")
    assert await refusal_code(world, other_club.access_key, community) == "vk_key_other"
    stored = await communities.get(world.ctx, world.member, community.id)
    assert stored.community.error_code == "5"

    repaired = await communities.replace_key(
        world.ctx, world.member, community.id, club.create_access_key()
    )
    assert (repaired.id, repaired.error_code) == (community.id, "")
    assert await communities.list_with_problem(world.ctx, world.member) == []
    checked = await communities.verify(world.ctx, world.member, community.id)
    assert checked.facts["check"]["code"] == ""


async def test_new_key_requeues_dead_jobs(world: World) -> None:
    club = create_community(world)
    community = await connect_community(world, club)
    await world.run_jobs()
    club.revoke_access_key()
    await communities.verify(world.ctx, world.member, community.id)
    await _add_dead_job(world, community)
    assert len(await _list_dead_jobs(world)) == 1
    await communities.replace_key(world.ctx, world.member, community.id, club.create_access_key())
    assert await _list_dead_jobs(world) == []


async def _add_dead_job(world: World, community: Community) -> None:
    job = Job("community.check_events", community.id, community.shop_id, 1)
    await changes.commit(world.ctx.db, Change(jobs=(job,)), world.ctx.now_us())
    now_us = world.ctx.now_us()
    claimed = await job_claims.claim(
        world.ctx.db, Lane.HOUSEKEEPING, now_us=now_us, lease_until_us=now_us + HOUR_US, limit=50
    )
    (check_job,) = [found for found in claimed if found.kind == job.kind]
    await jobs.reschedule(
        world.ctx.db, check_job, world.ctx.now_us(), "refused: vk 5", is_dead=True
    )


async def _list_dead_jobs(world: World) -> list[Any]:
    async with world.ctx.db.read() as tx:
        return await jobs.list_dead(tx, world.shop.id, limit=100)


async def test_unreachable_vk_is_not_reported_as_a_broken_key(world: World) -> None:
    club = create_community(world)
    community = await connect_community(world, club)
    rule = {"vk_http_500": True, "shop": str(club.group_id)}
    await world.http.post(f"{world.sandbox.base_url}/control", json=rule)
    checked = await communities.verify(world.ctx, world.member, community.id)
    assert (checked.error_code, checked.facts["check"]["code"]) == ("", "silent")
    assert checked.name == community.name, "the known facts stay"


async def test_check_clears_the_error_of_a_working_key(world: World) -> None:
    club = create_community(world)
    community = await connect_community(world, club)
    rule = {"vk_error": {"value": 42, "times": 1}, "shop": str(club.group_id)}
    await world.http.post(f"{world.sandbox.base_url}/control", json=rule)
    assert (await communities.verify(world.ctx, world.member, community.id)).error_code == "42"
    assert (await communities.verify(world.ctx, world.member, community.id)).error_code == ""


async def test_reconnected_community_reuses_its_row(world: World) -> None:
    club = create_community(world)
    async with serve_sigma(world) as ctx:
        community = await communities.connect(
            ctx, world.member, club.access_key, delivery_choice="callback"
        )
        await communities.disconnect(ctx, world.member, community.id)
        assert club.vk.list_servers(club.group_id) == []
        disconnected = await communities.get(ctx, world.member, community.id)
        assert disconnected.connection.status is Status.OFF
        assert disconnected.connection.secret_encrypted == ""
        assert await communities.list_connected(ctx, world.member) == []
        with pytest.raises(RefusedError):
            await community_client.open_client(ctx, community.id)
        # Disconnecting twice changes nothing.
        await communities.disconnect(ctx, world.member, community.id)

        reconnected = await communities.connect(ctx, world.member, club.create_access_key())
        assert (reconnected.id, reconnected.created_at_us) == (
            community.id,
            community.created_at_us,
        )
        assert len(await communities.list_connected(ctx, world.member)) == 1


async def test_access_key_is_in_no_log_and_no_error(
    world: World, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    club = create_community(world)
    await connect_community(world, club)
    club.revoke_access_key()
    with pytest.raises(RefusedError) as caught:
        await access_keys.inspect(world.ctx, world.member, club.access_key)
    output = caplog.text + "".join(capsys.readouterr()) + repr(caught.value.__dict__)
    assert club.access_key not in output


async def test_community_is_disconnected_although_its_key_cannot_be_decrypted(
    world: World,
) -> None:
    community = await connect_community(world, create_community(world))
    async with world.ctx.db.write() as tx:
        connection = await connection_rows.get(tx, community.id)
        assert connection is not None
        damaged = replace(connection, secret_encrypted="damaged")
        await changes.write(tx, Change((damaged,)), world.ctx.now_us())
    await communities.disconnect(world.ctx, world.member, community.id)
    current = await communities.get(world.ctx, world.member, community.id)
    assert not current.is_connected


async def test_problems_are_listed_for_members_who_answer_clients(world: World) -> None:
    for role in (Role.OWNER, Role.ADMIN, Role.OPERATOR):
        member = Member("usr_x", world.shop.id, role)
        assert await communities.list_with_problem(world.ctx, member) == []
    with pytest.raises(RefusedError) as caught:
        await communities.list_with_problem(world.ctx, Member("usr_x", world.shop.id, Role.VIEWER))
    assert caught.value.code == "forbidden"


async def test_broken_key_is_reported_to_the_owner_once(world: World) -> None:
    club = create_community(world)
    community = await connect_community(world, club)
    club.revoke_access_key()
    error = NeedsOwnerError(5)
    await asyncio.gather(
        *(community_client.mark_key_broken(world.ctx, community.id, error) for _ in range(5))
    )
    await communities.verify(world.ctx, world.member, community.id)
    async with world.ctx.db.read() as tx:
        timeline = await timeline_rows.list_for_subject(tx, community.id, limit=50)
    kinds = [event.kind for event in timeline]
    assert kinds.count("community.key_broken") == 1
