"""Values of settings in the audit log as texts: names, amounts and sizes, not stored codes."""

import json
from collections.abc import Callable
from typing import Any, Final

from sigma.domain.accounts.member import REFUND_CURRENCY
from sigma.domain.money import Money
from sigma.texts import Translator
from sigma.texts.formats import number

_MEGABYTE: Final = 1_000_000
# Field → prefix of the texts of its values.
_CHOICES: Final = {
    "role": "team.role_",
    "second_factor_rule": "access.rule_",
    "factor": "audit.factor_",
    "kind": "audit.kind_",
    "provider": "checkout.provider.",
    "delivery": "audit.delivery_",
    "locale": "common.language_",
}
_AMOUNTS: Final = ("admin", "operator", "accountant", "refund_confirmation")  # in kopecks
_COUNTS: Final = ("invoices_per_day", "messages_per_day")
# Of these an absent value means that nothing is limited or asked.
_EMPTY_TEXTS: Final = {
    **dict.fromkeys(("admin", "operator", "accountant"), "audit.no_limit"),
    **dict.fromkeys((*_COUNTS, "storage_bytes"), "audit.no_limit"),
    "refund_confirmation": "audit.never_asked",
}
_YES_NO: Final = {"True": "audit.yes", "False": "audit.no"}  # settings of connections are texts


def change_text(name: str, pair: list[Any], translator: Translator) -> str:
    """Return «Поле: было → стало» of a changed field; of a hidden one only that it changed."""
    key = f"audit.field.{name}"
    label = translator.t(key) if translator.has(key) else name
    if pair == [None, None] or any(_is_structure(value) for value in pair):
        return translator.t("audit.changed_hidden", field=label)
    before, after = (value_text(name, value, translator) for value in pair)
    return translator.t("audit.changed", field=label, before=before, after=after)


def value_text(name: str, value: Any, translator: Translator) -> str:
    """Return the value of a field as a text; a code without a text as it is stored."""
    if value in (None, "", [], {}) and value is not False and value != 0:
        return translator.t(_EMPTY_TEXTS.get(name, "audit.empty_value"))
    if isinstance(value, bool):
        return translator.t("audit.yes" if value else "audit.no")
    if isinstance(value, int):
        return _number_texts(name)(value, translator)
    if isinstance(value, dict) and set(value) == {"chars"}:
        return translator.t("audit.long_text", chars=value["chars"])
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    key = _YES_NO.get(value, f"{_CHOICES[name]}{value}" if name in _CHOICES else "")
    return translator.t(key) if translator.has(key) else value


def _is_structure(value: Any) -> bool:
    """Return whether a value has parts that no sentence shows, such as working hours."""
    is_long_text = isinstance(value, dict) and set(value) == {"chars"}
    return isinstance(value, list | dict) and bool(value) and not is_long_text


def _number_texts(name: str) -> Callable[[int, Translator], str]:
    if name in _AMOUNTS:
        return lambda minor, translator: translator.money(Money(minor, REFUND_CURRENCY), short=True)
    if name == "storage_bytes":
        return lambda size, translator: translator.t(
            "audit.megabytes", count=number(f"{size / _MEGABYTE:g}", translator.locale)
        )
    return lambda count, translator: number(str(count), translator.locale)
