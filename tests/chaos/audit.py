"""The audit after the faults: the bank's books, the mailbox and VK against Sigma's database.

It counts what was lost and what happened twice, what is stuck and what came late.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sqlalchemy import Table

from sigma.services.conversations import message_codec
from sigma.store.schema.messaging_tables import messages
from sigma.store.schema.tables import jobs, payments
from sigma_sandbox.mail import mailbox
from sigma_sandbox.vk.world.models import Message
from tests.chaos.clients import Crowd, Journal
from tests.chaos.installation import ACCOUNT, Installation
from tests.chaos.report import Outcome
from tests.reconciliation import SCHEDULED_KINDS, Reconciliation, Row, load_reconciliation
from tests.reconciliation import fetch_rows as fetch_shop_rows

# Jobs that are always planned: they wait for their hour.
RECURRING_KINDS = (
    *SCHEDULED_KINDS,
    "community.check_events",
    "vk_orders.fetch",
    "personal_data.shred",
)
OPEN_STATUSES = ("created", "pending", "authorized")
IDLE_TIMEOUT_S = 120.0
ANNOUNCE_S = 15.0
HOUR_S = 3600
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # of ids; pragma: allowlist secret


def created_at_us(row_id: str) -> int:
    """Return the time in an id, UTC microseconds: when its row was made."""
    number = 0
    for character in row_id.partition("_")[2][:11]:
        number = number * 32 + _ALPHABET.index(character)
    return number


async def wait_until_idle(
    installation: Installation, crowd: Crowd, announce: Callable[[str], None]
) -> list[str]:
    """Let all open payments expire at the bank and wait until no work is left.

    Returns what is still there after IDLE_TIMEOUT_S; `announce` gets what is waited for.
    """
    installation.sandbox.faults.update({"shop": ACCOUNT, "clock_offset_s": HOUR_S + 60})
    started = announced = time.monotonic()
    while unfinished := await _unfinished(installation, crowd):
        if time.monotonic() - started > IDLE_TIMEOUT_S:
            break
        if time.monotonic() - announced > ANNOUNCE_S:
            announced = time.monotonic()
            announce(f"waiting for {len(unfinished)}, the first: {unfinished[0]}")
        await asyncio.sleep(0.5)
    return unfinished


async def _unfinished(installation: Installation, crowd: Crowd) -> list[str]:
    world = installation.world
    stored_payments = await fetch_rows(installation, payments)
    open_ids = {p["id"] for p in stored_payments if p["status"] in OPEN_STATUSES}
    unfinished = [f"{payment_id} has no outcome" for payment_id in sorted(open_ids)]
    unfinished += [
        f"{job['kind']} {job['subject_id']} is {job['state']}: {job['last_error']}"
        for job in await fetch_rows(installation, jobs)
        if not _is_planned(job, open_ids)
    ]
    vk = world.sandbox.vk
    in_vk = sum(len(vk.list_messages(group, person)) for person, group, _ in crowd.people)
    if missing := in_vk - len(await fetch_rows(installation, messages)):
        unfinished.append(f"{missing} VK messages are not in Sigma")
    return unfinished


def _is_planned(job: Row, open_payment_ids: set[str]) -> bool:
    """Whether a job is no work left over: it waits for its hour, or finds its payment settled."""
    is_settled = job["kind"] == "payment.advance" and job["subject_id"] not in open_payment_ids
    return job["state"] == "queued" and (job["kind"] in RECURRING_KINDS or is_settled)


async def fetch_rows(installation: Installation, table: Table) -> list[Row]:
    """Return all rows of a table of the shop."""
    world = installation.world
    return await fetch_shop_rows(world.ctx.db, table, world.shop.id)


async def audit(installation: Installation, crowd: Crowd, outcome: Outcome) -> None:
    """Compare both sides and add what is wrong to the outcome. Call it when all is idle."""
    reconciliation = await load_reconciliation(installation.world)
    rows = reconciliation.our_rows
    rows["jobs"] = [job for job in rows["jobs"] if not _is_planned(job, set())]
    audit_payments(reconciliation, crowd.journal, outcome)
    audit_letters(rows["mails"], installation.sandbox.mailbox.emails.values(), outcome)
    await _audit_messages(installation, crowd, outcome)
    outcome.disagreements += reconciliation.find_mismatches()


def audit_payments(reconciliation: Reconciliation, journal: Journal, outcome: Outcome) -> None:
    ours = reconciliation.our_rows
    captured_at = {r["payment_id"]: created_at_us(r["id"]) for r in ours["receipts"]}
    captured = {p["provider_id"]: p for p in reconciliation.captured_payments}
    by_payment: dict[str, int] = defaultdict(int)
    for paid in reconciliation.bank_objects["payments"]:
        by_payment[paid["metadata"]["payment"]] += 1
        if paid["status"] != "succeeded":
            continue
        outcome.payment_count += 1
        if paid["id"] not in captured:
            outcome.lost.append(f"payment {paid['id']} is paid at the bank and not in Sigma")
        elif (payment_id := captured[paid["id"]]["id"]) in captured_at:
            paid_at_us = outcome.parse_time(paid["captured_at"])
            outcome.record_delay("payment", paid_at_us, captured_at[payment_id], payment_id)
    doubled = {payment_id for payment_id, count in by_payment.items() if count > 1}
    outcome.doubled += [f"{payment_id} is twice at the bank" for payment_id in sorted(doubled)]
    per_invoice: dict[str, int] = defaultdict(int)
    for payment in reconciliation.captured_payments:
        per_invoice[payment["invoice_id"]] += 1
    outcome.doubled += [f"{key} was paid {n} times" for key, n in per_invoice.items() if n > 1]
    outcome.refund_count = len(reconciliation.bank_objects["refunds"])
    at_bank = {r["id"] for r in reconciliation.bank_objects["refunds"]}
    stored = [r["provider_id"] for r in ours["refunds"]]
    outcome.lost += [f"refund {one} of the bank is not in Sigma" for one in at_bank - {*stored}]
    outcome.doubled += _repeated("refund", stored)
    for name, acknowledged, table in (
        ("invoice", journal.invoice_ids, "invoices"),
        ("refund", journal.refund_ids, "refunds"),
    ):
        missing = acknowledged - {row["id"] for row in ours[table]}
        outcome.lost += [f"acknowledged {name} {one} is gone" for one in sorted(missing)]
    missing = journal.receipt_tokens - {p["token"] for p in reconciliation.captured_payments}
    outcome.lost += [f"the receipt {token} that a payer saw is gone" for token in missing]


def _repeated(noun: str, values: list[Any]) -> Iterator[str]:
    for value in {value for value in values if value is not None and values.count(value) > 1}:
        yield f"{noun} {value} exists {values.count(value)} times"


def audit_letters(stored: list[Row], emails: Iterable[mailbox.Email], outcome: Outcome) -> None:
    """Every mail was delivered once; again only with the same Message-ID and the same words."""
    letters: dict[str, list[mailbox.Email]] = defaultdict(list)
    for email in emails:
        message_id = mailbox.header(mailbox.parse(email), "Message-ID")
        letters[message_id.strip("<>").partition("@")[0]].append(email)
    outcome.letter_count = len(stored)
    for mail in stored:
        copies = letters.pop(mail["id"], [])
        if mail["status"] != "sent" or not copies:
            outcome.lost.append(f"letter {mail['id']} is {mail['status']}, {len(copies)} delivered")
            continue
        outcome.record_delay("letter", mail["created_at_us"], copies[0].received_at_us, mail["id"])
        outcome.repeated_letter_count += len(copies) - 1
        if len({_words(copy) for copy in copies}) > 1:
            outcome.doubled.append(f"letter {mail['id']} was sent with different words")
    outcome.doubled += [f"letter {message_id} has no row" for message_id in letters]


def _words(email: mailbox.Email) -> tuple[str, str | None, str | None]:
    parsed = mailbox.parse(email)
    html = mailbox.body(parsed, "html")
    return mailbox.subject(parsed), mailbox.body(parsed, "plain"), html


async def _audit_messages(installation: Installation, crowd: Crowd, outcome: Outcome) -> None:
    """Each VK message is one row in its conversation, and the other way round."""
    cipher, journal = installation.world.ctx.cipher, crowd.journal
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in await fetch_rows(installation, messages):
        body = message_codec.decrypt_body(cipher, row["id"], row["body_encrypted"])
        rows[row["conversation_id"]].append({**row, "text": body.text})
    accepted = {one.text: one for one in journal.operator_messages}
    for person_id, group_id, conversation_id in crowd.people:
        in_vk = installation.sandbox.vk.list_messages(group_id, person_id)
        outcome.message_count += len(in_vk)
        audit_conversation(in_vk, rows.pop(conversation_id, []), outcome)
        sent = [message.text for message in in_vk if message.is_outgoing]
        outcome.doubled += _repeated("VK message", sent)
        for message in in_vk:
            if message.text in accepted:
                began_at_us = accepted.pop(message.text).accepted_at_us
                outcome.record_delay(
                    "VK message out", began_at_us, message.sent_at_us, message.text
                )
    outcome.lost += [f"VK message {text!r} was accepted and never sent" for text in accepted]


def audit_conversation(in_vk: list[Message], stored: list[Row], outcome: Outcome) -> None:
    by_cmid: dict[int, list[Row]] = defaultdict(list)
    for row in stored:
        by_cmid[row["cmid"]].append(row)
    for message in in_vk:
        copies = by_cmid.pop(message.cmid, [])
        if not copies or copies[0]["text"] != message.text:
            outcome.lost.append(f"VK message {message.text!r} is not in Sigma")
        elif len(copies) > 1:
            outcome.doubled.append(f"VK message {message.text!r} is twice in Sigma")
        elif not message.is_outgoing:
            stored_at_us = created_at_us(copies[0]["id"])
            outcome.record_delay("VK message in", message.sent_at_us, stored_at_us, message.text)
    for row in [row for copies in by_cmid.values() for row in copies]:
        outcome.disagreements.append(f"message {row['id']} is {row['status']} and not in VK")
