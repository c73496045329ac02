"""VK users whose data were erased: what is older must not come back from VK's history."""

from sigma.services.context import Context
from sigma.store.encryption import HashPurpose
from sigma.store.messaging import vk_events
from sigma.store.personal_data import erasures


def peer_hash(ctx: Context, connection_id: str, peer_id: int) -> str:
    """Return the keyed hash of a VK user in one community."""
    return ctx.cipher.keyed_hash(HashPurpose.ERASED_PEER, connection_id, str(peer_id))


async def is_erased(ctx: Context, connection_id: str, peer_id: int, at_us: int) -> bool:
    """Return whether a user's data were erased at or after a time (UTC microseconds)."""
    hashes = ctx.cipher.keyed_hashes(HashPurpose.ERASED_PEER, connection_id, str(peer_id))
    async with ctx.db.read() as tx:
        times = [await erasures.find_peer(tx, one) for one in hashes]
    return any(erased_at_us is not None and at_us <= erased_at_us for erased_at_us in times)


async def skip(
    ctx: Context, connection_id: str, peer_id: int, at_us: int, event_id: str = ""
) -> bool:
    """Like `is_erased`; an event that is skipped is deleted: it holds a message."""
    if not await is_erased(ctx, connection_id, peer_id, at_us):
        return False
    if event_id:
        async with ctx.db.write() as tx:
            await vk_events.delete_event(tx, event_id)
    return True
