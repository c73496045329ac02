"""Security events: who signed in or failed to, as log lines that programs can read.

Every event is written by `record`, with one set of fields. The address comes first, because
programs such as fail2ban match the line (`docs/security/fail2ban-sigma.conf`). Logins, passwords
and other text that a stranger types are never part of a line.
"""

from enum import StrEnum

import structlog

log = structlog.get_logger()


class SecurityEvent(StrEnum):
    """What happened: the `event` of the log line after "security."."""

    SIGN_IN = "sign_in"
    SIGN_IN_FAILED = "sign_in_failed"  # wrong login or password, or a user without a shop
    SIGN_IN_LIMITED = "sign_in_limited"  # not tried: too many failures, or too many at once
    SIGN_OUT = "sign_out"
    OWNER_CREATED = "owner_created"  # by the set-up page
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a name
    PASSWORD_RESET = "password_reset"  # noqa: S105 - by a link; all sessions have ended
    SECOND_FACTOR_FAILED = "second_factor_failed"  # the second step of a sign-in
    PASSWORD_CHANGE_FAILED = "password_change_failed"  # noqa: S105 - the old password was wrong
    REAUTHENTICATION_FAILED = "reauthentication_failed"  # in an open session
    API_KEY_CREATED = "api_key_created"
    API_KEY_REVOKED = "api_key_revoked"
    API_KEY_REFUSED = "api_key_refused"  # unknown or revoked
    ACCESS_DENIED = "access_denied"  # a role without the permission, or a forged form
    LIMIT_EXCEEDED = "limit_exceeded"
    INPUT_REFUSED = "input_refused"  # what no page and no honest program sends


FAILURES = {
    SecurityEvent.SIGN_IN_FAILED,
    SecurityEvent.SIGN_IN_LIMITED,
    SecurityEvent.SECOND_FACTOR_FAILED,
    SecurityEvent.PASSWORD_CHANGE_FAILED,
    SecurityEvent.REAUTHENTICATION_FAILED,
    SecurityEvent.API_KEY_REFUSED,
    SecurityEvent.ACCESS_DENIED,
    SecurityEvent.LIMIT_EXCEEDED,
    SecurityEvent.INPUT_REFUSED,
}


def record(
    event: SecurityEvent,
    *,
    ip: str,
    user_id: str = "",
    shop_id: str = "",
    subject_id: str = "",
    reason: str = "",
) -> None:
    """Write one event: a warning for a failure, else level info.

    `ip`: the address of the client, as the trusted proxy gives it. `user_id` is empty when nobody
    is known, also for a wrong login. `subject_id`: the key that was created or revoked.
    `reason`: a code of Sigma.
    """
    fields = {"user": user_id, "shop": shop_id, "subject": subject_id, "reason": reason}
    write = log.warning if event in FAILURES else log.info
    write(f"security.{event}", ip=ip, **{name: value for name, value in fields.items() if value})
