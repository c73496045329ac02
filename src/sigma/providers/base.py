"""The interface of acquirer adapters: Provider, its request and result types, and its two errors.

How to add an adapter: docs/write-a-provider.md. One contract test runs over all adapters.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from sigma.domain.billing import payment, refund
from sigma.domain.billing.connection import AmountLimits, Connection
from sigma.domain.money import Money
from sigma.domain.urls import origin_of

DEFAULT_TIMEOUT_S = 35.0  # YooKassa answers within 30 s or with 500
MIN_TIMEOUT_S, MAX_TIMEOUT_S = 0.1, 120.0


class UnknownOutcomeError(Exception):
    """The outcome of a call is unknown: it may have been carried out. Retry with the same key.

    `retry_after_s` is the delay that the acquirer requested, if any. The message holds no personal
    data, secrets or URL, so it may be logged and stored with a job.
    """

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class IdempotencyKeyConflictError(UnknownOutcomeError):
    """The idempotency key was used with other parameters: the first call arrived, look it up."""


class RejectedError(Exception):
    """The acquirer rejected this call, which had no effect. An earlier, lost call may have had one.

    `code` is one of Sigma's stable codes: bad_request, credentials, forbidden, not_found, gone.
    `detail` is the acquirer's text for the owner only; it is not part of str() and so never logged.
    `parameter` is the rejected request field, or empty.
    """

    def __init__(self, code: str, detail: str = "", parameter: str = "") -> None:
        super().__init__(f"{code} ({parameter})" if parameter else code)
        self.code = code
        self.detail = detail
        self.parameter = parameter


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an acquirer supports.

    `two_stage`: money can be authorized first and captured later. `key_lifetime_us`: how long a
    repeated operation key returns the first result; afterwards a lost operation must be looked up
    (list_payments, list_refunds) and never repeated. `limits`: what one payment may be, by
    currency; empty when the acquirer names no limits. `test_limits` hold instead for a secret
    that begins with `test_secret_prefix`: a test shop takes fewer payment methods.
    `reports_payouts`: its API tells when and what it pays to the shop's bank account. False:
    nothing is shown of payouts but what a payment is expected to bring (`PaymentReply.income`).
    `redirect_origins`: where the acquirer's page for the client is. A client whose payment has
    another address follows a link there, see `redirect_origins()`.
    """

    two_stage: bool
    key_lifetime_us: int
    limits: Mapping[str, AmountLimits] = field(default_factory=dict)
    test_limits: Mapping[str, AmountLimits] = field(default_factory=dict)
    test_secret_prefix: str = ""
    redirect_origins: tuple[str, ...] = ()
    reports_payouts: bool = False


@dataclass(frozen=True, slots=True)
class ConnectionAccess:
    """URL and decrypted credentials of one connection, for one call. Never stored or logged.

    `ca_certificates` are PEM certificates; only these are trusted then.
    """

    account: str
    secret: str = field(repr=False)
    base_url: str
    timeout_s: float = DEFAULT_TIMEOUT_S
    ca_certificates: str | None = None


@dataclass(frozen=True, slots=True)
class FiscalItem:
    """An item of a fiscal receipt (54-ФЗ). `quantity` is decimal text, `price` is for one.

    `vat_code`, `payment_subject` and `payment_mode` are the acquirer's codes.
    """

    name: str
    quantity: str
    price: Money
    vat_code: int
    payment_subject: str = "service"
    payment_mode: str = "full_payment"


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """A payment to start. Must be identical in every retry with the same `operation_key`.

    The adapter sends `metadata` unchanged and adds our payment id. The client's e-mail, phone
    (E.164) and the fiscal items are sent only when `fiscal_items` is not empty.
    """

    payment_id: str
    operation_key: str
    amount: Money
    description: str
    return_url: str
    locale: str = "ru"
    two_stage: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    customer_email: str = field(default="", repr=False)
    customer_phone: str = field(default="", repr=False)
    fiscal_items: tuple[FiscalItem, ...] = ()


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """A refund to start. Must be identical in every retry with the same `operation_key`."""

    refund_id: str
    operation_key: str
    provider_payment_id: str
    amount: Money
    description: str = ""


@dataclass(frozen=True, slots=True)
class ParsedNotice:
    """The content of a notice. It is unverified and only names the object to fetch.

    `object_kind` "other" is a well-formed notice about something that Sigma does not track:
    acknowledge and drop it. `payment_provider_id` is the acquirer's payment id, also for a refund.
    `claimed_id` is the id of our payment (or refund) if the notice has it, else empty.
    """

    event: str
    object_id: str
    object_kind: Literal["payment", "refund", "other"]
    payment_provider_id: str = ""
    claimed_id: str = ""


