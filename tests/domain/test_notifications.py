"""Notifications: what is announced, to whom, when it may be sent, and as how many messages."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.domain.accounts.member import Member, Role
from sigma.domain.billing.mail import Mail
from sigma.domain.billing.mail import Status as MailStatus
from sigma.domain.change import Change, TimelineEvent
from sigma.domain.money import Money
from sigma.domain.notifications.address import code_text, find_code
from sigma.domain.notifications.event import announce_jobs, kind_of_event
from sigma.domain.notifications.kind import PERMISSIONS, Kind, Topic, Way, topic_of
from sigma.domain.notifications.notification import (
    MAX_DELIVERY_ATTEMPTS,
    REPORTED_ATTEMPTS,
    Notification,
    Recipient,
    next_due,
    parse_recipient,
    retry_pause_us,
    summarize,
)
from sigma.domain.notifications.preferences import (
    Preferences,
    QuietHours,
    available_kinds,
    check_preferences,
    is_wanted,
    with_all_kinds,
)
from sigma.domain.time_units import HOUR_US, MINUTE_US

OWNER = Member("usr_1", "shp_1", Role.OWNER)
NOTHING = Preferences("nst_1", "shp_1", "usr_1")
NIGHT = QuietHours(22 * 60, 8 * 60, "Europe/Berlin")
MONEY = Recipient("shp_1", "usr_1", Way.VK, Topic.MONEY)


def at_us(text: str, tz: str = "Europe/Berlin", fold: int = 0) -> int:
    """Return a wall-clock time as UTC microseconds."""
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(tz), fold=fold)
    return int(local.timestamp()) * 1_000_000


def in_berlin(us: int | None) -> str:
    """Return UTC microseconds as a wall-clock time."""
    assert us is not None
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
    return moment.astimezone(ZoneInfo("Europe/Berlin")).strftime("%d %H:%M")


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-11-10T21:59", None),
        ("2026-11-10T22:00", "11 08:00"),
        ("2026-11-10T23:59", "11 08:00"),
        ("2026-11-11T00:00", "11 08:00"),
        ("2026-11-11T07:59", "11 08:00"),
        ("2026-11-11T08:00", None),
        ("2026-03-28T23:00", "29 08:00"),  # the night of the summer time
        ("2026-10-24T23:00", "25 08:00"),  # and of the winter time
    ],
)
def test_quiet_hours_pass_midnight(now: str, end: str | None) -> None:
    found = NIGHT.end_us(at_us(now))
    assert (found and in_berlin(found)) == end


def test_quiet_hours_of_a_day_do_not_pass_midnight() -> None:
    noon = QuietHours(12 * 60, 14 * 60, "Europe/Berlin")
    assert in_berlin(noon.end_us(at_us("2026-11-10T13:00"))) == "10 14:00"
    assert noon.end_us(at_us("2026-11-10T14:00")) is None
    assert noon.end_us(at_us("2026-11-10T11:59")) is None


def test_end_in_the_skipped_hour_is_after_it_and_in_the_double_hour_the_second() -> None:
    early = QuietHours(22 * 60, 2 * 60 + 30, "Europe/Berlin")
    assert in_berlin(early.end_us(at_us("2026-03-29T01:00"))) == "29 03:30"
    end_us = at_us("2026-10-25T02:30", fold=1)
    assert early.end_us(at_us("2026-10-25T01:00")) == end_us
    for minute in range(90):  # also when the clock shows 2:30 for the first time
        assert early.end_us(end_us - (90 - minute) * MINUTE_US) == end_us, minute
    assert early.end_us(end_us) is None


def test_begin_in_the_double_hour_is_the_first_and_in_the_skipped_hour_not_after_it() -> None:
    late = QuietHours(2 * 60 + 10, 8 * 60, "Europe/Berlin")
    for fold in (0, 1):
        for text in ("02:10", "02:59"):
            end_us = late.end_us(at_us(f"2026-10-25T{text}", fold=fold))
            assert in_berlin(end_us) == "25 08:00", (text, fold)
    assert late.end_us(at_us("2026-10-25T02:09")) is None
    assert in_berlin(late.end_us(at_us("2026-03-29T03:00"))) == "29 08:00"


@given(
    st.integers(0, 1439),
    st.integers(0, 1439),
    st.sampled_from(["Europe/Berlin", "Asia/Kolkata", "America/New_York", "Pacific/Apia", "UTC"]),
    st.integers(1_700_000_000, 1_900_000_000),
)
def test_quiet_hours_end_within_a_day_and_are_over_then(
    from_min: int, until_min: int, tz: str, now_s: int
) -> None:
    quiet = QuietHours(from_min, until_min, tz)
    now_us = now_s * 1_000_000
    end_us = quiet.end_us(now_us)
    if end_us is not None and from_min != until_min:
        assert now_us < end_us <= now_us + 26 * HOUR_US
        # Where the clocks change the end may meet the next quiet hours; it never goes back.
        later_us = quiet.end_us(end_us)
        assert later_us is None or later_us > end_us


def test_first_is_sent_at_once_and_the_next_waits_for_the_window() -> None:
    now_us = at_us("2026-11-10T12:00")
    assert next_due(NOTHING, None, now_us).at_us is None
    assert next_due(NOTHING, now_us - MINUTE_US, now_us).at_us == now_us + 4 * MINUTE_US
    assert next_due(NOTHING, now_us - 5 * MINUTE_US, now_us).at_us is None
    assert next_due(NOTHING, now_us - HOUR_US, now_us).at_us is None


def test_quiet_hours_come_before_the_window_also_when_it_ends_in_them() -> None:
    preferences = Preferences("n", "s", "u", quiet=NIGHT, digest_minutes=60)
    late_us = at_us("2026-11-10T21:30")
    assert in_berlin(next_due(preferences, late_us - MINUTE_US, late_us).at_us) == "11 08:00"
    assert next_due(preferences, None, late_us).at_us is None
    night_us = at_us("2026-11-10T23:30")
    assert in_berlin(next_due(preferences, None, night_us).at_us) == "11 08:00"


@pytest.mark.parametrize("role", list(Role))
def test_role_gets_only_what_it_may_see(role: Role) -> None:
    member = Member("usr_1", "shp_1", role)
    everything = Preferences(
        "n", "s", "u", frozenset((kind, way) for kind in PERMISSIONS for way in Way)
    )
    wanted = {kind for kind in PERMISSIONS if is_wanted(everything, member, kind, Way.VK)}
    assert wanted == {kind for kind, needed in PERMISSIONS.items() if member.can(needed)}
    assert set(available_kinds(member)) == wanted


def test_owner_gets_no_second_mail_about_what_is_mailed_anyway() -> None:
    everything = with_all_kinds(NOTHING, OWNER, Way.EMAIL)
    assert not is_wanted(everything, OWNER, Kind.PAYMENT_ATTENTION, Way.EMAIL)
    assert not is_wanted(everything, OWNER, Kind.REFUND_FAILED, Way.EMAIL)
    assert is_wanted(everything, OWNER, Kind.PAYMENT_RECEIVED, Way.EMAIL)
    admin = Member("usr_2", "shp_1", Role.ADMIN)
    assert is_wanted(everything, admin, Kind.PAYMENT_ATTENTION, Way.EMAIL)


def test_first_use_of_a_way_switches_everything_on_and_a_later_one_nothing() -> None:
    first = with_all_kinds(NOTHING, OWNER, Way.PUSH)
    assert first.choices == {(kind, Way.PUSH) for kind in PERMISSIONS}
    chosen = Preferences("n", "s", "u", frozenset({(Kind.CLIENT_MESSAGE, Way.PUSH)}))
    assert with_all_kinds(chosen, OWNER, Way.PUSH) == chosen


def test_form_with_equal_times_or_an_unknown_window_is_refused() -> None:
    wrong = Preferences("n", "s", "u", quiet=QuietHours(60, 60, "UTC"), digest_minutes=7)
    assert [one.code for one in check_preferences(wrong)] == ["choose", "quiet_hours"]
    assert check_preferences(NOTHING) == []


@pytest.mark.parametrize(
    ("timeline_kind", "kind"),
    [
        ("payment.captured", Kind.PAYMENT_RECEIVED),
        ("payment.attention_late", Kind.PAYMENT_ATTENTION),
        ("payment.attention_mismatch", Kind.PAYMENT_ATTENTION),
        ("refund.attention_contradiction", Kind.PAYMENT_ATTENTION),
        ("refund.attention_refund_failed", None),  # refund.failed of the same change says it
        ("refund.failed", Kind.REFUND_FAILED),
        ("refund.charged_back", Kind.PAYMENT_ATTENTION),
        ("refund.succeeded", None),
        ("community.key_broken", Kind.KEY_BROKEN),
        ("payment.started", None),
    ],
)
def test_timeline_events_that_are_announced(timeline_kind: str, kind: Kind | None) -> None:
    event = TimelineEvent("evt_1", "shp_1", "pay_1", timeline_kind, 1)
    assert kind_of_event(event) is kind
    jobs = announce_jobs(Change((event,)))
    assert [(job.kind, job.subject_id) for job in jobs] == (
        [("notification.announce", "evt_1")] if kind else []
    )


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("rejected_credentials", Kind.KEY_BROKEN),
        ("rejected_forbidden", Kind.KEY_BROKEN),
        ("rejected_bad_request", None),
        ("insufficient_funds", None),
    ],
)
def test_refused_acquirer_key_is_announced(reason: str, kind: Kind | None) -> None:
    event = TimelineEvent("evt_1", "shp_1", "pay_1", "payment.failed", 1, detail={"reason": reason})
    assert kind_of_event(event) is kind


@pytest.mark.parametrize(
    ("kind", "status", "is_announced"),
    [
        ("receipt", MailStatus.FAILED, True),
        ("refund", MailStatus.FAILED, True),
        ("receipt", MailStatus.SENT, False),
        ("receipt", MailStatus.QUEUED, False),
        ("attention", MailStatus.FAILED, False),
        ("invitation", MailStatus.FAILED, False),
    ],
)
def test_failed_mails_to_clients_are_announced(
    kind: str, status: MailStatus, *, is_announced: bool
) -> None:
    mail = Mail("mail_1", "shp_1", kind, "pay_1", "pay_1", 1, status=status)
    assert bool(announce_jobs(Change((mail,)))) is is_announced


def test_summary_adds_up_by_kind_and_currency() -> None:
    def one(kind: Kind, amount: Money | None) -> Notification:
        return Notification("n", MONEY, kind, "e", "pay_1", 1, amount)

    refunds, payments = summarize(
        [
            one(Kind.REFUND_FAILED, Money(100)),
            one(Kind.PAYMENT_RECEIVED, Money(150)),
            one(Kind.PAYMENT_RECEIVED, Money(50, "USD")),
            one(Kind.PAYMENT_RECEIVED, Money(200)),
        ]
    )[::-1]
    assert (payments.count, payments.sums) == (3, [Money(350), Money(50, "USD")])
    assert (refunds.count, refunds.sums) == (1, [Money(100)])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("sigma-abcdefghjk", "abcdefghjk"),
        ("Вот: SIGMA-ABCDEFGHJK.", "abcdefghjk"),
        ("/start sigma-abcdefghjk", "abcdefghjk"),
        ("sigma-abcdefghjkm", ""),  # longer
        ("xsigma-abcdefghjk", ""),
        ("sigma-abcdefghj0", ""),  # no such digit
        ("abcdefghjk", ""),
    ],
)
def test_code_is_found_in_a_message(text: str, code: str) -> None:
    assert find_code(text) == code
    assert not code or find_code(code_text(code)) == code


def test_recipient_survives_its_key() -> None:
    assert parse_recipient(MONEY.key) == MONEY
    assert topic_of(Kind.KEY_BROKEN) is Topic.PROBLEMS


def test_retries_last_half_a_day_and_are_reported_after_twenty_minutes() -> None:
    pauses = [retry_pause_us(attempt) for attempt in range(1, MAX_DELIVERY_ATTEMPTS)]
    assert pauses == sorted(pauses)
    assert 10 * HOUR_US < sum(pauses) < 14 * HOUR_US
    assert 20 * MINUTE_US < sum(pauses[: REPORTED_ATTEMPTS - 1]) < 25 * MINUTE_US
