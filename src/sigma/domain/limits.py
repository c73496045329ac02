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

    `name` separates its counters from those of other limits. `per` and `reason` are the words of
    docs/security.md: what is counted, for each of whom, and why.
    """

    name: str
    amount: int
    window_s: int
    per: str
    reason: str


@dataclass(frozen=True, slots=True)
class GrowingDelay:
    """After `free` failures the next attempt must wait `first_s` seconds, then twice as long after
    each further failure, at most `longest_s`.

    All failures are forgotten `forget_s` seconds after the last one. `name`, `per`, `reason`: see
    Limit.
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
    free=5,
    first_s=1,
    longest_s=15 * _MINUTE_S,
    forget_s=_DAY_S,
    per="sign-ins per account, from unknown devices",
    reason="Guessing one password from many addresses gets about a hundred attempts a day",
)
SIGN_IN_DEVICE = GrowingDelay(
    "sign_in_device",
    free=5,
    first_s=1,
    longest_s=15 * _MINUTE_S,
    forget_s=_DAY_S,
    per="sign-ins per account and known device",
    reason="The owner gets in while strangers guess; a stolen device cookie gains nothing",
)
SIGN_IN_ADDRESS = Limit(
    "sign_in_address",
    amount=20,
    window_s=10 * _MINUTE_S,
    per="sign-ins per address, from unknown devices",
    reason="One address guesses passwords of many accounts; failures only, so an office signs in",
)
SIGN_IN_ALL = Limit(
    "sign_in_all",
    amount=100,
    window_s=5 * _MINUTE_S,
    per="sign-ins per installation, from unknown devices",
    reason="Many addresses guess passwords of many accounts; failures only. Above it sign-in stays"
    " open, and the next row counts",
)
# A refusal here would let a few addresses keep all new devices out of an installation with
# thousands of shops. A bound that grows with the number of accounts would only need more addresses.
SIGN_IN_ADDRESS_IN_FLOOD = GrowingDelay(
    "sign_in_address_in_flood",
    free=2,
    first_s=10,
    longest_s=15 * _MINUTE_S,
    forget_s=_HOUR_S,
    per="sign-ins per address while the installation is above its limit",
    reason="Guesses of many addresses become rare; who knows the password signs in at once",
)
OLD_PASSWORD = GrowingDelay(
    "old_password",
    free=5,
    first_s=1,
    longest_s=15 * _MINUTE_S,
    forget_s=_DAY_S,
    per="old passwords per session",
    reason="A stolen session must not find out the password",
)
PAYMENT_START_ADDRESS = Limit(
    "payment_start_address",
    amount=60,
    window_s=10 * _MINUTE_S,
    per="payment starts per address",
    reason="One address floods the acquirer; clients of a mobile network share an address",
)
PAYMENT_START_INVOICE = Limit(
    "payment_start_invoice",
    amount=20,
    window_s=10 * _MINUTE_S,
    per="payment starts per invoice for one payment",
    reason="Many addresses flood one link",
)
PAYMENT_START_SHARED_LINK = Limit(
    "payment_start_shared_link",
    amount=300,
    window_s=10 * _MINUTE_S,
    per="payment starts per link that several people pay",
    reason="Many addresses flood one link; many clients may pay it at once",
)
ACQUIRER_QUERY = Limit(
    "acquirer_query",
    amount=1,
    window_s=1,
    per="queries of the acquirer per payment",
    reason="The waiting page asks every few seconds, in each open tab",
)
ACQUIRER_QUERY_INVOICE = Limit(
    "acquirer_query_invoice",
    amount=100,
    window_s=10,
    per="queries of the acquirer per invoice",
    reason="Everybody who has a link can open the waiting pages of many unfinished payments",
)
ACQUIRER_QUERY_MANUAL = Limit(
    "acquirer_query_manual",
    amount=30,
    window_s=_MINUTE_S,
    per="queries of the acquirer by hand per shop",
    reason="A button of the payment page in the cabinet; jobs query the acquirer anyway",
)
PURCHASE_ADDRESS = Limit(
    "purchase_address",
    amount=10,
    window_s=10 * _MINUTE_S,
    per="purchases per address",
    reason="Each purchase on the public page creates an invoice",
)
NOTICES = Limit(
    "notices",
    amount=600,
    window_s=_MINUTE_S,
    per="notices per acquirer connection",
    reason="Acquirers repeat a refused notice for hours, so nothing is lost",
)
VK_EVENTS = Limit(
    "vk_events",
    amount=3000,
    window_s=_MINUTE_S,
    per="events per VK community",
    reason="VK repeats an event after the pause that it is given",
)
HOOK_REFUSALS = Limit(
    "hook_refusals",
    amount=60,
    window_s=_MINUTE_S,
    per="refused notices and events per address",
    reason="Forged notices and events, or guessed addresses of hooks",
)
API_REFUSALS = Limit(
    "api_refusals",
    amount=60,
    window_s=_MINUTE_S,
    per="requests with a wrong API key per address",
    reason="Guessed API keys; a valid key is not affected",
)
API_REQUESTS = Limit(
    "api_requests",
    amount=1200,
    window_s=_MINUTE_S,
    per="requests per API key",
    reason="One program must not starve the others; SIGMA_API_REQUESTS_PER_MINUTE changes it",
)
INVITATIONS_SHOP = Limit(
    "invitations_shop",
    amount=100,
    window_s=_DAY_S,
    per="invitations per shop",
    reason="Invitations must not become a way to mail strangers",
)
RECEIPT_MAILS_PAYMENT = Limit(
    "receipt_mails_payment",
    amount=5,
    window_s=_DAY_S,
    per="receipts by hand per payment",
    reason="Receipts sent again by hand must not annoy a client",
)
STATEMENT_DOWNLOAD = Limit(
    "statement_download",
    amount=20,
    window_s=10 * _MINUTE_S,
    per="downloaded statements per shop",
    reason="A statement of a large month takes seconds and hundreds of megabytes to draw",
)
INVOICE_MAILS_INVOICE = Limit(
    "invoice_mails_invoice",
    amount=10,
    window_s=_DAY_S,
    per="letters with an invoice per invoice",
    reason="An invoice sent again and again must not annoy clients",
)
MANUAL_MAILS_SHOP = Limit(
    "manual_mails_shop",
    amount=200,
    window_s=_DAY_S,
    per="mails by hand per shop",
    reason="Mails sent by hand must not get the mail server blocked; SIGMA_MANUAL_MAILS_PER_DAY"
    " changes it",
)
SECOND_FACTOR = GrowingDelay(
    "second_factor",
    free=5,
    first_s=1,
    longest_s=15 * _MINUTE_S,
    forget_s=_DAY_S,
    per="second steps of a sign-in per account",
    reason="A known password must not lead to guessing the six digits: about a hundred a day",
)
PASSKEY_ADDRESS = Limit(
    "passkey_address",
    amount=60,
    window_s=10 * _MINUTE_S,
    per="sign-ins by passkey per address",
    reason="Signatures are checked before anybody is known",
)
PASSKEY_CHALLENGE = Limit(
    "passkey_challenge",
    amount=1,
    window_s=10 * _MINUTE_S,
    per="uses per challenge of a passkey",
    reason="A recorded answer of a passkey opens nothing a second time",
)
PASSWORD_RESET_ADDRESS = Limit(
    "password_reset_address",
    amount=10,
    window_s=_HOUR_S,
    per="requests for a new password per address",
    reason="One address must not send mails to many people",
)
PASSWORD_RESET_ACCOUNT = Limit(
    "password_reset_account",
    amount=3,
    window_s=_HOUR_S,
    per="requests for a new password per e-mail address, known or not",
    reason="Nobody gets more than three mails an hour that strangers asked for",
)
EXPORTS = Limit(
    "exports",
    amount=60,
    window_s=_HOUR_S,
    per="exports per shop",
    reason="Each reads and decrypts a whole list, and its file stays for a day; two at once",
)
INVOICE_IMPORTS = Limit(
    "invoice_imports",
    amount=30,
    window_s=_HOUR_S,
    per="imports of invoices per shop",
    reason="Each creates up to 5,000 invoices in the background",
)
SETUP_CODE = Limit(
    "setup_code",
    amount=10,
    window_s=10 * _MINUTE_S,
    per="codes of the set-up page per address",
    reason="The code has 60 random bits; this keeps the log readable",
)

