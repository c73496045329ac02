"""Questions: how each kind of answer is parsed, and which questions are invalid."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.domain.billing.question import (
    BUILT_IN_KINDS,
    MAX_LENGTHS,
    RESERVED_KEYS,
    AnswerValue,
    Question,
    QuestionKind,
    check_questions,
    parse_answers,
)

TODAY = date(2026, 11, 24)
OPTIONS = ("S", "M", "Размер L")
ONE_OF_EACH = tuple(
    Question(
        kind.value if kind in BUILT_IN_KINDS else f"own_{kind}",
        kind,
        label="" if kind in BUILT_IN_KINDS else f"Поле {kind}",
        options=OPTIONS if kind in (QuestionKind.SELECT, QuestionKind.MULTISELECT) else (),
    )
    for kind in QuestionKind
)


def custom(kind: QuestionKind, **more: Any) -> Question:
    return Question("x", kind, label="Поле", **more)


def answer_or_code(question: Question, *typed: str) -> AnswerValue | str | None:
    """Return the answer, the problem's code in angle quotes, or None when there is no answer."""
    answers, problems = parse_answers((question,), {question.key: list(typed)}, today=TODAY)
    assert len(problems) + len(answers) <= 1
    if problems:
        assert problems[0].field == question.key
        return f"‹{problems[0].code}›"
    return answers.get(question.key)


@pytest.mark.parametrize("kind", [QuestionKind.TEXT, QuestionKind.TEXTAREA, QuestionKind.NUMBER])
def test_card_number_is_refused_in_an_answer(kind: QuestionKind) -> None:
    assert answer_or_code(custom(kind), "4111 1111 1111 1111") == "‹card_number›"
    name = Question("name", QuestionKind.NAME)
    assert answer_or_code(name, "IVAN 2200000000000004") == "‹card_number›"


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("Ан\u202eна\x00 \x1b[0m", "Анна [0m"),
        ("а\r\nб", "а б"),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"),
        ("می\u200cخواهم", "می\u200cخواهم"),
    ],
)
def test_answer_is_cleaned(typed: str, stored: str) -> None:
    assert answer_or_code(custom(QuestionKind.TEXT), typed) == stored


def test_long_answer_keeps_its_lines() -> None:
    assert answer_or_code(custom(QuestionKind.TEXTAREA), "а\r\nб\u2028в") == "а\nб\nв"


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("ivan@mail.ru", "ivan@mail.ru"),
        ("  ivan@mail.ru ", "ivan@mail.ru"),
        ("Ivan.Petrov+x@Mail.RU", "Ivan.Petrov+x@mail.ru"),
        ("почта@пример.рф", "почта@пример.рф"),
        ("\u200bivan@mail.ru\ufeff", "ivan@mail.ru"),
        ("\u202aivan@mail.ru\u202c", "ivan@mail.ru"),
        ("\u2068ivan@mail.ru\u2069\u200e", "ivan@mail.ru"),
        ("ivan\u00ad@mail.ru", "ivan@mail.ru"),
        ("Иван <ivan@mail.ru>", "ivan@mail.ru"),
        ("<ivan@mail.ru>,", "ivan@mail.ru"),
        ("mailto:ivan@mail.ru?subject=Счёт", "ivan@mail.ru"),
        ("«ivan@mail.ru».", "ivan@mail.ru"),
        ("ivan\uff20mail.ru", "ivan@mail.ru"),
        ("ivan@xn--e1afmkfd.xn--p1ai", "ivan@пример.рф"),
    ],
)
def test_email_is_stored_in_normal_form(typed: str, stored: str) -> None:
    assert answer_or_code(Question("email", QuestionKind.EMAIL), typed) == stored


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
        "ivan@" + "a" * 64 + ".ru",
        "a" * 65 + "@mail.ru",
        "a@mail.ru <b@mail.ru>",
        "Иван <ivan@mail.ru> <b@mail.ru>",
        "ivan@[127.0.0.1]",
        "ivan@" + "a" * 250 + ".ru",
    ],
)
def test_invalid_email_is_refused(typed: str) -> None:
    assert answer_or_code(Question("email", QuestionKind.EMAIL), typed) == "‹email›"


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("2026-11-24", "2026-11-24"),
        ("24.11.2026", "2026-11-24"),
        ("5.3.2026", "2026-03-05"),
        ("29.02.2028", "2028-02-29"),
        ("29.02.2026", "‹date_missing›"),
        ("31.04.2026", "‹date_missing›"),
        ("2026-13-01", "‹date_missing›"),
        ("24/11/2026", "‹date›"),
        ("5-12-2026", "2026-12-05"),
        ("5 12 2026", "2026-12-05"),
        ("2026.12.5", "2026-12-05"),
        ("05.12.2026 г.", "2026-12-05"),
        ("5 декабря 2026 года", "2026-12-05"),
        ("29 февраля 2026", "‹date_missing›"),
        ("5 декабря 26", "‹date_year›"),
        ("5 бабря 2026", "‹date›"),
        ("5 May 2027", "2027-05-05"),
        ("٠٥.١٢.٢٠٢٦", "2026-12-05"),
        ("０５．１２．２０２６", "2026-12-05"),
        ("24.11.26", "‹date_year›"),
        ("20261124", "‹date›"),
        ("2026-W48-2", "‹date›"),
        ("завтра", "‹date›"),
    ],
)
def test_a_date_is_read_as_russians_and_browsers_write_it(typed: str, stored: str) -> None:
    assert answer_or_code(custom(QuestionKind.DATE), typed) == stored


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
        ("1e-999999999", "‹number›"),  # would expand to a gigabyte of zeros
        ("NaN", "‹number›"),
        ("-Infinity", "‹number›"),
        ("1_000", "‹number›"),
        ("١٢", "‹number›"),
        ("двенадцать", "‹number›"),
        ("1" * 19, "‹number›"),
        ("1" * 31, "‹too_long›"),
    ],
)
def test_number_in_russian_notation_is_parsed(typed: str, stored: str) -> None:
    assert answer_or_code(custom(QuestionKind.NUMBER), typed) == stored


