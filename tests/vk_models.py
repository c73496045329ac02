"""Check VK's responses and events with the models of the public package `vkbottle-types`.

The package itself chooses the model: its method is called with the same parameters and gets the
response under test instead of one from VK.
"""

import json
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any

from pydantic import BaseModel, ValidationError
from vkbottle_types.categories import APICategories
from vkbottle_types.events import GroupTypes

from tests import vk_schema
from tests.vk_schema import Gap, is_excused

GAPS = [
    Gap("*", "*keyboard.buttons.*.action.payload", "required for links too, which have none"),
    Gap(
        "event:group_change_settings",
        "object.changes.*",
        "flat here, nested in VK and in the schema",
    ),
    Gap("market.get*", "response.items.*.photos", "one photo here, a list of photos in VK"),
]


class _FixedResponseApi(APICategories):
    """A vkbottle API object that gives the same response to every call."""

    def __init__(self, response: Any) -> None:
        self.response = response

    @property
    def api_instance(self) -> Any:
        return self

    async def request(self, method: str, data: Any) -> Any:
        return self.response


async def check_response(method: str, params: Mapping[str, str], response: Any) -> None:
    """Check a whole response with its envelope. Errors and `execute` have no model.

    Raises AssertionError when the model refuses it or does not know an enumeration value in it.
    """
    if "error" in response or method == "execute":
        return
    section, _, name = method.partition(".")
    call = getattr(getattr(_FixedResponseApi(response), section), _snake(name))
    typed = {key: int(text) if text.isdigit() else text for key, text in params.items()}
    arguments = {
        key: value for key, value in typed.items() if key not in vk_schema.COMMON_PARAMETERS
    }
    try:
        parsed = await call(**arguments)
    except TypeError as error:
        raise AssertionError(
            f"vkbottle-types has other parameters for {method}: {error}"
        ) from error
    except ValidationError as error:
        reasons = list(_validation_reasons(method, error))
    else:
        reasons = _reasons_for_unknown_values(parsed, response)
    assert not reasons, f"vkbottle-types refuses the response of {method}: " + "; ".join(reasons)


def check_event(event: Any) -> None:
    """Check an event of the Callback API or of Bots Long Poll; `confirmation` has no model.

    Raises AssertionError like `check_response`.
    """
    kind = str(event["type"])
    if kind == "confirmation":
        return
    model = getattr(GroupTypes, "".join(word.title() for word in kind.split("_")))
    try:
        parsed = model(**event)
    except ValidationError as error:
        reasons = list(_validation_reasons(f"event:{kind}", error))
    else:
        reasons = _reasons_for_unknown_values(parsed, event)
    assert not reasons, f"vkbottle-types refuses the event {kind}: " + "; ".join(reasons)


def _validation_reasons(subject: str, error: ValidationError) -> Iterator[str]:
    for one in error.errors():
        path = ".".join(str(step) for step in one["loc"])
        if not is_excused(GAPS, subject, path):
            yield f"{path}: {one['msg']}"


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _reasons_for_unknown_values(parsed: Any, raw: Any) -> list[str]:
    """Return the unknown values except the attachment types that are known to be missing."""
    live_types = json.dumps(raw).count
    excused = any(live_types(f'"type": "{one}"') for one in vk_schema.LIVE_ATTACHMENT_TYPES)
    return [
        reason
        for reason in _unknown_values(parsed, "value")
        if not (excused and fnmatchcase(reason.partition(":")[0], "*attachments.*.type"))
    ]


def _unknown_values(value: Any, path: str) -> Iterator[str]:
    """Find the placeholders that the package's enumerations put for values they do not know."""
    if isinstance(value, Enum) and value.name == "NOT_SUPPORTED_MEMBER":
        yield f"{path}: a value that the model does not know"
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _unknown_values(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _unknown_values(one, f"{path}.{number}")
