"""Long lists: newest first, the rest by page, nothing cut; one statement however long a page is."""

from dataclasses import replace
from typing import Any

import pytest

from sigma.domain.billing.acquirer_notice import AcquirerNotice
from sigma.domain.billing.payment import Payment
from sigma.domain.change import Change, Job, TimelineEvent
from sigma.domain.job_lanes import Lane
from sigma.domain.lists.filters import PaymentFilter
from sigma.domain.messaging.card import Card
from sigma.domain.messaging.conversation_changes import block, unblock
from sigma.services.billing import invoices, payment_views
from sigma.services.billing.payment_details import get_details
from sigma.services.context import Context
from sigma.services.conversations import conversation_page
from sigma.services.conversations.conversation_page import MAX_RELATED, RELATED_LIMIT
from sigma.services.invoice_cards import todo_board
from sigma.services.lists import payments
from sigma.services.paging import MAX_LIMIT
from sigma.store import changes, job_claims
from sigma.store.messaging import cards, conversations
from tests.conversation_invoices import issue_and_send
from tests.vk_world import VkWorld
from tests.world import World

COUNT = 2 * MAX_LIMIT + 50


async def add_events(ctx: Context, shop_id: str, subject_id: str) -> list[str]:
    """Store COUNT timeline events of a subject; return their ids, the newest first."""
    events = tuple(
        TimelineEvent(
            ctx.new_id("evt", shop_id), shop_id, subject_id, "invoice.opened", n, "client"
        )
        for n in range(COUNT)
    )
    await changes.commit(ctx.db, Change(events), ctx.now_us())
    return sorted((event.id for event in events), reverse=True)


@pytest.mark.both_databases
async def test_timeline_of_an_invoice_is_read_by_pages_newest_first(world: World) -> None:
    invoice = await world.create_invoice()
    expected = await add_events(world.ctx, world.shop.id, invoice.id)
    listed: list[str] = []
    cursor: str | None = None
    while True:
        page = await invoices.timeline(world.ctx, world.member, invoice.id, cursor=cursor)
        listed += [event.id for event in page.data if event.kind == "invoice.opened"]
        if (cursor := page.next_cursor) is None:
            break
    assert listed == expected


@pytest.mark.both_databases
async def test_newest_events_and_notices_of_a_payment_are_on_its_first_page(world: World) -> None:
    payment = await world.start_payment()
    expected = await add_events(world.ctx, world.shop.id, payment.id)
    notices = [
        replace(
            AcquirerNotice("", "", "", "payment.succeeded", "", "", "", "ciphertext", 1),
            id=world.ctx.new_id("ntc", world.shop.id),
            shop_id=world.shop.id,
            connection_id=world.connection.id,
            object_id=payment.provider_id or "",
            digest=f"digest-{n}",
            version=0,
        )
        for n in range(COUNT)
    ]
    await changes.commit(world.ctx.db, Change(tuple(notices)), world.ctx.now_us())
    newest = sorted((notice.id for notice in notices), reverse=True)
    first = await get_details(world.ctx, world.member, payment.id)
    assert [event.id for event in first.timeline.data] == expected[:MAX_LIMIT]
    assert [notice.id for notice in first.notices.data] == newest[:MAX_LIMIT]
    second = await get_details(
        world.ctx,
        world.member,
        payment.id,
        timeline_cursor=first.timeline.next_cursor,
        notices_cursor=first.notices.next_cursor,
    )
    assert [event.id for event in second.timeline.data] == expected[MAX_LIMIT : 2 * MAX_LIMIT]
    assert [notice.id for notice in second.notices.data] == newest[MAX_LIMIT : 2 * MAX_LIMIT]


async def test_every_card_of_a_conversation_is_refreshed_when_it_is_unblocked(
    vk_world: VkWorld,
) -> None:
    first = await issue_and_send(vk_world)
    conversation = await vk_world.conversation()
    ctx = vk_world.ctx
    more = [
        replace(
            first,
            id=ctx.new_id("inv", vk_world.shop.id),
            number=1000 + n,
            token=f"token-{n}",
            version=0,
        )
        for n in range(60)
    ]
    new_cards = [
        Card(
            ctx.new_id("crd", vk_world.shop.id),
            vk_world.shop.id,
            invoice.id,
            conversation.id,
            ctx.now_us(),
            "usr_1",
        )
        for invoice in more
    ]
    await changes.commit(ctx.db, Change((*more, *new_cards)), ctx.now_us())
    async with ctx.db.read() as tx:
        assert len(await cards.list_for_conversation(tx, conversation.id)) == 61
    page = await conversation_page.load_page(ctx, vk_world.member, conversation.id)
    assert all(card is not None for _, card in page.invoices)
    assert (len(page.invoices), page.has_more_related) == (RELATED_LIMIT, True)
    whole = await conversation_page.load_page(
        ctx, vk_world.member, conversation.id, related_limit=MAX_RELATED
    )
    assert (len(whole.invoices), whole.has_more_related) == (61, False)
    async with ctx.db.write() as tx:
        locked = await conversations.lock(tx, conversation.id)
        await changes.write(tx, block(locked, "901", ctx.now_us()), ctx.now_us())
    async with ctx.db.write() as tx:
        locked = await conversations.lock(tx, conversation.id)
        all_cards = await cards.list_for_conversation(tx, conversation.id)
        change = unblock(locked, all_cards, ctx.now_us())
        await changes.write(tx, change, ctx.now_us())
    assert {job.subject_id for job in change.jobs} == {invoice.id for invoice in (first, *more)}


