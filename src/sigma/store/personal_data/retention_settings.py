"""The retention periods of shops."""

import msgspec
from sqlalchemy import bindparam, select

from sigma.domain.personal_data.retention import Retention
from sigma.store.engine.interface import Op, Tx
from sigma.store.engine.row_codec import encode_json
from sigma.store.engine.statements import statement, upsert
from sigma.store.schema.personal_data_tables import retention_settings
from sigma.store.schema.tables import jobs, shops

JOB = "personal_data.shred"

_get = statement(select(retention_settings).where(retention_settings.c.id == bindparam("id")))
_save = statement(upsert(retention_settings, ["id"], ["body"]))
_list_unscheduled = statement(
    select(shops.c.id).where(
        ~select(jobs.c.kind)
        .where(jobs.c.kind == JOB, jobs.c.subject_id == shops.c.id)
        .correlate(shops)
        .exists()
    )
)


async def get(tx: Tx, shop_id: str) -> Retention:
    """Return a shop's periods; the defaults when it has not changed them."""
    row = await tx.fetch_one(_get, id=shop_id)
    return msgspec.json.decode(row["body"], type=Retention) if row else Retention()


def save(shop_id: str, retention: Retention) -> Op:
    """Return the write of a shop's periods."""
    return Op(_save, {"id": shop_id, "body": encode_json(retention), "version": 1})


async def list_unscheduled(tx: Tx) -> list[str]:
    """Return the shops without the job that deletes by date."""
    return [row["id"] for row in await tx.fetch_all(_list_unscheduled)]
