"""The choice of a new password's form: revoke the API keys that this person made since a day."""

from datetime import date, timedelta

from sigma.domain.errors import Problem, validation_error
from sigma.domain.local_time import local_date, start_of_day
from sigma.web.forms import FormValues, first_value

FORM_FIELDS = ("revoke_keys", "keys_since")
DEFAULT_DAYS = 30


def parse_revocation(form_data: FormValues, tz: str) -> int | None:
    """Return since when keys shall be revoked (UTC microseconds), or None: none of them.

    Raises RefusedError("validation").
    """
    if not first_value(form_data, "revoke_keys"):
        return None
    try:
        day = date.fromisoformat(first_value(form_data, "keys_since"))
    except ValueError:
        raise validation_error(Problem("keys_since", "iso_date")) from None
    if not 1970 < day.year < 2200:
        raise validation_error(Problem("keys_since", "iso_date"))
    return start_of_day(day, tz)


def default_since(now_us: int, tz: str) -> str:
    """Return the day that the form proposes, as a date input wants it."""
    return (local_date(now_us, tz) - timedelta(days=DEFAULT_DAYS)).isoformat()
