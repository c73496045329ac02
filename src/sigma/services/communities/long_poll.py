"""Events that we ask VK for ourselves: one process at a time for each community, and nothing lost
when that process dies.
"""

import asyncio
import contextlib
from dataclasses import dataclass

import structlog

from sigma.channels.vk import groups, long_poll
from sigma.channels.vk.errors import Final, Later, NeedsPerson
from sigma.channels.vk.long_poll import ALL_NEW, KEY_EXPIRED, LOST_SOME, WAIT_S
from sigma.domain.change import Change, Job
from sigma.domain.errors import Refused
from sigma.domain.messaging.community import Delivery
from sigma.services.communities import event_intake
from sigma.services.context import MINUTE, SECOND, Context
from sigma.services.vk import community_client
from sigma.store import changes
from sigma.store.engine.interface import StoreError
from sigma.store.messaging import communities

log = structlog.get_logger()

LOOK_S = 2.0  # how soon a community that was just connected is listened to
LEASE_S = 30  # on top of one wait: after that another process takes over
AT_ONCE = 50  # communities that one look takes
PAUSES_S = (1.0, 2.0, 5.0, 15.0, 30.0)
SILENT = 5 * MINUTE  # after that VK may have forgotten what it had to tell
SWEEP = 10 * MINUTE  # how often communities that say nothing are read


@dataclass
class Ear:
    """VK's key and address of one community's long poll, as long as they are good."""

    key: str = ""
    server: str = ""


async def run(ctx: Context, stop: asyncio.Event) -> None:
    """Listens to every community that nobody else listens to, until `stop` is set."""
    listening: dict[str, asyncio.Task[None]] = {}
    stopping = asyncio.create_task(stop.wait())
    swept = 0
    while not stop.is_set():
        try:
            listening = {one: task for one, task in listening.items() if not task.done()}
            for one in await _free(ctx):
                if one not in listening:
                    listening[one] = asyncio.create_task(_listen(ctx, one, stop))
            if ctx.now() - swept > SWEEP:
                await sweep(ctx, SWEEP if swept else MINUTE)
                swept = ctx.now()
        except Exception as error:  # noqa: BLE001
            # The database is away, most likely; whoever listens must be there when it is back.
            log.warning("polling.trouble", error=type(error).__name__)
        await asyncio.wait({stopping}, timeout=LOOK_S)
    stopping.cancel()
    for task in listening.values():
        task.cancel()
    await asyncio.gather(*listening.values(), return_exceptions=True)


async def _free(ctx: Context) -> list[str]:
    async with ctx.db.read() as tx:
        return await communities.to_poll(tx, ctx.now(), AT_ONCE)


async def sweep(ctx: Context, silence: int) -> int:
    """Promises to read the communities that were silent for so long (microseconds): VK may call
    an address in vain, and stops calling it then. Returns how many.
    """
    async with ctx.db.read() as tx:
        found = await communities.quiet(tx, ctx.now() - silence)
    if promised := tuple(Job("community.catch_up", one, shop_id) for one, shop_id in found):
        await changes.commit(ctx.db, Change(jobs=promised), ctx.now())
    return len(promised)


async def _listen(ctx: Context, community_id: str, stop: asyncio.Event) -> None:
    """Asks for one community until it must not be asked for any more."""
    ear, held, failed = Ear(), 0, 0
    try:
        while not stop.is_set():
            now = ctx.now()
            until = now + (WAIT_S + LEASE_S) * SECOND
            if not await communities.lease(ctx.db, community_id, now, until, held=held):
                return  # another process does
            held = until
            try:
                await once(ctx, community_id, WAIT_S, ear)
                failed = 0
            except (Later, Final, StoreError) as error:
                failed += 1
                pause = PAUSES_S[min(failed, len(PAUSES_S)) - 1]
                log.info("polling.later", connection=community_id, error=str(error))
                await asyncio.sleep(pause)
    except NeedsPerson as no:
        await community_client.broken(ctx, community_id, no)
    except Refused:
        return  # disconnected, or told in another way now
    except Exception as error:  # noqa: BLE001 - one community must not silence the others
        log.error("polling.error", connection=community_id, error=type(error).__name__)
    finally:
        if held:
            await asyncio.shield(_let_go(ctx, community_id, held))


async def _let_go(ctx: Context, community_id: str, held: int) -> None:
    """Another process need not wait for the lease to end."""
    now = ctx.now()
    with contextlib.suppress(StoreError):
        await communities.lease(ctx.db, community_id, now, now, held=held)


async def once(
    ctx: Context, community_id: str, wait_s: int = WAIT_S, ear: Ear | None = None
) -> int:
    """One question to the long poll: waits for events, keeps them. Returns how many came.

    Raises Later, NeedsPerson, Final, and Refused("no_community") when it is not ours to ask.
    """
    ear = ear or Ear()
    line = await community_client.line(ctx, community_id)
    if line.community.delivery is not Delivery.LONGPOLL:
        raise Refused("no_community")
    ts = line.community.poll_ts
    missed = not ts or ctx.now() - line.community.heard_at > SILENT
    if not ear.key or not ts:
        found = await groups.longpoll_server(line.vk, line.community.group_id)
        ear.key, ear.server = found.key, found.server
        if missed:
            # The moment is kept before the history is read: nothing falls between the two.
            ts = ts or found.ts
            await event_intake.take_updates(ctx, community_id, (), ts, missed=True)
    batch = await long_poll.check(line.vk, ear.server, ear.key, ts, wait_s)
    if batch.failed in (KEY_EXPIRED, ALL_NEW):
        ear.key = ""
    if batch.failed == ALL_NEW:
        await event_intake.take_updates(ctx, community_id, (), "", missed=True)
    elif batch.failed != KEY_EXPIRED:
        lost = batch.failed == LOST_SOME
        await event_intake.take_updates(ctx, community_id, batch.updates, batch.ts, missed=lost)
    return len(batch.updates)
