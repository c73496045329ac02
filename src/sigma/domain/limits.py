"""All limits of attempts and requests in one table, each with its reason.

docs/security.md shows the same table; a test compares both. The counters are in the database
(sigma.services.limits), so a limit holds for all processes together.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from sigma.domain.errors import RefusedError
from sigma.domain.time_units import DAY_US, SECOND_US

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `amount` in a window of `window_s` seconds, which the first attempt opens.

    `name` separates its counters from those of other limits. `per` says what is counted apart.
    """

    name: str
    amount: int
    window_s: int
    per: str
    reason: str


@dataclass(frozen=True, slots=True)
class GrowingDelay:
    """After `free` failures each further attempt waits: `first_s`, doubled up to `longest_s`.

    A pause of `forget_s` seconds after the last failure forgets all of them.
    """

    name: str
    free: int
    first_s: int
    longest_s: int
    forget_s: int
    per: str
    reason: str

    def wait_us(self, failures: int) -> int:
        """Return how long after the last of `failures` the next attempt must wait."""
        if failures < self.free:
            return 0
        doublings = min(failures - self.free, 30)
        return min(self.first_s << doublings, self.longest_s) * SECOND_US


SIGN_IN_ACCOUNT = GrowingDelay(
    "sign_in_account",
    *(5, 1, 15 * _MINUTE_S, _DAY_S),
    per="account, from unknown devices",
    reason="Guessing one password from many addresses gets about a hundred attempts a day",
)
SIGN_IN_DEVICE = GrowingDelay(
    "sign_in_device",
    *(5, 1, 15 * _MINUTE_S, _DAY_S),
    per="account and known device",
    reason="The owner gets in while strangers guess; a stolen device cookie gains nothing",
)
SIGN_IN_ADDRESS = Limit(
    "sign_in_address",
    *(20, 10 * _MINUTE_S),
    per="address",
    reason="One address guesses passwords of many accounts; failures only, so an office signs in",
)
SIGN_IN_ALL = Limit(
    "sign_in_all",
    *(100, 5 * _MINUTE_S),
    per="installation, from unknown devices",
    reason="Many addresses guess passwords of many accounts; failures only",
)
OLD_PASSWORD = GrowingDelay(
    "old_password",
    *(5, 1, 15 * _MINUTE_S, _DAY_S),
    per="session",
    reason="A stolen session must not find out the password",
)
PAYMENT_START_ADDRESS = Limit(
    "payment_start_address",
    *(60, 10 * _MINUTE_S),
    per="address",
    reason="One address floods the acquirer; clients of a mobile network share an address",
)
PAYMENT_START_INVOICE = Limit(
    "payment_start_invoice",
    *(20, 10 * _MINUTE_S),
    per="invoice for one payment",
    reason="Many addresses flood one link",
)
PAYMENT_START_SHARED_LINK = Limit(
    "payment_start_shared_link",
    *(300, 10 * _MINUTE_S),
    per="link that several people pay",
    reason="Many addresses flood one link; many clients may pay it at once",
)
ACQUIRER_QUERY = Limit(
    "acquirer_query",
    *(1, 1),
    per="payment",
    reason="The waiting page asks every few seconds, in each open tab",
)
PURCHASE_ADDRESS = Limit(
    "purchase_address",
    *(10, 10 * _MINUTE_S),
    per="address",
    reason="Each purchase on the public page creates an invoice",
)
NOTICES = Limit(
    "notices",
    *(600, _MINUTE_S),
    per="acquirer connection",
    reason="Acquirers repeat a refused notice for hours, so nothing is lost",
)
VK_EVENTS = Limit(
    "vk_events",
    *(3000, _MINUTE_S),
    per="community",
    reason="VK repeats an event after the pause that it is given",
)
HOOK_REFUSALS = Limit(
    "hook_refusals",
    *(60, _MINUTE_S),
    per="address",
    reason="Forged notices and events, or guessed addresses of hooks",
)
API_REFUSALS = Limit(
    "api_refusals",
    *(60, _MINUTE_S),
    per="address",
    reason="Guessed API keys; a valid key is not affected",
)
API_REQUESTS = Limit(
    "api_requests",
    *(1200, _MINUTE_S),
    per="API key",
    reason="One program must not starve the others; SIGMA_API_REQUESTS_PER_MINUTE changes it",
)
RECEIPT_MAILS_PAYMENT = Limit(
    "receipt_mails_payment",
    *(5, _DAY_S),
    per="payment",
    reason="Receipts sent again by hand must not annoy a client",
)
MANUAL_MAILS_SHOP = Limit(
    "manual_mails_shop",
    *(200, _DAY_S),
    per="shop",
    reason="Mails sent by hand must not get the mail server blocked; SIGMA_MANUAL_MAILS_PER_DAY"
    " changes it",
)
SECOND_FACTOR = GrowingDelay(
    "second_factor",
    *(5, 1, 15 * _MINUTE_S, _DAY_S),
    per="account, second step of a sign-in",
    reason="A known password must not lead to guessing the six digits: about a hundred a day",
)
PASSKEY_ADDRESS = Limit(
    "passkey_address",
    *(60, 10 * _MINUTE_S),
    per="address, sign-ins by passkey",
    reason="Signatures are checked before anybody is known",
)
PASSKEY_CHALLENGE = Limit(
    "passkey_challenge",
    *(1, 10 * _MINUTE_S),
    per="challenge of a passkey",
    reason="A recorded answer of a passkey opens nothing a second time",
)
PASSWORD_RESET_ADDRESS = Limit(
    "password_reset_address",
    *(10, _HOUR_S),
    per="address, requests for a new password",
    reason="One address must not send mails to many people",
)
PASSWORD_RESET_ACCOUNT = Limit(
    "password_reset_account",
    *(3, _HOUR_S),
    per="e-mail address, whether somebody signs in with it or not",
    reason="Nobody gets more than three mails an hour that strangers asked for",
)
SETUP_CODE = Limit(
    "setup_code",
    *(10, 10 * _MINUTE_S),
    per="address, the code of the set-up page",
    reason="The code has 60 random bits; this keeps the log readable",
)

