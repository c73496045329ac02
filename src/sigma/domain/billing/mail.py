"""An e-mail that Sigma sends: one row per message, with the reply of the SMTP server."""

from dataclasses import dataclass, replace
from enum import StrEnum


class Status(StrEnum):
    """QUEUED until the SMTP server has accepted it; FAILED when it rejected it permanently."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"
    CANCELED = "canceled"  # not sent: its occasion is over, for example the invoice is paid


@dataclass(frozen=True, slots=True)
class Mail:
    """One e-mail. Times are UTC microseconds.

    `kind`, `subject_key` and `number` are unique together: a receipt is mailed once, and again only
    with the next number when an operator requests it. `subject_key` is the id of the payment or
    refund (with the reason, for "attention"), of the security notice with that of the recipient, of
    the password reset, of the invoice recipient, or of the reminder. The recipient's address is
    stored masked only.
    """

    id: str
    shop_id: str
    # receipt, refund, attention, test, invitation, security, password_reset, invoice, reminder
    kind: str
    subject_key: str
    payment_id: str
    created_at_us: int
    number: int = 1
    status: Status = Status.QUEUED
    recipient_masked: str = ""
    server_reply: str = ""  # last reply of the SMTP server
    attempts: int = 0
    sent_at_us: int | None = None
    version: int = 0


def mark_sent(mail: Mail, recipient_masked: str, server_reply: str, now_us: int) -> Mail:
    """Record that the SMTP server accepted the mail."""
    return replace(
        mail,
        status=Status.SENT,
        recipient_masked=recipient_masked,
        server_reply=server_reply,
        sent_at_us=now_us,
        attempts=mail.attempts + 1,
    )


def mark_rejected(
    mail: Mail, recipient_masked: str, server_reply: str, *, is_permanent: bool
) -> Mail:
    """Record a rejection: `is_permanent` makes the mail FAILED, otherwise it stays QUEUED."""
    status = Status.FAILED if is_permanent else Status.QUEUED
    return replace(
        mail,
        status=status,
        recipient_masked=recipient_masked,
        server_reply=server_reply,
        attempts=mail.attempts + 1,
    )


def mark_canceled(mail: Mail, reason: str) -> Mail:
    """Record that the mail is not sent any more. `reason`: a code, shown beside the mail."""
    return replace(mail, status=Status.CANCELED, server_reply=reason)


def mask_email(address: str) -> str:
    """Return the address with its local part masked: "i***@mail.ru"."""
    name, _, host = address.partition("@")
    return f"{name[:1]}***@{host}"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file attached to a mail."""

    name: str
    media_type: str
    data: bytes
