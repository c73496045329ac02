"""Communities of VKontakte as rows, and who of the processes asks VK for their events."""

from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, or_, select, update

from sigma.domain.billing.connection import Connection, Notice
from sigma.domain.messaging.community import Community, Delivery
from sigma.store.billing.connections import CODEC as CONNECTION
from sigma.store.billing.connections import NOTICE
from sigma.store.engine.interface import Database, Op, Row, Tx
from sigma.store.engine.row_codec import codec, columns, encode, plain
from sigma.store.engine.statements import insert_ignore, statement
from sigma.store.schema.messaging_tables import communities
from sigma.store.schema.tables import connections, notices


def _to_row(community: Community) -> dict[str, Any]:
    return plain(community, "rights", "facts") | {
        "rights": encode(community.rights),
        "facts": encode(community.facts),
    }


def from_row(row: Row) -> Community:
    """A community from its columns."""
    return Community(
        rights=tuple(msgspec.json.decode(row["rights"])),
        facts=msgspec.json.decode(row["facts"]),
        delivery=Delivery(row["delivery"]),
        **columns(communities, row, "rights", "facts", "delivery"),
    )


LONGEST = 600_000_000  # microseconds: a lease that ends later was given by a clock gone wrong

CODEC = codec(communities, _to_row, from_row)

_lock = statement(select(communities).where(communities.c.id == bindparam("id")).with_for_update())
_connection_lock = statement(
    select(connections).where(connections.c.id == bindparam("id")).with_for_update()
)
_of_shop = statement(
    select(communities)
    .join(connections, connections.c.id == communities.c.id)
    .where(communities.c.shop_id == bindparam("shop_id"), connections.c.status == "active")
    .order_by(communities.c.id)
)
_by_group = statement(
    select(communities).where(
        communities.c.shop_id == bindparam("shop_id"), communities.c.group_id == bindparam("group")
    )
)
_to_poll = statement(
    select(communities.c.id)
    .join(connections, connections.c.id == communities.c.id)
    .where(
        communities.c.delivery == "longpoll",
        or_(
            communities.c.poll_until <= bindparam("now"),
            communities.c.poll_until > bindparam("too_far"),
        ),
        communities.c.trouble == "",
        connections.c.status == "active",
    )
    .order_by(communities.c.poll_until)
    .limit(bindparam("limit"))
)
_lease = statement(
    update(communities)
    .where(
        communities.c.id == bindparam("key_id"),
        communities.c.delivery == "longpoll",
        communities.c.poll_until == bindparam("key_until"),
    )
    .values(poll_until=bindparam("until"))
)
_until = statement(select(communities.c.poll_until).where(communities.c.id == bindparam("id")))
_polled = statement(
    update(communities)
    .where(communities.c.id == bindparam("key_id"))
    .values(poll_ts=bindparam("poll_ts"), heard_at=bindparam("heard_at"))
)
_heard = statement(
    update(communities)
    .where(communities.c.id == bindparam("key_id"))
    .values(heard_at=bindparam("heard_at"))
)
_unhandled = statement(
    select(notices)
    .where(
        notices.c.connection_id == bindparam("connection_id"),
        notices.c.object_id == bindparam("object_id"),
        notices.c.handled_at.is_(None),
    )
    .order_by(notices.c.id)
    .limit(500)
)
_told = statement(insert_ignore(notices, "connection_id", "digest"))
_forget = statement(
    delete(notices).where(notices.c.digest.like("vk:%"), notices.c.handled_at < bindparam("before"))
)
_quiet = statement(
    select(communities.c.id, communities.c.shop_id)
    .join(connections, connections.c.id == communities.c.id)
    .where(
        communities.c.heard_at < bindparam("before"),
        communities.c.caught_up_at < bindparam("before"),
        communities.c.trouble == "",
        connections.c.status == "active",
    )
    .order_by(communities.c.id)
)


async def get(tx: Tx, community_id: str) -> Community | None:
    """The community, or None."""
    row = await tx.fetch_one(CODEC.by_id, id=community_id)
    return from_row(row) if row else None


async def lock(tx: Tx, community_id: str) -> Community:
    """The community, locked until the transaction ends."""
    row = await tx.fetch_one(_lock, id=community_id)
    assert row is not None, "whoever locks a community has seen it"
    return from_row(row)


async def lock_connection(tx: Tx, community_id: str) -> Connection:
    """The connection that keeps a community's key, locked until the transaction ends."""
    row = await tx.fetch_one(_connection_lock, id=community_id)
    assert row is not None, "a community has its connection"
    return CONNECTION.from_row(row)


async def of_shop(tx: Tx, shop_id: str) -> list[Community]:
    """The shop's connected communities, the oldest first."""
    return [from_row(r) for r in await tx.fetch_all(_of_shop, shop_id=shop_id)]


async def by_group(tx: Tx, shop_id: str, group_id: int) -> Community | None:
    """The shop's row of a group, connected now or once."""
    row = await tx.fetch_one(_by_group, shop_id=shop_id, group=group_id)
    return from_row(row) if row else None


async def to_poll(tx: Tx, now: int, limit: int) -> list[str]:
    """Communities whose events nobody asks for at `now`."""
    values = {"now": now, "too_far": now + LONGEST, "limit": limit}
    return [r["id"] for r in await tx.fetch_all(_to_poll, **values)]


async def lease(db: Database, community_id: str, now: int, until: int, *, held: int = 0) -> bool:
    """Takes the asking for one process until a moment. `held` is the lease it already has."""
    async with db.write() as tx:
        row = await tx.fetch_one(_until, id=community_id)
        if row is None:
            return False
        if now < row["poll_until"] <= now + LONGEST and row["poll_until"] != held:
            return False
        met = await tx.execute(
            _lease, key_id=community_id, key_until=row["poll_until"], until=until
        )
    return met == 1


async def polled(tx: Tx, community_id: str, ts: str, now: int) -> None:
    """Remembers where the long poll stands, in the transaction that stored what it brought."""
    await tx.execute(_polled, key_id=community_id, poll_ts=ts, heard_at=now)


async def heard(tx: Tx, community_id: str, now: int) -> None:
    """Remembers that VK told us something."""
    await tx.execute(_heard, key_id=community_id, heard_at=now)


def told(notice: Notice) -> Op:
    """The write of what VK told. The same `digest` again is the same event: nothing is written."""
    return Op(_told, NOTICE.to_row(notice) | {"version": 1}, expect=None)


async def forget_told(tx: Tx, before: int) -> None:
    """Drops what VK told and what was handled before a moment; VK repeats it no more."""
    await tx.execute(_forget, before=before)


async def quiet(tx: Tx, before: int) -> list[tuple[str, str]]:
    """Communities in order, with their shops, that neither told anything nor were read since a
    moment.
    """
    return [(r["id"], r["shop_id"]) for r in await tx.fetch_all(_quiet, before=before)]


async def unhandled(tx: Tx, connection_id: str, object_id: str) -> list[Notice]:
    """What VK told about one dialog and nobody has acted upon, in the order of arrival."""
    rows = await tx.fetch_all(_unhandled, connection_id=connection_id, object_id=object_id)
    return [NOTICE.from_row(r) for r in rows]
