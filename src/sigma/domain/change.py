"""The result of a domain decision: rows to save, ledger entries, jobs and a stored response.

`store.changes.write` writes a Change in one transaction: all of it or nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeVar

from sigma.domain.idempotency import Idempotency, StoredResponse
from sigma.domain.ledger import Entry

ResultT = TypeVar("ResultT")

NewId = Callable[[str], str]  # prefix → new id; passed in, so that seeded runs are repeatable


class VersionedRow(Protocol):
    """A dataclass with optimistic locking. Version 0 is not stored yet; each save adds one."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def id(self) -> str: ...
    @property
    def version(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Job:
    """Work that is enqueued in the transaction of the Change and run by the worker.

    `kind` selects the handler in `worker.py`. `subject_id` names the row to work on; the handler
    reads everything else from that row, so a job never carries stale facts. `connection_id`: the
    acquirer connection that the job calls, if any; it never changes for a payment or refund.
    """

    kind: str
    subject_id: str
    shop_id: str
    due_at_us: int = 0  # UTC microseconds; 0: as soon as possible
    connection_id: str = ""


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job leased to the worker `leased_by` until `lease_until_us`.

    `state` is "queued" or "dead". `generation` grows each time the job is enqueued again.
    """

    kind: str
    subject_id: str
    shop_id: str
    attempts: int
    generation: int
    lease_until_us: int
    leased_by: str
    created_at_us: int
    state: str
    last_error: str
    due_at_us: int
    lane: str
    connection_id: str

    @property
    def id(self) -> str:
        """The id in URLs and pages: `kind:subject_id`."""
        return f"{self.kind}:{self.subject_id}"


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One row of the timeline of an invoice, payment, community, … (`subject_id`).

    `actor` is the id of a user or API key, "client" or "system". `detail` must not hold personal
    data: it is not encrypted.
    """

    id: str
    shop_id: str
    subject_id: str
    kind: str
    occurred_at_us: int  # UTC microseconds
    actor: str = "system"
    detail: dict[str, Any] = field(default_factory=dict)
    version: int = 0


@dataclass(frozen=True, slots=True)
class SearchTokens:
    """What a list finds a new payment or invoice by: keyed hashes of its words, without duplicates.

    `created_at_us` is that of the subject.
    """

    subject_id: str
    created_at_us: int
    token_hashes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What a decision writes. An empty (falsy) Change means that there is nothing to do.

    `response` is stored under the idempotency key of the request that caused the change.
    """

    rows: tuple[VersionedRow, ...] = ()
    entries: tuple[Entry, ...] = ()
    jobs: tuple[Job, ...] = ()
    response: StoredResponse | None = None
    search_tokens: tuple[SearchTokens, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rows or self.entries or self.jobs or self.response or self.search_tokens)

    def __add__(self, other: "Change") -> "Change":
        assert not (self.response and other.response), "a change answers one request"
        return Change(
            self.rows + other.rows,
            self.entries + other.entries,
            self.jobs + other.jobs,
            self.response or other.response,
            self.search_tokens + other.search_tokens,
        )

    def with_response(
        self, idempotency: Idempotency[ResultT] | None, result: ResultT, now_us: int
    ) -> "Change":
        """Return the change with the response to store; unchanged for a request without a key."""
        if idempotency is None:
            return self
        return self + Change(response=idempotency.response(result, now_us))
