"""Parser of a typed phrase that describes an invoice. Pure and deterministic.

    phrase = title, sums and days in any order

`scan` finds sums and days among the tokens, `amounts` decides which sums are the amount and the
items, and what is left is the title. Nothing is guessed: what can mean two things is in
`Phrase.ask`.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from sigma.domain.catalogue.phrase.amounts import AmountReader, Amounts
from sigma.domain.catalogue.phrase.errors import PhraseError
from sigma.domain.catalogue.phrase.known_services import matching_services
from sigma.domain.catalogue.phrase.model import (
    Answers,
    Ask,
    KnownService,
    Moment,
    Phrase,
    PhraseItem,
)
from sigma.domain.catalogue.phrase.numbers import Strength
from sigma.domain.catalogue.phrase.scan import Scan, scan
from sigma.domain.catalogue.phrase.times import When, WhenKind
from sigma.domain.catalogue.phrase.titles import title_of
from sigma.domain.catalogue.phrase.tokens import clean_phrase, tokenize
from sigma.domain.money import sum_money

ACCEPTED = frozenset({"RUB"})
_NO_ANSWERS = Answers()


def parse_phrase(
    text: str,
    today: date,
    *,
    accepted: Collection[str] = ACCEPTED,
    services: Sequence[KnownService] = (),
    answers: Answers = _NO_ANSWERS,
) -> Phrase:
    """Return the meaning of a phrase. `today` is the date in the shop's time zone.

    `accepted`: ISO 4217 codes of the currencies that the connection takes; a number without a
    currency is in roubles, if these are accepted. `services`: what a phrase without a sum can name.
    Raises PhraseError.
    """
    bare = clean_phrase(text)
    tokens = tokenize(bare)
    found = scan(tokens, today)
    deadline, visit, day_ask, found = _days(found, answers)
    phrase = _priced_by_service(bare, found, services, accepted, answers)
    if phrase is None:
        phrase = _priced_by_number(bare, found, services, accepted, answers)
    return replace(
        phrase, deadline=deadline, visit=visit, ask=tuple(dict.fromkeys((*phrase.ask, *day_ask)))
    )


def _priced_by_number(
    text: str,
    found: Scan,
    services: Sequence[KnownService],
    accepted: Collection[str],
    answers: Answers,
) -> Phrase:
    amounts = AmountReader(text, found, accepted).read()
    if amounts is None:
        raise PhraseError("no_amount")
    title = amounts.title or title_of(text, found.tokens, found.removed | amounts.removed)
    if not title:
        raise PhraseError("no_title")
    amounts = _answered(amounts, answers)
    matches = matching_services(title, services)
    service = matches[0] if len(matches) == 1 and not _is_loose(matches[0], title) else None
    return Phrase(
        amounts.amount,
        service.title if service else title,
        amounts.items,
        ask=amounts.ask,
        choices=amounts.choices,
        service=service,
    )


def _is_loose(service: KnownService, title: str) -> bool:
    """Return whether only some words of the service's title are in the phrase, in another form."""
    first = title.casefold().replace("ё", "е").split()
    other = service.title.casefold().replace("ё", "е").split()
    return first != other[: len(first)] and len(first) != len(other)


def _answered(amounts: Amounts, answers: Answers) -> Amounts:
    """Return the amounts after the seller's choice among them."""
    open_asks = {Ask.AMOUNT_WHICH, Ask.AMOUNT_FORMAT, Ask.ITEMS_OR_TOTAL}
    if not answers.amount or not open_asks & set(amounts.ask):
        return amounts
    rest = tuple(ask for ask in amounts.ask if ask not in open_asks)
    if answers.amount == "items" and amounts.items:
        currency = amounts.items[0].price.currency
        total = sum_money([item.amount for item in amounts.items], currency)
        return replace(amounts, amount=total, ask=rest, choices=())
    chosen = [c for c in amounts.choices if c.to_decimal_text() == answers.amount]
    if not chosen:
        return amounts
    return replace(amounts, amount=chosen[0], items=(), ask=rest, choices=())


