"""Conditions and indexes of the list of payments."""

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, exists, literal_column, select

from sigma.store.engine.statements import in_list
from sigma.store.lists.sources import Columns, ListTable, Source
from sigma.store.schema.list_tables import refunded_payments
from sigma.store.schema.tables import payments


def _is_refunded(c: Columns) -> ColumnElement[bool]:
    return exists(_refunded_row(c))


def _is_not_refunded(c: Columns) -> ColumnElement[bool]:
    # OFFSET makes PostgreSQL look each row up: a join would read the refunds of all shops.
    return ~exists(_refunded_row(c).offset(literal_column("0")))


def _has_refunded_state(c: Columns) -> ColumnElement[bool]:
    return exists(_refunded_row(c).where(refunded_payments.c.state == bindparam("refunded_state")))


def _refunded_row(c: Columns) -> Select[Any]:
    query: Select[Any] = select(literal_column("1"))
    return query.select_from(refunded_payments).where(refunded_payments.c.id == c.id)


PAYMENTS = ListTable(
    table=payments,
    paid_status="captured",
    conditions={
        "status": lambda c: c.status == bindparam("status"),
        "method": lambda c: c.method_kind == bindparam("method"),
        "connection": lambda c: c.connection_id == bindparam("connection"),
        # The first condition is that of the index.
        "service": lambda c: and_(c.service_id != "", c.service_id == bindparam("service")),
        "member": lambda c: c.issuer == bindparam("member"),
        "amount": lambda c: c.amount_minor == bindparam("amount"),
        "amount_from": lambda c: c.amount_minor >= bindparam("amount_from"),
        "amount_to": lambda c: c.amount_minor <= bindparam("amount_to"),
        # The first condition is that of the index.
        "last4": lambda c: and_(c.card_last4 != "", c.card_last4 == bindparam("last4")),
        "attention": lambda c: c.attention.is_not(None),
        "invoice": lambda c: c.invoice_id == bindparam("invoice"),
        # The first condition is that of the index.
        "customers": lambda c: and_(
            c.customer_id.is_not(None), in_list(c.customer_id, "customers")
        ),
        "ids": lambda c: in_list(c.id, "ids"),
        "refunded_any": _is_refunded,
        "refunded_state": _has_refunded_state,
        "unrefunded": _is_not_refunded,
    },
    columns={
        "method": ("method_kind",),
        "connection": ("connection_id",),
        "service": ("service_id",),
        "member": ("issuer",),
        "last4": ("card_last4",),
        "attention": ("attention",),
        "customers": ("customer_id",),
        "invoice": ("invoice_id",),
    },
    hints={
        Source.ALL: "ix_payments_list",
        Source.STATUS: "ix_payments_status",
        Source.SERVICE: "ix_payments_service",
        Source.MEMBER: "ix_payments_member",
        Source.AMOUNT: "ix_payments_amount",
        Source.BY_AMOUNT: "ix_payments_amount",
        Source.LAST4: "ix_payments_last4",
        Source.ATTENTION: "ix_payments_attention",
        Source.INVOICE: "ix_payments_invoice",
        Source.CUSTOMER: "ix_payments_customer",
    },
)
