"""What a member wants to know of a shop, by which ways, and when it must be quiet."""

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from sigma.domain.accounts.member import Member, Role
from sigma.domain.errors import Problem
from sigma.domain.local_time import local_time, time_zone
from sigma.domain.notifications.kind import MAILED_TO_OWNER, PERMISSIONS, Kind, Way
from sigma.domain.time_units import SECOND_US

DAY_MINUTES = 24 * 60
DIGEST_MINUTES = (1, 5, 15, 60)
DEFAULT_DIGEST_MINUTES = 5

Choice = tuple[Kind, Way]


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A daily span in which nothing is sent: minutes of the day, from the first to the second.

    It may pass midnight: 22:00 to 8:00 is (1320, 480). `tz`: IANA name of the member's own zone.
    """

    from_min: int
    until_min: int
    tz: str

    def end_us(self, now_us: int) -> int | None:
        """Return when the quiet hours that hold at `now_us` end (UTC microseconds), else None.

        When the clocks are changed in the night, the begin is the earlier of its two readings and
        the end the later one, and all between them is quiet, so that nobody is woken early: the end
        is after the gap, or in the second of the two equal hours.
        """
        today = local_time(now_us, self.tz).date()
        spans = [self._span_us(today + timedelta(days=days)) for days in (-1, 0)]
        return max(
            (end_us for from_us, end_us in spans if from_us <= now_us < end_us), default=None
        )

    def _span_us(self, day: date) -> tuple[int, int]:
        """Return begin and end of the quiet hours that begin on a day."""
        last_day = day if self.from_min < self.until_min else day + timedelta(days=1)
        # A reading that the clocks skip is before or after the gap, by its `fold`.
        from_us = min(self._moments_us(day, self.from_min))
        return from_us, max(self._moments_us(last_day, self.until_min))

    def _moments_us(self, day: date, minute: int) -> list[int]:
        zone, at = time_zone(self.tz), time(minute // 60, minute % 60)
        return [
            int(datetime.combine(day, at.replace(fold=fold), zone).timestamp()) * SECOND_US
            for fold in (0, 1)
        ]


@dataclass(frozen=True, slots=True)
class Preferences:
    """One member's choices in one shop.

    `choices`: pairs of kind and way that are on. `digest_minutes`: after a notification of a topic
    the next ones of this topic wait so long and arrive as one. `has_sound`: the open cabinet plays
    a sound.
    """

    id: str
    shop_id: str
    user_id: str
    choices: frozenset[Choice] = frozenset()
    quiet: QuietHours | None = None
    digest_minutes: int = DEFAULT_DIGEST_MINUTES
    has_sound: bool = False
    version: int = 0

    def quiet_until_us(self, now_us: int) -> int | None:
        """Return when the quiet hours of this moment end, None when it is not quiet."""
        return self.quiet.end_us(now_us) if self.quiet else None


def available_kinds(member: Member) -> tuple[Kind, ...]:
    """Return the kinds that a member may choose: whose subjects the role may see."""
    return tuple(kind for kind, permission in PERMISSIONS.items() if member.can(permission))


def is_wanted(preferences: Preferences, member: Member, kind: Kind, way: Way) -> bool:
    """Return whether a member gets a kind by a way: it is chosen, and the role may see it.

    The owner gets no notification by mail about what is mailed to owners in any case.
    """
    if kind is Kind.WAY_BROKEN:
        return True
    if way is Way.EMAIL and member.role is Role.OWNER and kind in MAILED_TO_OWNER:
        return False
    return (kind, way) in preferences.choices and member.can(PERMISSIONS[kind])


def with_all_kinds(preferences: Preferences, member: Member, way: Way) -> Preferences:
    """Return the preferences after the first use of a way: it carries all kinds, unless the member
    has chosen some for it already.
    """
    if any(chosen is way for _, chosen in preferences.choices):
        return preferences
    added = frozenset((kind, way) for kind in available_kinds(member))
    return replace(preferences, choices=preferences.choices | added)


def check_preferences(preferences: Preferences) -> list[Problem]:
    """Return the problems of a form."""
    problems = []
    if preferences.digest_minutes not in DIGEST_MINUTES:
        problems.append(Problem("digest", "choose"))
    if preferences.quiet and preferences.quiet.from_min == preferences.quiet.until_min:
        problems.append(Problem("quiet_until", "quiet_hours"))
    return problems
