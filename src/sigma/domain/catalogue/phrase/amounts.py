"""Which numbers of a phrase are the amount of the invoice, and which are its items."""

from collections.abc import Collection, Iterable, Sequence, Set
from dataclasses import dataclass, replace
from decimal import Decimal

from sigma.domain.catalogue.phrase.counted_names import nominative
from sigma.domain.catalogue.phrase.errors import PhraseError
from sigma.domain.catalogue.phrase.model import Ask, PhraseItem
from sigma.domain.catalogue.phrase.numbers import SMALL, Strength, Sum, norm_at
from sigma.domain.catalogue.phrase.scan import Scan, total_value
from sigma.domain.catalogue.phrase.titles import title_of
from sigma.domain.catalogue.phrase.vocabulary import ALTERNATIVES, HARD_UNITS, PARTS, TIME_UNITS
from sigma.domain.money import Money, MoneyError

_SEPARATORS = {"+", ",", ";", "и", "плюс", "&", "and", "plus"}
DEFAULT_CURRENCY = "RUB"


@dataclass(frozen=True, slots=True)
class Amounts:
    """The amount of a phrase. `removed`: the tokens of the sums, which are not in the title.

    `choices`: the amounts to choose from while `amount` is None.
    """

    amount: Money | None
    removed: Set[int]
    items: tuple[PhraseItem, ...] = ()
    ask: tuple[Ask, ...] = ()
    choices: tuple[Money, ...] = ()
    title: str = ""


