"""Timeline events: the history of an invoice, a payment, a community."""

from typing import Any

import msgspec
from sqlalchemy import bindparam, select

from sigma.domain.change import TimelineEvent
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import build_codec, column_values, encode_json, field_values
from sigma.store.engine.statements import statement
from sigma.store.paging import MAX_ID
from sigma.store.schema.tables import timeline_events


def _to_row(event: TimelineEvent) -> dict[str, Any]:
    return field_values(event, "detail") | {"detail": encode_json(event.detail)}


def _from_row(row: Row) -> TimelineEvent:
    return TimelineEvent(
        detail=msgspec.json.decode(row["detail"]), **column_values(timeline_events, row, "detail")
    )


CODEC = build_codec(timeline_events, _to_row, _from_row)

_list_for_subject = statement(
    select(timeline_events)
    .where(
        timeline_events.c.subject_id == bindparam("subject_id"),
        timeline_events.c.id < bindparam("before_id"),
    )
    .order_by(timeline_events.c.id.desc())
    .limit(bindparam("limit"))
)


async def list_for_subject(
    tx: Tx, subject_id: str, *, before_id: str = "", limit: int
) -> list[TimelineEvent]:
    """Return timeline events of a subject with ids smaller than `before_id`, the newest first."""
    rows = await tx.fetch_all(
        _list_for_subject, subject_id=subject_id, before_id=before_id or MAX_ID, limit=limit
    )
    return [_from_row(r) for r in rows]


async def get(tx: Tx, event_id: str) -> TimelineEvent | None:
    """Return an event, or None."""
    row = await tx.fetch_one(CODEC.select_by_id, id=event_id)
    return _from_row(row) if row else None
