"""What every acquirer adapter promises: the words that go in and out, and the two ways to say no.

How to add an adapter: docs/write-a-provider.md. One contract test runs over all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from sigma.domain.billing import payment, refund
from sigma.domain.billing.connection import Connection
from sigma.domain.money import Money

DEFAULT_TIMEOUT_S = 35.0  # YooKassa answers within 30 s or with 500; others are not slower
MIN_TIMEOUT_S, MAX_TIMEOUT_S = 0.1, 120.0


class Unknown(Exception):  # noqa: N818, not knowing is no error
    """The outcome is not known: it may have been done. Ask again, with the same key.

    `retry_after_s` is the acquirer's wish, if it named one. The text holds no personal data, no
    secrets and no address, so it may be logged and kept with a job.
    """

    def __init__(self, why: str, retry_after_s: float | None = None) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s


class KeyTaken(Unknown):
    """The key was used before with another question, so the first one was heard: look it up."""


class Rejected(Exception):  # noqa: N818, it is an answer, not a fault
    """A plain "no": *this* call did nothing. Of an earlier, lost call it says nothing.

    `code` is our stable word: bad_request, credentials, forbidden, not_found, gone. `detail` is in
    the acquirer's own words, for the owner only; it is not part of str(), so not of logs.
    `parameter` names what it did not like, or is empty.
    """

    def __init__(self, code: str, detail: str = "", parameter: str = "") -> None:
        super().__init__(f"{code} ({parameter})" if parameter else code)
        self.code = code
        self.detail = detail
        self.parameter = parameter


@dataclass(frozen=True, slots=True)
class Limits:
    """The smallest and the largest single payment, minor units, by the acquirer's widest method."""

    min_minor: int
    max_minor: int


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an acquirer can do. A currency that is not in `limits` is not taken at all.

    `key_lifetime_us`: how long a repeated operation key gives the first result; afterwards a lost
    operation must be looked up (list_payments, list_refunds) and never repeated.
    `refund_events`: whether every end of a refund is told; where not, open refunds are polled.
    """

    two_stage: bool
    partial_refund: bool
    list_by_date: bool
    key_lifetime_us: int
    refund_events: bool
    limits: Mapping[str, Limits]


@dataclass(frozen=True, slots=True)
class Access:
    """One connection's credentials, unsealed for one call. Never stored, never logged.

    `ca_bundle` is the path of a PEM file whose authorities are then the only ones trusted.
    """

    account: str
    secret: str = field(repr=False)
    base_url: str
    timeout_s: float = DEFAULT_TIMEOUT_S
    ca_bundle: str | None = None


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """A fiscal line (54-FZ) in the acquirer's numbering; `quantity` is decimal text."""

    name: str
    quantity: str
    price: Money
    vat_code: int
    subject: str = "service"
    mode: str = "full_payment"


@dataclass(frozen=True, slots=True)
class Order:
    """A payment to be started. Everything but the credentials is the same in every repeat of a key.

    `metadata` is sent along as it is, with our payment's id added by the adapter. The client's
    e-mail and phone (E.164) and the fiscal lines are sent only when `receipt` is given.
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
    receipt: tuple[ReceiptLine, ...] = ()


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """Money to be given back. The same in every repeat of a key. `description` may be empty."""

    refund_id: str
    operation_key: str
    provider_payment_id: str
    amount: Money
    description: str = ""


@dataclass(frozen=True, slots=True)
class NoticeRead:
    """What a notice claims: a hint of whom to ask about, never a fact.

    `object_kind` "other" is a well-formed notice about something Sigma does not follow: answer it
    and forget it. `payment_provider_id` is the payment's id also for a refund. `our_id` is our
    payment's (or refund's) id if the notice carries it, else empty.
    """

    event: str
    object_id: str
    object_kind: Literal["payment", "refund", "other"]
    payment_provider_id: str = ""
    our_id: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of payments. `next_cursor` goes back into the next call; None: that was all."""

    replies: tuple[payment.Reply, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class FoundRefund:
    """A refund found at the acquirer. `our_id` is our refund's id, empty when it is not ours."""

    reply: refund.Reply
    our_id: str = ""


class Provider(Protocol):
    """An acquirer. Stateless but for its open HTTP clients; credentials come with every call.

    Every async call raises Unknown or Rejected and nothing else. A reply that says that money is
    held, taken or given back came with an amount; `amount` None there means an amount that is not
    Money of ours (another currency), which the domain takes for a mismatch.
    """

    @property
    def name(self) -> str:
        """The word that is stored and stands in addresses: "yookassa"."""

    @property
    def titles(self) -> Mapping[str, str]:
        """The name shown to people, by locale ("ru", "en")."""

    @property
    def base_url(self) -> str:
        """The live API, where a connection does not name another."""

    @property
    def capabilities(self) -> Capabilities:
        """What this acquirer can do."""

    async def start_payment(self, access: Access, order: Order) -> payment.Reply:
        """Open a payment; told again with the same key, gives the same one in its present state."""

    async def fetch_payment(self, access: Access, provider_id: str) -> payment.Reply:
        """What is known of a payment now."""

    async def capture(
        self, access: Access, provider_id: str, amount: Money, key: str
    ) -> payment.Reply:
        """Take held money. If it is no longer held, gives what is: captured, canceled or failed."""

    async def cancel(self, access: Access, provider_id: str, key: str) -> payment.Reply:
        """Let held money go. If it is no longer held, gives what is, as `capture` does."""

    async def start_refund(self, access: Access, order: RefundOrder) -> refund.Reply:
        """Give money back; told again with the same key, gives the same refund."""

    async def fetch_refund(self, access: Access, provider_id: str) -> refund.Reply:
        """What is known of a refund now."""

    async def list_refunds(
        self, access: Access, provider_payment_id: str
    ) -> tuple[FoundRefund, ...]:
        """All refunds of a payment: how a lost one is found when its key is too old to repeat."""

    async def list_payments(
        self, access: Access, since_us: int, until_us: int, cursor: str | None = None
    ) -> Listed:
        """Payments created in [since, until), UTC microseconds. Only where `list_by_date`."""

    async def check(self, access: Access) -> str:
        """A short fact about the account, in no particular language: "100500, test"."""

    def read_notice(self, body: bytes) -> NoticeRead:
        """Reads what came to our door from anybody. Raises ValueError for rubbish."""

    async def aclose(self) -> None:
        """Close the HTTP clients."""


def access_to(provider: Provider, connection: Connection, secret: str) -> Access:
    """The access of a connection whose secret was just unsealed; gaps come from the provider."""
    settings = connection.settings
    timeout_s = float(settings.get("timeout_s") or DEFAULT_TIMEOUT_S)
    return Access(
        account=connection.account,
        secret=secret,
        base_url=str(settings.get("base_url") or provider.base_url).rstrip("/"),
        timeout_s=min(max(timeout_s, MIN_TIMEOUT_S), MAX_TIMEOUT_S),
        ca_bundle=settings.get("ca_bundle") or None,
    )
