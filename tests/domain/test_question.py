"""Questions: how every kind of answer is read, and which questions cannot be asked."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.domain.billing.question import (
    BUILT_IN,
    LIMITS,
    RESERVED,
    Kind,
    Question,
    Value,
    check_questions,
    read_answers,
    read_phone,
)
from sigma.domain.errors import Problem

OPTIONS = ("S", "M", "Размер L")
ONE_OF_EACH = tuple(
    Question(
        kind.value if kind in BUILT_IN else f"own_{kind}",
        kind,
        label="" if kind in BUILT_IN else f"Поле {kind}",
        options=OPTIONS if kind in (Kind.SELECT, Kind.MULTISELECT) else (),
    )
    for kind in Kind
)


def own(kind: Kind, **more: Any) -> Question:
    return Question("x", kind, label="Поле", **more)


def read(question: Question, *typed: str) -> Value | str | None:
    """The answer, or the problem's code in angle quotes, or None for no answer."""
    answers, problems = read_answers((question,), {question.key: list(typed)})
    assert len(problems) + len(answers) <= 1
    if problems:
        assert problems[0].field == question.key
        return f"‹{problems[0].code}›"
    return answers.get(question.key)


@pytest.mark.parametrize(
    "typed",
    [
        "+79161234567",
        "+7 916 123-45-67",
        "+7 (916) 123-45-67",
        "+7(916)1234567",
        "+7-916-123-45-67",
        "8 916 123 45 67",
        "8(916)123-45-67",
        "8-916-123-45-67",
        "89161234567",
        "8 9161234567",
        "79161234567",
        "7 916 123 45 67",
        "9161234567",
        "916 123-45-67",
        "(916) 123-45-67",
        "  +7 916 123-45-67  ",
        "+7\u00a0916\u00a0123\u201145\u201167",  # no-break spaces and hyphens
        "+7.916.123.45.67",
        "+8 916 123-45-67",  # a country that does not exist: the eight is meant
        "8-916-123-45-67 доб. 12",
        "тел. 8 916 123-45-67",
    ],
)
def test_a_mobile_phone_in_any_usual_russian_spelling_is_one_number(typed: str) -> None:
    assert read_phone(typed) == "+79161234567"


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("8 800 555-35-35", "+78005553535"),
        ("495 123-45-67", "+74951234567"),
        ("8 (4852) 12-34-56", "+74852123456"),
        ("8 8172 12-34-56", "+78172123456"),
        ("+77011234567", "+77011234567"),  # Kazakhstan shares the code
        ("+375 29 123-45-67", "+375291234567"),
        ("+1 202 555 0123", "+12025550123"),
    ],
)
def test_other_phones_are_read_too(typed: str, stored: str) -> None:
    assert read_phone(typed) == stored


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("8916123456", "phone_short"),
        ("+7916123456", "phone_short"),
        ("916123456", "phone_short"),
        ("+791612345678", "phone_long"),
        ("891612345678", "phone_long"),
        ("+7 000 000 00 00", "phone"),
        ("позвоните мне", "phone"),
        ("12", "phone_short"),
        ("+", "phone"),
        ("9" * 300, "phone"),
    ],
)
def test_a_wrong_phone_is_refused_with_what_is_wrong(typed: str, code: str) -> None:
    problem = read_phone(typed)
    assert isinstance(problem, Problem)
    assert problem.code == code


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("ivan@mail.ru", "ivan@mail.ru"),
        ("  ivan@mail.ru ", "ivan@mail.ru"),
        ("Ivan.Petrov+x@Mail.RU", "Ivan.Petrov+x@mail.ru"),
        ("почта@пример.рф", "почта@пример.рф"),
    ],
)
def test_an_email_is_kept_in_its_normal_form(typed: str, stored: str) -> None:
    assert read(Question("email", Kind.EMAIL), typed) == stored


