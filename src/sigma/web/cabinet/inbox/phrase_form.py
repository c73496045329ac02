"""An invoice draft from one phrase: parse it and match it with the shop's services. Pure."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from sigma.domain.billing.invoice import Draft, InvoiceItem, check_draft
from sigma.domain.billing.question import Question, QuestionKind
from sigma.domain.catalogue.phrase.errors import PhraseError
from sigma.domain.catalogue.phrase.known_services import known_service
from sigma.domain.catalogue.phrase.model import NOTES, Answers, Ask, Moment, Phrase
from sigma.domain.catalogue.phrase.parse import ACCEPTED, parse_phrase
from sigma.domain.catalogue.phrase.tokens import MAX_PHRASE
from sigma.domain.catalogue.service import Service, draft_invoice
from sigma.domain.errors import Problem
from sigma.domain.time_units import SECOND_US

# Without a service the invoice asks only for the e-mail that gets the receipt.
DEFAULT_QUESTIONS = (Question("email", QuestionKind.EMAIL, required=True),)
_DAY_QUESTIONS = {Ask.VISIT_OR_DEADLINE, Ask.DURATION_OR_DEADLINE}


@dataclass(frozen=True, slots=True)
class PhraseContext:
    """What a phrase is read with: the shop's services, today's date and the time zone `tz`.

    `now_us`: UTC microseconds. `accepted`: currencies of the connection. `visit_text` and
    `currency_text` write a visit and names of currencies in the seller's language.
    """

    services: Sequence[Service]
    today: date
    tz: str
    now_us: int
    visit_text: Callable[[Moment], str]
    currency_text: Callable[[Collection[str]], str]
    accepted: Collection[str] = field(default=ACCEPTED)


@dataclass(frozen=True, slots=True)
class ParsedPhrase:
    """A phrase with its draft, the question that must be answered first, or its problem.

    `question`: the invoice cannot be issued before it is answered. `notes`: what the seller should
    check. `draft` is None while the amount is not known.
    """

    text: str = ""
    phrase: Phrase | None = None
    draft: Draft | None = None
    service: Service | None = None
    problem: Problem | None = None
    question: Ask | None = None
    notes: tuple[Ask, ...] = ()
    answers: Answers = field(default_factory=Answers)

    @property
    def can_issue(self) -> bool:
        """Whether there is a draft and no open question."""
        return self.draft is not None and self.question is None


def parse_invoice_phrase(
    text: str, answers: Answers, context: PhraseContext, conversation_id: str
) -> ParsedPhrase:
    """Parse a phrase. If its title matches a service, use the service's questions and terms."""
    if not text:
        return ParsedPhrase()
    try:
        phrase = parse_phrase(
            text,
            context.today,
            accepted=context.accepted,
            services=[known_service(s) for s in context.services],
            answers=answers,
        )
    except PhraseError as error:
        return ParsedPhrase(text, problem=_problem(error, context))
    service = next((s for s in context.services if phrase.service_id == s.id), None)
    parsed = ParsedPhrase(
        text,
        phrase,
        service=service,
        question=next((ask for ask in phrase.ask if ask not in NOTES), None),
        notes=tuple(ask for ask in phrase.ask if ask in NOTES),
        answers=answers,
    )
    if phrase.amount is None:
        return parsed
    draft = replace(_build_draft(phrase, service, context), conversation_id=conversation_id)
    if problems := check_draft(draft, context.now_us):
        return ParsedPhrase(text, problem=problems[0])
    return replace(parsed, draft=draft)


def preview_fingerprint(parsed: ParsedPhrase) -> str:
    """Return a fingerprint of the preview (32 hex digits): only a previewed draft is issued.

    An expiry counted from the current moment changes with every request and is left out; a date
    named in the phrase is included.
    """
    has_date = parsed.phrase is not None and parsed.phrase.deadline is not None
    stable = parsed.draft and (
        parsed.draft if has_date else replace(parsed.draft, expires_at_us=None)
    )
    return hashlib.sha256(repr(stable).encode()).hexdigest()[:32]


def _problem(error: PhraseError, context: PhraseContext) -> Problem:
    params: dict[str, object] = {}
    if error.code == "currency_not_accepted":
        params["currency"] = context.currency_text([error.currency])
        params["accepted"] = context.currency_text(context.accepted)
    if error.code == "too_long":
        params["max"] = MAX_PHRASE
    return Problem("phrase", f"phrase_{error.code}", params)


def _build_draft(phrase: Phrase, service: Service | None, context: PhraseContext) -> Draft:
    assert phrase.amount is not None
    if service is None:
        draft = Draft(title=phrase.title, amount=phrase.amount, questions=DEFAULT_QUESTIONS)
    else:
        draft = draft_invoice(service, context.now_us, phrase.amount)
    items = tuple(InvoiceItem(i.name, f"{i.quantity:f}", i.price) for i in phrase.items)
    draft = replace(draft, items=items)
    if phrase.visit is not None:
        parts = [context.visit_text(phrase.visit), draft.description]
        draft = replace(draft, description="\n".join(part for part in parts if part))
    if phrase.deadline is None or _DAY_QUESTIONS & set(phrase.ask):
        return draft
    expires_at_us = int(phrase.deadline.at(context.tz).timestamp()) * SECOND_US
    return replace(draft, expires_at_us=expires_at_us)
