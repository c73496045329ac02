"""The change feed: open pages get the ids of changed conversations of their own shop."""

import asyncio
from dataclasses import replace

import pytest

from sigma.domain.change import Change
from sigma.services.channel_watcher import POLL_S
from sigma.services.conversations import change_feed
from sigma.services.conversations.change_feed import ChangeFeed, ConversationChange
from sigma.store import changes
from sigma.store.changes import LISTS_CHANNEL
from tests.services.conversation_rows import add_conversation
from tests.vk_world import VkWorld


async def _next_change(feed: ChangeFeed, shop_id: str, since_us: int) -> ConversationChange:
    async for change in feed.changes(shop_id, since_us):
        if change is not None:
            return change
    raise AssertionError("the stream has ended")


async def test_change_feed_reports_a_new_message_to_its_shop_only(vk_world: VkWorld) -> None:
    feed = ChangeFeed(vk_world.ctx)
    since_us = vk_world.ctx.now_us() + 10 * 1_000_000  # excludes the changes made by the set-up
    vk_world.clock.advance(seconds=20)
    waiting = asyncio.create_task(_next_change(feed, vk_world.shop.id, since_us))
    other_shop = asyncio.create_task(_next_change(feed, "shp_other", since_us))
    await asyncio.sleep(0.1)
    await vk_world.write_as_client("Здравствуйте")
    await vk_world.poll_events()
    change = await asyncio.wait_for(waiting, 4)
    conversation = await vk_world.conversation()
    assert (change.conversation_ids, change.unread_count) == ((conversation.id,), 1)
    repeated = await asyncio.wait_for(_next_change(feed, vk_world.shop.id, since_us), 4)
    assert repeated.conversation_ids == (conversation.id,), (
        "an older cursor gets the missed changes"
    )
    assert not other_shop.done(), "another shop gets no change"
    feed.close()
    with pytest.raises(AssertionError, match="ended"):
        await asyncio.wait_for(other_shop, 4)


async def test_change_of_a_payment_wakes_lists_and_a_message_does_not(vk_world: VkWorld) -> None:
    feed = ChangeFeed(vk_world.ctx)
    await vk_world.ctx.db.wait(LISTS_CHANNEL, 0)  # what was notified by the set-up
    with feed.lists.active_reader():
        signal = feed.lists.signal
        await change_feed.notify_changed(vk_world.ctx)
        await asyncio.sleep(0.1)
        assert not signal.is_set()
        await vk_world.start_payment()
        await asyncio.wait_for(signal.wait(), POLL_S / 2)
        assert feed.lists.signal is not signal, "the next change has an event of its own"


async def test_change_committed_out_of_order_is_still_reported(vk_world: VkWorld) -> None:
    vk_world.clock.advance(seconds=20)
    anna = await add_conversation(vk_world, "Анна")
    boris = await add_conversation(vk_world, "Борис")
    since_us = vk_world.ctx.now_us()
    feed = ChangeFeed(vk_world.ctx)
    changed_ids: list[str] = []

    async def listen() -> None:
        async for change in feed.changes(vk_world.shop.id, since_us):
            changed_ids.extend(change.conversation_ids if change else ())

    reader = asyncio.create_task(listen())
    for conversation, offset_us in ((anna, 2_000_000), (boris, 1_000_000)):
        changed = replace(conversation, changed_at_us=since_us + offset_us)
        await changes.commit(vk_world.ctx.db, Change((changed,)), since_us + offset_us)
        await change_feed.notify_changed(vk_world.ctx)
        await asyncio.sleep(0.5)
    feed.close()
    await asyncio.wait_for(reader, 4)
    assert changed_ids == [anna.id, boris.id]
