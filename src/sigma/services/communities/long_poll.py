"""Bots Long Poll: one process polls a community at a time, under a lease in the database.

No event is lost when that process dies.
Source: https://dev.vk.com/ru/api/bots-long-poll/getting-started
"""

import asyncio
import contextlib
from dataclasses import dataclass

import structlog

from sigma.channels.vk import groups, long_poll
from sigma.channels.vk.errors import NeedsOwnerError, PermanentError, RetryLaterError
from sigma.channels.vk.long_poll import HISTORY_OUTDATED, KEY_EXPIRED, POSITION_LOST, WAIT_S
from sigma.domain.change import Change, Job
from sigma.domain.errors import RefusedError
from sigma.domain.messaging.community import EventDelivery
from sigma.domain.time_units import MINUTE_US, SECOND_US
from sigma.services.communities import event_intake
from sigma.services.context import Context
from sigma.services.platform import leases
from sigma.services.vk import community_client
from sigma.store import changes
from sigma.store.engine.interface import StoreError
from sigma.store.messaging import communities

log = structlog.get_logger()

SCAN_INTERVAL_S = 2.0  # interval of the search for communities to poll
# Added to the wait of one poll. A lease ends earlier when its worker is dead.
LEASE_MARGIN_S = 30
SCAN_LIMIT = 50  # communities started per search
RETRY_PAUSES_S = (1.0, 2.0, 5.0, 15.0, 30.0)
MAX_SILENCE_US = 5 * MINUTE_US  # after a longer silence VK may have dropped events
CATCH_UP_INTERVAL_US = 10 * MINUTE_US  # how often the history of silent communities is read


@dataclass
class LongPollSession:
    """Key and server URL of one community's long poll; an empty key must be fetched."""

    key: str = ""
    server: str = ""


async def run(ctx: Context, stop: asyncio.Event) -> None:
    """Poll every community that no other process polls, until `stop` is set."""
    tasks: dict[str, asyncio.Task[None]] = {}
    stopping = asyncio.create_task(stop.wait())
    swept_at_us = 0
    while not stop.is_set():
        try:
            tasks = {community_id: task for community_id, task in tasks.items() if not task.done()}
            for community_id in await _list_unleased(ctx):
                if community_id not in tasks:
                    tasks[community_id] = asyncio.create_task(
                        _poll_community(ctx, community_id, stop)
                    )
            if ctx.now_us() - swept_at_us > CATCH_UP_INTERVAL_US:
                await schedule_catch_up(ctx, CATCH_UP_INTERVAL_US if swept_at_us else MINUTE_US)
                swept_at_us = ctx.now_us()
        except Exception as error:  # noqa: BLE001 - polling must go on after an outage
            ctx.outage.report(error)
        await asyncio.wait({stopping}, timeout=SCAN_INTERVAL_S)
    stopping.cancel()
    for task in tasks.values():
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)


async def _list_unleased(ctx: Context) -> list[str]:
    async with ctx.db.read() as tx:
        return await communities.list_to_poll(tx, ctx.now_us(), SCAN_LIMIT)


async def schedule_catch_up(ctx: Context, silence_us: int) -> int:
    """Enqueue a catch-up for communities without events for `silence_us` microseconds.

    VK stops calling a callback URL that failed. Returns the number of communities.
    """
    async with ctx.db.read() as tx:
        silent = await communities.list_silent(tx, ctx.now_us() - silence_us)
    if new_jobs := tuple(
        Job("community.catch_up", community_id, shop_id) for community_id, shop_id in silent
    ):
        await changes.commit(ctx.db, Change(jobs=new_jobs), ctx.now_us())
    return len(new_jobs)


async def _poll_community(ctx: Context, community_id: str, stop: asyncio.Event) -> None:
    """Poll one community until it is disconnected, uses callbacks or is leased elsewhere."""
    session, failures = LongPollSession(), 0
    try:
        while not stop.is_set():
            await leases.keep_alive(ctx)
            now_us = ctx.now_us()
            if not await communities.acquire_poll_lease(
                ctx.db,
                community_id,
                ctx.worker.id,
                now_us=now_us,
                until_us=now_us + (WAIT_S + LEASE_MARGIN_S) * SECOND_US,
            ):
                return  # another process polls it
            try:
                await poll_once(ctx, community_id, WAIT_S, session)
                failures = 0
            except (RetryLaterError, PermanentError, StoreError) as error:
                failures += 1
                pause_s = RETRY_PAUSES_S[min(failures, len(RETRY_PAUSES_S)) - 1]
                log.info("long_poll.retry", connection=community_id, error=str(error))
                await asyncio.sleep(pause_s)
    except NeedsOwnerError as no:
        await community_client.mark_key_broken(ctx, community_id, no)
    except RefusedError:
        return  # disconnected, or events come by callback now
    except StoreError as error:
        ctx.outage.report(error)
    except Exception as error:  # noqa: BLE001 - one community must not stop the others
        log.error("long_poll.failed", connection=community_id, error=type(error).__name__)
    finally:
        # At a stop the lease ends with the worker.
        if not stop.is_set():
            with contextlib.suppress(StoreError):
                await communities.release_poll_lease(ctx.db, community_id, ctx.worker.id)


async def poll_once(
    ctx: Context, community_id: str, wait_s: int = WAIT_S, session: LongPollSession | None = None
) -> int:
    """Make one long poll request (`wait_s` seconds) and store its events. Returns their number.

    Raises VkError, and RefusedError("no_community") when the community is not connected or uses
    callbacks.
    """
    session = session or LongPollSession()
    client = await community_client.open_client(ctx, community_id)
    if client.community.event_delivery is not EventDelivery.LONG_POLL:
        raise RefusedError("no_community")
    ts = client.community.long_poll_ts
    missed = not ts or ctx.now_us() - client.community.last_contact_at_us > MAX_SILENCE_US
    if not session.key or not ts:
        server = await groups.fetch_long_poll_server(client.api, client.community.group_id)
        session.key, session.server = server.key, server.server
        if missed:
            # Store `ts` before the history is read, so that no event falls between the two.
            ts = ts or server.ts
            await event_intake.accept_long_poll(ctx, community_id, (), ts, has_gap=True)
    batch = await long_poll.poll(client.api, session.server, session.key, ts, wait_s)
    if batch.failure_code in (KEY_EXPIRED, POSITION_LOST):
        session.key = ""
    if batch.failure_code == POSITION_LOST:
        await event_intake.accept_long_poll(ctx, community_id, (), "", has_gap=True)
    elif batch.failure_code != KEY_EXPIRED:
        is_incomplete = batch.failure_code == HISTORY_OUTDATED
        await event_intake.accept_long_poll(
            ctx, community_id, batch.updates, batch.ts, has_gap=is_incomplete
        )
    return len(batch.updates)