@pytest.mark.both_databases
async def test_payments_captured_at_one_time_are_all_on_some_page_of_the_board(
    vk_world: VkWorld,
) -> None:
    ctx, payment = vk_world.ctx, await vk_world.complete_payment()
    assert payment.captured_at_us
    copies = [
        replace(
            payment,
            id=ctx.new_id("pay", vk_world.shop.id),
            captured_at_us=payment.captured_at_us - n // 3,
            token=f"token-{n}",
            operation_key=f"operation-{n}",
            provider_id=f"bank-{n}",
            form_nonce=f"copy-{n}",
            version=0,
        )
        for n in range(16)
    ]
    await changes.commit(ctx.db, Change(tuple(copies)), ctx.now_us())
    listed: list[str] = []
    cursor: str | None = None
    while True:
        board = await todo_board.load(
            ctx, vk_world.member, todo_board.Kind.PAID, limit=5, cursor=cursor
        )
        listed += [item.id for item in board.sections[0].items]
        if (cursor := board.sections[0].next_cursor) is None:
            break
    assert sorted(listed) == sorted(copy.id for copy in (payment, *copies))


@pytest.mark.both_databases
async def test_of_equal_jobs_in_one_change_the_one_due_first_is_enqueued(world: World) -> None:
    now_us = world.ctx.now_us()
    for subject, due in (("a", (5, 3, 9)), ("b", (7, 0, 9)), ("c", (2, 8, 4))):
        equal = tuple(
            Job("mail.send", subject, world.shop.id, now_us + at * 10**9 if at else 0) for at in due
        )
        await changes.commit(world.ctx.db, Change(jobs=equal), now_us)
    for after_us, subjects in ((0, ["b"]), (2 * 10**9, ["c"]), (3 * 10**9, ["a"])):
        claimed = await job_claims.claim(
            world.ctx.db,
            Lane.MAIL,
            now_us=now_us + after_us,
            lease_until_us=now_us + 10**12,
            limit=9,
        )
        assert [job.subject_id for job in claimed] == subjects


class CountedDatabase:
    """A database that counts the statements read outside transactions."""

    def __init__(self, db: Any) -> None:
        self._db = db
        self.count = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    def read(self) -> Any:
        return CountedReads(self, self._db.read())


class CountedReads:
    """Reads of a CountedDatabase."""

    def __init__(self, counted: CountedDatabase, reads: Any) -> None:
        self._counted, self._reads = counted, reads

    async def __aenter__(self) -> "CountedReads":
        self._tx = await self._reads.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._reads.__aexit__(*error)

    async def fetch_one(self, *args: Any, **values: Any) -> Any:
        self._counted.count += 1
        return await self._tx.fetch_one(*args, **values)

    async def fetch_all(self, *args: Any, **values: Any) -> Any:
        self._counted.count += 1
        return await self._tx.fetch_all(*args, **values)


async def count_statements(world: World) -> tuple[int, int]:
    """Return how many statements a page of payments takes, and its length."""
    counted: Any = CountedDatabase(world.ctx.db)
    page = await payments.list_ids(world.ctx, world.member, PaymentFilter(), limit=25, cursor=None)
    views = await payment_views.list_by_ids(replace(world.ctx, db=counted), world.member, page.ids)
    assert all(view.answers["wish"] for view in views)
    return counted.count, len(views)


async def test_page_of_payments_takes_the_same_statements_however_long_it_is(world: World) -> None:
    await world.start_payment()
    short, one = await count_statements(world)
    started: list[Payment] = [await world.start_payment(wish=f"лак {n}") for n in range(5)]
    long, six = await count_statements(world)
    assert (one, six) == (1, 1 + len(started))
    assert short == long == 2
