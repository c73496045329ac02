"""VK communities, and the leases of their long polls."""

from typing import Any

import msgspec
from sqlalchemy import and_, bindparam, or_, select, update

from sigma.domain.billing.connection import Connection
from sigma.domain.messaging.community import Community, EventDelivery
from sigma.store import workers
from sigma.store.billing.connections import CODEC as CONNECTION_CODEC
from sigma.store.engine.interface import Database, Row, Tx
from sigma.store.engine.row_codec import build_codec, column_values, encode_json, field_values
from sigma.store.engine.statements import statement
from sigma.store.schema.messaging_tables import communities
from sigma.store.schema.tables import connections


def _to_row(community: Community) -> dict[str, Any]:
    return field_values(community, "key_scopes", "facts") | {
        "key_scopes": encode_json(community.key_scopes),
        "facts": encode_json(community.facts),
    }


def from_row(row: Row) -> Community:
    """Return the community of a row."""
    return Community(
        key_scopes=tuple(msgspec.json.decode(row["key_scopes"])),
        facts=msgspec.json.decode(row["facts"]),
        event_delivery=EventDelivery(row["event_delivery"]),
        **column_values(communities, row, "key_scopes", "facts", "event_delivery"),
    )


# Microseconds. A lease that ends later than this from now was taken with a wrong clock: ignore it.
MAX_LEASE_US = 600_000_000

CODEC = build_codec(communities, _to_row, from_row)

_lock = statement(select(communities).where(communities.c.id == bindparam("id")).with_for_update())
_lock_connection = statement(
    select(connections).where(connections.c.id == bindparam("id")).with_for_update()
)
_list_for_shop = statement(
    select(communities)
    .join(connections, connections.c.id == communities.c.id)
    .where(communities.c.shop_id == bindparam("shop_id"), connections.c.status == "active")
    .order_by(communities.c.id)
)
_find_by_group = statement(
    select(communities).where(
        communities.c.shop_id == bindparam("shop_id"),
        communities.c.group_id == bindparam("group_id"),
    )
)
# Free is what has no lease, or one that ended, was taken with a wrong clock, or whose worker died.
_is_free = or_(
    communities.c.poll_lease_until_us <= bindparam("now_us"),
    communities.c.poll_lease_until_us > bindparam("max_lease_until_us"),
    and_(
        communities.c.poll_leased_by != "",
        communities.c.poll_leased_by.not_in(workers.select_alive()),
    ),
)
_list_to_poll = statement(
    select(communities.c.id)
    .join(connections, connections.c.id == communities.c.id)
    .where(
        communities.c.event_delivery == "long_poll",
        _is_free,
        communities.c.error_code == "",
        connections.c.status == "active",
    )
    .order_by(communities.c.poll_lease_until_us)
    .limit(bindparam("limit"))
)
_acquire_lease = statement(
    update(communities)
    .where(
        communities.c.id == bindparam("key_id"),
        communities.c.event_delivery == "long_poll",
        or_(_is_free, communities.c.poll_leased_by == bindparam("worker_id")),
    )
    .values(
        poll_lease_until_us=bindparam("new_lease_until_us"), poll_leased_by=bindparam("worker_id")
    )
)
_release_lease = statement(
    update(communities)
    .where(
        communities.c.id == bindparam("key_id"),
        communities.c.poll_leased_by == bindparam("worker_id"),
    )
    .values(poll_lease_until_us=0, poll_leased_by="")
)
_record_poll = statement(
    update(communities)
    .where(communities.c.id == bindparam("key_id"))
    .values(
        long_poll_ts=bindparam("long_poll_ts"), last_contact_at_us=bindparam("last_contact_at_us")
    )
)
_record_contact = statement(
    update(communities)
    .where(communities.c.id == bindparam("key_id"))
    .values(last_contact_at_us=bindparam("last_contact_at_us"))
)
_list_silent = statement(
    select(communities.c.id, communities.c.shop_id)
    .join(connections, connections.c.id == communities.c.id)
    .where(
        communities.c.last_contact_at_us < bindparam("before_us"),
        communities.c.caught_up_until_us < bindparam("before_us"),
        communities.c.error_code == "",
        connections.c.status == "active",
    )
    .order_by(communities.c.id)
)


async def get(tx: Tx, community_id: str) -> Community | None:
    """Return the community, or None."""
    row = await tx.fetch_one(CODEC.select_by_id, id=community_id)
    return from_row(row) if row else None


async def lock(tx: Tx, community_id: str) -> Community:
    """Return the community, locked until the transaction ends. The community must exist."""
    row = await tx.fetch_one(_lock, id=community_id)
    assert row is not None, f"cannot lock an unknown community: {community_id}"
    return from_row(row)


async def lock_connection(tx: Tx, community_id: str) -> Connection:
    """Return the connection that stores the access key, locked until the transaction ends."""
    row = await tx.fetch_one(_lock_connection, id=community_id)
    assert row is not None, f"a community without a connection: {community_id}"
    return CONNECTION_CODEC.from_row(row)


async def list_for_shop(tx: Tx, shop_id: str) -> list[Community]:
    """Return the shop's communities with an active connection, the oldest first."""
    return [from_row(r) for r in await tx.fetch_all(_list_for_shop, shop_id=shop_id)]


async def find_by_group(tx: Tx, shop_id: str, group_id: int) -> Community | None:
    """Return the shop's community with this VK group id, also a disconnected one, or None."""
    row = await tx.fetch_one(_find_by_group, shop_id=shop_id, group_id=group_id)
    return from_row(row) if row else None


async def list_to_poll(tx: Tx, now_us: int, limit: int) -> list[str]:
    """Return up to `limit` ids of long-poll communities without a valid lease at `now_us`."""
    values = {"now_us": now_us, "max_lease_until_us": now_us + MAX_LEASE_US, "limit": limit}
    return [r["id"] for r in await tx.fetch_all(_list_to_poll, **values)]


async def acquire_poll_lease(
    db: Database, community_id: str, worker_id: str, *, now_us: int, until_us: int
) -> bool:
    """Acquire or renew the long-poll lease of a community for a worker.

    It ends at `until_us`, or when the worker is dead. Return False when another worker holds it.
    """
    async with db.write() as tx:
        updated = await tx.execute(
            _acquire_lease,
            key_id=community_id,
            worker_id=worker_id,
            now_us=now_us,
            max_lease_until_us=now_us + MAX_LEASE_US,
            new_lease_until_us=until_us,
        )
    return updated == 1


async def release_poll_lease(db: Database, community_id: str, worker_id: str) -> None:
    """Release the long-poll lease, if this worker holds it. Raises StoreError."""
    async with db.write() as tx:
        await tx.execute(_release_lease, key_id=community_id, worker_id=worker_id)


async def record_poll(tx: Tx, community_id: str, ts: str, now_us: int) -> None:
    """Record the long-poll cursor `ts`. Call it in the transaction that stores the events."""
    await tx.execute(_record_poll, key_id=community_id, long_poll_ts=ts, last_contact_at_us=now_us)


async def record_contact(tx: Tx, community_id: str, now_us: int) -> None:
    """Record when VK last sent an event."""
    await tx.execute(_record_contact, key_id=community_id, last_contact_at_us=now_us)


async def list_silent(tx: Tx, before_us: int) -> list[tuple[str, str]]:
    """Return (community id, shop id) of active communities without contact since `before_us`.

    A contact is an event or a finished long poll. Communities that were caught up since then are
    left out.
    """
    return [(r["id"], r["shop_id"]) for r in await tx.fetch_all(_list_silent, before_us=before_us)]
