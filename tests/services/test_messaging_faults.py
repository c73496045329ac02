"""Messaging under random faults: clients and operators write at once, events arrive out of order,
late, twice or never, answers of VK get lost, and three workers and the catch-up run together. In
the end Sigma and VK hold the same messages, each once.
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
from sigma.services.context import Context
from sigma.services.conversations import history_sync
from sigma.services.ids import IdGenerator
from sigma.store.engine.interface import BusyError
from tests.vk_world import VkWorld

STEPS = 40
FAULTS: list[dict[str, Any]] = [
    {"vk_cut_answer": {"on": "messages.send", "times": 1}},
    {"vk_cut_request": {"on": "messages.send", "times": 1}},
    {"vk_http_500": {"on": "messages.send", "times": 1}},
    {"vk_error": {"on": "messages.send", "value": 9, "times": 1}},
    {"vk_error": {"on": "messages.getHistory", "value": 10, "times": 1}},
]


async def run_worker(ctx: Context, stop: asyncio.Event) -> None:
    """Run due jobs until `stop` is set, as a separate process would."""
    while not stop.is_set():
        await worker.run_due_jobs(ctx, 5)
        await asyncio.sleep(0.01)


async def random_action(world: VkWorld, rng: random.Random, client_ids: list[int], n: int) -> str:
    """Perform one random action; return the text posted from Sigma, or an empty string."""
    client_id = rng.choice(client_ids)
    match rng.randrange(6):
        case 0 | 1:
            await world.write_as_client(f"Вопрос {n}", client_id)
        case 2:
            await world.reply_in_vk(f"Из ВК {n}", client_id)
        case 3 | 4:
            await world.post_message(f"Ответ {n}", client_id)
            return f"Ответ {n}"
        case _:
            await world.inject_vk_faults(**rng.choice(FAULTS))
    return ""


async def deliver_events(
    world: VkWorld, rng: random.Random, undelivered: list[dict[str, Any]]
) -> None:
    """Deliver half of the events in random order, the first one twice; drop one for ever."""
    undelivered += await world.take_events()
    rng.shuffle(undelivered)
    delivered, later = undelivered[: len(undelivered) // 2], undelivered[len(undelivered) // 2 :]
    undelivered[:] = later[: max(len(later) - 1, 0)]  # one event is lost; only VK's history has it
    for event in delivered + delivered[:1]:
        await world.deliver_callback(event)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_random_faults_lose_and_duplicate_no_message(vk_world: VkWorld, seed: int) -> None:
    rng = random.Random(seed)
    client_ids = [
        vk_world.client_id,
        await vk_world.create_client(),
        await vk_world.create_client(),
    ]
    for client_id in client_ids:
        await vk_world.write_as_client("Здравствуйте", client_id)
    await vk_world.poll_events()
    stop, undelivered, texts = asyncio.Event(), list[dict[str, Any]](), list[str]()
    ctxs = [replace(vk_world.ctx, ids=IdGenerator(vk_world.clock)) for _ in range(3)]
    workers = [asyncio.create_task(run_worker(ctx, stop)) for ctx in ctxs]
    for n in range(STEPS):
        texts.append(await random_action(vk_world, rng, client_ids, n))
        if n % 4 == 3:
            await deliver_events(vk_world, rng, undelivered)
            await vk_world.advance_clocks(minutes=rng.choice([0, 1, 15]))
        if n % 10 == 9:
            with suppress(VkError, BusyError):  # a job would be retried
                await history_sync.catch_up_community(vk_world.ctx, vk_world.community_id)
    stop.set()
    await asyncio.gather(*workers)
    await vk_world.inject_vk_faults(**dict.fromkeys(name for fault in FAULTS for name in fault))
    for _ in range(3):
        await vk_world.advance_clocks(hours=1)
        await vk_world.poll_events()
    posted = [text for text in texts if text]
    at_vk = [text for client_id in client_ids for text in await vk_world.vk_texts(client_id)]
    assert {text: n for text, n in Counter(at_vk).items() if n > 1} == {"Здравствуйте": 3}
    assert set(posted) <= set(at_vk)
    for client_id in client_ids:
        assert await vk_world.texts(client_id) == await vk_world.vk_texts(client_id)
        assert {message.status for message in await vk_world.messages(client_id)} <= {
            Status.RECEIVED,
            Status.SENT,
        }