@dataclass(frozen=True, slots=True)
class AmountReader:
    """Decides on the sums of a scanned phrase. `accepted`: currencies of the connection."""

    text: str
    scan: Scan
    accepted: Collection[str]

    def read(self) -> Amounts | None:
        """Return the amount, or None when no number can be one. Raises PhraseError."""
        sums = _likely(self.scan.sums)
        if not sums:
            return None
        if any(s.is_negative for s in sums):
            raise PhraseError("amount_not_positive")
        sums, ask = self._in_accepted_currency(self._without_repeated(sums))
        found = self._decide(sums)
        if self.scan.has_percent and Ask.DISCOUNT not in found.ask:
            ask = (*ask, Ask.DISCOUNT)
        is_open = Ask.AMOUNT_WHICH in found.ask or Ask.AMOUNT_FORMAT in found.ask
        extra = tuple(a for a in ask if a not in found.ask and not (is_open and a in _NOTES))
        return replace(found, ask=(*found.ask, *extra))

    def _without_repeated(self, sums: list[Sum]) -> list[Sum]:
        """Join a sum and the same sum in words after it: «3000 (три тысячи) рублей»."""
        joined: list[Sum] = []
        for one in sums:
            previous = joined[-1] if joined else None
            gap = [t.norm for t in self.scan.tokens[previous.stop : one.start]] if previous else []
            if previous and gap in ([], ["("]) and previous.amount == one.amount:
                joined[-1] = replace(
                    max(one, previous, key=_strength), start=previous.start, stop=one.stop
                )
            else:
                joined.append(one)
        return joined

    def _in_accepted_currency(self, sums: list[Sum]) -> tuple[list[Sum], tuple[Ask, ...]]:
        """Return the sums in accepted currencies; raise if the phrase has only others."""
        named = [replace(s, currency=s.currency or self.scan.currency) for s in sums]
        refused = [s for s in named if s.currency and s.currency not in self.accepted]
        good = [s for s in named if s.currency in self.accepted]
        if refused and not good:
            raise PhraseError("currency_not_accepted", refused[0].currency or "")
        if refused:
            return good, (Ask.AMOUNT_CONFIRM,)
        is_unclear = (
            not good and DEFAULT_CURRENCY not in self.accepted and len(set(self.accepted)) > 1
        )
        return named, (Ask.CURRENCY,) if is_unclear else ()

    def _decide(self, sums: list[Sum]) -> Amounts:
        discounts = [s for s in sums if s.is_discount]
        others = [s for s in sums if not s.is_discount]
        if discounts and others:
            found = self._decide(others)
            return replace(found, ask=tuple(dict.fromkeys((*found.ask, Ask.DISCOUNT))))
        if len(sums) == 1:
            return self._one(sums[0])
        if len({s.currency for s in sums if s.currency}) > 1 or self._has_alternatives():
            return self._which(sums)
        totals = [s for s in sums if s.is_total]
        counted = [s for s in sums if s.quantity != 1]
        if len(sums) == 2 and len(counted) == 1 and not totals:  # «3000 за 2 массажа по 1500»
            totals = [s for s in sums if s.quantity == 1 and s.amount == counted[0].amount]
            has_names = self._names_by_separator(sums) or self._names_by_order(sums)
            if not totals and not has_names and all(s.amount >= SMALL for s in sums):
                return self._which(sums)
        if len(totals) == 1:
            return self._with_total([s for s in sums if s is not totals[0]], totals[0])
        return self._items(sums) or self._strongest(sums)

    def _has_alternatives(self) -> bool:
        """Return whether the sums exclude each other: «или», «вместо», «предоплата», a range."""
        norms = [t.norm for n, t in enumerate(self.scan.tokens) if n not in self.scan.removed]
        words = any(PARTS.fullmatch(norm) for norm in norms)
        between = any(
            norm_at(self.scan.tokens, s.start - 1) in ALTERNATIVES for s in self.scan.sums
        ) or bool(ALTERNATIVES & {"или", "либо", "or", "вместо", "было", "instead"} & set(norms))
        is_minus = any(norm == "минус" or norm == "minus" for norm in norms)
        return self.scan.has_range or words or between or is_minus

    def _one(self, found: Sum) -> Amounts:
        removed = set(range(found.start, found.stop))
        if found.readings:
            choices = _valid(self._money(value, found) for value in found.readings)
            is_split = any(t.is_grouped for t in self.scan.tokens[found.start : found.stop])
            question = Ask.AMOUNT_WHICH if is_split else Ask.AMOUNT_FORMAT
            return Amounts(None, removed, ask=(question,), choices=choices)
        amount = self._require(found.amount, found)
        ask = (Ask.AMOUNT_CONFIRM,) if self._is_unsure(found) else ()
        items: tuple[PhraseItem, ...] = ()
        if found.quantity != 1:
            removed = self._price_tokens(found)
            named = set(range(found.start, found.stop))
            name = title_of(self.text, self.scan.tokens, self.scan.removed | removed | named)
            number = {found.start} if found.start not in removed else set()
            name = name or title_of(
                self.text, self.scan.tokens, self.scan.removed | removed | number
            )
            name = nominative(name) if found.start not in removed else name
            items = (PhraseItem(name, found.quantity, self._require(found.value, found)),)
        return Amounts(amount, removed, items, ask)

    def _price_tokens(self, found: Sum) -> set[int]:
        """Return the tokens of a price with a quantity; «2 занятия» stays for the title."""
        tokens = self.scan.tokens
        words = [
            n
            for n in range(found.start, found.stop)
            if norm_at(tokens, n) in ("по", "at", "@", "each")
        ]
        is_count_first = bool(words) and words[0] > found.start + 1
        unit = norm_at(tokens, found.start + 1)
        is_piece = unit.startswith(("шт", "раз", "pc", "piece", "times"))
        if not is_count_first or is_piece or HARD_UNITS.fullmatch(unit):
            return set(range(found.start, found.stop))
        return set(range(words[0], found.stop))

    def _is_unsure(self, found: Sum) -> bool:
        is_small = found.strength is Strength.SMALL
        return found.is_unsure or is_small or self.scan.has_unit_price

    def _which(self, sums: Sequence[Sum]) -> Amounts:
        removed = {n for s in sums for n in range(s.start, s.stop)}
        values = [self._money(value, s) for s in sums for value in (s.readings or (s.amount,))]
        choices = tuple(dict.fromkeys(_valid(values)))
        if not choices:
            raise PhraseError("amount_not_positive")
        return Amounts(None, removed, ask=(Ask.AMOUNT_WHICH,), choices=choices)

    def _strongest(self, sums: list[Sum]) -> Amounts:
        """Return the only signed sum, else the only plain one, else ask."""
        for strength in (Strength.SIGNED, Strength.PLAIN):
            strong = [s for s in sums if s.strength == strength]
            larger = [s for s in sums if s.strength is Strength.PLAIN and s.value >= 2 * SMALL]
            is_tiny = len(strong) == 1 and strong[0].value < SMALL and bool(larger)
            if is_tiny:  # «обувь 38 р 3500»
                return self._which(sums)
            if len(strong) == 1 and not self._is_letter_beside(strong[0], sums):
                return self._one(strong[0])
            if len(strong) == 1:  # «дом 2к 5000»
                return self._which(sums)
            if strong:
                return self._which(strong)
        return self._which(sums)

    def _is_letter_beside(self, strong: Sum, sums: Sequence[Sum]) -> bool:
        """Return whether a sum is one only by «к» or «т», and a plain number stands beside it."""
        letter = norm_at(self.scan.tokens, strong.stop - 1)
        is_letter = letter in ("к", "k", "т") and strong.currency is None
        return is_letter and any(s.strength is Strength.PLAIN for s in sums)

    def _with_total(self, parts: list[Sum], total: Sum) -> Amounts:
        """Return items with a stated total; ask if it is not their sum."""
        rest = _without_sum(self.scan, total)
        reader = replace(self, scan=rest)
        found = reader._items(parts) if len(parts) > 1 else None
        removed = {n for s in (*parts, total) for n in range(s.start, s.stop)}
        if found is None or total_value(parts) == total.amount:
            if found is None and total_value(parts) != total.amount:
                return self._which([*parts, total])
            if found is None:
                found = reader._one(parts[0])
                removed = set(range(total.start, total.stop))
            return replace(found, removed=found.removed | removed, ask=(), choices=())
        choices = _valid((found.amount, self._money(total.amount, total)))
        return replace(found, amount=None, ask=(Ask.ITEMS_OR_TOTAL,), choices=choices)

    def _items(self, sums: list[Sum]) -> Amounts | None:
        """Return one item for each sum with its own words, or None.

        First by separators («маникюр 1500 + педикюр 2000»), then by order («стрижка 1500 борода
        500»). The order alone is not sure: the seller is asked.
        """
        if any(s.readings for s in sums):
            return None
        ask: tuple[Ask, ...] = ()
        # A quantity makes a number a sum, not more of a sum than «педикюр 2000» beside it.
        strengths = {
            Strength.PLAIN if s.quantity != 1 and not s.currency else s.strength for s in sums
        }
        if len(strengths) > 1 or min(strengths) < Strength.PLAIN:
            ask = (Ask.ITEMS_OR_TOTAL,)
        separated = self._names_by_separator(sums)
        if separated is not None:
            names, extra = separated
        else:
            ask = (Ask.ITEMS_OR_TOTAL,)
            is_weak = min(s.strength for s in sums) < Strength.PLAIN
            ordered = None if is_weak else self._names_by_order(sums)
            if ordered is None:
                return None
            names, extra = ordered, ""
        items = tuple(
            PhraseItem(name, s.quantity, self._require(s.value, s))
            for name, s in zip(names, sums, strict=True)
        )
        title = ", ".join([names[0], *(_lower_first(name) for name in names[1:])])
        amount = self._require(total_value(sums), replace(sums[0], currency=_currency(sums)))
        choices = _valid((amount, *(item.amount for item in items))) if ask else ()
        removed = {n for s in sums for n in range(s.start, s.stop)}
        return Amounts(
            amount, removed, items, ask, choices, title + (f", {extra}" if extra else "")
        )

    def _names_by_separator(self, sums: list[Sum]) -> tuple[list[str], str] | None:
        """Return the name of each sum and the words of a part without a sum."""
        tokens = self.scan.tokens
        inside = {n for s in sums for n in range(s.start, s.stop)}
        stops = [n for n, t in enumerate(tokens) if t.norm in _SEPARATORS and n not in inside]
        parts: list[tuple[int, int]] = []
        for first, last in zip([-1, *stops], [*stops, len(tokens)], strict=True):
            parts.append((first + 1, last))
        names, extra, pending = [], [], -1
        for first, last in parts:
            owned = [s for s in sums if first <= s.start < last]
            if len(owned) > 1:
                return None
            start = first if pending < 0 or owned == [] else pending
            name = self._name(start, last)
            if owned:
                if not name:
                    return None
                names.append(name)
                pending = -1
            elif name and len(names) == len(sums):
                extra.append(_lower_first(name))
            elif name and pending < 0:
                pending = first  # «стрижка и борода 1500»: the words belong to the next sum
        return (names, ", ".join(extra)) if len(names) == len(sums) else None

    def _names_by_order(self, sums: list[Sum]) -> list[str] | None:
        edges = [0, *(n for s in sums for n in (s.start, s.stop)), len(self.scan.tokens)]
        gaps = [self._name(edges[n], edges[n + 1]) for n in range(0, len(edges), 2)]
        if all(gaps[:-1]) and not gaps[-1]:
            return gaps[:-1]
        return gaps[1:] if all(gaps[1:]) and not gaps[0] else None

    def _name(self, start: int, stop: int) -> str:
        outside = set(range(start)) | set(range(stop, len(self.scan.tokens)))
        sums: set[int] = set()
        for one in self.scan.sums:
            has_time = norm_at(self.scan.tokens, one.start + 1) in TIME_UNITS
            whole = set(range(one.start, one.stop))
            sums |= whole if has_time else self._price_tokens(one) | {one.start}
        return title_of(self.text, self.scan.tokens, outside | sums | self.scan.removed)

    def _money(self, value: Decimal, found: Sum) -> Money | PhraseError:
        currency = found.currency or self._default_currency()
        if value <= 0:
            return PhraseError("amount_not_positive")
        try:
            return Money.parse(f"{value:f}", currency)
        except MoneyError as error:
            is_fraction = error.code == "money_fraction"
            return PhraseError("no_amount" if is_fraction else "amount_too_large")

    def _require(self, value: Decimal, found: Sum) -> Money:
        money = self._money(value, found)
        if isinstance(money, PhraseError):
            raise money
        return money

    def _default_currency(self) -> str:
        return DEFAULT_CURRENCY if DEFAULT_CURRENCY in self.accepted else min(self.accepted)


