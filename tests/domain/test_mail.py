"""Mails: the status after each delivery attempt; and the two-stage setting of a connection."""

from sigma.domain.billing.connection import Connection
from sigma.domain.billing.mail import Mail, Status, mark_rejected, mark_sent
from tests.domain.factories import NOW_US

QUEUED = Mail("mail_1", "shp_1", "receipt", "pay_1", "pay_1", NOW_US)


def test_accepted_mail_is_sent_and_keeps_server_reply() -> None:
    delivered = mark_sent(QUEUED, "i***@mail.ru", "250 OK", NOW_US + 1)
    assert (delivered.status, delivered.server_reply, delivered.sent_at_us, delivered.attempts) == (
        Status.SENT,
        "250 OK",
        NOW_US + 1,
        1,
    )
    assert delivered.recipient_masked == "i***@mail.ru"


def test_rejected_mail_stays_queued_until_rejection_is_permanent() -> None:
    first = mark_rejected(QUEUED, "i***@mail.ru", "451 later", is_permanent=False)
    assert (first.status, first.attempts, first.sent_at_us) == (Status.QUEUED, 1, None)
    second = mark_rejected(first, "i***@mail.ru", "550 no such user", is_permanent=True)
    assert (second.status, second.attempts, second.server_reply) == (
        Status.FAILED,
        2,
        "550 no such user",
    )


def test_connection_captures_at_once_unless_two_stage_is_set() -> None:
    default = Connection("con_1", "shp_1", "yookassa", "", "1", "ciphertext", NOW_US)
    assert not default.two_stage
    two_stage = Connection(
        "con_1", "shp_1", "yookassa", "", "1", "s", NOW_US, settings={"two_stage": True}
    )
    assert two_stage.two_stage