@dataclass(frozen=True, slots=True)
class PaymentPage:
    """One page of payments. Pass `next_cursor` to the next call; None: this is the last page."""

    replies: tuple[payment.PaymentReply, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class AcquirerRefund:
    """A refund as the acquirer reports it. `refund_id` is our id; empty for other refunds.

    `payment_provider_id` is the acquirer's id of the refunded payment.
    """

    reply: refund.RefundReply
    refund_id: str = ""
    payment_provider_id: str = ""


@dataclass(frozen=True, slots=True)
class RefundPage:
    """One page of refunds. Pass `next_cursor` to the next call; None: this is the last page."""

    refunds: tuple[AcquirerRefund, ...]
    next_cursor: str | None = None


class Provider(Protocol):
    """An acquirer. Stateless except for open HTTP clients; credentials come with every call.

    Every async method raises UnknownOutcomeError or RejectedError and nothing else. An answer that
    money was authorized, captured or refunded must contain an amount, else UnknownOutcomeError;
    `amount` None in such a reply means a currency that Money does not support, which the domain
    treats as a mismatch.
    """

    @property
    def name(self) -> str:
        """The identifier in the database and in URLs: "yookassa"."""

    @property
    def titles(self) -> Mapping[str, str]:
        """The display name by locale ("ru", "en")."""

    @property
    def base_url(self) -> str:
        """The URL of the live API; a connection's settings can name another host.

        Its path is fixed: a connection's URL has the same one.
        """

    @property
    def capabilities(self) -> Capabilities:
        """What this acquirer supports."""

    async def start_payment(
        self, access: ConnectionAccess, request: PaymentRequest
    ) -> payment.PaymentReply:
        """Start a payment. A retry with the same key returns the same payment in its present state.

        Raises IdempotencyKeyConflictError when the key was used with other parameters.
        """

    async def fetch_payment(
        self, access: ConnectionAccess, provider_id: str
    ) -> payment.PaymentReply:
        """Fetch the present state of a payment by the acquirer's id."""

    async def capture(
        self, access: ConnectionAccess, provider_id: str, amount: Money, operation_key: str
    ) -> payment.PaymentReply:
        """Capture an authorized payment. If it is already final, return that state instead."""

    async def cancel(
        self, access: ConnectionAccess, provider_id: str, operation_key: str
    ) -> payment.PaymentReply:
        """Cancel an authorized payment. If it is already final, return that state instead."""

    async def start_refund(
        self, access: ConnectionAccess, request: RefundRequest
    ) -> refund.RefundReply:
        """Start a refund. A retry with the same key returns the same refund.

        Raises IdempotencyKeyConflictError when the key was used with other parameters.
        """

    async def fetch_refund(self, access: ConnectionAccess, provider_id: str) -> refund.RefundReply:
        """Fetch the present state of a refund by the acquirer's id."""

    async def list_refunds(
        self, access: ConnectionAccess, provider_payment_id: str
    ) -> tuple[AcquirerRefund, ...]:
        """List all refunds of a payment, to find a lost one whose key has expired."""

    async def list_payments(
        self, access: ConnectionAccess, since_us: int, until_us: int, cursor: str | None = None
    ) -> PaymentPage:
        """List payments created in [since_us, until_us), newest first, each with `created_at_us`.

        Finds a lost payment whose key expired, and compares the acquirer's list with ours.
        """

    async def list_refunds_by_date(
        self, access: ConnectionAccess, since_us: int, until_us: int, cursor: str | None = None
    ) -> RefundPage:
        """List the account's refunds created in [since_us, until_us), newest first.

        Each has `created_at_us` and `payment_provider_id`.
        """

    async def describe_account(self, access: ConnectionAccess) -> str:
        """Check the credentials. Returns a short language-neutral label: "100500, test"."""

    def parse_notice(self, body: bytes) -> ParsedNotice:
        """Parse the body of a notice; the sender is not authenticated. Raises ValueError."""

    async def aclose(self) -> None:
        """Close the HTTP clients."""


def amount_limits(provider: Provider, secret: str) -> Mapping[str, AmountLimits]:
    """Return the limits of one payment by currency, for a shop with this decrypted secret."""
    capabilities = provider.capabilities
    prefix = capabilities.test_secret_prefix
    return capabilities.test_limits if prefix and secret.startswith(prefix) else capabilities.limits


def redirect_origins(provider: Provider, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the origins of the page where clients of a connection with these settings pay.

    A connection with a URL of its own (a sandbox, a proxy) has its page there.
    """
    if own_url := str(settings.get("base_url") or ""):
        own_origin = origin_of(own_url)
        is_default = own_origin == origin_of(provider.base_url)
        return provider.capabilities.redirect_origins if is_default else (own_origin,)
    return provider.capabilities.redirect_origins


def connection_access(provider: Provider, connection: Connection, secret: str) -> ConnectionAccess:
    """Build the access of a connection from its settings, the provider's defaults and the secret.

    `secret` is decrypted.
    """
    settings = connection.settings
    timeout_s = float(settings.get("timeout_s") or DEFAULT_TIMEOUT_S)
    return ConnectionAccess(
        account=connection.account,
        secret=secret,
        base_url=str(settings.get("base_url") or provider.base_url).rstrip("/"),
        timeout_s=min(max(timeout_s, MIN_TIMEOUT_S), MAX_TIMEOUT_S),
        ca_certificates=settings.get("ca_certificates") or None,
    )