def test_selected_value_must_be_one_of_the_options() -> None:
    select = custom(QuestionKind.SELECT, options=OPTIONS)
    assert answer_or_code(select, "M") == "M"
    assert answer_or_code(select, "Размер L ") == "Размер L"
    for tampered in ("XL", "m", "S,M", "<b>", "Размер"):
        assert answer_or_code(select, tampered) == "‹choose›"


def test_multiple_choices_are_stored_once_in_option_order() -> None:
    question = custom(QuestionKind.MULTISELECT, options=OPTIONS)
    assert answer_or_code(question, "M", "S") == ["S", "M"]
    assert answer_or_code(question, "M", "M") == ["M"]
    assert answer_or_code(question) is None
    assert answer_or_code(question, "M", "XL") == "‹choose›"


def test_option_with_extra_spaces_can_be_chosen() -> None:
    assert answer_or_code(custom(QuestionKind.SELECT, options=(" S ", "M")), " S ") == " S "
    assert answer_or_code(custom(QuestionKind.MULTISELECT, options=(" S ", "M")), "S") == [" S "]


def test_checkbox_is_true_when_ticked_and_absent_otherwise() -> None:
    checkbox = custom(QuestionKind.CHECKBOX)
    assert answer_or_code(checkbox, "on") is True
    assert answer_or_code(checkbox) is False
    assert answer_or_code(custom(QuestionKind.CHECKBOX, required=True)) == "‹must_tick›"


@pytest.mark.parametrize("kind", list(QuestionKind))
def test_required_answer_cannot_be_empty_or_blank(kind: QuestionKind) -> None:
    key = kind.value if kind in BUILT_IN_KINDS else "x"
    options = OPTIONS if kind in (QuestionKind.SELECT, QuestionKind.MULTISELECT) else ()
    question = Question(key, kind, label="Поле", required=True, options=options)
    code = "‹must_tick›" if kind is QuestionKind.CHECKBOX else "‹required›"
    for typed in ((), ("",), ("   ",), ("\u00a0", "\n"), ("\u3164",), ("\u200b\u202e",)):
        assert answer_or_code(question, *typed) == code


@pytest.mark.parametrize("kind", list(MAX_LENGTHS))
def test_answer_over_max_length_is_refused(kind: QuestionKind) -> None:
    question = Question(kind.value if kind in BUILT_IN_KINDS else "x", kind, label="Поле")
    longest = "ж" * MAX_LENGTHS[kind]
    free = (QuestionKind.NAME, QuestionKind.ADDRESS, QuestionKind.TEXT, QuestionKind.TEXTAREA)
    if kind in free:
        assert answer_or_code(question, longest) == longest
    assert answer_or_code(question, longest) != "‹too_long›"
    assert answer_or_code(question, longest + "ж") == "‹too_long›"


def test_fields_without_question_are_ignored() -> None:
    answers, problems = parse_answers(
        (Question("name", QuestionKind.NAME),),
        {"name": ["Аня"], "role": ["owner"], "consent": ["on"]},
        today=TODAY,
    )
    assert (answers, problems) == ({"name": "Аня"}, [])


def test_all_problems_are_reported_and_valid_answers_are_returned() -> None:
    questions = (
        Question("email", QuestionKind.EMAIL, required=True),
        Question("phone", QuestionKind.PHONE),
        Question("name", QuestionKind.NAME),
    )
    answers, problems = parse_answers(
        questions, {"email": ["x"], "phone": ["8916123456"], "name": ["Аня"]}, today=TODAY
    )
    assert answers == {"name": "Аня"}
    assert [(p.field, p.code) for p in problems] == [("email", "email"), ("phone", "phone_short")]


