"""The outcome of a run and its summary table."""

from dataclasses import dataclass, field
from datetime import datetime

from tests.chaos.clients import Journal
from tests.chaos.faults import Damage

MAX_LATENESS_S = 15.0  # of a letter and a VK message after a kill
# A payment waits for the payer's return or the acquirer's notice, which may come late themselves.
BOUNDED = ("letter", "VK message in", "VK message out")


@dataclass
class Outcome:
    """What the audit of one database found. Delays are seconds, without the time of outages."""

    database: str
    damage: Damage
    journal: Journal
    payment_count: int = 0
    refund_count: int = 0
    letter_count: int = 0
    message_count: int = 0
    repeated_letter_count: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    disagreements: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    tracebacks: list[str] = field(default_factory=list)
    worst_delay_s: dict[str, float] = field(default_factory=dict)

    @staticmethod
    def parse_time(text: str) -> int:
        """Return an RFC 3339 time as UTC microseconds."""
        return int(datetime.fromisoformat(text).timestamp() * 1_000_000)

    def record_delay(self, noun: str, began_at_us: int, ended_at_us: int, subject: str) -> None:
        """Record how late something came. An outage on the way does not count as Sigma's delay."""
        for start_us, end_us in self.damage.outages:
            if began_at_us < end_us and ended_at_us > start_us:
                began_at_us = max(began_at_us, end_us)
        delay_s = max((ended_at_us - began_at_us) / 1_000_000, 0.0)
        self.worst_delay_s[noun] = max(self.worst_delay_s.get(noun, 0.0), delay_s)
        if noun in BOUNDED and delay_s > MAX_LATENESS_S:
            self.late.append(f"{noun} {subject} came {delay_s:.1f} s late")

    @property
    def defects(self) -> list[str]:
        """Everything that must not be on the slowest machine either."""
        return [
            *(f"lost: {text}" for text in self.lost),
            *(f"doubled: {text}" for text in self.doubled),
            *(f"answer: {text}" for text in self.journal.errors),
            *(f"log: {text}" for text in self.tracebacks),
            *(f"disagreement: {text}" for text in self.disagreements),
            *(f"stuck: {text}" for text in self.stuck),
        ]

    @property
    def problems(self) -> list[str]:
        """The defects, and what took too long."""
        return [
            *self.defects,
            *(f"bound: {text}" for text in self.damage.broken_bounds),
            *(f"late: {text}" for text in self.late),
        ]


def summary(outcomes: list[Outcome]) -> str:
    """Return the summary table, a column for each database, and the verdict."""
    columns = [_column(outcome) for outcome in outcomes]
    names = dict.fromkeys(name for column in columns for name in column)
    lines = [[name, *(column.get(name, "–") for column in columns)] for name in names]
    widths = [max(len(line[n]) for line in lines) for n in range(len(outcomes) + 1)]
    table = [
        line[0].ljust(widths[0]) + "".join(f"  {value:>{width}}" for value, width in pairs)
        for line in lines
        for pairs in [list(zip(line[1:], widths[1:], strict=True))]
    ]
    lost = sum(len(outcome.lost) for outcome in outcomes)
    doubled = sum(len(outcome.doubled) for outcome in outcomes)
    others = sum(len(outcome.problems) for outcome in outcomes) - lost - doubled
    verdict = f"{lost} lost, {doubled} doubled" + (f", {others} other problems" if others else "")
    return "\n".join([*table, "", verdict])


def _column(outcome: Outcome) -> dict[str, str]:
    damage, answers = outcome.damage, outcome.journal.answers
    return {
        "database": outcome.database,
        "kills": str(damage.kill_count),
        "restarts": str(damage.restart_count),
        "requests": str(outcome.journal.request_count),
        "  cut by a kill or an outage": str(answers["cut"]),
        "  answered 503": str(answers["unavailable"]),
        "  another 5xx": str(answers["error"]),
        "payments": str(outcome.payment_count),
        "refunds": str(outcome.refund_count),
        "letters": str(outcome.letter_count),
        "  repeated, same Message-ID and words": str(outcome.repeated_letter_count),
        "VK messages": str(outcome.message_count),
        "lost": str(len(outcome.lost)),
        "doubled": str(len(outcome.doubled)),
        "disagreements, stuck": str(len(outcome.disagreements) + len(outcome.stuck)),
        **{f"worst delay of a {n}": f"{s:.1f} s" for n, s in outcome.worst_delay_s.items()},
        **{f"after {n}": f"{s:.1f} s" for n, s in damage.worst_recovery_s.items()},
        "slowest stop": f"{damage.worst_stop_s:.1f} s",
        "rolling restart: requests": str(damage.rolling_request_count),
        "rolling restart: cut": str(damage.rolling_cut_count),
    }
