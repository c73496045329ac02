"""Reconciliation of Sigma with the sandbox bank: payments, refunds, ledger, mails and jobs.

All checks must pass once the worker has nothing left to do.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Table, bindparam, select

from sigma.domain.figures import FIGURE_NAMES
from sigma.domain.ledger import Account
from sigma.domain.money import Money
from sigma.store.engine.interface import Database
from sigma.store.engine.statements import Statement, statement
from sigma.store.schema.customer_tables import (
    customer_identities,
    customer_suggestions,
    customers,
)
from sigma.store.schema.list_tables import figure_totals
from sigma.store.schema.messaging_tables import messages
from sigma.store.schema.notification_tables import notification_addresses, notifications
from sigma.store.schema.tables import (
    acquirer_notices,
    invoices,
    jobs,
    ledger,
    mails,
    payments,
    receipts,
    refunds,
    timeline_events,
)
from tests.world import World

SCHEDULED_KINDS = ("invoice.expire", "invoice.remind", "reconciliation.start")  # wait
_TABLES = (
    *(invoices, jobs, ledger, mails, acquirer_notices),
    *(payments, receipts, refunds, figure_totals),
)
_CUSTOMER_TABLES = (customers, customer_identities, customer_suggestions)
_SELECT_BY_SHOP: dict[str, Statement] = {
    table.name: statement(select(table).where(table.c.shop_id == bindparam("shop_id")))
    for table in (
        *(*_TABLES, *_CUSTOMER_TABLES),
        *(timeline_events, messages, notifications, notification_addresses),
    )
}
Row = dict[str, Any]


async def fetch_rows(db: Database, table: Table, shop_id: str) -> list[Row]:
    """Return all stored rows of a shop in one table, each as column name → raw value."""
    names = [column.name for column in table.columns]
    async with db.read() as tx:
        stored = await tx.fetch_all(_SELECT_BY_SHOP[table.name], shop_id=shop_id)
    return [{name: row[name] for name in names} for row in stored]


class Reconciliation:
    """A snapshot of both sides: Sigma's rows by table, the bank's objects by kind."""

    def __init__(self, our_rows: dict[str, list[Row]], bank_objects: dict[str, list[Row]]) -> None:
        self.our_rows = our_rows
        self.bank_objects = bank_objects
        self.refunds_by_payment: dict[str, list[Row]] = defaultdict(list)
        for refund in our_rows["refunds"]:
            self.refunds_by_payment[refund["payment_id"]].append(refund)
        self.captured_payments = [p for p in our_rows["payments"] if p["status"] == "captured"]
        self.accepted_ids = {
            posting["subject_id"]
            for posting in our_rows["ledger"]
            if posting["kind"] == "acceptance"
        }
        self.refund_due_ids = {
            posting["subject_id"]
            for posting in our_rows["ledger"]
            if posting["kind"] == "capture" and posting["account"] == Account.REFUNDS_DUE
        } - self.accepted_ids

    def find_mismatches(self, allow_resent_receipts: bool = False) -> list[str]:
        """Return one sentence for each mismatch; an empty list when both sides agree.

        `allow_resent_receipts`: accept several receipt mails for one payment.
        """
        return [
            *self._payments(),
            *self._refunds(),
            *self._ledger(),
            *self._invoices(),
            *self.find_wrong_totals(),
            *self._receipts_and_jobs(allow_resent_receipts),
        ]

    def _payments(self) -> Iterator[str]:
        ours = {p["provider_id"]: p for p in self.our_rows["payments"] if p["provider_id"]}
        at_bank: set[str] = set()
        for theirs in self.bank_objects["payments"]:
            our_id = theirs["metadata"]["payment"]
            if our_id in at_bank:
                yield f"{our_id} was created twice at the bank"
            at_bank.add(our_id)
            mine = ours.get(theirs["id"])
            if theirs["status"] == "succeeded":
                if mine is None or mine["status"] != "captured":
                    yield f"{our_id} is paid at the bank and {mine and mine['status']} here"
                elif _amount_minor(theirs["amount"]) != (mine["amount_minor"], mine["currency"]):
                    yield f"{our_id} has a different amount at the bank"
                elif mine["income_minor"] != _amount_minor(theirs["income_amount"])[0]:
                    yield f"{our_id} has a different income at the bank"
            elif mine is not None and mine["status"] == "captured":
                yield f"{our_id} is captured here and {theirs['status']} at the bank"
        for payment in self.captured_payments:
            if payment["id"] not in at_bank:
                yield f"{payment['id']} is captured here and unknown to the bank"

    def _refunds(self) -> Iterator[str]:
        ours = {r["provider_id"]: r for r in self.our_rows["refunds"] if r["provider_id"]}
        our_status = {"succeeded": "succeeded", "canceled": "failed", "pending": "pending"}
        for theirs in self.bank_objects["refunds"]:
            mine = ours.pop(theirs["id"], None)
            if mine is None and self._is_known_without_id(theirs):
                continue
            if mine is None:
                yield f"the bank's refund {theirs['id']} is unknown here"
            elif mine["status"] != our_status[theirs["status"]]:
                yield f"{mine['id']} is {theirs['status']} at the bank and {mine['status']} here"
            elif _amount_minor(theirs["amount"]) != (mine["amount_minor"], mine["currency"]):
                yield f"{mine['id']} has a different amount at the bank"
        for refund in ours.values():
            yield f"{refund['id']} is unknown to the bank"
        yield from self._refunded_totals()
        yield from self.find_over_refunded()
        for refund in self.our_rows["refunds"]:
            if refund["status"] == "pending":
                yield f"{refund['id']} is still pending"

    def _refunded_totals(self) -> Iterator[str]:
        for payment in self.bank_objects["payments"]:
            if payment["status"] == "succeeded":
                at_bank, _ = _amount_minor(payment["refunded_amount"])
                stored = self.refunds_by_payment[payment["metadata"]["payment"]]
                if (here := _sum_minor(stored, "succeeded")) != at_bank:
                    yield f"{payment['id']} is refunded by {at_bank} at the bank, {here} here"

    def _is_known_without_id(self, theirs: Row) -> bool:
        """Whether a refund made in the acquirer's cabinet needs no row of its own here.

        It failed before Sigma saw it, or was booked by its amount while the list was unavailable.
        """
        if theirs["status"] == "canceled":
            return "[ref_" not in theirs.get("description", "")
        by_provider_id = {p["provider_id"]: p["id"] for p in self.our_rows["payments"]}
        stored = self.refunds_by_payment[by_provider_id.get(theirs["payment_id"], "")]
        return any(r["origin"] != "sigma" and r["provider_id"] is None for r in stored)

    def find_over_refunded(self) -> Iterator[str]:
        """Find payments whose refunds exceed the paid amount.

        There must be none at any moment, not only when the worker is idle. Pending refunds of
        ours count; one made in the acquirer's cabinet may take what ours has reserved.
        """
        for payment in self.our_rows["payments"]:
            all_refunds = self.refunds_by_payment[payment["id"]]
            ours = [refund for refund in all_refunds if refund["origin"] == "sigma"]
            for refunded in (
                _sum_minor(all_refunds, "succeeded"),
                _sum_minor(ours, "succeeded", "pending"),
            ):
                if refunded > payment["amount_minor"]:
                    yield f"{payment['id']} is refunded by more than its amount"

    def _ledger(self) -> Iterator[str]:
        entries: dict[tuple[str, str], int] = defaultdict(int)
        accounts: dict[str, int] = defaultdict(int)
        for posting in self.our_rows["ledger"]:
            entries[posting["kind"], posting["subject_id"]] += posting["amount_minor"]
            accounts[posting["account"]] += posting["amount_minor"]
        yield from (
            f"the entry {entry} does not balance" for entry, total in entries.items() if total
        )
        expected = {("capture", p["id"]) for p in self.captured_payments} | {
            ("refund", r["id"]) for r in self.our_rows["refunds"] if r["status"] == "succeeded"
        }
        expected |= {("acceptance", payment_id) for payment_id in self.accepted_ids}
        expected |= {("fee", payment_id) for payment_id in self.late_fee_ids()}
        if set(entries) != expected:
            yield f"entries differ from captures and refunds: {sorted(set(entries) ^ expected)}"
        paid = [p for p in self.bank_objects["payments"] if p["status"] == "succeeded"]
        paid_minor = sum(_amount_minor(p["amount"])[0] for p in paid)
        income = sum(_amount_minor(p["income_amount"])[0] for p in paid)
        # Not the sum of the refunds: a chargeback is in this amount only.
        refunded_minor = sum(_amount_minor(p["refunded_amount"])[0] for p in paid)
        at_bank = {
            Account.ACQUIRER: income - refunded_minor,
            Account.FEES: paid_minor - income,
            "shop": refunded_minor - paid_minor,
        }
        in_ledger = {
            Account.ACQUIRER: accounts[Account.ACQUIRER],
            Account.FEES: accounts[Account.FEES],
            "shop": accounts[Account.SALES] + accounts[Account.REFUNDS_DUE],
        }
        if at_bank != in_ledger:
            yield f"the bank has {at_bank}, the ledger has {in_ledger}"
        due = sum(
            p["amount_minor"] - _sum_minor(self.refunds_by_payment[p["id"]], "succeeded")
            for p in self.captured_payments
            if p["id"] in self.refund_due_ids
        )
        if accounts[Account.REFUNDS_DUE] != -due:
            yield f"refunds due are {due}, the ledger has {-accounts[Account.REFUNDS_DUE]}"

    def late_fee_ids(self) -> set[str]:
        """Return the captured payments whose capture is booked without the fee that is known."""
        booked = {
            posting["subject_id"]: posting["amount_minor"]
            for posting in self.our_rows["ledger"]
            if (posting["kind"], posting["account"]) == ("capture", Account.ACQUIRER)
        }
        return {
            payment["id"]
            for payment in self.captured_payments
            if payment["income_minor"] not in (None, booked.get(payment["id"]))
        }

    def _invoices(self) -> Iterator[str]:
        counted: dict[str, int] = defaultdict(int)
        for payment in self.captured_payments:
            if payment["id"] not in self.refund_due_ids:
                counted[payment["invoice_id"]] += 1
                continue
            refunded_minor = _sum_minor(self.refunds_by_payment[payment["id"]], "succeeded")
            if not payment["attention"] and refunded_minor != payment["amount_minor"]:
                yield f"{payment['id']} must be refunded and has no attention flag"
            if not any(
                m["payment_id"] == payment["id"] and m["kind"] == "attention"
                for m in self.our_rows["mails"]
            ):
                yield f"{payment['id']} must be refunded and the owner got no mail"
        for invoice in self.our_rows["invoices"]:
            number, limit = counted[invoice["id"]], invoice["max_payments"]
            limit = self._raised_limit(invoice["id"], limit, number)
            if invoice["paid_count"] != number:
                yield f"{invoice['id']} counts {invoice['paid_count']} payments, not {number}"
            if limit is not None and number > limit:
                yield f"{invoice['id']} was paid {number} times, unflagged"
            if invoice["status"] == "paid" and number != limit:
                yield f"{invoice['id']} is paid by {number} of {limit}"
            if invoice["status"] in ("open", "expired") and number == limit:
                yield f"{invoice['id']} has all its payments and is {invoice['status']}"

    def _raised_limit(self, invoice_id: str, limit: int | None, number: int) -> int | None:
        """Return the limit of payments, raised if the owner has accepted extra ones."""
        accepted = [p for p in self.captured_payments if p["id"] in self.accepted_ids]
        is_raised = any(payment["invoice_id"] == invoice_id for payment in accepted)
        return max(limit, number) if limit is not None and is_raised else limit

    def find_wrong_totals(self) -> Iterator[str]:
        """Compare the totals of reports with a count of the rows, by each dimension and span."""
        stored = {
            tuple(total[name] for name in TOTAL_KEY): tuple(total[name] for name in FIGURE_NAMES)
            for total in self.our_rows["figure_totals"]
        }
        counted = count_totals(self.our_rows)
        for key in sorted(stored.keys() | counted.keys()):
            if any(stored.get(key, ())) and stored.get(key) != counted.get(key):
                yield f"the total {key} is {stored.get(key)} and not {counted.get(key)}"
            elif key not in stored:
                yield f"the total {key} is missing: {counted[key]}"

    def _receipts_and_jobs(self, allow_resent_receipts: bool) -> Iterator[str]:
        receipts_of = sorted(r["payment_id"] for r in self.our_rows["receipts"])
        if receipts_of != sorted(p["id"] for p in self.captured_payments):
            yield "there is not exactly one receipt for each captured payment"
        mail_count: dict[str, int] = defaultdict(int)
        for mail in self.our_rows["mails"]:
            if mail["kind"] == "receipt":
                mail_count[mail["subject_key"]] += 1
        for payment in self.captured_payments:
            number = mail_count.pop(payment["id"], 0)
            if number != bool(payment["has_email"]) and not (allow_resent_receipts and number > 1):
                yield f"{payment['id']} has {number} receipt mails"
        if mail_count:
            yield f"receipts were mailed for unpaid {sorted(mail_count)}"
        for job in self.our_rows["jobs"]:
            if job["kind"] not in SCHEDULED_KINDS or job["state"] != "queued":
                yield f"{job['kind']} {job['subject_id']} is {job['state']}: {job['last_error']}"


TOTAL_KEY = ("dimension", "span_us", "starts_at_us", "key", "currency")
SPANS_US = (900_000_000, 86_400_000_000)


def count_totals(rows: dict[str, list[Row]]) -> dict[tuple[Any, ...], tuple[int, ...]]:
    """Count the totals of reports from the rows of payments, refunds and invoices."""
    totals: dict[tuple[Any, ...], dict[str, int]] = defaultdict(
        lambda: dict.fromkeys(FIGURE_NAMES, 0)
    )

    def add(at_us: int, row: Row, of: Row, **figures: int) -> None:
        keys = {
            "all": "",
            "service": of["service_id"],
            "issuer": of["issuer"],
            "source": of["source"],
        }
        for dimension, key in keys.items():
            for span_us in SPANS_US:
                total = totals[dimension, span_us, at_us - at_us % span_us, key, row["currency"]]
                total.update({name: total[name] + value for name, value in figures.items()})

    by_id = {payment["id"]: payment for payment in rows["payments"]}
    for payment in by_id.values():
        if payment["status"] == "captured":
            amount, income = payment["amount_minor"], payment["income_minor"]
            fee = amount - income if income is not None else None
            add(
                payment["captured_at_us"],
                payment,
                payment,
                payment_count=1,
                gross_minor=amount,
                fee_minor=fee or 0,
                unknown_fee_count=int(fee is None),
                unknown_fee_gross_minor=amount * (fee is None),
            )
    for refund in rows["refunds"]:
        if refund["status"] == "succeeded":
            amount = refund["amount_minor"]
            add(
                refund["finished_at_us"],
                refund,
                by_id[refund["payment_id"]],
                refund_count=1,
                refund_minor=amount,
                chargeback_minor=amount * (refund["origin"] == "chargeback"),
            )
    for invoice in rows["invoices"]:
        if invoice["opened_at_us"] is not None:
            of, is_paid = _attribution(invoice), int(bool(invoice["paid_count"]))
            add(invoice["opened_at_us"], invoice, of, opened_count=1, paid_count=is_paid)
    return {key: tuple(total.values()) for key, total in totals.items()}


def _attribution(invoice: Row) -> Row:
    maker = invoice["created_by"]
    source = "api" if maker.startswith("key_") else "cabinet"
    source = "storefront" if maker == "storefront" else source
    source = "conversation" if invoice["conversation_id"] else source
    source = invoice["source"] or source  # decided when it was first opened
    issuer = "" if maker in ("storefront", "auto") else maker
    return {"service_id": invoice["service_id"] or "", "issuer": issuer, "source": source}


def _amount_minor(amount: dict[str, str]) -> tuple[int, str]:
    money = Money.parse(amount["value"], amount["currency"])
    return money.minor, money.currency


def _sum_minor(refund_rows: list[Row], *statuses: str) -> int:
    return sum(row["amount_minor"] for row in refund_rows if row["status"] in statuses)


async def load_reconciliation(world: World, *, reads_bank: bool = True) -> Reconciliation:
    """Read both sides: all rows of the shop and all objects of its account at the bank.

    `reads_bank` False leaves the bank's side empty: its API may have injected faults.
    """
    ours = {t.name: await fetch_rows(world.ctx.db, t, world.shop.id) for t in _TABLES}
    kinds = ("payments", "refunds")
    bank = {kind: await world.list_at_bank(kind) if reads_bank else [] for kind in kinds}
    return Reconciliation(ours, bank)


async def find_mismatches(world: World, *, allow_resent_receipts: bool = False) -> list[str]:
    """Compare Sigma with the bank. Reliable only when the worker has no due jobs left."""
    return (await load_reconciliation(world)).find_mismatches(allow_resent_receipts)
