"""An invoice draft from one phrase: parse it and match it with the shop's services. Pure."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from sigma.domain.billing.invoice import Draft, check_draft
from sigma.domain.billing.question import Question, QuestionKind
from sigma.domain.catalogue.phrase import PhraseError, parse_phrase
from sigma.domain.catalogue.service import Service, draft_invoice, normalized_title
from sigma.domain.errors import Problem
from sigma.domain.money import Money
from sigma.web.forms import parse_date_time, parse_money

# Without a service the invoice asks only for the e-mail that gets the receipt.
DEFAULT_QUESTIONS = (Question("email", QuestionKind.EMAIL, required=True),)


@dataclass(frozen=True, slots=True)
class ParsedPhrase:
    """A phrase with its draft or its problem. `has_date`: the phrase names the expiry date."""

    text: str = ""
    draft: Draft | None = None
    service: Service | None = None
    problem: Problem | None = None
    has_date: bool = False


def parse_invoice_phrase(
    text: str, services: Sequence[Service], today: date, tz: str, now_us: int, conversation_id: str
) -> ParsedPhrase:
    """Parse a phrase. If its title matches a service, use the service's questions and terms.

    `today`: the date in the shop's time zone `tz`; `now_us`: UTC microseconds.
    """
    if not text:
        return ParsedPhrase()
    try:
        phrase = parse_phrase(text, today)
    except PhraseError as error:
        return ParsedPhrase(text, problem=Problem("phrase", f"phrase_{error.code}"))
    amount = parse_money(phrase.amount, "amount")
    if isinstance(amount, Problem):
        return ParsedPhrase(text, problem=amount)
    service = _match_service(phrase.title, services)
    draft = _build_draft(phrase.title, amount, service, now_us)
    if phrase.last_day is not None:
        expires_at = parse_date_time(phrase.last_day.isoformat(), "expires_at", tz)
        draft = replace(draft, expires_at_us=expires_at if isinstance(expires_at, int) else None)
    draft = replace(draft, conversation_id=conversation_id)
    if problems := check_draft(draft, now_us):
        return ParsedPhrase(text, problem=problems[0])
    return ParsedPhrase(text, draft, service, has_date=phrase.last_day is not None)


def preview_fingerprint(parsed: ParsedPhrase) -> str:
    """Return a fingerprint of the preview (32 hex digits): only a previewed draft is issued.

    An expiry counted from the current moment changes with every request and is left out; a date
    named in the phrase is included.
    """
    stable = parsed.draft and (
        parsed.draft if parsed.has_date else replace(parsed.draft, expires_at_us=None)
    )
    return hashlib.sha256(repr(stable).encode()).hexdigest()[:32]


def _build_draft(title: str, amount: Money, service: Service | None, now_us: int) -> Draft:
    if service is None:
        return Draft(title=title, amount=amount, questions=DEFAULT_QUESTIONS)
    return draft_invoice(service, now_us, amount)


def _match_service(title: str, services: Sequence[Service]) -> Service | None:
    """Return the only service with this title, else the only one whose title starts with it."""
    name = normalized_title(title)
    matches = [s for s in services if normalized_title(s.title) == name]
    if not matches:
        matches = [s for s in services if normalized_title(s.title).startswith(f"{name} ")]
    return matches[0] if len(matches) == 1 else None
