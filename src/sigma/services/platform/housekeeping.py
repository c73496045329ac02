"""Hourly cleanup: expired sessions, idempotency records, unused photos, processed VK events."""

from sigma.domain.time_units import DAY_US
from sigma.services.context import Context
from sigma.store import idempotency
from sigma.store.accounts import sessions
from sigma.store.catalogue import photos
from sigma.store.messaging import vk_events

# A client that queues its requests may repeat one days later.
IDEMPOTENCY_TTL_US = 3 * DAY_US
# VK repeats an event for two hours; the remaining days are for fault analysis.
VK_EVENT_TTL_US = 30 * DAY_US


async def clean_up(ctx: Context) -> None:
    """Delete expired sessions, idempotency records, photos and VK events. Raises StoreError."""
    now_us = ctx.now_us()
    async with ctx.db.write() as tx:
        await idempotency.delete_older(tx, now_us - IDEMPOTENCY_TTL_US)
        await sessions.delete_expired(tx, now_us)
        # Uploaded in a form that was never submitted.
        await photos.delete_unused(tx, now_us - DAY_US)
        await vk_events.delete_processed(tx, now_us - VK_EVENT_TTL_US)
