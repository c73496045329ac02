"""Conditions and indexes of the list of invoices.

The status is the effective one at `now_us`: an open invoice past its expiry counts as expired, even
if its job has not run yet.
"""

from sqlalchemy import ColumnElement, and_, bindparam, or_

from sigma.store.engine.statements import in_list
from sigma.store.lists.sources import Columns, ListTable, Source
from sigma.store.schema.tables import invoices


def _is_over(c: Columns) -> ColumnElement[bool]:
    return and_(c.expires_at_us.is_not(None), c.expires_at_us <= bindparam("now_us"))


def _is_open(c: Columns) -> ColumnElement[bool]:
    return or_(c.expires_at_us.is_(None), c.expires_at_us > bindparam("now_us"))


INVOICES = ListTable(
    table=invoices,
    paid_status="paid",
    conditions={
        "status": lambda c: c.status == bindparam("status"),
        "unexpired": _is_open,
        "expired": lambda c: or_(c.status == "expired", and_(c.status == "open", _is_over(c))),
        "service": lambda c: c.service_id == bindparam("service"),
        "member": lambda c: c.created_by == bindparam("member"),
        "amount": lambda c: c.amount_minor == bindparam("amount"),
        "amount_from": lambda c: c.amount_minor >= bindparam("amount_from"),
        "amount_to": lambda c: c.amount_minor <= bindparam("amount_to"),
        # The first condition is that of the index.
        "customers": lambda c: and_(
            c.customer_id.is_not(None), in_list(c.customer_id, "customers")
        ),
        "ids": lambda c: in_list(c.id, "ids"),
    },
    columns={
        "unexpired": ("expires_at_us",),
        "expired": ("expires_at_us",),
        "service": ("service_id",),
        "member": ("created_by",),
        "customers": ("customer_id",),
    },
    hints={
        Source.ALL: "ix_invoices_list",
        Source.STATUS: "ix_invoices_status",
        Source.SERVICE: "ix_invoices_service",
        Source.MEMBER: "ix_invoices_member",
        Source.AMOUNT: "ix_invoices_amount",
        Source.BY_AMOUNT: "ix_invoices_amount",
        Source.CUSTOMER: "ix_invoices_customer",
    },
)
