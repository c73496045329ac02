"""Reminders: settings, sent ones, silenced invoices, clients who want none."""

from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, select

from sigma.domain.reminders.reminder import Reminder, ReminderKind
from sigma.store.engine.interface import Op, Row, Tx
from sigma.store.engine.row_codec import build_codec, column_values, encode_json, field_values
from sigma.store.engine.statements import in_list, statement, upsert
from sigma.store.schema.reminder_tables import (
    reminder_settings,
    reminder_stops,
    reminders,
    silenced_invoices,
)


def _to_row(reminder: Reminder) -> dict[str, Any]:
    return field_values(reminder, "kind") | {"kind": str(reminder.kind)}


def _from_row(row: Row) -> Reminder:
    return Reminder(kind=ReminderKind(row["kind"]), **column_values(reminders, row, "kind"))


CODEC = build_codec(reminders, _to_row, _from_row)

_get_settings = statement(
    select(reminder_settings).where(reminder_settings.c.id == bindparam("id"))
)
_save_settings = statement(upsert(reminder_settings, ["id"], ["body"]))
_list_for_invoice = statement(
    select(reminders).where(reminders.c.invoice_id == bindparam("invoice_id"))
)
_find_silenced = statement(
    select(silenced_invoices.c.id).where(silenced_invoices.c.id == bindparam("id"))
)
_silence = statement(upsert(silenced_invoices, ["id"], ["silenced_at_us"]))
_allow = statement(delete(silenced_invoices).where(silenced_invoices.c.id == bindparam("id")))
_find_stops = statement(
    select(reminder_stops.c.client_hash).where(in_list(reminder_stops.c.client_hash, "hashes"))
)
_stop = statement(upsert(reminder_stops, ["client_hash"], ["stopped_at_us"]))
_resume = statement(delete(reminder_stops).where(in_list(reminder_stops.c.client_hash, "hashes")))


async def get(tx: Tx, reminder_id: str) -> Reminder | None:
    """Return the reminder, or None."""
    row = await tx.fetch_one(CODEC.select_by_id, id=reminder_id)
    return _from_row(row) if row else None


async def list_for_invoice(tx: Tx, invoice_id: str) -> list[Reminder]:
    """Return the automatic reminders of an invoice, the oldest first."""
    rows = await tx.fetch_all(_list_for_invoice, invoice_id=invoice_id)
    return sorted(map(_from_row, rows), key=lambda one: one.id)


async def get_settings(tx: Tx, shop_id: str) -> dict[str, Any]:
    """Return a shop's switches as decoded JSON; empty when never saved."""
    row = await tx.fetch_one(_get_settings, id=shop_id)
    body: dict[str, Any] = msgspec.json.decode(row["body"]) if row else {}
    return body


def save_settings(shop_id: str, body: dict[str, Any]) -> Op:
    """Return the write of a shop's switches."""
    return Op(_save_settings, {"id": shop_id, "body": encode_json(body), "version": 1})


async def is_silenced(tx: Tx, invoice_id: str) -> bool:
    """Return whether automatic reminders of an invoice are switched off."""
    return await tx.fetch_one(_find_silenced, id=invoice_id) is not None


def silence(invoice_id: str, shop_id: str, now_us: int) -> Op:
    """Return the write that switches the reminders of an invoice off."""
    return Op(_silence, {"id": invoice_id, "shop_id": shop_id, "silenced_at_us": now_us})


def allow(invoice_id: str) -> Op:
    """Return the write that switches the reminders of an invoice on again."""
    return Op(_allow, {"id": invoice_id}, expected_rows=None)


async def has_stop(tx: Tx, hashes: list[str]) -> bool:
    """Return whether a client with one of these hashes wants no reminders."""
    return await tx.fetch_one(_find_stops, hashes=hashes) is not None


def stop(client_hash: str, shop_id: str, now_us: int) -> Op:
    """Return the write that ends the reminders to a client."""
    return Op(_stop, {"client_hash": client_hash, "shop_id": shop_id, "stopped_at_us": now_us})


async def resume(tx: Tx, hashes: list[str]) -> None:
    """Allow reminders to a client again."""
    await tx.execute(_resume, hashes=hashes)
