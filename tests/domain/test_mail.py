"""A mail: one row, with the server's own answer."""

from sigma.domain.billing.connection import Connection
from sigma.domain.billing.mail import Mail, Status, refused, sent
from tests.domain.objects import NOW

QUEUED = Mail("mail_1", "shp_1", "receipt", "pay_1", "pay_1", NOW)


def test_a_mail_that_was_taken_is_sent_with_the_servers_words() -> None:
    done = sent(QUEUED, "i***@mail.ru", "250 OK", NOW + 1)
    assert (done.status, done.answer, done.sent_at, done.attempts) == (
        Status.SENT,
        "250 OK",
        NOW + 1,
        1,
    )
    assert done.to_masked == "i***@mail.ru"


def test_a_mail_that_was_not_taken_stays_queued_until_the_no_is_final() -> None:
    once = refused(QUEUED, "i***@mail.ru", "451 later", final=False)
    assert (once.status, once.attempts, once.sent_at) == (Status.QUEUED, 1, None)
    twice = refused(once, "i***@mail.ru", "550 no such user", final=True)
    assert (twice.status, twice.attempts, twice.answer) == (Status.FAILED, 2, "550 no such user")


def test_a_connection_takes_money_at_once_unless_told_otherwise() -> None:
    made = Connection("con_1", "shp_1", "yookassa", "", "1", "sealed", NOW)
    assert not made.two_stage
    held = Connection("con_1", "shp_1", "yookassa", "", "1", "s", NOW, settings={"two_stage": True})
    assert held.two_stage
