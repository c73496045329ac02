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

# Answers of the live API that the package's model refuses, and why.
GAPS: dict[str, str] = {}


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
    try:
        heard = await call(**{key: given[key] for key in given if key not in ("access_token", "v")})
    except ValidationError as error:
        reasons = [f"{_path(one['loc'])}: {one['msg']}" for one in error.errors()]
    else:
        reasons = list(_unknown_words(heard, "response"))
    reasons = [one for one in reasons if f"{method} {one.partition(':')[0]}" not in GAPS]
    assert not reasons, f"vkbottle-types refuses the answer of {method}: " + "; ".join(reasons)


def check_event(event: Any) -> None:
    """An event of the Callback API or of Bots Long Poll. Raises AssertionError."""
    kind = "".join(word.title() for word in str(event["type"]).split("_"))
    model = getattr(GroupTypes, kind)
    try:
        heard = model(**event)
    except ValidationError as error:
        reasons = [f"{_path(one['loc'])}: {one['msg']}" for one in error.errors()]
    else:
        reasons = list(_unknown_words(heard, "event"))
    assert not reasons, f"vkbottle-types refuses the event {event['type']}: " + "; ".join(reasons)


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _path(steps: Any) -> str:
    return ".".join(str(step) for step in steps)


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
