"""Mails and timeline lines as rows."""

from typing import Any

import msgspec
from sqlalchemy import bindparam, func, select

from sigma.domain.billing.mail import Mail, Status
from sigma.domain.change import Happening
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import codec, columns, encode, plain
from sigma.store.engine.statements import statement
from sigma.store.schema.tables import happenings, mails


def _from_row(row: Row) -> Mail:
    return Mail(status=Status(row["status"]), **columns(mails, row, "status"))


CODEC = codec(mails, plain, _from_row)


def _happening(row: Row) -> Happening:
    return Happening(
        detail=msgspec.json.decode(row["detail"]), **columns(happenings, row, "detail")
    )


def _happening_row(happening: Happening) -> dict[str, Any]:
    return plain(happening, "detail") | {"detail": encode(happening.detail)}


HAPPENING = codec(happenings, _happening_row, _happening)

_of_payment = statement(
    select(mails).where(mails.c.payment_id == bindparam("payment_id")).order_by(mails.c.id)
)
_last_number = statement(
    select(func.coalesce(func.max(mails.c.number), 0).label("n")).where(
        mails.c.kind == bindparam("kind"), mails.c.subject == bindparam("subject")
    )
)
_timeline = statement(
    select(happenings)
    .where(happenings.c.subject == bindparam("subject"))
    .order_by(happenings.c.id)
    .limit(500)
)


async def get(tx: Tx, mail_id: str) -> Mail | None:
    """The mail, or None."""
    row = await tx.fetch_one(CODEC.by_id, id=mail_id)
    return _from_row(row) if row else None


async def of_payment(tx: Tx, payment_id: str) -> tuple[Mail, ...]:
    """All mails about a payment, oldest first."""
    return tuple(_from_row(r) for r in await tx.fetch_all(_of_payment, payment_id=payment_id))


async def last_number(tx: Tx, kind: str, subject: str) -> int:
    """How often the same thing has been mailed."""
    row = await tx.fetch_one(_last_number, kind=kind, subject=subject)
    return int(row["n"]) if row else 0


async def timeline(tx: Tx, subject: str) -> tuple[Happening, ...]:
    """What happened to an invoice or payment, oldest first."""
    return tuple(_happening(r) for r in await tx.fetch_all(_timeline, subject=subject))
