"""The questions of a payment form, and the parser of each kind of answer."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from sigma.domain.bank_cards import contains_card_number
from sigma.domain.billing.answer_dates import date_bounds, parse_date
from sigma.domain.errors import Problem, has_control_characters
from sigma.domain.text_cleaning import clean_text

KEY_PATTERN = re.compile(r"[a-z][a-z0-9_]{0,39}")
RESERVED_KEYS = {"consent", "nonce", "lang"}  # form fields of the payment page itself
MAX_KEEP_DAYS = 3650
MAX_QUESTIONS, MAX_LABEL, MAX_OPTIONS, MAX_OPTION = 30, 120, 50, 100  # texts in characters
MAX_HINT = 200

_NUMBER_PATTERN = re.compile(r"[-+]?\d{1,18}(\.\d+)?", re.ASCII)
# How mail programs and pages copy an address.
_MAILBOX = re.compile(r"[^<>@]*<([^<>\s]+)>[\s.,;]*")
_MAILTO = re.compile(r"^mailto:|(?<=\w)\?(?:subject|body|cc|bcc)=.*$", re.IGNORECASE | re.DOTALL)
_COPIED_AROUND = " \t.,;:()[]<>«»“”„‘’"

AnswerValue = str | list[str] | bool


class QuestionKind(StrEnum):
    """The kinds of questions. The first four are the built-in contact fields; key equals kind."""

    EMAIL = "email"
    PHONE = "phone"
    NAME = "name"
    ADDRESS = "address"
    TEXT = "text"
    TEXTAREA = "textarea"
    NUMBER = "number"
    DATE = "date"
    SELECT = "select"
    MULTISELECT = "multiselect"
    CHECKBOX = "checkbox"


BUILT_IN_KINDS = (QuestionKind.EMAIL, QuestionKind.PHONE, QuestionKind.NAME, QuestionKind.ADDRESS)
KINDS_WITH_OPTIONS = (QuestionKind.SELECT, QuestionKind.MULTISELECT)
_MULTILINE_KINDS = (QuestionKind.ADDRESS, QuestionKind.TEXTAREA)
# Characters. Checked before anything else is done with a text: a form may have 256 KB.
MAX_LENGTHS = {
    QuestionKind.EMAIL: 320,
    QuestionKind.PHONE: 100,
    QuestionKind.DATE: 100,
    QuestionKind.CHECKBOX: 100,
    QuestionKind.NAME: 150,
    QuestionKind.ADDRESS: 400,
    QuestionKind.TEXT: 300,
    QuestionKind.TEXTAREA: 3000,
    QuestionKind.NUMBER: 30,
}


@dataclass(frozen=True, slots=True)
class Question:
    """One field of the payment page. `key` is the name of the form field.

    `label` is empty for built-in kinds: the page has their labels in the client's language.
    `show_on_receipt`: the seller wants the answer on the receipt, which anyone with its link reads.
    `keep_days`: the answer is deleted so many days after it was given; 0: with the other answers
    of the shop.
    """

    key: str
    kind: QuestionKind
    label: str = ""
    required: bool = False
    options: tuple[str, ...] = ()
    hint: str = ""
    show_on_receipt: bool = False
    keep_days: int = 0

    @property
    def is_personal(self) -> bool:
        """Whether the answer is personal data that needs a consent: the built-in kinds are."""
        return self.kind in BUILT_IN_KINDS


def check_questions(questions: tuple[Question, ...]) -> list[Problem]:
    """Return the problems of a set of questions by field path ("ask.1.label")."""
    problems = []
    if len(questions) > MAX_QUESTIONS:
        problems.append(Problem("ask", "too_many", {"max": MAX_QUESTIONS}))
    keys: set[str] = set()
    for n, question in enumerate(questions):
        if question.key in keys:
            problems.append(Problem(f"ask.{n}.key", "key_twice", {"key": question.key}))
        keys.add(question.key)
        problems += [Problem(f"ask.{n}.{f}", c, p) for f, c, p in _question_problems(question)]
    return problems


def _question_problems(q: Question) -> list[tuple[str, str, dict[str, Any]]]:
    faults: list[tuple[str, str, dict[str, Any]]] = []
    if (q.kind in BUILT_IN_KINDS) != (q.key in BUILT_IN_KINDS) or (
        q.kind in BUILT_IN_KINDS and q.key != q.kind
    ):
        faults.append(("kind", "key_kind", {"key": q.key}))
    if not KEY_PATTERN.fullmatch(q.key) or q.key in RESERVED_KEYS:
        faults.append(("key", "key_format", {}))
    if q.kind not in BUILT_IN_KINDS and not clean_text(q.label):
        faults.append(("label", "required", {}))
    if len(q.label) > MAX_LABEL:
        faults.append(("label", "too_long", {"max": MAX_LABEL}))
    if not 0 <= q.keep_days <= MAX_KEEP_DAYS:
        faults.append(("keep_days", "range", {"min": 1, "max": MAX_KEEP_DAYS}))
    return faults + _text_problems(q) + [("options", *fault) for fault in _option_problems(q)]


def _text_problems(q: Question) -> list[tuple[str, str, dict[str, Any]]]:
    faults: list[tuple[str, str, dict[str, Any]]] = []
    if len(q.hint) > MAX_HINT:
        faults.append(("hint", "too_long", {"max": MAX_HINT}))
    # What is too long is not read further: a form can hold 100,000 options.
    for name, texts, max_count, max_chars in (
        ("label", (q.label,), 1, MAX_LABEL),
        ("hint", (q.hint,), 1, MAX_HINT),
        ("options", q.options, MAX_OPTIONS, MAX_OPTION),
    ):
        if len(texts) > max_count or any(len(text) > max_chars for text in texts):
            continue
        if any(map(has_control_characters, texts)):
            faults.append((name, "characters", {}))
        if any(map(contains_card_number, texts)):
            faults.append((name, "card_number", {}))
    return faults


def _option_problems(q: Question) -> list[tuple[str, dict[str, Any]]]:
    if q.kind not in KINDS_WITH_OPTIONS:
        return [("options_unexpected", {})] if q.options else []
    faults: list[tuple[str, dict[str, Any]]] = []
    if len(q.options) > MAX_OPTIONS:
        return [("options_long", {"max": MAX_OPTIONS})]
    texts = [clean_text(option) for option in q.options]
    if not texts or len(set(texts)) != len(texts):
        faults.append(("options", {}))
    if any(not text or len(text) > MAX_OPTION for text in texts):
        faults.append(("options_long", {"max": MAX_OPTIONS}))
    return faults


def parse_answers(
    questions: tuple[Question, ...], form: Mapping[str, Sequence[str]], *, today: date
) -> tuple[dict[str, AnswerValue], list[Problem]]:
    """Parse a posted form, question key → values as typed. `today`: the date at the shop.

    Returns the valid answers by key and the problems of the others. Every value is cleaned first.
    An empty optional answer is left out; an unticked checkbox is False.
    """
    answers: dict[str, AnswerValue] = {}
    problems: list[Problem] = []
    for q in questions:
        is_multiline = q.kind in _MULTILINE_KINDS
        # One value more than there can be: enough to see that they are too many.
        typed = form.get(q.key, ())[: max_values(q) + 1]
        if any(len(v) > _max_typed(q) and len(v.strip()) > _max_typed(q) for v in typed):
            problems.append(_length_problem(q))
            continue
        cleaned = (clean_text(v, multiline=is_multiline) for v in typed)
        raw = [v for v in cleaned if v]
        if q.kind is not QuestionKind.MULTISELECT and len(raw) > 1:
            problems.append(Problem(q.key, "one_value"))
            continue
        if not raw:
            if q.required:
                code = "must_tick" if q.kind is QuestionKind.CHECKBOX else "required"
                problems.append(Problem(q.key, code))
            elif q.kind is QuestionKind.CHECKBOX:
                answers[q.key] = False
            continue
        value = _parse_answer(q, raw, today)
        if isinstance(value, Problem):
            problems.append(value)
        else:
            answers[q.key] = value
    return answers, problems


def _max_typed(q: Question) -> int:
    """Return how many characters are cleaned: invisible ones and spaces may be among them."""
    return 4 * MAX_LENGTHS.get(q.kind, MAX_OPTION)


def _length_problem(q: Question) -> Problem:
    limit = MAX_LENGTHS.get(q.kind)
    return Problem(q.key, "too_long", {"max": limit}) if limit else Problem(q.key, "choose")


def max_values(q: Question) -> int:
    """Return how many values of its form field are read; a form can hold thousands of them."""
    return MAX_OPTIONS if q.kind is QuestionKind.MULTISELECT else 1


def _parse_answer(q: Question, raw: list[str], today: date) -> AnswerValue | Problem:
    text = raw[0]
    if len(text) > MAX_LENGTHS.get(q.kind, len(text)):
        return _length_problem(q)
    if q.kind not in KINDS_WITH_OPTIONS and contains_card_number(text):
        return Problem(q.key, "card_number")
    match q.kind:
        case QuestionKind.EMAIL:
            return parse_email(text) or Problem(q.key, "email")
        case QuestionKind.PHONE:
            phone = parse_phone(text)
            return phone if isinstance(phone, str) else Problem(q.key, phone.code, phone.params)
        case QuestionKind.NUMBER:
            return _parse_number(text) or Problem(q.key, "number")
        case QuestionKind.DATE:
            return parse_date(q.key, text, date_bounds(q.key, q.label, today))
        case QuestionKind.SELECT | QuestionKind.MULTISELECT:
            return _parse_options(q, raw)
        case QuestionKind.CHECKBOX:
            return True
        case _:
            return text


def _parse_options(q: Question, raw: list[str]) -> AnswerValue | Problem:
    """Return the chosen option, or the chosen options in the order of the question."""
    offered = {clean_text(option): option for option in q.options}
    chosen = set(raw)
    if q.kind is QuestionKind.SELECT:
        return offered.get(raw[0]) or Problem(q.key, "choose")
    if len(raw) > max_values(q) or not chosen <= set(offered):
        return Problem(q.key, "choose")
    return [option for typed, option in offered.items() if typed in chosen]


def parse_email(text: str) -> str | None:
    """Return the normalized address, or None. Checks the syntax only, without DNS.

    Accepts an address as it is copied: "mailto:…", "Name <…>", in quotes, with a full stop after
    it, with a full-width "@".
    """
    text = clean_text(text)
    if len(text) > MAX_LENGTHS[QuestionKind.EMAIL]:
        return None  # before the patterns and the parser, which need more than linear time
    text = unicodedata.normalize("NFKC", text)
    if match := _MAILBOX.fullmatch(text):
        text = match[1]
    text = _MAILTO.sub("", text)
    try:
        return validate_email(
            text.strip(_COPIED_AROUND), check_deliverability=False, strict=True
        ).normalized
    except EmailNotValidError:
        return None


def parse_phone(text: str) -> str | Problem:
    """Return the phone number in E.164, or the problem (field "phone").

    Accepts the usual Russian spellings (8…, 7…, 9…, with brackets) and foreign numbers with "+" or
    "00". A number with "+" belongs to the country whose code follows, never to another one.
    """
    text = clean_text(text)
    if len(text) > MAX_LENGTHS[QuestionKind.PHONE]:
        return Problem("phone", "phone")
    text = unicodedata.normalize("NFKC", text)
    digits = "".join(str(unicodedata.decimal(c)) for c in text if c.isdecimal())
    has_plus = "+" in text[: next((n for n, c in enumerate(text) if c.isdecimal()), 0)]
    is_foreign = has_plus and not digits.startswith("89")  # no country has the code 89
    if prefix := _international_prefix(digits, has_plus=has_plus):
        digits = digits.removeprefix(prefix)
        text, is_foreign = f"+{digits}", True
    elif not is_foreign and _begins_with_country_code(text, digits):
        return _foreign_phone_problem(digits)
    elif not is_foreign and len(digits) == 11 and digits[0] in "78":
        text = "+7" + digits[1:]
    try:
        number = phonenumbers.parse(text, "RU")
    except phonenumbers.NumberParseException:
        return Problem("phone", "phone")
    if len(digits) == 10 and digits[0] in "78" and not phonenumbers.is_valid_number(number):
        return Problem("phone", "phone_short")
    if phonenumbers.is_valid_number(number):
        return _e164(number)
    if not is_foreign and _parse_valid(f"+{digits}"):
        return _foreign_phone_problem(digits)
    usual = 11 if is_foreign or digits[0] in "78" else 10
    if number.country_code == 7 and len(digits) != usual:
        return Problem("phone", "phone_short" if len(digits) < usual else "phone_long")
    return Problem("phone", "phone")


def _international_prefix(digits: str, *, has_plus: bool) -> str:
    """Return "00", or "810" as it is dialled in Russia, when a country code follows; else ""."""
    if digits.startswith("00"):
        return "00"
    return "810" if digits.startswith("810") and len(digits) > 11 and not has_plus else ""


def _begins_with_country_code(text: str, digits: str) -> bool:
    """Return whether «84 912 345 678» is a foreign number without its "+".

    Its first group is a country code. A Russian number has 8 or 7 alone there, no groups, or an
    area code of three to five digits before a group of two or three.
    """
    if len(digits) not in (10, 11):
        return False
    groups, number = re.findall(r"\d+", text), _parse_valid(f"+{digits}")
    if number is None or number.country_code == 7 or groups[0] != str(number.country_code):
        return False
    return len(digits) == 11 or len(groups[0]) < 3 or (len(groups) > 1 and len(groups[1]) != 3)


def _parse_valid(text: str) -> phonenumbers.PhoneNumber | None:
    """Return the number if it has a country code and is valid, else None."""
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None


def _foreign_phone_problem(digits: str) -> Problem:
    number = _parse_valid(f"+{digits}")
    assert number is not None, "only a valid foreign number gets this problem"
    example = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    return Problem("phone", "phone_plus", {"example": example})


def _e164(number: phonenumbers.PhoneNumber) -> str:
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _parse_number(text: str) -> str | None:
    """Return plain decimal text: "1 234,5" → "1234.5". None when it is not a number.

    Exponents are refused: Decimal("1e-999999999") would be formatted as a gigabyte of zeros.
    """
    plain = re.sub(r"[ \u00a0\u202f]", "", text).replace(",", ".")
    return plain.removeprefix("+") if _NUMBER_PATTERN.fullmatch(plain) else None
