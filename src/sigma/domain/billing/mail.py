"""A mail that Sigma owes somebody: one row, one message, with the server's own answer."""

from dataclasses import dataclass, replace
from enum import StrEnum


class Status(StrEnum):
    """Queued until a server has answered; failed when it said no for good."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Mail:
    """`kind`, `subject` and `number` are unique together: the same thing is mailed once, and again
    only when a person asks.
    """

    id: str
    shop_id: str
    kind: str  # receipt, refund, attention, test
    subject: str  # what it is about
    payment_id: str
    created_at: int
    number: int = 1
    status: Status = Status.QUEUED
    to_masked: str = ""
    answer: str = ""  # the mail server's last words
    attempts: int = 0
    sent_at: int | None = None
    version: int = 0


def sent(mail: Mail, to_masked: str, answer: str, now: int) -> Mail:
    """The server took it."""
    return replace(
        mail,
        status=Status.SENT,
        to_masked=to_masked,
        answer=answer,
        sent_at=now,
        attempts=mail.attempts + 1,
    )


def refused(mail: Mail, to_masked: str, answer: str, *, final: bool) -> Mail:
    """The server did not take it: for good when `final`, else it stays queued."""
    status = Status.FAILED if final else Status.QUEUED
    return replace(
        mail,
        status=status,
        to_masked=to_masked,
        answer=answer,
        attempts=mail.attempts + 1,
    )


def mask_email(address: str) -> str:
    """An address that its owner knows again and a stranger does not: "i***@mail.ru"."""
    name, _, host = address.partition("@")
    return f"{name[:1]}***@{host}"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a mail."""

    name: str
    media_type: str
    data: bytes
