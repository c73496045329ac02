"""The models of the public package `vkbottle-types` as a check of VK's answers and events.

The package itself chooses the model: its method is called with the same parameters, and instead of
VK it hears the answer to be checked.
"""

import re
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from pydantic import BaseModel, ValidationError
from vkbottle_types.categories import APICategories
from vkbottle_types.events import GroupTypes

from tests.vk_schema import Gap, excused

GAPS = [
    Gap("*", "*keyboard.buttons.*.action.payload", "demanded of links too, which have none"),
    Gap("event:group_change_settings", "object.changes.*", "lies flat what VK and the schema nest"),
    Gap("market.get*", "response.items.*.photos", "one photo where VK sends a list of them"),
]


class _Hearing(APICategories):
    """An API that answers everything with one and the same."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    @property
    def api_instance(self) -> Any:
        return self

    async def request(self, method: str, data: Any) -> Any:
        return self.answer


async def check_answer(method: str, params: Mapping[str, str], answer: Any) -> None:
    """The whole answer, with its envelope. Errors and `execute` have no model.

    Raises AssertionError when the model refuses it or does not know a word in it.
    """
    if "error" in answer or method == "execute":
        return
    section, _, name = method.partition(".")
    call = getattr(getattr(_Hearing(answer), section), _snake(name))
    given = {key: int(text) if text.isdigit() else text for key, text in params.items()}
    named = {key: value for key, value in given.items() if key not in ("access_token", "v")}
    try:
        heard = await call(**named)
    except TypeError as error:
        raise AssertionError(f"vkbottle-types calls {method} otherwise: {error}") from error
    except ValidationError as error:
        reasons = list(_refused(method, error))
    else:
        reasons = list(_unknown_words(heard, "response"))
    assert not reasons, f"vkbottle-types refuses the answer of {method}: " + "; ".join(reasons)


def check_event(event: Any) -> None:
    """An event of the Callback API or of Bots Long Poll; the confirmation has no model.

    Raises AssertionError.
    """
    kind = str(event["type"])
    if kind == "confirmation":
        return
    model = getattr(GroupTypes, "".join(word.title() for word in kind.split("_")))
    try:
        heard = model(**event)
    except ValidationError as error:
        reasons = list(_refused(f"event:{kind}", error))
    else:
        reasons = list(_unknown_words(heard, "event"))
    assert not reasons, f"vkbottle-types refuses the event {kind}: " + "; ".join(reasons)


def _refused(what: str, error: ValidationError) -> Iterator[str]:
    for one in error.errors():
        path = ".".join(str(step) for step in one["loc"])
        if not excused(GAPS, what, path):
            yield f"{path}: {one['msg']}"


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _unknown_words(value: Any, path: str) -> Iterator[str]:
    """Enumerations put a placeholder where they do not know the word."""
    if isinstance(value, Enum) and value.name == "NOT_SUPPORTED_MEMBER":
        yield f"{path}: a word that the model does not know"
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _unknown_words(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _unknown_words(one, f"{path}.{number}")
