"""What no one waits for: old sessions, answered requests and handled events of VK are forgotten in
time.
"""

from sigma.services.context import DAY, Context
from sigma.store import idempotency
from sigma.store.accounts import users
from sigma.store.catalogue import services
from sigma.store.messaging import communities

REMEMBER = 3 * DAY  # an idempotency key answers for at least a day; clients with queues get three
TOLD = 30 * DAY  # VK repeats an event for two hours; a person may look for one a month later


async def tidy(ctx: Context) -> None:
    """Forgets what nobody can ask for any more."""
    now = ctx.now()
    async with ctx.db.write() as tx:
        await idempotency.forget(tx, now - REMEMBER)
        await users.end_old(tx, now)
        await services.sweep_photos(tx, now - DAY)  # chosen in a form that was never sent
        await communities.forget_told(tx, now - TOLD)
