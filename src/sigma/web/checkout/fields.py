"""Questions as fields of a form: the right keyboard, autofill and words for each kind."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sigma.domain.billing.question import BUILT_IN, Kind, Question, Value
from sigma.domain.errors import Problem
from sigma.texts import Words

# Browsers fill these by themselves; a seller's own question is nobody's saved address.
_INPUTS: dict[Kind, dict[str, str]] = {
    Kind.EMAIL: {
        "type": "email",
        "inputmode": "email",
        "autocomplete": "email",
        "autocapitalize": "off",
        "spellcheck": "false",
    },
    Kind.PHONE: {"type": "tel", "inputmode": "tel", "autocomplete": "tel"},
    Kind.NAME: {"type": "text", "autocomplete": "name", "autocapitalize": "words"},
    Kind.ADDRESS: {"autocomplete": "street-address", "rows": "2"},
    Kind.TEXT: {"type": "text", "autocomplete": "off"},
    Kind.TEXTAREA: {"autocomplete": "off", "rows": "3"},
    Kind.NUMBER: {"type": "text", "inputmode": "decimal", "autocomplete": "off"},
    Kind.DATE: {"type": "date", "autocomplete": "off"},
}
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_HINTS = (Kind.ADDRESS,)
_SHAPES = {
    Kind.ADDRESS: "textarea",
    Kind.TEXTAREA: "textarea",
    Kind.SELECT: "select",
    Kind.MULTISELECT: "multiselect",
    Kind.CHECKBOX: "checkbox",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field as the template draws it. `values` are as typed; `error` is a sentence."""

    key: str
    shape: str  # input, textarea, select, multiselect, checkbox
    label: str
    hint: str
    required: bool
    attributes: Mapping[str, str]
    options: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    error: str = ""
    focus: bool = False

    @property
    def value(self) -> str:
        """The first value, for fields that have one."""
        return self.values[0] if self.values else ""

    @property
    def described_by(self) -> str:
        """Ids of what explains the field, error first."""
        parts = [("error", self.error), ("hint", self.hint)]
        return " ".join(f"{self.key}-{name}" for name, text in parts if text)


def fields(
    questions: tuple[Question, ...],
    words: Words,
    *,
    given: Mapping[str, list[str]] | None = None,
    problems: tuple[Problem, ...] = (),
) -> list[Field]:
    """The seller's questions in the seller's order; the first wrong one takes the focus."""
    wrong: dict[str, str] = {}
    for problem in problems:
        wrong.setdefault(problem.field, words.problem(problem))
    first = next((q.key for q in questions if q.key in wrong), None)
    return [
        _field(q, words, tuple((given or {}).get(q.key, ())), wrong.get(q.key, ""), q.key == first)
        for q in questions
    ]


def _field(q: Question, words: Words, values: tuple[str, ...], error: str, focus: bool) -> Field:
    attributes = dict(_INPUTS.get(q.kind, {}))
    if q.kind is Kind.DATE and values and not _ISO_DATE.fullmatch(values[0]):
        attributes["type"] = "text"  # a date control would drop what was typed
    hint = q.hint
    if not hint and q.kind in _HINTS:
        hint = words.t(f"checkout.{q.kind}_hint")
    elif q.kind is Kind.MULTISELECT and not hint:
        hint = words.t("checkout.several_hint")
    return Field(
        key=q.key,
        shape=_SHAPES.get(q.kind, "input"),
        label=words.t(f"common.question.{q.kind}") if q.kind in BUILT_IN else q.label,
        hint=hint,
        required=q.required,
        attributes=attributes,
        options=q.options,
        values=values,
        error=error,
        focus=focus,
    )


def typed(
    questions: tuple[Question, ...], answers: Mapping[str, Value], words: Words
) -> dict[str, list[str]]:
    """Stored answers as they would be typed into the form again."""
    given: dict[str, list[str]] = {}
    for q in questions:
        value = answers.get(q.key)
        if isinstance(value, list):
            given[q.key] = value
        elif isinstance(value, str):
            given[q.key] = [
                words.phone(value).replace("\u00a0", " ") if q.kind is Kind.PHONE else value
            ]
        elif value is True:
            given[q.key] = ["yes"]
    return given