ALL_LIMITS: tuple[Limit | GrowingDelay, ...] = (
    SIGN_IN_ACCOUNT,
    SIGN_IN_DEVICE,
    SIGN_IN_ADDRESS,
    SIGN_IN_ALL,
    OLD_PASSWORD,
    PAYMENT_START_ADDRESS,
    PAYMENT_START_INVOICE,
    PAYMENT_START_SHARED_LINK,
    ACQUIRER_QUERY,
    PURCHASE_ADDRESS,
    NOTICES,
    VK_EVENTS,
    HOOK_REFUSALS,
    API_REFUSALS,
    API_REQUESTS,
    RECEIPT_MAILS_PAYMENT,
    MANUAL_MAILS_SHOP,
    SECOND_FACTOR,
    PASSKEY_ADDRESS,
    PASSKEY_CHALLENGE,
    PASSWORD_RESET_ADDRESS,
    PASSWORD_RESET_ACCOUNT,
    SETUP_CODE,
)

# Sizes and times that are not counted in the database.
MAX_NOTICE_BYTES = 64 * 1024  # a notice has a few thousand bytes
NOTICE_TTL_US = 90 * DAY_US  # processed notices about our payments
UNMATCHED_NOTICE_TTL_US = 3 * DAY_US  # processed notices about other payments, perhaps forged
HEADERS_TIMEOUT_S = 10  # from the first byte of a request to the end of its headers
BODY_TIMEOUT_S = 30  # from the end of the headers to the end of a small body
BODY_MIN_BYTES_PER_S = 32 * 1024  # a larger body gets a second more for each of these


def with_amount(limit: Limit, amount: int) -> Limit:
    """Return the limit with the amount of a setting."""
    return replace(limit, amount=amount)


def waiting_time(wait_us: int) -> timedelta:
    """Return a time to wait in whole seconds, minutes or hours, rounded up, at least a second."""
    seconds = max(-(-wait_us // SECOND_US), 1)
    for unit_s in (_HOUR_S, _MINUTE_S):
        if seconds > 2 * unit_s:
            return timedelta(seconds=-(-seconds // unit_s) * unit_s)
    return timedelta(seconds=seconds)


def too_many_requests(wait_us: int, code: str = "too_many_requests") -> RefusedError:
    """Return the refusal of an attempt that may be repeated after `wait_us` microseconds.

    Its `wait` is the time to wait, see `waiting_time`.
    """
    return RefusedError(code, wait=waiting_time(wait_us))
