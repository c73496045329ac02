"""A bad day of the dialogs: everybody writes at once, VK tells in any order, answers get lost, and
three workers and the history are at it together. Afterwards both sides hold the same words, once.
"""

import asyncio
import random
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from sigma import worker
from sigma.channels.vk.errors import VkError
from sigma.domain.messaging.message import Status
from sigma.services.context import Context, Ids
from sigma.services.conversations import history_sync
from sigma.store.engine.interface import Busy
from tests.vk_world import VkWorld

STEPS = 40
TROUBLES: list[dict[str, Any]] = [
    {"vk_cut_answer": {"on": "messages.send", "times": 1}},
    {"vk_cut_request": {"on": "messages.send", "times": 1}},
    {"vk_http_500": {"on": "messages.send", "times": 1}},
    {"vk_error": {"on": "messages.send", "value": 9, "times": 1}},
    {"vk_error": {"on": "messages.getHistory", "value": 10, "times": 1}},
]


async def at_work(ctx: Context, over: asyncio.Event) -> None:
    """A worker of its own, as another process would be."""
    while not over.is_set():
        await worker.drain(ctx, 5)
        await asyncio.sleep(0.01)


async def one_thing(world: VkWorld, chance: random.Random, people: list[int], n: int) -> str:
    """Something happens; returns the text if it was said here."""
    person = chance.choice(people)
    match chance.randrange(6):
        case 0 | 1:
            await world.client_writes(f"Вопрос {n}", person)
        case 2:
            await world.owner_replies(f"Из ВК {n}", person)
        case 3 | 4:
            await world.write(f"Ответ {n}", person)
            return f"Ответ {n}"
        case _:
            await world.vk_control(**chance.choice(TROUBLES))
    return ""


async def tell(world: VkWorld, chance: random.Random, kept: list[dict[str, Any]]) -> None:
    """VK tells some of what it has to tell: late, twice, in any order; and some never."""
    kept += await world.told()
    chance.shuffle(kept)
    now, later = kept[: len(kept) // 2], kept[len(kept) // 2 :]
    kept[:] = later[: max(len(later) - 1, 0)]  # one is lost for ever: the history has it
    for event in now + now[:1]:
        await world.hook(event)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_bad_day_loses_and_doubles_nothing(vk_world: VkWorld, seed: int) -> None:
    chance = random.Random(seed)
    people = [vk_world.person, await vk_world.new_person(), await vk_world.new_person()]
    for person in people:
        await vk_world.client_writes("Здравствуйте", person)
    await vk_world.hear()
    over, kept, said = asyncio.Event(), list[dict[str, Any]](), list[str]()
    ctxs = [replace(vk_world.ctx, ids=Ids(vk_world.clock)) for _ in range(3)]
    workers = [asyncio.create_task(at_work(ctx, over)) for ctx in ctxs]
    for n in range(STEPS):
        said.append(await one_thing(vk_world, chance, people, n))
        if n % 4 == 3:
            await tell(vk_world, chance, kept)
            await vk_world.move(minutes=chance.choice([0, 1, 15]))
        if n % 10 == 9:
            with suppress(VkError, Busy):  # the job would try again
                await history_sync.catch_up(vk_world.ctx, vk_world.community_id)
    over.set()
    await asyncio.gather(*workers)
    await vk_world.vk_control(**dict.fromkeys(name for one in TROUBLES for name in one))
    for _ in range(3):
        await vk_world.move(hours=1)
        await vk_world.hear()
    posted = [text for text in said if text]
    there = [text for person in people for text in await vk_world.texts_at_vk(person)]
    assert {text: n for text, n in Counter(there).items() if n > 1} == {"Здравствуйте": 3}
    assert set(posted) <= set(there)
    for person in people:
        assert await vk_world.texts(person) == await vk_world.texts_at_vk(person)
        assert {one.status for one in await vk_world.messages(person)} <= {
            Status.RECEIVED,
            Status.SENT,
        }
