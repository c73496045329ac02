"""Rows that tests of the inbox start from: conversations and operators."""

from dataclasses import replace
from typing import Any

from sigma.domain.accounts.member import Member, Role, User
from sigma.domain.change import Change
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.message import MessageBody
from sigma.services.conversations import message_codec, search_index
from sigma.store import changes
from sigma.store.accounts import members, users
from tests.vk_world import VkWorld


async def add_operator(vk_world: VkWorld, name: str = "Анна") -> Member:
    """Add an operator to the shop and return the member."""
    ctx, now_us = vk_world.ctx, vk_world.ctx.now_us()
    user = User(
        ctx.new_id("usr", vk_world.shop.id), f"{name}@example.org".lower(), "", name, "ru", now_us
    )
    async with ctx.db.write() as tx:
        await users.save(tx, user)
        await members.add(tx, vk_world.shop.id, user.id, Role.OPERATOR, now_us)
    return Member(user.id, vk_world.shop.id, Role.OPERATOR)


async def add_conversation(
    vk_world: VkWorld, name: str, text: str = "", **more: Any
) -> Conversation:
    """Store a conversation row, older than those stored before it."""
    ctx = vk_world.ctx
    vk_world.key_count += 1
    created_at_us = ctx.now_us() - vk_world.key_count * 60_000_000
    conversation_id = ctx.new_id("cnv", vk_world.shop.id)
    conversation = Conversation(
        id=conversation_id,
        shop_id=vk_world.shop.id,
        connection_id=vk_world.community_id,
        peer_id=500 + vk_world.key_count,
        created_at_us=created_at_us,
        name=name,
        last_at_us=created_at_us,
        changed_at_us=created_at_us,
        preview_encrypted=message_codec.encrypt_preview(
            ctx.cipher, conversation_id, MessageBody(text)
        ),
    )
    conversation = replace(conversation, **more)
    async with ctx.db.write() as tx:
        await changes.write(tx, Change((conversation,)), created_at_us)
        await search_index.index_message(tx, ctx.cipher, vk_world.shop.id, conversation.id, text)
    return replace(conversation, version=1)
