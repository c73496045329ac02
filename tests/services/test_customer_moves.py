"""Merging and splitting customers: no payment is lost, every move can be undone."""

import asyncio
import random
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any

import pytest

from sigma.domain.accounts.member import Member, Role
from sigma.domain.customers.moves import Move
from sigma.services.checkout import checkout
from sigma.services.customers import moves
from sigma.store.customers import identities
from sigma.store.schema.customer_tables import customer_identities, customers
from sigma.store.schema.tables import timeline_events
from tests.customer_rows import add_customers, payment_owners
from tests.reconciliation import fetch_rows
from tests.services.actions import member_with_role, refusal_code
from tests.world import World

pytestmark = pytest.mark.both_databases


async def identity_owners(world: World) -> dict[str, str]:
    """Return contact id → customer id."""
    rows = await fetch_rows(world.ctx.db, customer_identities, world.shop.id)
    return {row["id"]: row["customer_id"] for row in rows}


async def active_customers(world: World) -> set[str]:
    """Return the customers that were not merged into another one."""
    rows = await fetch_rows(world.ctx.db, customers, world.shop.id)
    return {row["id"] for row in rows if row["merged_into_id"] is None}


async def check_nothing_lost(world: World, payment_ids: set[str], contact_ids: set[str]) -> None:
    """Every payment and contact still belongs to a customer that exists."""
    owners, contacts = await payment_owners(world), await identity_owners(world)
    assert set(owners) == payment_ids
    assert set(contacts) == contact_ids
    assert {*owners.values(), *contacts.values()} <= await active_customers(world)


async def split_part(world: World, customer_id: str, numbers: random.Random) -> Move | None:
    """Split a random part of a customer's contacts; None for a customer with one contact."""
    async with world.ctx.db.read() as tx:
        contacts = await identities.list_for_customers(tx, [customer_id])
    if len(contacts) < 2:
        return None
    part = numbers.sample(contacts, numbers.randint(1, len(contacts) - 1))
    return await moves.split(world.ctx, world.member, customer_id, [one.id for one in part])


async def run_all(calls: Sequence[Coroutine[Any, Any, Move | None]]) -> list[Move]:
    """Run moves of different customers, 40 at the same time; return what they did."""
    done: list[Move | None] = []
    for start in range(0, len(calls), 40):
        done += await asyncio.gather(*calls[start : start + 40])
    return [move for move in done if move is not None]


async def test_merge_and_split_of_1000_clients_keep_every_payment(world: World) -> None:
    ctx, member, numbers = world.ctx, world.member, random.Random(7)
    ids = await add_customers(world, 1000)
    owners_before, contacts_before = await payment_owners(world), await identity_owners(world)
    numbers.shuffle(ids)
    merged = await run_all(
        [moves.merge(ctx, member, *pair) for pair in zip(ids[:500], ids[500:], strict=True)]
    )
    await check_nothing_lost(world, set(owners_before), set(contacts_before))
    rest = ids[500:]
    mixed = await run_all(
        [split_part(world, one, numbers) for one in rest[:200]]
        + [moves.merge(ctx, member, *pair) for pair in zip(rest[200:350], rest[350:], strict=True)]
    )
    await check_nothing_lost(world, set(owners_before), set(contacts_before))
    assert len(merged) + len(mixed) > 800
    assert len(set((await payment_owners(world)).values())) < 600
    for done in (mixed, merged):
        await run_all([moves.undo(ctx, member, move.id) for move in done])
    assert await payment_owners(world) == owners_before
    assert await identity_owners(world) == contacts_before


async def test_undo_in_any_order_keeps_every_payment(world: World) -> None:
    ids = await add_customers(world, 20)
    owners_before, contacts_before = await payment_owners(world), await identity_owners(world)
    numbers, done, active = random.Random(11), list[Move](), list(ids)
    for _ in range(12):
        source, target = numbers.sample(active, 2)
        done.append(await moves.merge(world.ctx, world.member, source, target))
        active.remove(source)
    numbers.shuffle(done)
    for move in done:
        await refusal_code(moves.undo(world.ctx, world.member, move.id))
        await check_nothing_lost(world, set(owners_before), set(contacts_before))


async def test_payments_during_merges_never_stay_with_a_merged_customer(world: World) -> None:
    first, second = await add_customers(world, 2)
    tokens = [(await world.create_invoice()).token for _ in range(12)]

    async def pay(n: int) -> None:
        form = world.pay_form(f"browser-{n}", email=f"client{n % 2}@example.net", phone="")
        await checkout.start(replace(world.ctx, in_flight=set()), tokens[n], form)

    async def merge_and_undo() -> None:
        for _ in range(6):
            move = await moves.merge(world.ctx, world.member, first, second)
            await moves.undo(world.ctx, world.member, move.id)
        await moves.merge(world.ctx, world.member, first, second)

    await asyncio.gather(merge_and_undo(), *(pay(n) for n in range(12)))
    assert set((await payment_owners(world)).values()) == {second}


async def test_rows_that_came_after_a_merge_go_back_with_their_contact(world: World) -> None:
    first, second = await add_customers(world, 2)
    move = await moves.merge(world.ctx, world.member, first, second)
    form = world.pay_form(email="client0@example.net", phone="")
    paid = await checkout.start(world.ctx, (await world.create_invoice()).token, form)
    assert paid.customer_id == second
    await moves.undo(world.ctx, world.member, move.id)
    assert (await payment_owners(world))[paid.id] == first


async def test_split_takes_the_rows_of_its_strongest_contact(world: World) -> None:
    (customer_id, *_) = await add_customers(world, 4)
    async with world.ctx.db.read() as tx:
        contacts = await identities.list_for_customers(tx, [customer_id])
    email = next(one for one in contacts if one.kind == "email")
    move = await moves.split(world.ctx, world.member, customer_id, [email.id])
    owners = await payment_owners(world)
    assert list(owners.values()).count(move.to_id) == move.counts["payments"] > 0
    assert customer_id not in owners.values()
    assert move.counts["conversations"] == 0


async def test_moves_are_in_both_timelines_and_need_the_right(world: World) -> None:
    first, second = await add_customers(world, 2)
    viewer = member_with_role(world, Role.VIEWER)
    for call in (
        moves.merge(world.ctx, viewer, first, second),
        moves.split(world.ctx, viewer, first, []),
        moves.undo(world.ctx, viewer, "mov_unknown"),
    ):
        assert await refusal_code(call) == "forbidden"
    assert await refusal_code(moves.merge(world.ctx, world.member, first, first)) == "validation"
    move = await moves.merge(world.ctx, world.member, first, second)
    assert await refusal_code(moves.merge(world.ctx, world.member, first, second)) == (
        "changed_meanwhile"
    )
    await moves.undo(world.ctx, world.member, move.id)
    again = await moves.undo(world.ctx, world.member, move.id)
    assert again.undone_at_us is not None
    events = await fetch_rows(world.ctx.db, timeline_events, world.shop.id)
    kinds = sorted((row["subject_id"], row["kind"]) for row in events if "customer" in row["kind"])
    assert kinds == sorted(
        (one, kind)
        for one in (first, second)
        for kind in ("customer.merged", "customer.merge_undone")
    )


async def test_customers_of_another_shop_are_unknown(world: World) -> None:
    own, foreign = await add_customers(world, 2)
    stranger = Member("usr_stranger", "shp_other", Role.OWNER)
    for call in (
        moves.merge(world.ctx, stranger, own, foreign),
        moves.split(world.ctx, stranger, own, []),
    ):
        assert await refusal_code(call) == "not_found"