NOTIFICATION_CODES = Limit(
    "notification_codes",
    amount=10,
    window_s=_HOUR_S,
    per="link codes and push subscriptions per member and shop",
    reason="Codes are valid for 15 minutes: few of them at a time can be guessed at",
)
NOTIFICATION_TESTS = Limit(
    "notification_tests",
    amount=20,
    window_s=_HOUR_S,
    per="test notifications per member and shop",
    reason="A test really sends: the button must not flood a mail server or get a bot blocked",
)

ALL_LIMITS: tuple[Limit | GrowingDelay, ...] = (
    SIGN_IN_ACCOUNT,
    SIGN_IN_DEVICE,
    SIGN_IN_ADDRESS,
    SIGN_IN_ALL,
    SIGN_IN_ADDRESS_IN_FLOOD,
    OLD_PASSWORD,
    PAYMENT_START_ADDRESS,
    PAYMENT_START_INVOICE,
    PAYMENT_START_SHARED_LINK,
    ACQUIRER_QUERY,
    ACQUIRER_QUERY_INVOICE,
    ACQUIRER_QUERY_MANUAL,
    PURCHASE_ADDRESS,
    NOTICES,
    VK_EVENTS,
    HOOK_REFUSALS,
    API_REFUSALS,
    API_REQUESTS,
    INVITATIONS_SHOP,
    RECEIPT_MAILS_PAYMENT,
    STATEMENT_DOWNLOAD,
    INVOICE_MAILS_INVOICE,
    MANUAL_MAILS_SHOP,
    SECOND_FACTOR,
    PASSKEY_ADDRESS,
    PASSKEY_CHALLENGE,
    PASSWORD_RESET_ADDRESS,
    PASSWORD_RESET_ACCOUNT,
    EXPORTS,
    INVOICE_IMPORTS,
    SETUP_CODE,
    NOTIFICATION_CODES,
    NOTIFICATION_TESTS,
)

# Sizes and times that are not counted in the database.
MAX_NOTICE_BYTES = 64 * 1024  # a notice has a few thousand bytes
NOTICE_TTL_US = 90 * DAY_US  # processed notices about our payments
UNMATCHED_NOTICE_TTL_US = 3 * DAY_US  # processed notices about other payments, perhaps forged
HEADERS_TIMEOUT_S = 10  # from the first byte of a request to the end of its headers
BODY_TIMEOUT_S = 30  # from the end of the headers to the end of a small body
BODY_MIN_BYTES_PER_S = 32 * 1024  # a larger body gets a second more for each of these
MAX_BODIES_BYTES = 128 * 1024 * 1024  # of all requests of one process together
SMALL_BODY_BYTES = 16 * 1024  # such a body is read also above that
MAX_HEAD_BYTES = 64 * 1024  # request line and headers; browsers and proxies stop far below
SEND_TIMEOUT_S = 60  # a client that takes no part of a response for so long is left
MAX_CONNECTIONS = 4096  # of one process, if the system allows it so many files


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
