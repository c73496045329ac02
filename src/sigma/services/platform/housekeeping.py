"""Hourly cleanup: expired sessions, invitations and links for new passwords, rate counters,
idempotency records, processed notices and VK events, old notifications, unused photos.
"""

from collections.abc import Awaitable, Callable

from sigma.domain.audit.entry import INSTALLATION
from sigma.domain.notifications.notification import NOTIFICATION_TTL_US
from sigma.domain.personal_data.retention import DEFAULT_DAYS, DataKind
from sigma.domain.time_units import DAY_US, HOUR_US
from sigma.services.context import Context
from sigma.services.platform import audit_log
from sigma.store import idempotency, rate_counters, workers
from sigma.store.accounts import invitations, password_resets, security_notices, sessions
from sigma.store.billing import acquirer_notices
from sigma.store.catalogue import photos
from sigma.store.engine.interface import Tx
from sigma.store.messaging import vk_events
from sigma.store.notifications import deliveries, notifications

# A client that queues its requests may repeat one days later.
IDEMPOTENCY_TTL_US = 3 * DAY_US
# VK repeats an event for two hours; the remaining days are for fault analysis.
VK_EVENT_TTL_US = 30 * DAY_US
# Who opens the link of an old invitation reads for so long why it does not work.
INVITATION_TTL_US = 30 * DAY_US
# Their mails are sent long before; the server's mail queue may stand still for days.
SECURITY_NOTICE_TTL_US = 30 * DAY_US
# Rows per transaction: on SQLite every other write waits for it.
BATCH_SIZE = 500


async def clean_up(ctx: Context) -> None:
    """Delete what is expired or processed long ago. Raises StoreError."""
    now_us = ctx.now_us()

    async with ctx.db.write() as tx:
        await workers.remove_dead(tx, now_us - DAY_US)
    for delete in _deletions(now_us):
        await _delete_in_batches(ctx, delete)
    await _delete_unused_photos(ctx, now_us - DAY_US)
    await audit_log.prune(ctx, INSTALLATION, DEFAULT_DAYS[DataKind.AUDIT])
    await audit_log.log_ends(ctx, now_us - 2 * HOUR_US)


def _deletions(now_us: int) -> tuple[Callable[[Tx], Awaitable[int]], ...]:
    """Return the deletions of a batch of rows each; they return how many rows it had."""

    def before(
        delete: Callable[[Tx, int, int], Awaitable[int]], ttl_us: int
    ) -> Callable[[Tx], Awaitable[int]]:
        return lambda tx: delete(tx, now_us - ttl_us, BATCH_SIZE)

    return (
        before(idempotency.delete_older, IDEMPOTENCY_TTL_US),
        before(sessions.delete_expired, 0),
        before(invitations.delete_expired, INVITATION_TTL_US),
        before(vk_events.delete_processed, VK_EVENT_TTL_US),
        before(rate_counters.delete_expired, 0),
        before(acquirer_notices.delete_old, 0),
        before(password_resets.delete_expired, 0),
        before(security_notices.delete_old, SECURITY_NOTICE_TTL_US),
        before(notifications.delete_old, NOTIFICATION_TTL_US),
        before(deliveries.delete_old, NOTIFICATION_TTL_US),
    )


async def _delete_in_batches(ctx: Context, delete: Callable[[Tx], Awaitable[int]]) -> None:
    while True:
        async with ctx.db.write() as tx:
            count = await delete(tx)
        if count < BATCH_SIZE:
            return


async def _delete_unused_photos(ctx: Context, before_us: int) -> None:
    """Delete photos uploaded in a form that was never submitted, or replaced since."""
    while True:
        # Read outside the transaction: looking at every photo must not take the writer lock.
        async with ctx.db.read() as tx:
            photo_ids = await photos.list_unused(tx, before_us, BATCH_SIZE)
        async with ctx.db.write() as tx:
            await photos.delete_unused(tx, photo_ids)
        if len(photo_ids) < BATCH_SIZE:
            return
