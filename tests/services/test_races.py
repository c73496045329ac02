"""Many at once: whatever comes together, one amount of money moves once.

Each test was seen to fail on both databases with its guard taken away.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import pytest

from sigma import worker
from sigma.domain.billing.invoice import Draft
from sigma.domain.billing.payment import Attention, Status
from sigma.domain.change import Change, Job
from sigma.domain.errors import Refused
from sigma.domain.money import Money
from sigma.services.billing import acquirer_notices, invoices, refunds
from sigma.services.checkout import checkout
from sigma.services.context import Context
from sigma.services.platform import idempotency, jobs
from sigma.store import changes
from sigma.store.database import open_database
from sigma.store.engine.statements import text_statement
from sigma.store.idempotency import Answered
from sigma.store.schema.tables import notices as notice_rows
from sigma.store.schema.tables import refunds as refund_rows
from tests.books import rows
from tests.services.acts import (
    advanced,
    all_is_well,
    details,
    fresh,
    kinds,
    refused,
    settle_down,
    tell,
    told_of,
)
from tests.world import World


def another_process(world: World) -> Context:
    """What another process of Sigma would have: the same database, nothing shared in memory."""
    return replace(world.ctx, in_flight=set(), asked={}, tries={})


async def together(*calls: Awaitable[Any]) -> list[Any]:
    """All at once; a surprise in any of them fails the test."""
    return list(await asyncio.gather(*calls))


async def test_ten_notices_at_once_book_once(world: World) -> None:
    payment = await world.started()
    await world.pay(payment)
    assert payment.provider_id
    bodies = [await told_of(world, payment.provider_id) for _ in range(10)]
    await together(*(tell(world, body) for body in bodies))
    kept = await rows(world.ctx.db, notice_rows, world.shop.id)
    assert len(kept) == 10
    await together(*(acquirer_notices.handle(another_process(world), one["id"]) for one in kept))
    told = await details(world, payment)
    assert [h.kind for h in told.timeline].count("payment.captured") == 1
    assert kinds(told.mails) == ["receipt"]
    await all_is_well(world)


async def test_the_same_notice_ten_times_at_once_is_one_row(world: World) -> None:
    payment = await world.started()
    await world.pay(payment)
    assert payment.provider_id
    body = await told_of(world, payment.provider_id)
    await together(*(tell(world, body) for _ in range(10)))
    assert len(await rows(world.ctx.db, notice_rows, world.shop.id)) == 1
    await all_is_well(world)


async def test_a_double_click_is_one_payment_here_and_at_the_bank(world: World) -> None:
    invoice = await world.invoice()
    form = world.form()
    clicks = [checkout.start(another_process(world), invoice.token, form) for _ in range(8)]
    started = await together(*clicks)
    assert len({payment.id for payment in started}) == 1
    assert len(await world.bank_list()) == 1
    assert {p.confirmation_url for p in started} == {started[0].confirmation_url}
    await world.pay(await fresh(world, started[0]))
    await advanced(world, started[0])
    await all_is_well(world)


async def test_two_forms_of_one_browser_at_once_are_one_payment(world: World) -> None:
    invoice = await world.invoice()
    clicks = [checkout.start(another_process(world), invoice.token, world.form()) for _ in range(4)]
    started = await together(*clicks)
    assert len({payment.id for payment in started}) == 1
    assert len(await world.bank_list()) == 1


async def test_two_tabs_that_pay_one_invoice_make_one_paid_and_one_flagged(world: World) -> None:
    invoice = await world.invoice()
    forms = [world.form(payer=payer) for payer in ("one", "two")]
    tabs = await together(*(checkout.start(world.ctx, invoice.token, form) for form in forms))
    assert len({payment.id for payment in tabs}) == 2
    for payment in tabs:
        await world.pay(payment)
    done = await together(*(advanced(world, payment) for payment in tabs * 3))
    assert {payment.status for payment in done} == {Status.CAPTURED}
    flags = [(await fresh(world, payment)).attention for payment in tabs]
    assert set(flags) == {None, Attention.EXTRA}
    assert (await invoices.get(world.ctx, world.member, invoice.id)).paid_count == 1
    await all_is_well(world)


async def test_refunds_at_once_never_give_back_more_than_was_taken(world: World) -> None:
    payment = await world.paid()

    async def ask() -> str:
        try:
            amount = Money(40_000)
            await refunds.request(another_process(world), world.member, payment.id, amount, "")
        except Refused as no:
            return no.code
        return "promised"

    said = Counter(await together(*(ask() for _ in range(6))))
    assert said == {"promised": 3, "refund_too_large": 3}
    waiting = await rows(world.ctx.db, refund_rows, world.shop.id)
    await together(*(refunds.advance(world.ctx, row["id"]) for row in waiting * 3))
    assert len(await world.bank_list("refunds")) == 3
    assert (await details(world, payment)).left == Money(30_000)
    await all_is_well(world)


async def test_a_notice_that_overtakes_our_own_answer_is_understood(world: World) -> None:
    await world.control(cut_answer={"on": "create", "times": 1})
    payment = await world.started()
    assert (payment.unknown, payment.provider_id) == (True, None)
    (theirs,) = await world.bank_list()
    await world.pay_at_bank(theirs["id"])
    await tell(world, await told_of(world, theirs["id"]))
    (kept,) = await rows(world.ctx.db, notice_rows, world.shop.id)
    await acquirer_notices.handle(world.ctx, kept["id"])
    paid = await fresh(world, payment)
    assert (paid.status, paid.unknown, paid.provider_id) == (Status.CAPTURED, False, theirs["id"])
    assert len(await world.bank_list()) == 1
    await all_is_well(world)


async def test_a_notice_and_the_clients_second_try_at_once_are_one_payment(world: World) -> None:
    invoice = await world.invoice()
    await world.control(cut_answer={"on": "create", "times": 1})
    lost = await world.started(invoice)
    (theirs,) = await world.bank_list()
    await world.pay_at_bank(theirs["id"])
    bodies = [await told_of(world, theirs["id"]) for _ in range(3)]
    for body in bodies:
        await tell(world, body)
    kept = await rows(world.ctx.db, notice_rows, world.shop.id)
    *_, again = await together(
        *(acquirer_notices.handle(another_process(world), one["id"]) for one in kept),
        checkout.refresh(another_process(world), lost.token),
        refused(world.started(invoice)),
    )
    assert again in ("", "invoice_already_paid")
    assert (await fresh(world, lost)).status is Status.CAPTURED
    assert len(await world.bank_list()) == 1
    await all_is_well(world)


async def once_invoice(ctx: Context, world: World, key: str, title: str = "Стрижка") -> Answered:
    draft = Draft(title=title, amount=Money(70_000))
    answered, _ = await idempotency.once(
        ctx,
        world.member,
        key,
        title,
        lambda remember: invoices.create(
            ctx, world.member, draft, remember=lambda made: remember(201, made.id)
        ),
    )
    return answered


async def test_one_key_sixteen_times_is_one_invoice_with_one_answer(world: World) -> None:
    calls = [once_invoice(another_process(world), world, "key-1") for _ in range(16)]
    answers = await together(*calls)
    assert len({(a.status, a.body) for a in answers}) == 1
    listed = await invoices.listing(world.ctx, world.member)
    assert [one.id for one in listed.data] == [answers[0].body]


async def test_one_key_at_once_in_one_process_is_answered_or_told_to_wait(world: World) -> None:
    async def ask() -> str:
        try:
            return (await once_invoice(world.ctx, world, "key-1")).body
        except Refused as no:
            return no.code

    said = Counter(await together(*(ask() for _ in range(16))))
    assert said.pop("idempotency_in_flight") == 15
    (made,) = said
    assert await ask() == made
    with pytest.raises(Refused, match="idempotency_key_reused"):
        await once_invoice(world.ctx, world, "key-1", "Другое")


async def test_one_key_sixteen_times_is_one_refund_with_one_answer(world: World) -> None:
    payment = await world.paid()

    async def ask(ctx: Context) -> Answered:
        answered, _ = await idempotency.once(
            ctx,
            world.member,
            "key-2",
            "fingerprint",
            lambda remember: refunds.request(
                ctx,
                world.member,
                payment.id,
                Money(100_000),  # a second one would be too large, and still gets the first answer
                "",
                remember=lambda made: remember(201, made.id),
            ),
        )
        return answered

    answers = await together(*(ask(another_process(world)) for _ in range(16)))
    assert len({(a.status, a.body) for a in answers}) == 1
    assert len(await rows(world.ctx.db, refund_rows, world.shop.id)) == 1
    await settle_down(world)
    assert len(await world.bank_list("refunds")) == 1
    await all_is_well(world)


async def test_two_workers_never_do_one_job_at_once_and_each_job_once(
    world: World, database_url: str
) -> None:
    running: Counter[str] = Counter()
    done: Counter[str] = Counter()

    async def probe(_: Context, subject: str) -> None:
        running[subject] += 1
        assert running[subject] == 1, "two at once"
        await asyncio.sleep(0.003)
        running[subject] -= 1
        done[subject] += 1

    names = [f"job-{number}" for number in range(40)]
    promised = tuple(Job("mail.send", name, world.shop.id) for name in names)
    await changes.commit(world.ctx.db, Change(jobs=promised), world.ctx.now())

    async def work(ctx: Context) -> None:
        while claimed := await jobs.claim(ctx, 3):
            await together(*(jobs.attempt(ctx, job, {"mail.send": probe}, ()) for job in claimed))

    others = [await open_database(database_url) for _ in range(3)]
    await together(*(work(replace(world.ctx, db=db)) for db in others for _ in range(2)))
    for db in others:
        await db.close()
    assert done == dict.fromkeys(names, 1)


ANALYZE = text_statement("ANALYZE jobs")


async def test_a_worker_takes_no_more_jobs_than_it_asks_for_whatever_the_statistics(
    world: World,
) -> None:
    """PostgreSQL, believing that the table holds one row, chose anew for each and took them all."""

    async def promise(*names: str) -> None:
        promised = tuple(Job("mail.send", name, world.shop.id) for name in names)
        await changes.commit(world.ctx.db, Change(jobs=promised), world.ctx.now())

    await promise("first")
    async with world.ctx.db.write() as tx:
        await tx.fetch_all(ANALYZE)
    await promise("second", "third", "fourth", "fifth")
    assert [len(await jobs.claim(world.ctx, 1)) for _ in range(3)] == [1, 1, 1]
    assert len(await jobs.claim(world.ctx, 50)) == 2


async def test_work_promised_while_it_is_done_is_done_once_more_and_not_at_once(
    world: World,
) -> None:
    started: list[str] = []
    again = Job("mail.send", "job", world.shop.id)

    async def promise() -> None:
        await changes.commit(world.ctx.db, Change(jobs=(again,)), world.ctx.now())

    async def probe(ctx: Context, subject: str) -> None:
        started.append(subject)
        if len(started) == 1:
            await promise()
            assert await jobs.claim(ctx, 5) == []

    await promise()
    while claimed := await jobs.claim(world.ctx, 5):
        for job in claimed:
            await jobs.attempt(world.ctx, job, {"mail.send": probe}, ())
    assert started == ["job", "job"]


async def test_many_workers_drain_one_paid_day_without_doing_anything_twice(world: World) -> None:
    paid = [await world.started() for _ in range(6)]
    for payment in paid:
        await world.pay(payment)
    world.clock.move(minutes=1)
    await together(*(worker.drain(another_process(world)) for _ in range(4)))
    for payment in paid:
        assert (await fresh(world, payment)).status is Status.CAPTURED
        assert kinds((await details(world, payment)).mails) == ["receipt"]
    await all_is_well(world)