@pytest.mark.parametrize(
    "typed",
    [
        "ivan",
        "ivan@",
        "@mail.ru",
        "ivan@mail",
        "ivan @mail.ru",
        "ivan@mail..ru",
        "a@mail.ru, b@mail.ru",
        "ivan@mail.ru\nBcc: x@y.ru",
        "Иван <ivan@mail.ru>",
        "ivan@[127.0.0.1]",
        "ivan@" + "a" * 250 + ".ru",
    ],
)
def test_what_is_no_email_is_refused(typed: str) -> None:
    assert read(Question("email", Kind.EMAIL), typed) == "‹email›"


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("2026-11-24", "2026-11-24"),
        ("24.11.2026", "2026-11-24"),
        ("5.3.2026", "2026-03-05"),
        ("29.02.2028", "2028-02-29"),
        ("29.02.2026", "‹date›"),
        ("31.04.2026", "‹date›"),
        ("2026-13-01", "‹date›"),
        ("24/11/2026", "‹date›"),
        ("24.11.26", "‹date›"),
        ("20261124", "‹date›"),
        ("2026-W48-2", "‹date›"),
        ("завтра", "‹date›"),
    ],
)
def test_a_date_is_read_as_russians_and_browsers_write_it(typed: str, stored: str) -> None:
    assert read(own(Kind.DATE), typed) == stored


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("12", "12"),
        ("-3", "-3"),
        ("+3", "3"),
        ("0", "0"),
        ("3,5", "3.5"),
        ("3.50", "3.50"),
        ("1 234,5", "1234.5"),
        ("1\u00a0234", "1234"),
        ("1,234.5", "‹number›"),
        ("1e5", "‹number›"),
        ("1e-999999999", "‹number›"),  # would fill a gigabyte with zeros
        ("NaN", "‹number›"),
        ("-Infinity", "‹number›"),
        ("1_000", "‹number›"),
        ("١٢", "‹number›"),
        ("двенадцать", "‹number›"),
        ("1" * 19, "‹number›"),
        ("1" * 31, "‹too_long›"),
    ],
)
def test_a_number_is_read_as_russians_write_it(typed: str, stored: str) -> None:
    assert read(own(Kind.NUMBER), typed) == stored


def test_a_choice_is_one_of_those_offered() -> None:
    select = own(Kind.SELECT, options=OPTIONS)
    assert read(select, "M") == "M"
    assert read(select, "Размер L ") == "Размер L"
    for tampered in ("XL", "m", "S,M", "<b>", "Размер"):
        assert read(select, tampered) == "‹choose›"


def test_several_choices_are_kept_once_and_in_the_sellers_order() -> None:
    question = own(Kind.MULTISELECT, options=OPTIONS)
    assert read(question, "M", "S") == ["S", "M"]
    assert read(question, "M", "M") == ["M"]
    assert read(question) is None
    assert read(question, "M", "XL") == "‹choose›"


def test_an_option_written_with_stray_spaces_can_be_chosen() -> None:
    assert read(own(Kind.SELECT, options=(" S ", "M")), " S ") == " S "
    assert read(own(Kind.MULTISELECT, options=(" S ", "M")), "S") == [" S "]


def test_a_box_is_ticked_or_not() -> None:
    box = own(Kind.CHECKBOX)
    assert read(box, "on") is True
    assert read(box) is False
    assert read(own(Kind.CHECKBOX, required=True)) == "‹must_tick›"


@pytest.mark.parametrize("kind", list(Kind))
def test_a_required_answer_cannot_be_empty_or_blank(kind: Kind) -> None:
    key = kind.value if kind in BUILT_IN else "x"
    options = OPTIONS if kind in (Kind.SELECT, Kind.MULTISELECT) else ()
    question = Question(key, kind, label="Поле", required=True, options=options)
    code = "‹must_tick›" if kind is Kind.CHECKBOX else "‹required›"
    for typed in ((), ("",), ("   ",), ("\u00a0", "\n")):
        assert read(question, *typed) == code


@pytest.mark.parametrize("kind", list(LIMITS))
def test_an_answer_that_is_too_long_is_refused_and_the_longest_is_not(kind: Kind) -> None:
    if kind is Kind.NUMBER:
        return
    question = Question(kind.value if kind in BUILT_IN else "x", kind, label="Поле")
    longest = "ж" * LIMITS[kind]
    assert read(question, longest) == longest
    assert read(question, longest + "ж") == "‹too_long›"


def test_what_was_not_asked_is_not_kept() -> None:
    answers, problems = read_answers(
        (Question("name", Kind.NAME),), {"name": ["Аня"], "role": ["owner"], "consent": ["on"]}
    )
    assert (answers, problems) == ({"name": "Аня"}, [])


def test_every_problem_is_told_and_right_answers_are_kept() -> None:
    questions = (
        Question("email", Kind.EMAIL, required=True),
        Question("phone", Kind.PHONE),
        Question("name", Kind.NAME),
    )
    answers, problems = read_answers(
        questions, {"email": ["x"], "phone": ["8916123456"], "name": ["Аня"]}
    )
    assert answers == {"name": "Аня"}
    assert [(p.field, p.code) for p in problems] == [("email", "email"), ("phone", "phone_short")]


