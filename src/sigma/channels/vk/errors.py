"""VK API errors in three kinds: retry later, the owner must act, permanent.

Sources: dev.vk.ru/ru/reference/errors, VKCOM/vk-api-schema errors.json.
"""

import re

MAX_DETAIL_CHARS = 300
RATE_DELAY_S, SHORT_DELAY_S, FLOOD_DELAY_S, QUOTA_DELAY_S = 1.0, 5.0, 600.0, 3 * 3600.0

TOO_MANY_REQUESTS, FLOOD_CONTROL, QUOTA_REACHED = 6, 9, 29
UNKNOWN_ERROR, INTERNAL_ERROR, SERVER_BUSY, SERVER_SLOW = 1, 10, 32, 36
GROUP_AUTH_FAILED = 27
BAD_PHOTO = 129
NO_RESPONSE = 0  # not a VK code: no readable response arrived

# VK error code → seconds to wait before the next attempt.
_RETRY_DELAYS_S = {
    UNKNOWN_ERROR: SHORT_DELAY_S,
    TOO_MANY_REQUESTS: RATE_DELAY_S,
    FLOOD_CONTROL: FLOOD_DELAY_S,
    INTERNAL_ERROR: SHORT_DELAY_S,
    QUOTA_REACHED: QUOTA_DELAY_S,
    SERVER_BUSY: SHORT_DELAY_S,
    SERVER_SLOW: SHORT_DELAY_S,
    601: FLOOD_DELAY_S,  # flood control by kind of action
    1105: FLOOD_DELAY_S,  # too many sign-ins
}
# After these codes the action may have been performed although VK reported a failure.
_UNKNOWN_OUTCOME_CODES = {UNKNOWN_ERROR, INTERNAL_ERROR, SERVER_BUSY, SERVER_SLOW}
# VK error codes that the owner must fix.
_OWNER_CODES = {
    5,  # the key is wrong or was revoked
    14,  # captcha required
    17,  # account validation required
    24,  # confirmation of the action required
    25,
    28,  # the application's key is wrong
    41,
    42,  # this server's address is not allowed
    703,  # the account needs two-factor authentication
    1117,  # the key has expired
    3300,  # captcha (newer kind)
    3301,
    3302,
    3303,
    3304,
    3609,  # the key must be exchanged
    11500,
}
_CONTROL_CHARS = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")


class VkError(Exception):
    """A VK call that failed.

    `detail` is VK's own error text, shown to the owner and never logged: str() gives only the
    code. `is_outcome_unknown`: this attempt or an earlier one may have been performed although no
    good response came.
    """

    def __init__(
        self,
        code: int,
        subcode: int | None = None,
        detail: str = "",
        *,
        is_outcome_unknown: bool = False,
    ) -> None:
        super().__init__(f"vk {code}")
        self.code = code
        self.subcode = subcode
        self.detail = _CONTROL_CHARS.sub(" ", detail).strip()[:MAX_DETAIL_CHARS]
        self.is_outcome_unknown = is_outcome_unknown


class RetryLaterError(VkError):
    """A temporary failure. `retry_after_s`: seconds to wait before the next attempt."""

    def __init__(
        self,
        code: int,
        subcode: int | None = None,
        detail: str = "",
        *,
        is_outcome_unknown: bool = False,
        retry_after_s: float = SHORT_DELAY_S,
    ) -> None:
        super().__init__(code, subcode, detail, is_outcome_unknown=is_outcome_unknown)
        self.retry_after_s = retry_after_s


class NeedsOwnerError(VkError):
    """The owner must repair the access key, the account or the allowed server addresses."""


class PermanentError(VkError):
    """The same call will fail every time."""


def error_for_code(method: str, code: int, subcode: int | None = None, detail: str = "") -> VkError:
    """Return the error of one of the three kinds for VK's code. An unknown code is permanent."""
    if code in _RETRY_DELAYS_S:
        lost = code in _UNKNOWN_OUTCOME_CODES
        return RetryLaterError(
            code, subcode, detail, is_outcome_unknown=lost, retry_after_s=_RETRY_DELAYS_S[code]
        )
    if code in _OWNER_CODES or (code == GROUP_AUTH_FAILED and method.startswith("messages.")):
        # Code 27 means "not available to community keys". A community key can always send
        # messages, so from messages.* it means that this key does not belong to a community.
        return NeedsOwnerError(code, subcode, detail)
    return PermanentError(code, subcode, detail)
