"""A decision, whole: the rows to save, the entries for the books, the work promised. Written
together or not at all.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from sigma.domain.ledger import Entry

NewId = Callable[[str], str]  # prefix → a fresh id; handed in, so that a seeded run repeats itself


class Saved(Protocol):
    """Something with an identity and a version. Version 0 is not stored yet; each save adds one."""

    @property
    def id(self) -> str: ...
    @property
    def version(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Job:
    """Work promised inside a transaction: `kind` names the handler, `subject` the row. Facts stay
    in the row.
    """

    kind: str
    subject: str
    shop_id: str
    due_at: int = 0  # UTC microseconds; 0 means at once


@dataclass(frozen=True, slots=True)
class Happening:
    """A line of the timeline: what happened to a subject, when, by whom. Never holds personal
    data.
    """

    id: str
    shop_id: str
    subject: str
    kind: str
    at: int
    actor: str = "system"
    detail: dict[str, Any] = field(default_factory=dict)
    version: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """What a decision wants written. An empty one means that there is nothing to do."""

    saved: tuple[Saved, ...] = ()
    entries: tuple[Entry, ...] = ()
    jobs: tuple[Job, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.saved or self.entries or self.jobs)

    def __add__(self, other: "Change") -> "Change":
        return Change(
            self.saved + other.saved,
            self.entries + other.entries,
            self.jobs + other.jobs,
        )
