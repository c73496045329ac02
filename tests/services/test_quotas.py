"""Quotas of a shop: invoices and messages a day, space for photos. None by default."""

import asyncio
from collections.abc import Awaitable

import pytest

from sigma.domain.accounts.quota import Quotas
from sigma.domain.billing.invoice import Draft
from sigma.domain.catalogue.photo import Photo
from sigma.domain.change import Change
from sigma.domain.errors import RefusedError
from sigma.domain.money import Money
from sigma.services.accounts import installation
from sigma.services.accounts.installation import Administrator
from sigma.services.billing import invoices
from sigma.services.catalogue import services
from sigma.services.context import Context
from sigma.services.conversations import outbox
from sigma.services.invoice_cards import cards
from sigma.services.platform import quotas
from sigma.store import changes
from tests.conversation_invoices import pay_invoice
from tests.photos import make_photo
from tests.vk_world import VkWorld
from tests.world import World

ADMINISTRATOR = Administrator("cli")
DRAFT = Draft(title="Маникюр", amount=Money(100))


async def set_quotas(ctx: Context, shop_id: str, **amounts: int) -> None:
    await installation.set_quotas(ctx, ADMINISTRATOR, shop_id, Quotas(**amounts))


async def refused(code: str, action: Awaitable[object]) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        await action
    assert caught.value.code == code
    return caught.value


async def test_invoices_of_a_day_are_counted(world: World) -> None:
    world.clock.stop()
    await set_quotas(world.ctx, world.shop.id, invoices_per_day=2)
    for _ in range(2):
        await invoices.create(world.ctx, world.member, DRAFT)
    error = await refused("quota_invoices", invoices.create(world.ctx, world.member, DRAFT))
    assert error.params["wait"].total_seconds() <= 86_400
    await refused("validation", invoices.create(world.ctx, world.member, Draft("", Money(100))))
    world.clock.advance(days=1, seconds=1)
    await invoices.create(world.ctx, world.member, DRAFT)


async def test_changed_quota_holds_in_this_process_at_once(world: World) -> None:
    await invoices.create(world.ctx, world.member, DRAFT)
    await set_quotas(world.ctx, world.shop.id, invoices_per_day=0)
    await refused("quota_invoices", invoices.create(world.ctx, world.member, DRAFT))
    await set_quotas(world.ctx, world.shop.id)
    await invoices.create(world.ctx, world.member, DRAFT)


async def test_invoices_before_a_new_quota_count(world: World) -> None:
    world.clock.stop()
    await invoices.create(world.ctx, world.member, DRAFT)
    world.clock.advance(hours=20)
    await invoices.create(world.ctx, world.member, DRAFT)
    await set_quotas(world.ctx, world.shop.id, invoices_per_day=3)
    await invoices.create(world.ctx, world.member, DRAFT)
    error = await refused("quota_invoices", invoices.create(world.ctx, world.member, DRAFT))
    assert error.params["wait"].total_seconds() <= 4 * 3600
    await set_quotas(world.ctx, world.shop.id, invoices_per_day=4)
    await invoices.create(world.ctx, world.member, DRAFT)
    await refused("quota_invoices", invoices.create(world.ctx, world.member, DRAFT))
    await set_quotas(world.ctx, world.shop.id)
    await set_quotas(world.ctx, world.shop.id, invoices_per_day=4)
    await refused("quota_invoices", invoices.create(world.ctx, world.member, DRAFT))
    world.clock.advance(hours=25)
    await set_quotas(world.ctx, world.shop.id)
    await set_quotas(world.ctx, world.shop.id, invoices_per_day=1)
    await invoices.create(world.ctx, world.member, DRAFT)


async def test_quota_of_one_shop_leaves_another_alone(world: World) -> None:
    created = await installation.create_shop(world.ctx, ADMINISTRATOR, "Второй", "b@example.org")
    await set_quotas(world.ctx, created.shop.id, invoices_per_day=0)
    await invoices.create(world.ctx, world.member, DRAFT)


@pytest.mark.both_databases
async def test_photos_of_a_shop_have_a_limited_size(world: World) -> None:
    photo = await services.add_photo(world.ctx, world.member, make_photo(600, 600))
    await set_quotas(world.ctx, world.shop.id, storage_bytes=len(photo.data))
    error = await refused(
        "validation", services.add_photo(world.ctx, world.member, make_photo(600, 600))
    )
    assert [p.code for p in error.problems] == ["photo_quota"]
    await set_quotas(world.ctx, world.shop.id, storage_bytes=10 * len(photo.data))
    await services.add_photo(world.ctx, world.member, make_photo(600, 600))


@pytest.mark.both_databases
async def test_photos_that_are_stored_at_once_count_together(world: World) -> None:
    ctx, shop_id = world.ctx, world.shop.id
    await set_quotas(ctx, shop_id, storage_bytes=25)

    async def store(number: int) -> bool:
        photo = Photo(f"pho_{number:0>22}", shop_id, "image/webp", 1, 1, bytes(10), ctx.now_us())
        try:
            async with ctx.db.write() as tx:
                await quotas.require_storage(tx, shop_id, 10)
                await changes.write(tx, Change((photo,)), ctx.now_us())
        except RefusedError:
            return False
        return True

    assert (await asyncio.gather(*map(store, range(6)))).count(True) == 2


async def test_messages_and_cards_count_and_receipts_do_not(vk_world: VkWorld) -> None:
    ctx, member = vk_world.ctx, vk_world.member
    await vk_world.write_as_client("Здравствуйте")
    await vk_world.poll_events()
    conversation = await vk_world.conversation()
    await set_quotas(ctx, vk_world.shop.id, messages_per_day=2)
    await outbox.post(ctx, member, conversation.id, "Добрый день", idempotency_key="1")
    await outbox.post(ctx, member, conversation.id, "Добрый день", idempotency_key="1")
    draft = Draft(title="Маникюр", amount=Money(100), conversation_id=conversation.id)
    invoice = await cards.issue(ctx, member, draft)
    await refused("quota_messages", cards.issue(ctx, member, draft))
    await refused(
        "quota_messages", outbox.post(ctx, member, conversation.id, "Ещё", idempotency_key="2")
    )
    await vk_world.run_jobs()
    before = await vk_world.texts()
    await pay_invoice(vk_world, invoice)
    await vk_world.run_jobs()
    assert len(await vk_world.texts()) == len(before) + 1, "the receipt is sent"
