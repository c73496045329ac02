"""What a client is asked, and how each kind of answer is read.

Reading keeps the typed text on error.
"""

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from sigma.domain.errors import Problem, has_controls

KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
RESERVED = {"consent", "nonce", "lang"}  # the page's own fields
MAX_QUESTIONS, MAX_LABEL, MAX_OPTIONS, MAX_OPTION = 30, 120, 50, 100

_NUMBER = re.compile(r"[-+]?\d{1,18}(\.\d+)?", re.ASCII)
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)

Value = str | list[str] | bool


class Kind(StrEnum):
    """The kinds of questions.

    The first four are the built-in contact fields, named like their keys.
    """

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


BUILT_IN = (Kind.EMAIL, Kind.PHONE, Kind.NAME, Kind.ADDRESS)
WITH_OPTIONS = (Kind.SELECT, Kind.MULTISELECT)
LIMITS = {
    Kind.NAME: 150,
    Kind.ADDRESS: 400,
    Kind.TEXT: 300,
    Kind.TEXTAREA: 3000,
    Kind.NUMBER: 30,
}


@dataclass(frozen=True, slots=True)
class Question:
    """One field of the payment page.

    `label` is empty for built-in ones: the page words them in the client's language.
    """

    key: str
    kind: Kind
    label: str = ""
    required: bool = False
    options: tuple[str, ...] = ()
    hint: str = ""

    @property
    def personal(self) -> bool:
        """Whether asking it needs a consent: the contact fields do."""
        return self.kind in BUILT_IN


def check_questions(questions: tuple[Question, ...]) -> list[Problem]:
    """What is wrong with a set of questions, by path («ask.1.label»); empty when nothing is."""
    problems = []
    if len(questions) > MAX_QUESTIONS:
        problems.append(Problem("ask", "too_many", {"max": MAX_QUESTIONS}))
    seen: set[str] = set()
    for n, question in enumerate(questions):
        if question.key in seen:
            problems.append(Problem(f"ask.{n}.key", "key_twice", {"key": question.key}))
        seen.add(question.key)
        problems += [Problem(f"ask.{n}.{f}", c, p) for f, c, p in _faults(question)]
    return problems


def _faults(q: Question) -> list[tuple[str, str, dict[str, Any]]]:
    faults: list[tuple[str, str, dict[str, Any]]] = []
    if (q.kind in BUILT_IN) != (q.key in BUILT_IN) or (q.kind in BUILT_IN and q.key != q.kind):
        faults.append(("kind", "key_kind", {"key": q.key}))
    if not KEY.fullmatch(q.key) or q.key in RESERVED:
        faults.append(("key", "key_format", {}))
    if q.kind not in BUILT_IN and not q.label.strip():
        faults.append(("label", "required", {}))
    if len(q.label) > MAX_LABEL:
        faults.append(("label", "too_long", {"max": MAX_LABEL}))
    if len(q.hint) > 200:
        faults.append(("hint", "too_long", {"max": 200}))
    for name, texts in (("label", (q.label,)), ("hint", (q.hint,)), ("options", q.options)):
        if any(map(has_controls, texts)):
            faults.append((name, "characters", {}))
    return faults + [("options", *fault) for fault in _option_faults(q)]


def _option_faults(q: Question) -> list[tuple[str, dict[str, Any]]]:
    if q.kind not in WITH_OPTIONS:
        return [("options_unexpected", {})] if q.options else []
    faults: list[tuple[str, dict[str, Any]]] = []
    if not q.options or len({o.strip() for o in q.options}) != len(q.options):
        faults.append(("options", {}))
    if len(q.options) > MAX_OPTIONS or any(not o.strip() or len(o) > MAX_OPTION for o in q.options):
        faults.append(("options_long", {"max": MAX_OPTIONS}))
    return faults


def read_answers(
    questions: tuple[Question, ...], given: dict[str, list[str]]
) -> tuple[dict[str, Value], list[Problem]]:
    """Reads a posted form: key → values, as typed. Returns the answers that are right and what is
    wrong with the rest.
    """
    answers: dict[str, Value] = {}
    problems: list[Problem] = []
    for q in questions:
        raw = [v.strip() for v in given.get(q.key, []) if v.strip()]
        if not raw:
            if q.required:
                code = "must_tick" if q.kind is Kind.CHECKBOX else "required"
                problems.append(Problem(q.key, code))
            elif q.kind is Kind.CHECKBOX:
                answers[q.key] = False
            continue
        value = _read(q, raw)
        if isinstance(value, Problem):
            problems.append(value)
        else:
            answers[q.key] = value
    return answers, problems


def _read(q: Question, raw: list[str]) -> Value | Problem:
    text = raw[0]
    if (limit := LIMITS.get(q.kind)) and len(text) > limit:
        return Problem(q.key, "too_long", {"max": limit})
    match q.kind:
        case Kind.EMAIL:
            return read_email(text) or Problem(q.key, "email")
        case Kind.PHONE:
            phone = read_phone(text)
            return phone if isinstance(phone, str) else Problem(q.key, phone.code, phone.params)
        case Kind.NUMBER:
            return _number(text) or Problem(q.key, "number")
        case Kind.DATE:
            return _date(text) or Problem(q.key, "date")
        case Kind.SELECT | Kind.MULTISELECT:
            return _chosen(q, raw)
        case Kind.CHECKBOX:
            return True
        case _:
            return text


def _chosen(q: Question, raw: list[str]) -> Value | Problem:
    """What was chosen of what was offered: one, or several in the seller's order."""
    offered = {option.strip(): option for option in q.options}
    if q.kind is Kind.SELECT:
        return offered.get(raw[0]) or Problem(q.key, "choose")
    if not set(raw) <= set(offered):
        return Problem(q.key, "choose")
    return [option for typed, option in offered.items() if typed in raw]


def read_email(text: str) -> str | None:
    """The address in its normal form, or None. Checks the form only: the network is not asked."""
    try:
        return validate_email(text.strip(), check_deliverability=False).normalized
    except EmailNotValidError:
        return None


def read_phone(text: str) -> str | Problem:
    """E.164 of a phone written in any usual Russian way (8…, 7…, 9…, with brackets), or what is
    wrong with it.
    """
    digits = re.sub(r"\D", "", text)
    foreign = text.strip().startswith("+") and not digits.startswith("89")  # +89 is no country
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


def _number(text: str) -> str | None:
    """Plain decimal text of «1 234,5». "1e-999999999" would become a gigabyte of zeros."""
    plain = re.sub(r"[ \u00a0\u202f]", "", text).replace(",", ".")
    return plain.removeprefix("+") if _NUMBER.fullmatch(plain) else None


def _date(text: str) -> str | None:
    """ISO date of «2026-11-24» or «24.11.2026»."""
    if m := re.fullmatch(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", text):
        text = f"{m[3]}-{int(m[2]):02}-{int(m[1]):02}"
    try:
        return date.fromisoformat(text).isoformat() if _ISO_DATE.fullmatch(text) else None
    except ValueError:
        return None
