"""Guards against what happens between a read and the write that depends on it.

Each test lets something else happen at exactly that moment.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from sigma.channels.vk.client import VkClients
from sigma.domain.accounts.shop import Shop
from sigma.domain.billing.invoice import Draft
from sigma.domain.errors import RefusedError
from sigma.domain.idempotency import Idempotency, StoredResponse, render_id
from sigma.domain.messaging.auto_reply import AutoReplySettings
from sigma.domain.money import Money
from sigma.services.accounts import first_owner, shops
from sigma.services.billing import connections, invoices, refunds
from sigma.services.clock import clock
from sigma.services.context import Context
from sigma.services.ids import IdGenerator
from sigma.services.invoice_cards import auto_reply, todo_board
from sigma.services.platform.idempotency import run_once
from sigma.store.accounts import users as user_rows
from sigma.store.database import open_database
from sigma.store.encryption import Cipher
from sigma.store.engine.interface import Database, Tx
from sigma.store.schema import tables
from tests.conversation_invoices import get_card, issue_and_send
from tests.reconciliation import fetch_rows
from tests.services.actions import refusal_code
from tests.vk_world import VkWorld
from tests.world import TestSettings, World

pytestmark = pytest.mark.both_databases

Hook = Callable[[], Awaitable[Any]]


class HookedDatabase:
    """A database that awaits `before_write` before, and `before_commit` at the end of its first
    transaction.
    """

    def __init__(
        self, db: Database, *, before_write: Hook | None = None, before_commit: Hook | None = None
    ) -> None:
        self._db = db
        self._before_write, self._before_commit = before_write, before_commit

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Tx]:
        before_write, self._before_write = self._before_write, None
        before_commit, self._before_commit = self._before_commit, None
        if before_write:
            await before_write()
        async with self._db.write() as tx:
            yield tx
            if before_commit:
                await before_commit()


def hooked(ctx: Context, **hooks: Hook) -> Context:
    """Return the context of another process, with hooks at its first transaction."""
    db: Any = HookedDatabase(ctx.db, **hooks)
    return replace(ctx, db=db, in_flight=set())


async def test_auto_reply_is_not_sent_when_an_operator_answers_just_before(
    vk_world: VkWorld,
) -> None:
    await vk_world.write_as_client("Добрый день")
    await vk_world.poll_events()
    (message,) = await vk_world.messages()
    await auto_reply.save_settings(vk_world.ctx, vk_world.member, AutoReplySettings(enabled=True))

    async def answer() -> None:
        await vk_world.post_message("Я здесь")

    await auto_reply.send(hooked(vk_world.ctx, before_write=answer), message.id)
    await vk_world.run_jobs()
    assert await vk_world.vk_texts() == ["Добрый день", "Я здесь"]


async def save_account(world: World, ctx: Context, account: str, **more: Any) -> None:
    saved = world.connection
    values: dict[str, Any] = {"title": saved.title, "secret": None, "settings": saved.settings}
    await connections.save(
        ctx, world.member, saved.id, provider=saved.provider, account=account, **(values | more)
    )


async def test_account_of_a_used_connection_cannot_change(world: World) -> None:
    await save_account(world, world.ctx, "600600")
    await save_account(world, world.ctx, world.account)
    await world.start_payment()
    with pytest.raises(RefusedError) as caught:
        await save_account(world, world.ctx, "600600")
    assert [(p.field, p.code) for p in caught.value.problems] == [("account", "account_used")]
    await save_account(world, world.ctx, f" {world.account} ", title="Другое", secret="test_new")


async def test_payment_that_starts_while_its_account_is_changed_keeps_the_account(
    world: World,
) -> None:
    ctx = hooked(world.ctx, before_write=world.start_payment)
    assert await refusal_code(save_account(world, ctx, "600600")) == "validation"
    stored = await connections.get(world.ctx, world.member, world.connection.id)
    assert stored.account == world.account


@pytest.mark.parametrize("timeout_s", ["soon", "", [], 0, 121, "nan"])
async def test_timeout_that_is_no_number_of_seconds_is_a_problem_of_its_field(
    world: World, timeout_s: object
) -> None:
    settings = world.connection.settings | {"timeout_s": timeout_s}
    with pytest.raises(RefusedError) as caught:
        await save_account(world, world.ctx, world.account, settings=settings)
    assert [(p.field, p.code) for p in caught.value.problems] == [("timeout_s", "range")]


async def set_time_zone(world: World, tz: str) -> Shop:
    return await shops.save_seller(
        world.ctx,
        world.member,
        name=world.shop.name,
        seller=world.shop.seller,
        tz=tz,
        accent="",
        return_url="",
        consent_text="",
    )


async def test_client_is_reminded_once_per_day_of_the_shop(vk_world: VkWorld) -> None:
    card = await get_card(vk_world, await issue_and_send(vk_world))
    await set_time_zone(vk_world, "Asia/Vladivostok")  # UTC+10: its day begins at 14:00 UTC
    day_us = 86_400_000_000
    begin_us = (vk_world.ctx.now_us() // day_us + 1) * day_us + 14 * 3_600_000_000

    async def remind(at_us: int) -> bool:
        ctx = replace(vk_world.ctx, now_us=lambda: at_us)
        return await todo_board.remind(ctx, vk_world.member, card.id)

    times = (begin_us - 1, begin_us, begin_us + day_us - 1, begin_us + day_us)
    sent = [await remind(at_us) for at_us in times]
    assert sent == [True, True, False, True]


async def test_only_one_of_two_simultaneous_first_owners_is_created(database_url: str) -> None:
    db = await open_database(database_url)
    ctx = Context(
        db=db,
        settings=TestSettings(),
        cipher=Cipher(["key"]),
        ids=IdGenerator(clock),
        providers={},
        mailer_factory=lambda _: None,
        vk=VkClients(lambda _: pytest.fail("no request to VK")),
    )
    both_hashed = asyncio.Barrier(2)

    async def create(login: str) -> str:
        return await refusal_code(
            first_owner.create_first_owner(
                hooked(ctx, before_write=both_hashed.wait),
                login=login,
                password="correct horse battery",
                name="",
                shop_name="Студия",
            )
        )

    async with asyncio.timeout(60):
        codes = await asyncio.gather(create("a@example.org"), create("b@example.org"))
    assert sorted(codes) == ["", "forbidden"]
    async with db.read() as tx:
        assert await user_rows.count(tx) == 1
    await db.close()


async def run_with_waiting_repeat(
    world: World, action: Callable[[Context, Idempotency[Any]], Awaitable[Any]]
) -> list[tuple[StoredResponse, bool]]:
    """Run a request and, before it commits, its repeat in another process; return both results."""
    started, results = asyncio.Event(), []
    idempotency: Idempotency[Any] = Idempotency(world.shop.id, "key-1", "print", 201, render_id)

    async def run(ctx: Context) -> None:
        results.append(await run_once(ctx, idempotency, lambda: action(ctx, idempotency)))

    async def begin_repeat() -> None:
        started.set()
        # The repeat runs until it waits for this transaction, which ends only after that.
        for _ in range(50):
            await asyncio.sleep(0)

    async def repeat() -> None:
        await started.wait()
        await run(replace(world.ctx, in_flight=set()))

    async with asyncio.timeout(60):
        await asyncio.gather(run(hooked(world.ctx, before_commit=begin_repeat)), repeat())
    return results


async def test_repeat_that_waits_for_the_first_request_gets_its_response(world: World) -> None:
    payment = await world.complete_payment()

    async def refund_all(ctx: Context, idempotency: Idempotency[Any]) -> Any:
        return await refunds.request(
            ctx, world.member, payment.id, Money(150_000), "", idempotency=idempotency
        )

    # Without the first response the repeat would be refused: nothing is left to refund.
    (first, is_repeat), (second, is_second_repeat) = await run_with_waiting_repeat(
        world, refund_all
    )
    assert (first.body, is_repeat, is_second_repeat) == (second.body, False, True)
    assert len(await fetch_rows(world.ctx.db, tables.refunds, world.shop.id)) == 1


async def test_repeat_that_conflicts_with_the_first_request_gets_its_response(
    world: World,
) -> None:
    async def create(ctx: Context, idempotency: Idempotency[Any]) -> Any:
        draft = Draft(title="Стрижка", amount=Money(70_000))
        return await invoices.create(ctx, world.member, draft, idempotency=idempotency)

    calls = [
        run_once(
            replace(world.ctx, in_flight=set()),
            idempotency := Idempotency(world.shop.id, "key-1", "print", 201, render_id),
            lambda: create(world.ctx, idempotency),
        )
        for _ in range(2)
    ]
    (first, _), (second, _) = await asyncio.gather(*calls)
    assert first.body == second.body
    assert len((await invoices.list_page(world.ctx, world.member)).data) == 1
