"""What is wrong with a chain of the audit log: compare entries with each other and with its end."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from sigma.domain.audit.entry import Chain, Entry

MAX_REPORTED: Final = 100  # faults of one chain that are listed; all are counted

# Whether a MAC belongs to these bytes.
Verify = Callable[[bytes, str], bool]


class FaultKind(StrEnum):
    """What was done to a chain outside Sigma."""

    CHANGED = "changed"  # the content of an entry is not what was written, or it was never written
    MISSING = "missing"  # a number without an entry
    UNLINKED = "unlinked"  # an authentic entry that does not continue the one before it
    INSERTED = "inserted"  # an entry before the beginning or after the end of the chain
    TRUNCATED = "truncated"  # the newest entries are missing
    END_CHANGED = "end_changed"  # the stored end of the chain is not authentic
    END_MISSING = "end_missing"  # entries without a stored end
    CHAIN_MISSING = "chain_missing"  # the installation's log names a chain that does not exist
    ROLLED_BACK = "rolled_back"  # an earlier state was put back: a known entry is not there


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; `number` of the first entry that shows it, 0 for the chain as a whole."""

    kind: FaultKind
    number: int = 0


@dataclass(slots=True)
class ChainCheck:
    """Checks the entries of one chain in the order of their numbers, in memory that is bounded.

    `end` is the chain as it was before its entries were read: entries that are added meanwhile
    come after it and are not given to `check`.
    """

    end: Chain
    verify: Verify
    known_macs: dict[int, str] = field(default_factory=dict)  # number → MAC from an earlier check
    faults: list[Fault] = field(default_factory=list)
    fault_count: int = 0
    entry_count: int = 0
    _number: int = field(init=False)
    _mac: str | None = field(init=False)

    def __post_init__(self) -> None:
        self._number, self._mac = self.end.pruned_number, self.end.pruned_mac
        if not self.verify(self.end.authenticated_bytes(), self.end.mac):
            self._report(FaultKind.END_CHANGED, 0)

    @property
    def next_number(self) -> int:
        """The number that the next entry must have."""
        return self._number + 1

    def check(self, entry: Entry) -> None:
        """Check the next entry, with a number higher than that of the one before."""
        self.entry_count += 1
        if entry.number != self.next_number:
            self._report(FaultKind.MISSING, self.next_number)
            self._mac = None  # what this entry must continue is not known
        if not self.verify(entry.authenticated_bytes(), entry.mac):
            self._report(FaultKind.CHANGED, entry.number)
        elif self._mac is not None and entry.previous_mac != self._mac:
            self._report(FaultKind.UNLINKED, entry.number)
        known = self.known_macs.pop(entry.number, entry.mac)
        if known != entry.mac:
            self._report(FaultKind.ROLLED_BACK, entry.number)
        self._number, self._mac = entry.number, entry.mac

    def finish(self) -> None:
        """Compare the last entry with the end of the chain. Call it after the last entry."""
        if self._number < self.end.last_number:
            self._report(FaultKind.TRUNCATED, self.next_number)
        elif self._mac is not None and self._mac != self.end.last_mac:
            self._report(FaultKind.UNLINKED, self._number)
        for number in sorted(self.known_macs):
            if number > self.end.pruned_number:
                self._report(FaultKind.ROLLED_BACK, number)

    def report(self, kind: FaultKind, number: int = 0) -> None:
        """Add a fault that was found beside the entries."""
        self._report(kind, number)

    def _report(self, kind: FaultKind, number: int) -> None:
        self.fault_count += 1
        if len(self.faults) < MAX_REPORTED:
            self.faults.append(Fault(kind, number))
