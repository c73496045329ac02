"""Items of the to-do board in tests."""

from dataclasses import replace
from typing import Any

from sigma.domain.change import Change
from sigma.domain.messaging.conversation import Conversation
from sigma.services.invoice_cards import todo_board
from sigma.services.invoice_cards.todo_board import Item, Kind
from sigma.store import changes
from sigma.store.messaging import conversations
from tests.vk_world import VkWorld


async def list_items(world: VkWorld, kind: Kind, **more: Any) -> list[Item]:
    """Return the items of one section as the owner sees it."""
    board = await todo_board.load(world.ctx, world.member, kind, limit=50, **more)
    (section,) = board.sections
    assert board.counts[kind] == len(section.items) or more
    return section.items


async def only_item(world: VkWorld, kind: Kind) -> Item:
    """Return the only item of a section."""
    (item,) = await list_items(world, kind)
    return item


async def change_conversation(world: VkWorld, client_id: int = 0, **fields: Any) -> Conversation:
    """Overwrite fields of a conversation's row."""
    conversation = await world.conversation(client_id)
    async with world.ctx.db.write() as tx:
        locked = await conversations.lock(tx, conversation.id)
        changed = replace(locked, **fields)
        await changes.write(tx, Change((changed,)), world.ctx.now_us())
    return changed
