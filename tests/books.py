"""The bank's books beside ours: everything that must be equal once the dust has settled."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Table, bindparam, select

from sigma.domain.ledger import Account
from sigma.domain.money import Money
from sigma.store.engine.interface import Database
from sigma.store.engine.statements import Statement, statement
from sigma.store.schema.tables import (
    happenings,
    invoices,
    jobs,
    ledger,
    mails,
    notices,
    payments,
    receipts,
    refunds,
)
from tests.world import World

_TABLES = (invoices, jobs, ledger, mails, notices, payments, receipts, refunds)
_OF_SHOP: dict[str, Statement] = {
    table.name: statement(select(table).where(table.c.shop_id == bindparam("shop_id")))
    for table in (*_TABLES, happenings)
}
Row = dict[str, Any]


async def rows(db: Database, table: Table, shop_id: str) -> list[Row]:
    """All rows of a shop as they are stored."""
    names = [column.name for column in table.columns]
    async with db.read() as tx:
        found = await tx.fetch_all(_OF_SHOP[table.name], shop_id=shop_id)
    return [{name: row[name] for name in names} for row in found]


class Books:
    """Both sides, read once."""

    def __init__(self, ours: dict[str, list[Row]], bank: dict[str, list[Row]]) -> None:
        self.ours = ours
        self.bank = bank
        self.by_payment: dict[str, list[Row]] = defaultdict(list)
        for refund in ours["refunds"]:
            self.by_payment[refund["payment_id"]].append(refund)
        self.captured = [p for p in ours["payments"] if p["status"] == "captured"]
        self.owed = {
            line["subject"]
            for line in ours["ledger"]
            if line["kind"] == "capture" and line["account"] == Account.OWED
        }

    def disagreements(self, resent: bool = False) -> list[str]:
        """Everything that is not as it must be; empty when all is well."""
        return [
            *self._payments(),
            *self._refunds(),
            *self._ledger(),
            *self._invoices(),
            *self._papers(resent),
        ]

    def _payments(self) -> Iterator[str]:
        ours = {p["provider_id"]: p for p in self.ours["payments"] if p["provider_id"]}
        seen: set[str] = set()
        for theirs in self.bank["payments"]:
            our_id = theirs["metadata"]["payment"]
            if our_id in seen:
                yield f"{our_id} was opened twice at the bank"
            seen.add(our_id)
            mine = ours.get(theirs["id"])
            if theirs["status"] == "succeeded":
                if mine is None or mine["status"] != "captured":
                    yield f"{our_id} is paid at the bank and {mine and mine['status']} here"
                elif _minor(theirs["amount"]) != (mine["amount_minor"], mine["currency"]):
                    yield f"{our_id} has another sum at the bank"
                elif mine["income_minor"] != _minor(theirs["income_amount"])[0]:
                    yield f"{our_id} has another income at the bank"
            elif mine is not None and mine["status"] == "captured":
                yield f"{our_id} is captured here and {theirs['status']} at the bank"
        for payment in self.captured:
            if payment["id"] not in seen:
                yield f"{payment['id']} is captured here and unknown to the bank"

    def _refunds(self) -> Iterator[str]:
        ours = {r["provider_id"]: r for r in self.ours["refunds"] if r["provider_id"]}
        words = {"succeeded": "succeeded", "canceled": "failed", "pending": "pending"}
        for theirs in self.bank["refunds"]:
            mine = ours.pop(theirs["id"], None)
            if mine is None:
                yield f"the bank's refund {theirs['id']} is unknown here"
            elif mine["status"] != words[theirs["status"]]:
                yield f"{mine['id']} is {theirs['status']} at the bank and {mine['status']} here"
            elif _minor(theirs["amount"]) != (mine["amount_minor"], mine["currency"]):
                yield f"{mine['id']} has another sum at the bank"
        for refund in ours.values():
            yield f"{refund['id']} is unknown to the bank"
        yield from self.given_back_too_much()
        for refund in self.ours["refunds"]:
            if refund["status"] == "pending":
                yield f"{refund['id']} never ended"

    def given_back_too_much(self) -> Iterator[str]:
        """Payments of which more was given back or promised than was taken: true at any time."""
        for payment in self.ours["payments"]:
            taken = _sum(self.by_payment[payment["id"]], "succeeded", "pending")
            if taken > payment["amount_minor"]:
                yield f"{payment['id']} gives back more than it took"

    def _ledger(self) -> Iterator[str]:
        entries: dict[tuple[str, str], int] = defaultdict(int)
        accounts: dict[str, int] = defaultdict(int)
        for line in self.ours["ledger"]:
            entries[line["kind"], line["subject"]] += line["amount_minor"]
            accounts[line["account"]] += line["amount_minor"]
        yield from (
            f"the entry {entry} does not balance" for entry, sum_ in entries.items() if sum_
        )
        expected = {("capture", p["id"]) for p in self.captured} | {
            ("refund", r["id"]) for r in self.ours["refunds"] if r["status"] == "succeeded"
        }
        if set(entries) != expected:
            yield f"booked and happened differ: {sorted(set(entries) ^ expected)}"
        paid = [p for p in self.bank["payments"] if p["status"] == "succeeded"]
        taken = sum(_minor(p["amount"])[0] for p in paid)
        income = sum(_minor(p["income_amount"])[0] for p in paid)
        back = sum(
            _minor(r["amount"])[0] for r in self.bank["refunds"] if r["status"] == "succeeded"
        )
        told = {
            Account.ACQUIRER: income - back,
            Account.FEES: taken - income,
            "shop": back - taken,
        }
        kept = {
            Account.ACQUIRER: accounts[Account.ACQUIRER],
            Account.FEES: accounts[Account.FEES],
            "shop": accounts[Account.SALES] + accounts[Account.OWED],
        }
        if told != kept:
            yield f"the bank says {told}, the books say {kept}"
        due = sum(
            p["amount_minor"] - _sum(self.by_payment[p["id"]], "succeeded")
            for p in self.captured
            if p["id"] in self.owed
        )
        if accounts[Account.OWED] != -due:
            yield f"owed to clients is {due}, the books say {-accounts[Account.OWED]}"

    def _invoices(self) -> Iterator[str]:
        counted: dict[str, int] = defaultdict(int)
        for payment in self.captured:
            if payment["id"] not in self.owed:
                counted[payment["invoice_id"]] += 1
                continue
            back = _sum(self.by_payment[payment["id"]], "succeeded")
            if not payment["attention"] and back != payment["amount_minor"]:
                yield f"{payment['id']} must go back and nobody is told"
            if not any(
                m["payment_id"] == payment["id"] and m["kind"] == "attention"
                for m in self.ours["mails"]
            ):
                yield f"{payment['id']} must go back and the owner got no mail"
        for invoice in self.ours["invoices"]:
            number, limit = counted[invoice["id"]], invoice["max_payments"]
            if invoice["paid_count"] != number:
                yield f"{invoice['id']} counts {invoice['paid_count']} payments, not {number}"
            if limit is not None and number > limit:
                yield f"{invoice['id']} was paid {number} times, unflagged"
            if invoice["status"] == "paid" and number != limit:
                yield f"{invoice['id']} is paid by {number} of {limit}"
            if invoice["status"] in ("open", "expired") and number == limit:
                yield f"{invoice['id']} has all its payments and is {invoice['status']}"

    def _papers(self, resent: bool) -> Iterator[str]:
        papers = sorted(r["payment_id"] for r in self.ours["receipts"])
        if papers != sorted(p["id"] for p in self.captured):
            yield "there is not exactly one receipt for each captured payment"
        promised: dict[str, int] = defaultdict(int)
        for mail in self.ours["mails"]:
            if mail["kind"] == "receipt":
                promised[mail["subject"]] += 1
        for payment in self.captured:
            number = promised.pop(payment["id"], 0)
            if number != bool(payment["wants_mail"]) and not (resent and number > 1):
                yield f"{payment['id']} has {number} receipt mails"
        if promised:
            yield f"receipts were mailed of unpaid {sorted(promised)}"
        for job in self.ours["jobs"]:
            if job["kind"] != "invoice.expire" or job["state"] != "queued":
                yield f"{job['kind']} {job['subject']} is {job['state']}: {job['last_error']}"


def _minor(amount: dict[str, str]) -> tuple[int, str]:
    money = Money.parse(amount["value"], amount["currency"])
    return money.minor, money.currency


def _sum(found: list[Row], *states: str) -> int:
    return sum(row["amount_minor"] for row in found if row["status"] in states)


async def open_books(world: World) -> Books:
    """Reads both sides."""
    ours = {t.name: await rows(world.ctx.db, t, world.shop.id) for t in _TABLES}
    bank = {what: await world.bank_list(what) for what in ("payments", "refunds")}
    return Books(ours, bank)


async def disagreements(world: World, *, resent: bool = False) -> list[str]:
    """Everything in which the bank's books and ours differ. Works best when the worker is idle."""
    return (await open_books(world)).disagreements(resent)
