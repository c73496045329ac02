"""The audit of `make chaos` finds what it looks for: each kind of loss and doubling by itself."""

from email.message import EmailMessage
from typing import Any

import pytest

from sigma.services.ids import IdGenerator
from sigma_sandbox.mail.mailbox import Email
from sigma_sandbox.vk.world.models import Message
from tests.chaos.audit import audit_conversation, audit_letters, audit_payments, created_at_us
from tests.chaos.clients import Journal
from tests.chaos.faults import Damage
from tests.chaos.report import MAX_LATENESS_S, Outcome, summary
from tests.reconciliation import Reconciliation

SECOND_US = 1_000_000
NOW_US = 1_800_000_000 * SECOND_US
NOW = "2027-01-15T08:00:00.000Z"


def new_outcome(**damage: Any) -> Outcome:
    return Outcome("sqlite", Damage(**damage), Journal())


def letter(mail_id: str, text: str = "Спасибо", after_s: float = 1) -> Email:
    message = EmailMessage()
    message["Message-ID"] = f"<{mail_id}@127.0.0.1>"
    message["Subject"] = "Квитанция"
    message.set_content(text)
    received_at_us = NOW_US + int(after_s * SECOND_US)
    return Email(
        id=f"{mail_id}{after_s}",
        sender="a@example.org",
        recipients=["b@example.org"],
        received_at_us=received_at_us,
        raw=message.as_bytes(),
    )


def mail(mail_id: str = "mail_1", status: str = "sent") -> dict[str, Any]:
    return {"id": mail_id, "status": status, "created_at_us": NOW_US}


def audited_letters(rows: list[dict[str, Any]], emails: list[Email]) -> Outcome:
    outcome = new_outcome()
    audit_letters(rows, emails, outcome)
    return outcome


def test_letters_that_came_once_are_in_order() -> None:
    outcome = audited_letters(
        [mail("mail_1"), mail("mail_2")], [letter("mail_1"), letter("mail_2")]
    )
    assert outcome.problems == []
    assert (outcome.letter_count, outcome.repeated_letter_count) == (2, 0)


@pytest.mark.parametrize(
    ("rows", "emails"),
    [([mail()], []), ([mail(status="queued")], []), ([mail(status="failed")], [letter("mail_1")])],
)
def test_letter_that_did_not_arrive_is_lost(
    rows: list[dict[str, Any]], emails: list[Email]
) -> None:
    assert len(audited_letters(rows, emails).lost) == 1


def test_letter_repeated_with_its_words_is_counted_apart() -> None:
    outcome = audited_letters([mail()], [letter("mail_1"), letter("mail_1")])
    assert (outcome.repeated_letter_count, outcome.problems) == (1, [])


def test_letter_repeated_with_other_words_is_doubled() -> None:
    outcome = audited_letters([mail()], [letter("mail_1"), letter("mail_1", "Другое")])
    assert len(outcome.doubled) == 1


def test_letter_without_a_row_is_doubled() -> None:
    assert len(audited_letters([], [letter("mail_9")]).doubled) == 1


@pytest.mark.parametrize(
    ("outages", "late"), [([], 1), ([(NOW_US - 1, NOW_US + 6 * SECOND_US)], 0)]
)
def test_letter_is_late_unless_an_outage_held_it_up(
    outages: list[tuple[int, int]], late: int
) -> None:
    outcome = new_outcome(outages=outages)
    audit_letters([mail()], [letter("mail_1", after_s=MAX_LATENESS_S + 5)], outcome)
    assert len(outcome.late) == late
    assert outcome.defects == []


def payment_at_bank(bank_id: str, payment_id: str, status: str = "succeeded") -> dict[str, Any]:
    metadata = {"payment": payment_id}
    return {"id": bank_id, "status": status, "metadata": metadata, "captured_at": NOW}


def our_payment(payment_id: str, bank_id: str, status: str = "captured") -> dict[str, Any]:
    row = {"id": payment_id, "provider_id": bank_id, "status": status, "invoice_id": payment_id}
    return {**row, "token": f"token of {payment_id}"}


