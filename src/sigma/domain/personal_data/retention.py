"""How long a shop stores each kind of personal data.

The defaults are Sigma's, not a law's: the seller is the operator and decides. An answer may have a
shorter period of its own, see `Question.keep_days`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sigma.domain.errors import Problem

MAX_DAYS = 3650


class DataKind(StrEnum):
    """Kinds of data with a period of their own."""

    ANSWERS = "answers"  # what clients entered on the payment page
    MESSAGES = "messages"  # texts and attachments of conversations
    NOTICES = "notices"  # what the acquirer sent
    EVIDENCE = "evidence"  # address, browser and page of a consent
    MAILS = "mails"  # masked recipient and reply of the mail server
    AUDIT = "audit"  # the audit log of the team


DEFAULT_DAYS: Mapping[DataKind, int] = {
    DataKind.ANSWERS: 1095,
    DataKind.MESSAGES: 1095,
    DataKind.NOTICES: 90,
    DataKind.EVIDENCE: 1095,
    DataKind.MAILS: 365,
    DataKind.AUDIT: 1095,
}
# Shorter would delete what is still needed: to answer an acquirer, to look into a theft.
MIN_DAYS: Mapping[DataKind, int] = {
    DataKind.ANSWERS: 1,
    DataKind.MESSAGES: 1,
    DataKind.NOTICES: 30,
    DataKind.EVIDENCE: 1,
    DataKind.MAILS: 1,
    DataKind.AUDIT: 365,
}


@dataclass(frozen=True, slots=True)
class Retention:
    """The periods of one shop, in days."""

    answers: int = DEFAULT_DAYS[DataKind.ANSWERS]
    messages: int = DEFAULT_DAYS[DataKind.MESSAGES]
    notices: int = DEFAULT_DAYS[DataKind.NOTICES]
    evidence: int = DEFAULT_DAYS[DataKind.EVIDENCE]
    mails: int = DEFAULT_DAYS[DataKind.MAILS]
    audit: int = DEFAULT_DAYS[DataKind.AUDIT]

    def days(self, kind: DataKind) -> int:
        """Return the period of a kind of data, in days."""
        period: int = getattr(self, kind.value)
        return period


def check_retention(retention: Retention) -> list[Problem]:
    """Return the problems by field `<kind>_days`.

    The evidence of a consent is needed as long as the answers that it allows to store.
    """
    problems = [
        Problem(f"{kind}_days", "range", {"min": MIN_DAYS[kind], "max": MAX_DAYS})
        for kind in DataKind
        if not MIN_DAYS[kind] <= retention.days(kind) <= MAX_DAYS
    ]
    if not problems and retention.evidence < retention.answers:
        problems.append(Problem("evidence_days", "evidence_short", {"min": retention.answers}))
    return problems