typed_texts = st.text(max_size=60) | st.from_regex(r"[-+0-9eE.,:() ]{1,30}", fullmatch=True)


@given(st.dictionaries(st.sampled_from([q.key for q in ONE_OF_EACH]), st.lists(typed_texts)))
def test_any_posted_form_becomes_answers_or_problems(form: dict[str, list[str]]) -> None:
    answers, problems = parse_answers(ONE_OF_EACH, form, today=TODAY)
    assert set(answers) | {p.field for p in problems} <= {q.key for q in ONE_OF_EACH}
    assert not set(answers) & {p.field for p in problems}
    for value in answers.values():
        assert len(str(value)) < 4000


def problems_of(*questions: Question) -> set[tuple[str, str]]:
    return {(p.field, p.code) for p in check_questions(questions)}


def test_question_of_each_kind_is_valid() -> None:
    assert problems_of(*ONE_OF_EACH) == set()


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (Question("email", QuestionKind.TEXT, label="Почта"), ("ask.0.kind", "key_kind")),
        (Question("mail", QuestionKind.EMAIL), ("ask.0.kind", "key_kind")),
        (Question("email", QuestionKind.PHONE), ("ask.0.kind", "key_kind")),
        (Question("", QuestionKind.TEXT, label="x"), ("ask.0.key", "key_format")),
        (Question("Wish", QuestionKind.TEXT, label="x"), ("ask.0.key", "key_format")),
        (Question("1st", QuestionKind.TEXT, label="x"), ("ask.0.key", "key_format")),
        (Question("a b", QuestionKind.TEXT, label="x"), ("ask.0.key", "key_format")),
        (Question("цвет", QuestionKind.TEXT, label="x"), ("ask.0.key", "key_format")),
        (Question("a" * 41, QuestionKind.TEXT, label="x"), ("ask.0.key", "key_format")),
        (Question("wish\n", QuestionKind.TEXT, label="x"), ("ask.0.key", "key_format")),
        (Question("wish", QuestionKind.TEXT, label="  "), ("ask.0.label", "required")),
        (Question("wish", QuestionKind.TEXT, label="x" * 121), ("ask.0.label", "too_long")),
        (Question("wish", QuestionKind.TEXT, label="a\x00b"), ("ask.0.label", "characters")),
        (Question("wish", QuestionKind.TEXT, "x", hint="x" * 201), ("ask.0.hint", "too_long")),
        (Question("wish", QuestionKind.TEXT, "x", hint="a\x1bb"), ("ask.0.hint", "characters")),
        (Question("size", QuestionKind.SELECT, "x"), ("ask.0.options", "options")),
        (
            Question("size", QuestionKind.SELECT, "x", options=("S", "S")),
            ("ask.0.options", "options"),
        ),
        (
            Question("size", QuestionKind.SELECT, "x", options=("S", " S")),
            ("ask.0.options", "options"),
        ),
        (
            Question("size", QuestionKind.SELECT, "x", options=("S", "")),
            ("ask.0.options", "options_long"),
        ),
        (
            Question("size", QuestionKind.SELECT, "x", options=("x" * 101,)),
            ("ask.0.options", "options_long"),
        ),
        (
            Question("size", QuestionKind.SELECT, "x", options=tuple(map(str, range(51)))),
            ("ask.0.options", "options_long"),
        ),
        (
            Question("size", QuestionKind.SELECT, "x", options=("a\x00b",)),
            ("ask.0.options", "characters"),
        ),
        (
            Question("wish", QuestionKind.TEXT, "x", options=("S",)),
            ("ask.0.options", "options_unexpected"),
        ),
    ],
)
def test_invalid_question_is_refused_with_field_and_code(
    question: Question, expected: tuple[str, str]
) -> None:
    assert expected in problems_of(question)


@pytest.mark.parametrize("key", sorted(RESERVED_KEYS))
def test_reserved_key_is_refused(key: str) -> None:
    assert ("ask.0.key", "key_format") in problems_of(Question(key, QuestionKind.TEXT, label="x"))


def test_duplicate_key_and_more_than_30_questions_are_refused() -> None:
    question = Question("wish", QuestionKind.TEXT, label="x")
    assert problems_of(question, question) == {("ask.1.key", "key_twice")}
    many = tuple(Question(f"q{n}", QuestionKind.TEXT, label="x") for n in range(31))
    assert problems_of(*many) == {("ask", "too_many")}
    assert problems_of(*many[:30]) == set()


def test_only_contact_questions_are_personal() -> None:
    assert {q.kind for q in ONE_OF_EACH if q.is_personal} == set(BUILT_IN_KINDS)