def audited_payments(
    ours: list[dict[str, Any]],
    at_bank: list[dict[str, Any]],
    *,
    our_refunds: tuple[str, ...] = (),
    bank_refunds: tuple[str, ...] = (),
    journal: Journal | None = None,
) -> Outcome:
    refunds = [
        {"id": f"ref_{n}", "provider_id": p, "payment_id": ""} for n, p in enumerate(our_refunds)
    ]
    rows = {"payments": ours, "refunds": refunds, "ledger": [], "receipts": [], "invoices": []}
    bank = {"payments": at_bank, "refunds": [{"id": one} for one in bank_refunds]}
    outcome = new_outcome()
    audit_payments(Reconciliation(rows, bank), journal or Journal(), outcome)
    return outcome


def test_payments_and_refunds_that_agree_are_in_order() -> None:
    outcome = audited_payments(
        [our_payment("pay_1", "b1")],
        [payment_at_bank("b1", "pay_1")],
        our_refunds=("r1",),
        bank_refunds=("r1",),
    )
    assert (outcome.problems, outcome.payment_count, outcome.refund_count) == ([], 1, 1)


def test_captured_payment_that_sigma_does_not_know_is_lost() -> None:
    at_bank = [payment_at_bank("b1", "pay_1")]
    assert len(audited_payments([our_payment("pay_1", "b1", "failed")], at_bank).lost) == 1
    assert len(audited_payments([], at_bank).lost) == 1


def test_payment_that_the_bank_has_twice_is_doubled() -> None:
    at_bank = [payment_at_bank("b1", "pay_1"), payment_at_bank("b2", "pay_1", "pending")]
    assert len(audited_payments([our_payment("pay_1", "b1")], at_bank).doubled) == 1


def test_invoice_that_was_paid_twice_is_doubled() -> None:
    ours = [our_payment("pay_1", "b1"), {**our_payment("pay_2", "b2"), "invoice_id": "pay_1"}]
    at_bank = [payment_at_bank("b1", "pay_1"), payment_at_bank("b2", "pay_2")]
    assert len(audited_payments(ours, at_bank).doubled) == 1


def test_refund_of_the_bank_is_lost_or_doubled() -> None:
    assert len(audited_payments([], [], bank_refunds=("r1",)).lost) == 1
    twice = audited_payments([], [], our_refunds=("r1", "r1"), bank_refunds=("r1",))
    assert len(twice.doubled) == 1


@pytest.mark.parametrize("name", ["invoice_ids", "refund_ids", "receipt_tokens"])
def test_acknowledged_object_that_is_gone_is_lost(name: str) -> None:
    journal = Journal(**{name: {"x"}})  # type: ignore[arg-type]
    assert len(audited_payments([], [], journal=journal).lost) == 1


def vk_message(cmid: int, text: str, **more: Any) -> Message:
    sent_at_us = NOW_US
    return Message(
        **{"id": cmid, "group_id": 1, "person_id": 1, "is_outgoing": False, **more},
        cmid=cmid,
        text=text,
        sent_at_us=sent_at_us,
    )


def our_message(cmid: int, text: str) -> dict[str, Any]:
    message_id = IdGenerator(lambda: NOW_US + SECOND_US).new("msg")
    return {"id": message_id, "cmid": cmid, "text": text, "status": "received"}


@pytest.mark.parametrize(
    ("stored", "counts"),
    [
        ([our_message(1, "Да")], (0, 0, 0)),
        ([], (1, 0, 0)),
        ([our_message(1, "Нет")], (1, 0, 0)),
        ([our_message(1, "Да"), our_message(1, "Да")], (0, 1, 0)),
        ([our_message(1, "Да"), our_message(2, "Что")], (0, 0, 1)),
    ],
)
def test_vk_messages_are_compared_one_by_one(
    stored: list[dict[str, Any]], counts: tuple[int, int, int]
) -> None:
    outcome = new_outcome()
    audit_conversation([vk_message(1, "Да")], stored, outcome)
    assert (len(outcome.lost), len(outcome.doubled), len(outcome.disagreements)) == counts
    if not any(counts):
        assert outcome.worst_delay_s == {"VK message in": 1.0}


def test_summary_says_how_much_was_lost_and_doubled() -> None:
    outcome = new_outcome(kill_count=100)
    assert summary([outcome]).endswith("\n\n0 lost, 0 doubled")
    outcome.lost.append("a letter")
    outcome.stuck.append("a job")
    text = summary([outcome, new_outcome()])
    assert text.endswith("1 lost, 0 doubled, 1 other problems")
    assert outcome.problems == ["lost: a letter", "stuck: a job"]


def test_time_in_an_id_is_read() -> None:
    assert created_at_us(IdGenerator(lambda: NOW_US).new("msg")) == NOW_US
