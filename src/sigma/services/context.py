"""Dependencies of the services: database, cipher, acquirers, mail, VK, clock and id generator.

They are passed in as one `Context`; there are no global variables.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from sigma.channels.email import Mailer
from sigma.channels.push.web_push import PushClient
from sigma.channels.telegram.client import TelegramClient
from sigma.channels.vk.client import VkClients
from sigma.documents.pdf_cache import PdfCache
from sigma.domain.accounts.quota import Quotas
from sigma.domain.change import ClaimedJob, NewId
from sigma.domain.job_lanes import LANES, Lane
from sigma.outbound.guard import Outbound
from sigma.outbound.http import open_client
from sigma.providers.base import Provider
from sigma.services.circuit_breakers import CircuitBreakers
from sigma.services.clock import clock
from sigma.services.ids import IdGenerator
from sigma.services.limits import RateLimiter
from sigma.services.outage import Outage
from sigma.services.passwords import PasswordHashing
from sigma.store.encryption import Cipher, DecryptionError
from sigma.store.engine.interface import (
    BusyError,
    ConflictError,
    Database,
    StaleError,
    UnreachableError,
)
from sigma.store.workers import WorkerProcess

# A concurrent transaction committed first; this transaction wrote nothing.
CONFLICT_ERRORS = (StaleError, ConflictError)
# The database does not answer in time. Nothing was written, except perhaps at a lost COMMIT.
OUTAGE_ERRORS = (BusyError, UnreachableError)
# A stored value cannot be decrypted: its key is missing in SIGMA_SECRET_KEY.
UNREADABLE_ERRORS = (DecryptionError,)


class Settings(Protocol):
    """The settings that services read; `sigma.settings.Settings` implements it."""

    @property
    def base_url(self) -> str: ...
    @property
    def mail_from(self) -> str: ...
    @property
    def locale(self) -> str: ...
    @property
    def session_days(self) -> int: ...
    @property
    def session_idle_hours(self) -> int: ...
    @property
    def api_requests_per_minute(self) -> int: ...
    @property
    def manual_mails_per_day(self) -> int: ...
    @property
    def vk_api_url(self) -> str: ...
    @property
    def vk_site_url(self) -> str: ...
    @property
    def is_second_factor_required(self) -> bool: ...


def _guarded_push() -> PushClient:
    return PushClient(partial(open_client, Outbound()))


def _guarded_telegram() -> TelegramClient:
    return TelegramClient(partial(open_client, Outbound()))


class MailerFactory(Protocol):
    """Returns a mailer for an SMTP URL. Empty URL: the mailer of this installation, or None."""

    def __call__(self, smtp_url: str) -> Mailer | None: ...


@dataclass(frozen=True)
class Context:
    """Dependencies and process-wide state, passed to every service.

    `worker` is this process as the holder of leases, `outage` whether it can use the database now.
    `in_flight` holds the (shop id, idempotency key) pairs that this process is handling now,
    `quotas` the quotas of shops with the time of reading, see sigma.services.platform.quotas.
    `job` is the background job that runs; None for a request, which a person awaits.
    """

    db: Database
    settings: Settings
    cipher: Cipher
    ids: IdGenerator
    providers: Mapping[str, Provider]
    mailer_factory: MailerFactory
    vk: VkClients
    now_us: Callable[[], int] = clock
    passwords: PasswordHashing = field(default_factory=PasswordHashing)
    worker: WorkerProcess = field(default_factory=WorkerProcess)
    outage: Outage = field(default_factory=Outage)
    in_flight: set[tuple[str, str]] = field(default_factory=set)
    quotas: dict[str, tuple[int, Quotas]] = field(default_factory=dict, repr=False)
    circuits: CircuitBreakers = field(default_factory=CircuitBreakers, repr=False)
    job: ClaimedJob | None = None
    outbound: Outbound = field(default_factory=Outbound, repr=False)
    pdf_cache: PdfCache = field(default_factory=PdfCache, repr=False)
    push: PushClient = field(default_factory=_guarded_push, repr=False)
    telegram: TelegramClient = field(default_factory=_guarded_telegram, repr=False)
    limiter: RateLimiter = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "limiter", RateLimiter(self.db, self.cipher, self.now_us))

    @property
    def lane(self) -> Lane | None:
        """The lane of the job that runs; None for a request and for a job of a test."""
        return LANES.get(self.job.kind) if self.job else None

    def new_id(self, prefix: str, shop_id: str = "") -> str:
        """Return a new id, see `IdGenerator.new`."""
        return self.ids.new(prefix, shop_id)

    def id_factory(self, shop_id: str) -> NewId:
        """Return a generator of one shop's ids: prefix → new id."""
        return lambda prefix: self.ids.new(prefix, shop_id)

    def new_token(self) -> str:
        """Return a new public token, see `IdGenerator.new_token`."""
        return self.ids.new_token()
