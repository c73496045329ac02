"""Questions as form fields: input type, on-screen keyboard, autofill and texts for each kind."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from sigma.domain.billing.answer_dates import DateBounds, date_bounds
from sigma.domain.billing.question import AnswerValue, Question, QuestionKind, max_values
from sigma.domain.errors import Problem
from sigma.texts import Translator
from sigma.texts.answers import question_label

# Autofill is on for built-in kinds only: a browser has no saved value for a custom question.
_INPUT_ATTRIBUTES: dict[QuestionKind, dict[str, str]] = {
    QuestionKind.EMAIL: {
        "type": "email",
        "inputmode": "email",
        "autocomplete": "email",
        "autocapitalize": "off",
        "spellcheck": "false",
    },
    QuestionKind.PHONE: {"type": "tel", "inputmode": "tel", "autocomplete": "tel"},
    QuestionKind.NAME: {"type": "text", "autocomplete": "name", "autocapitalize": "words"},
    QuestionKind.ADDRESS: {"autocomplete": "street-address", "rows": "2"},
    QuestionKind.TEXT: {"type": "text", "autocomplete": "off"},
    QuestionKind.TEXTAREA: {"autocomplete": "off", "rows": "3"},
    QuestionKind.NUMBER: {"type": "text", "inputmode": "decimal", "autocomplete": "off"},
    QuestionKind.DATE: {"type": "date", "autocomplete": "off"},
}
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_KINDS_WITH_HINT = (QuestionKind.ADDRESS,)
_CONTROLS = {
    QuestionKind.ADDRESS: "textarea",
    QuestionKind.TEXTAREA: "textarea",
    QuestionKind.SELECT: "select",
    QuestionKind.MULTISELECT: "multiselect",
    QuestionKind.CHECKBOX: "checkbox",
}


@dataclass(frozen=True, slots=True)
class FormField:
    """View model of one field. `values` are as typed; `error` is a sentence or ""."""

    key: str
    control: str  # input, textarea, select, multiselect, checkbox
    label: str
    hint: str
    required: bool
    attributes: Mapping[str, str]
    options: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    error: str = ""
    has_focus: bool = False

    @property
    def value(self) -> str:
        """The first value, or "" when there is none."""
        return self.values[0] if self.values else ""

    @property
    def described_by(self) -> str:
        """Value of aria-describedby: ids of the error and the hint."""
        parts = [("error", self.error), ("hint", self.hint)]
        return " ".join(f"{self.key}-{name}" for name, text in parts if text)


def build_fields(
    questions: tuple[Question, ...],
    translator: Translator,
    *,
    form_values: Mapping[str, list[str]] | None = None,
    problems: tuple[Problem, ...] = (),
    today: date,
) -> list[FormField]:
    """Return the fields in the order of the questions; the first invalid one has the focus.

    `form_values`: question key → values as typed. `today`: the date at the shop.
    """
    errors: dict[str, str] = {}
    for problem in problems:
        errors.setdefault(problem.field, translator.problem_text(problem))
    first = next((q.key for q in questions if q.key in errors), None)
    return [
        _build_field(
            q,
            translator,
            tuple((form_values or {}).get(q.key, ())[: max_values(q)]),
            errors.get(q.key, ""),
            q.key == first,
            date_bounds(q.key, q.label, today),
        )
        for q in questions
    ]


def _build_field(
    question: Question,
    translator: Translator,
    values: tuple[str, ...],
    error: str,
    has_focus: bool,
    bounds: DateBounds,
) -> FormField:
    attributes = dict(_INPUT_ATTRIBUTES.get(question.kind, {}))
    if question.kind is QuestionKind.DATE:
        if values and not _ISO_DATE.fullmatch(values[0]):
            attributes["type"] = "text"  # a date input drops a value that is not ISO
        else:
            attributes["min"] = bounds.first.isoformat()
            attributes["max"] = bounds.last.isoformat()
    hint = question.hint
    if not hint and question.kind in _KINDS_WITH_HINT:
        hint = translator.t(f"checkout.{question.kind}_hint")
    elif question.kind is QuestionKind.MULTISELECT and not hint:
        hint = translator.t("checkout.several_hint")
    return FormField(
        key=question.key,
        control=_CONTROLS.get(question.kind, "input"),
        label=question_label(question, translator),
        hint=hint,
        required=question.required,
        attributes=attributes,
        options=question.options,
        values=values,
        error=error,
        has_focus=has_focus,
    )


def to_form_values(
    questions: tuple[Question, ...], answers: Mapping[str, AnswerValue], translator: Translator
) -> dict[str, list[str]]:
    """Convert stored answers back to form values: question key → values as typed."""
    values_by_key: dict[str, list[str]] = {}
    for q in questions:
        value = answers.get(q.key)
        if isinstance(value, list):
            values_by_key[q.key] = value
        elif isinstance(value, str):
            values_by_key[q.key] = [
                translator.phone(value).replace("\u00a0", " ")
                if q.kind is QuestionKind.PHONE
                else value
            ]
        elif value is True:
            values_by_key[q.key] = ["yes"]
    return values_by_key