_NOTES = {Ask.AMOUNT_CONFIRM, Ask.DISCOUNT}


def _without_sum(scan: Scan, number: Sum) -> Scan:
    """Return the scan without a sum and its words."""
    removed = scan.removed | set(range(number.start, number.stop))
    before = number.start - 1
    while norm_at(scan.tokens, before) in (":", "-", "=", "итого", "всего", "total", ",", "—", "–"):
        removed.add(before)
        before -= 1
    return replace(scan, removed=removed, sums=[s for s in scan.sums if s is not number])


def _strength(number: Sum) -> Strength:
    return number.strength


def _likely(sums: Sequence[Sum]) -> list[Sum]:
    """Return the sums without small plain numbers, if there are others."""
    larger = [s for s in sums if s.strength > Strength.SMALL]
    return larger or [s for s in sums if s.strength > Strength.NEVER]


def _valid(values: Iterable[Money | PhraseError | None]) -> tuple[Money, ...]:
    return tuple(dict.fromkeys(v for v in values if isinstance(v, Money)))


def _currency(sums: Sequence[Sum]) -> str | None:
    return next((s.currency for s in sums if s.currency), None)


def _lower_first(name: str) -> str:
    """Return the name with a small first letter, unless it is an abbreviation («SPA»)."""
    return name if name[1:2].isupper() else name[:1].lower() + name[1:]
