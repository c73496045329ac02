"""Invoice phrases: a table of phrases with their meaning, and what holds for every phrase."""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sigma.domain.catalogue.phrase.errors import CODES, PhraseError
from sigma.domain.catalogue.phrase.model import Answers, Ask, KnownService, Moment, Phrase
from sigma.domain.catalogue.phrase.parse import parse_phrase
from sigma.domain.catalogue.phrase.vocabulary import NUMBER_WORDS, SCALES, WHOLE_SUMS
from sigma.domain.money import Money

TODAY = date(2026, 11, 24)  # a Tuesday
TABLE = Path(__file__).with_name("invoice_phrases.txt")
SERVICES = (
    KnownService("Маникюр", Money(120_000)),
    KnownService("Маникюр классический", Money(150_000)),
    KnownService("Педикюр", Money(200_000)),
    KnownService("Массаж 60 минут", Money(250_000)),
    KnownService("Брови", Money(50_000), is_fixed=False),
    KnownService("Дизайн"),
    KnownService("Стрижка женская", Money(180_000)),
    KnownService("Стрижка мужская", Money(120_000)),
)


def table() -> list[tuple[str, str]]:
    """Return (phrase, meaning) of every line of the table that is not a heading."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    rows = [line.split(" => ") for line in lines if line and not line.startswith("# ")]
    return [(phrase, meaning) for phrase, meaning in rows]


def meaning_of(text: str, **context: object) -> str:
    """Return the meaning of a phrase in the notation of the table."""
    try:
        return describe(parse_phrase(text, TODAY, **context))  # type: ignore[arg-type]
    except PhraseError as error:
        return " ".join(part for part in ("error", error.code, error.currency) if part)


def describe(phrase: Phrase) -> str:
    """Return a phrase in the notation of the table."""
    items = "; ".join(f"{i.name} {i.quantity:f}×{i.price.to_decimal_text()}" for i in phrase.items)
    parts = {
        "items": items,
        "until": _moment_text(phrase.deadline),
        "visit": _moment_text(phrase.visit),
        "ask": ",".join(phrase.ask),
        "choices": ",".join(choice.to_decimal_text() for choice in phrase.choices),
    }
    amount = phrase.amount.to_decimal_text() if phrase.amount else "?"
    return " | ".join(
        [amount, phrase.title, *(f"{name} {text}" for name, text in parts.items() if text)]
    )


def _moment_text(moment: Moment | None) -> str:
    if moment is None:
        return ""
    clock = f"{moment.clock:%H:%M}" if moment.clock else ""
    return " ".join(str(part) for part in (moment.day or "", clock, moment.note) if part)


@pytest.mark.parametrize(("text", "meaning"), table())
def test_phrase_has_the_meaning_of_the_table(text: str, meaning: str) -> None:
    assert meaning_of(text) == meaning


def test_table_is_large_and_covers_every_question_and_error() -> None:
    text = TABLE.read_text(encoding="utf-8")
    assert len(table()) >= 150
    assert len({phrase for phrase, _ in table()}) == len(table())
    needs_context = {Ask.SERVICE_WHICH, Ask.CURRENCY}
    assert [ask for ask in set(Ask) - needs_context if ask not in text] == []
    assert [code for code in CODES if f"error {code}" not in text and code != "too_long"] == []


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("маникюр", "1200.00 | Маникюр"),
        ("маникюр завтра", "1200.00 | Маникюр | until 2026-11-25 | ask visit_or_deadline"),
        ("маникюр завтра в 15", "1200.00 | Маникюр | visit 2026-11-25 15:00"),
        ("счёт за педикюр до пятницы", "2000.00 | Педикюр | until 2026-11-27"),
        ("маникюра классического", "1500.00 | Маникюр классический"),
        ("маникюр 1300", "1300.00 | Маникюр"),
        ("классический маникюр", "1500.00 | Маникюр классический"),
        ("массаж 60", "2500.00 | Массаж 60 минут"),
        ("массаж 60 минут", "2500.00 | Массаж 60 минут"),
        ("массаж 60 минут 2700", "2700.00 | Массаж 60 минут"),
        ("брови", "500.00 | Брови | ask amount_confirm"),
        ("2 педикюра", "2000.00 | Педикюр | ask amount_confirm"),
        ("дизайн", "error no_amount"),
        ("ресницы", "error no_amount"),
        ("стрижка", "? | Стрижка | ask service_which"),
        (
            "маникюр + педикюр",
            "3200.00 | Маникюр, Педикюр | items Маникюр 1×1200.00; Педикюр 1×2000.00",
        ),
    ],
)
def test_known_service_gives_its_price_to_a_phrase_without_a_sum(text: str, meaning: str) -> None:
    assert meaning_of(text, services=SERVICES) == meaning


@pytest.mark.parametrize(
    ("text", "accepted", "meaning"),
    [
        ("25 евро маникюр", {"RUB", "EUR"}, "25.00 | Маникюр"),
        ("маникюр €25,50", {"EUR"}, "25.50 | Маникюр"),
        ("2500 тенге маникюр", {"KZT"}, "2500.00 | Маникюр"),
        ("25 белорусских рублей маникюр", {"BYN"}, "25.00 | Маникюр"),
        ("25 рублей маникюр", {"BYN"}, "error currency_not_accepted RUB"),
        ("2500 маникюр", {"EUR", "USD"}, "2500.00 | Маникюр | ask currency"),
        ("2500 маникюр €", {"RUB"}, "error currency_not_accepted EUR"),
        (
            "маникюр 2500 ₽ или 25 евро",
            {"RUB", "EUR"},
            "? | Маникюр | ask amount_which | choices 2500.00,25.00",
        ),
    ],
)
def test_currency_is_the_one_named_if_the_connection_takes_it(
    text: str, accepted: set[str], meaning: str
) -> None:
    assert meaning_of(text, accepted=accepted) == meaning


def test_number_without_currency_is_in_the_only_accepted_one() -> None:
    amount = parse_phrase("2500 маникюр", TODAY, accepted={"KZT"}).amount
    assert amount == Money(250_000, "KZT")


@pytest.mark.parametrize(
    ("text", "answers", "meaning"),
    [
        ("2500 маникюр завтра", Answers(day="visit"), "2500.00 | Маникюр | visit 2026-11-25"),
        ("2500 маникюр завтра", Answers(day="deadline"), "2500.00 | Маникюр | until 2026-11-25"),
        ("2500 зал на 3 дня", Answers(day="duration"), "2500.00 | Зал на 3 дня"),
        ("2500 зал на 3 дня", Answers(day="deadline"), "2500.00 | Зал | until 2026-11-27"),
        ("1.500 маникюр", Answers(amount="1500.00"), "1500.00 | Маникюр"),
        ("маникюр 1500-2000", Answers(amount="2000.00"), "2000.00 | Маникюр"),
        (
            "стрижка 1500 борода 500",
            Answers(amount="items"),
            "2000.00 | Стрижка, борода | items Стрижка 1×1500.00; Борода 1×500.00",
        ),
        ("стрижка 1500 борода 500", Answers(amount="1500.00"), "1500.00 | Стрижка, борода"),
        (
            "маникюр 1500-2000",
            Answers(amount="1.00"),  # not one of the choices
            "? | Маникюр | ask amount_which | choices 1500.00,2000.00",
        ),
    ],
)
def test_answer_closes_the_question(text: str, answers: Answers, meaning: str) -> None:
    assert meaning_of(text, answers=answers) == meaning


def test_answer_names_one_of_several_services() -> None:
    answers = Answers(service="Стрижка мужская")
    found = parse_phrase("стрижка", TODAY, services=SERVICES, answers=answers)
    assert (found.amount, found.title) == (Money(120_000), "Стрижка мужская")


def test_very_long_phrase_is_refused_quickly() -> None:
    for text in ("1 " * 100_000, "до " * 100_000, "а" * 301, "2500 " + "маникюр " * 40):
        with pytest.raises(PhraseError) as caught:
            parse_phrase(text, TODAY)
        assert caught.value.code == "too_long"


def numbers_in(text: str) -> Iterator[Decimal]:
    """Yield every number that is written in a phrase, times each scale word of the phrase.

    Independent of the parser: all ways to read the digits, and all sums of neighbouring words.
    """
    words = re.findall(r"[^\W\d_]+|\d[\d \u00a0'’.,]*", text.casefold().replace("ё", "е"))
    scales = {Decimal(1), *(Decimal(SCALES[w]) for w in words if w in SCALES)}
    plain: set[Decimal] = {WHOLE_SUMS[w] for w in words if w in WHOLE_SUMS}
    for word in words:
        groups = word.split()
        spans = [(a, b) for a in range(len(groups)) for b in range(a + 1, len(groups) + 1)]
        for piece in ["".join(groups[a:b]) for a, b in spans]:
            bare = re.sub(r"[ \u00a0'’]", "", piece).strip(".,")
            for reading in (re.sub(r"[.,]", "", bare), bare.replace(",", "."), bare):
                if re.fullmatch(r"\d+(\.\d+)?", reading):
                    plain.add(Decimal(reading))
    spoken = [NUMBER_WORDS[w][0] for w in words if w in NUMBER_WORDS]
    plain |= {sum(spoken[a:b], Decimal(0)) for a in range(len(spoken)) for b in range(a + 1, 9)}
    for number in {*plain, Decimal(1), Decimal("1.5")}:
        for scale in scales:
            yield number * scale
            yield from (number * scale + rest for rest in plain if rest < scale)


AMOUNTS = st.one_of(
    st.integers(50, 99_999).map(str),
    st.integers(1_000, 999_999).map(lambda n: f"{n:,}".replace(",", " ")),
    st.integers(50, 9_999).map(lambda n: f"{n} ₽"),
    st.integers(1, 99).map(lambda n: f"{n} тыс"),
    st.integers(1, 99).map(lambda n: f"{n}к"),
    st.sampled_from(["две тысячи", "полторы тысячи", "пятьсот", "сто пятьдесят рублей"]),
)
NOISE = st.sampled_from(
    [
        *("завтра", "25.11", "до 25.11", "в 15:00", "60 минут", "на 2 часа", "8 занятий", "№ 5"),
        *("скидка 10%", "до пятницы", "размер 42", "2-й сеанс", "25 ноября", "в 4 руки", "+", ","),
    ]
)
WORDS = st.sampled_from(["маникюр", "педикюр", "стрижка", "уход за лицом", "и", "за", "по"])


@settings(deadline=None, max_examples=300, derandomize=True)
@given(st.lists(st.one_of(AMOUNTS, NOISE, WORDS), min_size=1, max_size=7).map(" ".join))
@example("маникюр 1500 + педикюр 2000")
def test_sum_is_always_a_number_of_the_phrase(text: str) -> None:
    try:
        found = parse_phrase(text, TODAY)
    except PhraseError:
        return
    named = set(numbers_in(text))
    prices = [item.price for item in found.items] or [m for m in [found.amount] if m]
    for price in prices:
        assert Decimal(price.to_decimal_text()) in named, text
    if found.items and found.amount is not None:
        total = sum(item.amount.minor for item in found.items)
        assert found.amount.minor == total


@settings(deadline=None, max_examples=300, derandomize=True)
@given(AMOUNTS, st.lists(NOISE.filter(lambda n: n not in "+,"), max_size=3).map(" ".join))
@example("1500", "размер 42 до 25.11")
def test_day_time_or_measure_is_never_the_sum(amount: str, noise: str) -> None:
    alone = parse_phrase(f"маникюр {amount}", TODAY)
    for text in (f"маникюр {noise} {amount}", f"{noise} маникюр {amount}"):
        assert parse_phrase(text, TODAY).amount == alone.amount, text


@settings(deadline=None, max_examples=300, derandomize=True)
@given(st.text(max_size=60))
@example("до")
@example("₽ $ € -")
@example("по")
@example("на 3")
@example("² 25 ½ ٣٤ 𝟙")
def test_any_text_is_a_phrase_or_a_known_error(text: str) -> None:
    try:
        found = parse_phrase(text, TODAY)
    except PhraseError:
        return
    assert found.title.strip() == found.title != ""
    assert found.amount is None or found.amount.minor > 0
    assert found.amount is not None or len(found.choices) > 0