typed_texts = st.text(max_size=60) | st.from_regex(r"[-+0-9eE.,:() ]{1,30}", fullmatch=True)


@given(st.dictionaries(st.sampled_from([q.key for q in ONE_OF_EACH]), st.lists(typed_texts)))
def test_whatever_is_posted_becomes_answers_or_problems(given: dict[str, list[str]]) -> None:
    answers, problems = read_answers(ONE_OF_EACH, given)
    assert set(answers) | {p.field for p in problems} <= {q.key for q in ONE_OF_EACH}
    assert not set(answers) & {p.field for p in problems}
    for value in answers.values():
        assert len(str(value)) < 4000


def faults(*questions: Question) -> set[tuple[str, str]]:
    return {(p.field, p.code) for p in check_questions(questions)}


def test_one_question_of_each_kind_can_be_asked() -> None:
    assert faults(*ONE_OF_EACH) == set()


@pytest.mark.parametrize(
    ("question", "fault"),
    [
        (Question("email", Kind.TEXT, label="Почта"), ("ask.0.kind", "key_kind")),
        (Question("mail", Kind.EMAIL), ("ask.0.kind", "key_kind")),
        (Question("email", Kind.PHONE), ("ask.0.kind", "key_kind")),
        (Question("", Kind.TEXT, label="x"), ("ask.0.key", "key_format")),
        (Question("Wish", Kind.TEXT, label="x"), ("ask.0.key", "key_format")),
        (Question("1st", Kind.TEXT, label="x"), ("ask.0.key", "key_format")),
        (Question("a b", Kind.TEXT, label="x"), ("ask.0.key", "key_format")),
        (Question("цвет", Kind.TEXT, label="x"), ("ask.0.key", "key_format")),
        (Question("a" * 41, Kind.TEXT, label="x"), ("ask.0.key", "key_format")),
        (Question("wish\n", Kind.TEXT, label="x"), ("ask.0.key", "key_format")),
        (Question("wish", Kind.TEXT, label="  "), ("ask.0.label", "required")),
        (Question("wish", Kind.TEXT, label="x" * 121), ("ask.0.label", "too_long")),
        (Question("wish", Kind.TEXT, label="a\x00b"), ("ask.0.label", "characters")),
        (Question("wish", Kind.TEXT, "x", hint="x" * 201), ("ask.0.hint", "too_long")),
        (Question("wish", Kind.TEXT, "x", hint="a\x1bb"), ("ask.0.hint", "characters")),
        (Question("size", Kind.SELECT, "x"), ("ask.0.options", "options")),
        (Question("size", Kind.SELECT, "x", options=("S", "S")), ("ask.0.options", "options")),
        (Question("size", Kind.SELECT, "x", options=("S", " S")), ("ask.0.options", "options")),
        (Question("size", Kind.SELECT, "x", options=("S", "")), ("ask.0.options", "options_long")),
        (
            Question("size", Kind.SELECT, "x", options=("x" * 101,)),
            ("ask.0.options", "options_long"),
        ),
        (
            Question("size", Kind.SELECT, "x", options=tuple(map(str, range(51)))),
            ("ask.0.options", "options_long"),
        ),
        (
            Question("size", Kind.SELECT, "x", options=("a\x00b",)),
            ("ask.0.options", "characters"),
        ),
        (Question("wish", Kind.TEXT, "x", options=("S",)), ("ask.0.options", "options_unexpected")),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(
    question: Question, fault: tuple[str, str]
) -> None:
    assert fault in faults(question)


@pytest.mark.parametrize("key", sorted(RESERVED))
def test_the_pages_own_fields_cannot_be_asked(key: str) -> None:
    assert ("ask.0.key", "key_format") in faults(Question(key, Kind.TEXT, label="x"))


def test_two_questions_cannot_share_a_key_and_there_is_a_limit() -> None:
    wish = Question("wish", Kind.TEXT, label="x")
    assert faults(wish, wish) == {("ask.1.key", "key_twice")}
    many = tuple(Question(f"q{n}", Kind.TEXT, label="x") for n in range(31))
    assert faults(*many) == {("ask", "too_many")}
    assert faults(*many[:30]) == set()


def test_only_contact_fields_need_a_consent() -> None:
    assert {q.kind for q in ONE_OF_EACH if q.personal} == set(BUILT_IN)