def _priced_by_service(
    text: str,
    found: Scan,
    services: Sequence[KnownService],
    accepted: Collection[str],
    answers: Answers,
) -> Phrase | None:
    """Return the phrase with the price of the service that it names, if it has no sum.

    A number in the title of a service is no sum: «массаж 60» for «Массаж 60 минут».
    """
    if not services or any(s.strength is Strength.SIGNED for s in found.sums):
        return None
    title = title_of(text, found.tokens, found.removed)
    matches = matching_services(title, services)
    has_count = bool(found.sums) and all(s.strength is Strength.SMALL for s in found.sums)
    if has_count and not matches:  # «2 педикюра»: a quantity, which the seller confirms
        numbers = {n for s in found.sums for n in range(s.start, s.stop)}
        matches = matching_services(title_of(text, found.tokens, found.removed | numbers), services)
        if len(matches) == 1:
            return _of_service(matches[0], accepted, has_number=True)
    if found.sums:
        whole = [s for s in matches if any(c.isdigit() for c in s.title)]
        matches = whole if all(n.strength < Strength.SIGNED for n in found.sums) else []
    if answers.service:
        matches = [s for s in matches if s.title == answers.service] or matches
    if len(matches) == 1:
        return _of_service(matches[0], accepted, has_number=False)
    if matches:
        return Phrase(None, title, ask=(Ask.SERVICE_WHICH,), services=tuple(matches))
    return None if found.sums else _items_of_services(text, found, services, accepted)


def _of_service(service: KnownService, accepted: Collection[str], *, has_number: bool) -> Phrase:
    if service.price is None:
        raise PhraseError("no_amount")
    if service.price.currency not in accepted:
        raise PhraseError("currency_not_accepted", service.price.currency)
    ask = () if service.is_fixed and not has_number else (Ask.AMOUNT_CONFIRM,)
    return Phrase(service.price, service.title, ask=ask, service=service)


def _items_of_services(
    text: str, found: Scan, services: Sequence[KnownService], accepted: Collection[str]
) -> Phrase | None:
    """Return the services that a phrase without a sum lists: «маникюр + педикюр»."""
    stops = [n for n, t in enumerate(found.tokens) if t.norm in ("+", ",", "и", "плюс", "and", "&")]
    named: list[KnownService] = []
    for first, last in zip([-1, *stops], [*stops, len(found.tokens)], strict=True):
        outside = set(range(first + 1)) | set(range(last, len(found.tokens)))
        title = title_of(text, found.tokens, outside | found.removed)
        matches = matching_services(title, services) if title else []
        if title and len(matches) != 1:
            return None
        named += matches
    prices = [s.price for s in named if s.price is not None and s.price.currency in accepted]
    if len(named) < 2 or len(prices) < len(named) or len({p.currency for p in prices}) > 1:
        return None
    items = tuple(
        PhraseItem(s.title, Decimal(1), price) for s, price in zip(named, prices, strict=True)
    )
    is_sure = all(s.is_fixed for s in named)
    total = sum_money(prices, prices[0].currency)
    titles = ", ".join(s.title for s in named)
    return Phrase(total, titles, items, ask=() if is_sure else (Ask.AMOUNT_CONFIRM,))


def _days(
    found: Scan, answers: Answers
) -> tuple[Moment | None, Moment | None, tuple[Ask, ...], Scan]:
    """Return the deadline, the visit and the questions about days."""
    deadlines = [d for d in found.days if d.kind is WhenKind.DEADLINE]
    visits = [d for d in found.days if d.kind is WhenKind.VISIT]
    unclear = [d for d in found.days if d.kind is WhenKind.UNCLEAR]
    terms = [d for d in found.days if d.kind is WhenKind.TERM]
    ask: list[Ask] = []
    if deadlines and deadlines[0].is_unsure:
        ask.append(Ask.DEADLINE_CONFIRM)
    has_clock_only = bool(visits) and all(v.day is None for v in visits)
    if unclear and (deadlines or has_clock_only or len(unclear) > 1 or answers.day == "visit"):
        visits, unclear = unclear + visits, []
    proposed = deadlines or unclear or terms
    if unclear and answers.day != "deadline":
        ask.append(Ask.VISIT_OR_DEADLINE)
    elif terms and not deadlines and answers.day == "duration":
        proposed, found = [], _with_term_in_title(found, terms[0])
    elif terms and not deadlines and answers.day != "deadline":
        ask.append(Ask.DURATION_OR_DEADLINE)
    deadline = Moment(proposed[0].day, proposed[0].clock) if proposed else None
    return deadline, _visit(visits), tuple(ask), found


def _with_term_in_title(found: Scan, term: When) -> Scan:
    """Return the scan with «на 3 дня» back in the title."""
    start = term.stop - 1
    while start - 1 in found.removed and found.tokens[start].norm not in ("на", "for"):
        start -= 1
    return replace(found, removed=found.removed - set(range(start, term.stop)))


def _visit(visits: Sequence[When]) -> Moment | None:
    if not visits:
        return None
    day = next((v.day for v in visits if v.day), None)
    clock = next((v.clock for v in visits if v.clock), None)
    others = [f"– {v.day:%d.%m.%Y}" for v in visits if v.day and v.day != day]
    return Moment(day, clock, " ".join([*(v.note for v in visits if v.note), *others]))
