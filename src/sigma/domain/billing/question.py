"""The questions of a payment form, and the parser of each kind of answer."""

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from sigma.domain.errors import Problem, has_control_characters

KEY_PATTERN = re.compile(r"[a-z][a-z0-9_]{0,39}")
RESERVED_KEYS = {"consent", "nonce", "lang"}  # form fields of the payment page itself
MAX_QUESTIONS, MAX_LABEL, MAX_OPTIONS, MAX_OPTION = 30, 120, 50, 100  # texts in characters

_NUMBER_PATTERN = re.compile(r"[-+]?\d{1,18}(\.\d+)?", re.ASCII)
_ISO_DATE_PATTERN = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)

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
MAX_LENGTHS = {  # characters
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
    """

    key: str
    kind: QuestionKind
    label: str = ""
    required: bool = False
    options: tuple[str, ...] = ()
    hint: str = ""
    show_on_receipt: bool = False

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
    if q.kind not in BUILT_IN_KINDS and not q.label.strip():
        faults.append(("label", "required", {}))
    if len(q.label) > MAX_LABEL:
        faults.append(("label", "too_long", {"max": MAX_LABEL}))
    if len(q.hint) > 200:
        faults.append(("hint", "too_long", {"max": 200}))
    for name, texts in (("label", (q.label,)), ("hint", (q.hint,)), ("options", q.options)):
        if any(map(has_control_characters, texts)):
            faults.append((name, "characters", {}))
    return faults + [("options", *fault) for fault in _option_problems(q)]


def _option_problems(q: Question) -> list[tuple[str, dict[str, Any]]]:
    if q.kind not in KINDS_WITH_OPTIONS:
        return [("options_unexpected", {})] if q.options else []
    faults: list[tuple[str, dict[str, Any]]] = []
    if not q.options or len({o.strip() for o in q.options}) != len(q.options):
        faults.append(("options", {}))
    if len(q.options) > MAX_OPTIONS or any(not o.strip() or len(o) > MAX_OPTION for o in q.options):
        faults.append(("options_long", {"max": MAX_OPTIONS}))
    return faults


def parse_answers(
    questions: tuple[Question, ...], form: dict[str, list[str]]
) -> tuple[dict[str, AnswerValue], list[Problem]]:
    """Parse a posted form, question key → values as typed.

    Returns the valid answers by key and the problems of the others. An empty optional answer is
    left out; an unticked checkbox is False.
    """
    answers: dict[str, AnswerValue] = {}
    problems: list[Problem] = []
    for q in questions:
        raw = [v.strip() for v in form.get(q.key, []) if v.strip()]
        if not raw:
            if q.required:
                code = "must_tick" if q.kind is QuestionKind.CHECKBOX else "required"
                problems.append(Problem(q.key, code))
            elif q.kind is QuestionKind.CHECKBOX:
                answers[q.key] = False
            continue
        value = _parse_answer(q, raw)
        if isinstance(value, Problem):
            problems.append(value)
        else:
            answers[q.key] = value
    return answers, problems


def _parse_answer(q: Question, raw: list[str]) -> AnswerValue | Problem:
    text = raw[0]
    if (limit := MAX_LENGTHS.get(q.kind)) and len(text) > limit:
        return Problem(q.key, "too_long", {"max": limit})
    match q.kind:
        case QuestionKind.EMAIL:
            return parse_email(text) or Problem(q.key, "email")
        case QuestionKind.PHONE:
            phone = parse_phone(text)
            return phone if isinstance(phone, str) else Problem(q.key, phone.code, phone.params)
        case QuestionKind.NUMBER:
            return _parse_number(text) or Problem(q.key, "number")
        case QuestionKind.DATE:
            return _parse_date(text) or Problem(q.key, "date")
        case QuestionKind.SELECT | QuestionKind.MULTISELECT:
            return _parse_options(q, raw)
        case QuestionKind.CHECKBOX:
            return True
        case _:
            return text


def _parse_options(q: Question, raw: list[str]) -> AnswerValue | Problem:
    """Return the chosen option, or the chosen options in the order of the question."""
    offered = {option.strip(): option for option in q.options}
    if q.kind is QuestionKind.SELECT:
        return offered.get(raw[0]) or Problem(q.key, "choose")
    if not set(raw) <= set(offered):
        return Problem(q.key, "choose")
    return [option for typed, option in offered.items() if typed in raw]


def parse_email(text: str) -> str | None:
    """Return the normalized address, or None. Checks the syntax only, without DNS."""
    try:
        return validate_email(text.strip(), check_deliverability=False).normalized
    except EmailNotValidError:
        return None


def parse_phone(text: str) -> str | Problem:
    """Return the phone number in E.164, or the problem (field "phone").

    Accepts the usual Russian spellings (8…, 7…, 9…, with brackets) and foreign numbers with "+".
    """
    digits = re.sub(r"\D", "", text)
    foreign = text.strip().startswith("+") and not digits.startswith("89")  # +89 is unassigned
    if not foreign and len(digits) == 11 and digits[0] in "78":
        text = "+7" + digits[1:]
    try:
        number = phonenumbers.parse(text, "RU")
    except phonenumbers.NumberParseException:
        return Problem("phone", "phone")
    if len(digits) == 10 and digits[0] in "78" and not phonenumbers.is_valid_number(number):
        return Problem("phone", "phone_short")
    if phonenumbers.is_valid_number(number):
        return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    usual = 11 if foreign or digits[0] in "78" else 10
    if number.country_code == 7 and len(digits) != usual:
        return Problem("phone", "phone_short" if len(digits) < usual else "phone_long")
    return Problem("phone", "phone")


def _parse_number(text: str) -> str | None:
    """Return plain decimal text: "1 234,5" → "1234.5". None when it is not a number.

    Exponents are refused: Decimal("1e-999999999") would be formatted as a gigabyte of zeros.
    """
    plain = re.sub(r"[ \u00a0\u202f]", "", text).replace(",", ".")
    return plain.removeprefix("+") if _NUMBER_PATTERN.fullmatch(plain) else None


def _parse_date(text: str) -> str | None:
    """Return the ISO date of "2026-11-24" or "24.11.2026"; None when there is no such date."""
    if m := re.fullmatch(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", text):
        text = f"{m[3]}-{int(m[2]):02}-{int(m[1]):02}"
    try:
        return date.fromisoformat(text).isoformat() if _ISO_DATE_PATTERN.fullmatch(text) else None
    except ValueError:
        return None
