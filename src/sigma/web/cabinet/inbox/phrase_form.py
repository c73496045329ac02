"""One typed phrase as the draft of an invoice: read, matched with the catalogue, shown. Pure."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from sigma.domain.billing.invoice import Draft, check_draft
from sigma.domain.billing.question import Kind, Question
from sigma.domain.catalogue.phrase import BadPhrase, read_phrase
from sigma.domain.catalogue.service import Service, draft_of, folded
from sigma.domain.errors import Problem
from sigma.domain.money import Money
from sigma.web.forms import read_moment, read_money

USUAL = (Question("email", Kind.EMAIL, required=True),)  # so that the receipt has where to go


@dataclass(frozen=True, slots=True)
class Read:
    """What was typed and what it means, or what is wrong with it. `dated`: the day was typed."""

    typed: str = ""
    draft: Draft | None = None
    service: Service | None = None
    problem: Problem | None = None
    dated: bool = False


def read_typed(
    typed: str, offered: Sequence[Service], today: date, tz: str, now: int, dialog_id: str
) -> Read:
    """Reads a phrase. A title that is a service's brings the service's questions and terms."""
    if not typed:
        return Read()
    try:
        phrase = read_phrase(typed, today)
    except BadPhrase as bad:
        return Read(typed, problem=Problem("phrase", f"phrase_{bad.code}"))
    amount = read_money(phrase.amount, "amount")
    if isinstance(amount, Problem):
        return Read(typed, problem=amount)
    service = _match(phrase.title, offered)
    draft = _draft(phrase.title, amount, service, now)
    if phrase.until is not None:
        until = read_moment(phrase.until.isoformat(), "expires_at", tz)
        draft = replace(draft, expires_at=until if isinstance(until, int) else None)
    draft = replace(draft, conversation_id=dialog_id)
    if wrong := check_draft(draft, now):
        return Read(typed, problem=wrong[0])
    return Read(typed, draft, service, dated=phrase.until is not None)


def seen_as(read: Read) -> str:
    """A mark of everything that the preview shows: what is issued is what was seen. A term that
    counts from now on moves a little all the time; a day that was typed does not.
    """
    shown = read.draft and (read.draft if read.dated else replace(read.draft, expires_at=None))
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:32]


def _draft(title: str, amount: Money, service: Service | None, now: int) -> Draft:
    if service is None:
        return Draft(title=title, amount=amount, questions=USUAL)
    return draft_of(service, now, amount)


def _match(title: str, offered: Sequence[Service]) -> Service | None:
    """The one service that is called so, or whose name begins so."""
    wanted = folded(title)
    same = [s for s in offered if folded(s.title) == wanted]
    if not same:
        same = [s for s in offered if folded(s.title).startswith(f"{wanted} ")]
    return same[0] if len(same) == 1 else None
