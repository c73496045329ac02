"""What VK tells of dialogs: once, twice, late, in any order, forged, by an address or by asking."""

import random

import pytest

from sigma.domain.errors import Refused
from tests.vk_world import VkWorld


async def test_client_writes_and_the_dialog_is_there(vk_world: VkWorld) -> None:
    await vk_world.client_writes("Здравствуйте, есть время в субботу?")
    assert await vk_world.hear() == 1
    conversation = await vk_world.conversation()
    assert conversation.unread == 1
    assert conversation.unanswered
    assert conversation.name == "Иван Клиентов"
    assert await vk_world.texts() == ["Здравствуйте, есть время в субботу?"]


async def test_told_three_times_is_one_message(vk_world: VkWorld) -> None:
    await vk_world.client_writes("Привет")
    (event,) = await vk_world.told()
    await vk_world.hooks([event, event])
    await vk_world.hooks([event, {**event, "event_id": "another"}])
    assert await vk_world.texts() == ["Привет"]
    assert (await vk_world.conversation()).unread == 1
