"""Concurrency: simultaneous notices, clicks, refunds and workers move each amount once.

Each test was seen to fail on both databases with its guard removed.
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
from sigma.domain.errors import RefusedError
from sigma.domain.idempotency import Idempotency, StoredResponse, render_id
from sigma.domain.job_lanes import Lane
from sigma.domain.money import Money
from sigma.services.billing import acquirer_notices, invoices, refunds
from sigma.services.checkout import checkout
from sigma.services.context import Context
from sigma.services.platform import jobs
from sigma.services.platform.idempotency import run_once
from sigma.store import changes
from sigma.store.database import open_database
from sigma.store.engine.statements import text_statement
from sigma.store.schema.tables import acquirer_notices as notice_rows
from sigma.store.schema.tables import refunds as refund_rows
from tests.reconciliation import fetch_rows
from tests.services.actions import (
    check_reconciled,
    deliver_notice,
    mail_kinds,
    make_payment_notice,
    payment_details,
    refusal_code,
    reload_payment,
    run_until_idle,
    try_advance,
)
from tests.world import World

pytestmark = pytest.mark.both_databases


def another_process(world: World) -> Context:
    """Return the context of another Sigma process: the same database, nothing shared in memory."""
    return replace(world.ctx, in_flight=set())


async def gather(*calls: Awaitable[Any]) -> list[Any]:
    """Await the calls concurrently; an exception in any of them fails the test."""
    return list(await asyncio.gather(*calls))


async def test_concurrent_notices_capture_the_payment_once(world: World) -> None:
    payment = await world.start_payment()
    await world.pay(payment)
    assert payment.provider_id
    bodies = [await make_payment_notice(world, payment.provider_id) for _ in range(10)]
    await gather(*(deliver_notice(world, body) for body in bodies))
    notices = await fetch_rows(world.ctx.db, notice_rows, world.shop.id)
    assert len(notices) == 10
    await gather(
        *(acquirer_notices.process(another_process(world), notice["id"]) for notice in notices)
    )
    view = await payment_details(world, payment)
    assert [event.kind for event in view.timeline.data].count("payment.captured") == 1
    assert mail_kinds(view.mails) == ["receipt"]
    await check_reconciled(world)


async def test_repeated_notice_is_stored_once(world: World) -> None:
    payment = await world.start_payment()
    await world.pay(payment)
    assert payment.provider_id
    body = await make_payment_notice(world, payment.provider_id)
    await gather(*(deliver_notice(world, body) for _ in range(10)))
    assert len(await fetch_rows(world.ctx.db, notice_rows, world.shop.id)) == 1
    await check_reconciled(world)


async def test_double_click_starts_one_payment(world: World) -> None:
    invoice = await world.create_invoice()
    form = world.pay_form()
    clicks = [checkout.start(another_process(world), invoice.token, form) for _ in range(8)]
    started = await gather(*clicks)
    assert len({payment.id for payment in started}) == 1
    assert len(await world.list_at_bank()) == 1
    assert {payment.confirmation_url for payment in started} == {started[0].confirmation_url}
    await world.pay(await reload_payment(world, started[0]))
    await try_advance(world, started[0])
    await check_reconciled(world)


async def test_concurrent_forms_of_one_browser_start_one_payment(world: World) -> None:
    invoice = await world.create_invoice()
    clicks = [
        checkout.start(another_process(world), invoice.token, world.pay_form()) for _ in range(4)
    ]
    started = await gather(*clicks)
    assert len({payment.id for payment in started}) == 1
    assert len(await world.list_at_bank()) == 1


async def test_two_payments_of_one_invoice_flag_the_second_as_extra(world: World) -> None:
    invoice = await world.create_invoice()
    forms = [world.pay_form(payer=payer) for payer in ("one", "two")]
    attempts = await gather(*(checkout.start(world.ctx, invoice.token, form) for form in forms))
    assert len({payment.id for payment in attempts}) == 2
    for payment in attempts:
        await world.pay(payment)
    advanced_payments = await gather(*(try_advance(world, payment) for payment in attempts * 3))
    assert {payment.status for payment in advanced_payments} == {Status.CAPTURED}
    flags = [(await reload_payment(world, payment)).attention for payment in attempts]
    assert set(flags) == {None, Attention.EXTRA}
    assert (await invoices.get(world.ctx, world.member, invoice.id)).paid_count == 1
    await check_reconciled(world)


async def test_concurrent_refunds_never_exceed_the_captured_amount(world: World) -> None:
    payment = await world.complete_payment()

    async def request() -> str:
        try:
            amount = Money(40_000)
            await refunds.request(another_process(world), world.member, payment.id, amount, "")
        except RefusedError as refusal:
            return refusal.code
        return "accepted"

    outcomes = Counter(await gather(*(request() for _ in range(6))))
    assert outcomes == {"accepted": 3, "refund_too_large": 3}
    refunds_pending = await fetch_rows(world.ctx.db, refund_rows, world.shop.id)
    await gather(*(refunds.advance(world.ctx, row["id"]) for row in refunds_pending * 3))
    assert len(await world.list_at_bank("refunds")) == 3
    assert (await payment_details(world, payment)).refundable == Money(30_000)
    await check_reconciled(world)


async def test_notice_before_the_create_answer_captures_the_payment(world: World) -> None:
    await world.inject_faults(cut_answer={"on": "create", "times": 1})
    payment = await world.start_payment()
    assert (payment.is_outcome_unknown, payment.provider_id) == (True, None)
    (bank_payment,) = await world.list_at_bank()
    await world.pay_by_provider_id(bank_payment["id"])
    await deliver_notice(world, await make_payment_notice(world, bank_payment["id"]))
    (notice,) = await fetch_rows(world.ctx.db, notice_rows, world.shop.id)
    await acquirer_notices.process(world.ctx, notice["id"])
    paid = await reload_payment(world, payment)
    assert (paid.status, paid.is_outcome_unknown, paid.provider_id) == (
        Status.CAPTURED,
        False,
        bank_payment["id"],
    )
    assert len(await world.list_at_bank()) == 1
    await check_reconciled(world)


async def test_notices_and_a_second_attempt_give_one_payment(world: World) -> None:
    invoice = await world.create_invoice()
    await world.inject_faults(cut_answer={"on": "create", "times": 1})
    lost = await world.start_payment(invoice)
    (bank_payment,) = await world.list_at_bank()
    await world.pay_by_provider_id(bank_payment["id"])
    bodies = [await make_payment_notice(world, bank_payment["id"]) for _ in range(3)]
    for body in bodies:
        await deliver_notice(world, body)
    notices = await fetch_rows(world.ctx.db, notice_rows, world.shop.id)
    *_, second_code = await gather(
        *(acquirer_notices.process(another_process(world), notice["id"]) for notice in notices),
        checkout.refresh(another_process(world), lost.token),
        refusal_code(world.start_payment(invoice)),
    )
    assert second_code in ("", "invoice_already_paid")
    assert (await reload_payment(world, lost)).status is Status.CAPTURED
    assert len(await world.list_at_bank()) == 1
    await check_reconciled(world)


async def create_invoice_once(
    ctx: Context, world: World, key: str, title: str = "Стрижка"
) -> StoredResponse:
    draft = Draft(title=title, amount=Money(70_000))
    idempotency = Idempotency(world.shop.id, key, title, 201, render_id)
    response, _ = await run_once(
        ctx,
        idempotency,
        lambda: invoices.create(ctx, world.member, draft, idempotency=idempotency),
    )
    return response


async def test_one_idempotency_key_creates_one_invoice(world: World) -> None:
    calls = [create_invoice_once(another_process(world), world, "key-1") for _ in range(16)]
    responses = await gather(*calls)
    assert len({(response.status, response.body) for response in responses}) == 1
    listed = await invoices.list_page(world.ctx, world.member)
    assert [invoice.id for invoice in listed.data] == [responses[0].body]


async def test_concurrent_use_of_one_key_is_refused_as_in_flight(world: World) -> None:
    async def request() -> str:
        try:
            return (await create_invoice_once(world.ctx, world, "key-1")).body
        except RefusedError as refusal:
            return refusal.code

    outcomes = Counter(await gather(*(request() for _ in range(16))))
    assert outcomes.pop("idempotency_in_flight") == 15
    (invoice_id,) = outcomes
    assert await request() == invoice_id
    with pytest.raises(RefusedError, match="idempotency_key_reused"):
        await create_invoice_once(world.ctx, world, "key-1", "Другое")


async def test_one_idempotency_key_creates_one_refund(world: World) -> None:
    payment = await world.complete_payment()

    async def request(ctx: Context) -> StoredResponse:
        idempotency = Idempotency(world.shop.id, "key-2", "fingerprint", 201, render_id)
        response, _ = await run_once(
            ctx,
            idempotency,
            lambda: refunds.request(
                ctx, world.member, payment.id, Money(100_000), "", idempotency=idempotency
            ),
        )
        return response

    # A second refund would be too large: every repeat must get the first response instead.
    responses = await gather(*(request(another_process(world)) for _ in range(16)))
    assert len({(response.status, response.body) for response in responses}) == 1
    assert len(await fetch_rows(world.ctx.db, refund_rows, world.shop.id)) == 1
    await run_until_idle(world)
    assert len(await world.list_at_bank("refunds")) == 1
    await check_reconciled(world)


async def test_concurrent_workers_run_each_job_once(world: World, database_url: str) -> None:
    running: Counter[str] = Counter()
    done: Counter[str] = Counter()

    async def probe(_: Context, subject: str) -> None:
        running[subject] += 1
        assert running[subject] == 1, "one job runs twice at once"
        await asyncio.sleep(0.003)
        running[subject] -= 1
        done[subject] += 1

    subjects = [f"job-{number}" for number in range(40)]
    new_jobs = tuple(Job("mail.send", subject, world.shop.id) for subject in subjects)
    await changes.commit(world.ctx.db, Change(jobs=new_jobs), world.ctx.now_us())

    async def work(ctx: Context) -> None:
        while claimed := await jobs.claim(ctx, Lane.MAIL, 3):
            await gather(*(jobs.run_job(ctx, job, {"mail.send": probe}, ()) for job in claimed))

    databases = [await open_database(database_url) for _ in range(3)]
    await gather(*(work(replace(world.ctx, db=db)) for db in databases for _ in range(2)))
    for db in databases:
        await db.close()
    assert done == dict.fromkeys(subjects, 1)


ANALYZE = text_statement("ANALYZE jobs")


async def test_claim_respects_its_limit_with_outdated_statistics(world: World) -> None:
    """With statistics of a one-row table PostgreSQL repeated the subquery and claimed every job."""

    async def enqueue(*subjects: str) -> None:
        new_jobs = tuple(Job("mail.send", subject, world.shop.id) for subject in subjects)
        await changes.commit(world.ctx.db, Change(jobs=new_jobs), world.ctx.now_us())

    await enqueue("first")
    async with world.ctx.db.write() as tx:
        await tx.fetch_all(ANALYZE)
    await enqueue("second", "third", "fourth", "fifth")
    assert [len(await jobs.claim(world.ctx, Lane.MAIL, 1)) for _ in range(3)] == [1, 1, 1]
    assert len(await jobs.claim(world.ctx, Lane.MAIL, 50)) == 2


async def test_job_enqueued_while_it_runs_runs_again_afterwards(world: World) -> None:
    started: list[str] = []
    same_job = Job("mail.send", "job", world.shop.id)

    async def enqueue() -> None:
        await changes.commit(world.ctx.db, Change(jobs=(same_job,)), world.ctx.now_us())

    async def probe(ctx: Context, subject: str) -> None:
        started.append(subject)
        if len(started) == 1:
            await enqueue()
            assert await jobs.claim(ctx, Lane.MAIL, 5) == []

    await enqueue()
    while claimed := await jobs.claim(world.ctx, Lane.MAIL, 5):
        for job in claimed:
            await jobs.run_job(world.ctx, job, {"mail.send": probe}, ())
    assert started == ["job", "job"]


async def test_concurrent_workers_send_one_receipt_per_payment(world: World) -> None:
    paid = [await world.start_payment() for _ in range(6)]
    for payment in paid:
        await world.pay(payment)
    world.clock.advance(minutes=1)
    await gather(*(worker.run_due_jobs(another_process(world)) for _ in range(4)))
    for payment in paid:
        assert (await reload_payment(world, payment)).status is Status.CAPTURED
        assert mail_kinds((await payment_details(world, payment)).mails) == ["receipt"]
    await check_reconciled(world)
