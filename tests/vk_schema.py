"""VK's official JSON schema as a check: of what Sigma asks, of what the sandbox VK answers.

The schema is not in this repository. It is read from the folder that VK_API_SCHEMA names, else from
`shared/facts/vk-api-schema` beside the repository; without the folder these checks say yes to
everything, the run says so at its end, and `tests.vk_oracle` checks alone.
"""

import functools
import json
import os
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError

BESIDE = Path(__file__).parents[2] / "shared" / "facts" / "vk-api-schema"
FOLDER = Path(os.environ.get("VK_API_SCHEMA", BESIDE))
PRESENT = (FOLDER / "messages" / "methods.json").is_file()

# Words that are no part of draft-07, or that would refuse what the live API really sends.
NOT_DRAFT_07 = {"description", "enumNames", "entity", "nullable", "discriminator", "format"}
DROPPED = NOT_DRAFT_07 | {"additionalProperties"}
GLOBAL = {"access_token", "v", "lang"}  # parameters of every method; the schema lists them nowhere

KEYBOARD = {"$ref": "messages/objects.json#/definitions/messages_keyboard"}
# Parameters whose JSON the schema does not describe where it should.
JSON_PARAMETERS = {
    ("messages.edit", "keyboard"): KEYBOARD,
    ("messages.send", "template"): {},
    ("messages.edit", "template"): {},
    ("messages.sendMessageEventAnswer", "event_data"): {"type": "object"},
    ("market.saveProductPhoto", "upload_response"): {},
}
# What the live API insists on though the schema does not.
NEEDED = {"messages.send": {"random_id"}}


@dataclass(frozen=True)
class Gap:
    """A place where a description of VK is known to be wrong, and why. Names may have `*`."""

    what: str  # a method, or an event's type after "event:"
    path: str  # of the value that is refused, or of the one that is missed
    why: str
    value: Any = None  # excuses only this value, when given


GAPS = [
    Gap("*", "*keyboard.buttons.*.color", "calls the usual colour 'default'", "secondary"),
    Gap("*", "error.inner_type", "no live error carries its own kind"),
    Gap("*", "*.category.inner_type", "no live item carries the kind of its category"),
    Gap("event:message_event", "payload", "typed as text; JSON of the button comes decoded"),
    Gap("event:message_event", "type", "not in the list of types"),
    Gap("event:message_typing_state", "state", "lists numbers; the word comes", "typing"),
]


def excused(gaps: list[Gap], what: str, path: str, value: Any = None) -> bool:
    """Whether a known gap is why this value was refused."""
    return any(
        fnmatchcase(what, gap.what)
        and fnmatchcase(path, gap.path)
        and (gap.value is None or gap.value == value)
        for gap in gaps
    )


def check_request(method: str, form: Mapping[str, str]) -> None:
    """What goes over the wire: `form` as decoded from the body, all values text.

    Raises AssertionError with every reason. Says yes without the schema.
    """
    if not PRESENT:
        return
    rules = _parameters(method)
    params = {name: text for name, text in form.items() if name not in GLOBAL}
    needed = {name for name, rule in rules.items() if rule.get("required") is True}
    missed = (needed | NEEDED.get(method, set())) - set(params)
    reasons = [f"{name}: missing" for name in sorted(missed)]
    for name, text in params.items():
        if name not in rules:
            reasons.append(f"{name}: no such parameter")
        else:
            reasons += _wrong_parameter(method, name, rules[name], text)
    assert not reasons, f"{method} breaks VK's schema: " + "; ".join(reasons)


def check_answer(method: str, answer: Any) -> None:
    """The whole answer, with its envelope. Raises AssertionError. Says yes without the schema."""
    if not PRESENT:
        return
    if "error" in answer:
        found = [_unexcused(method, _error_schema(), answer)]
    else:
        found = [_unexcused(method, schema, answer) for schema in _answers(method)]
    reasons = min(found, key=len)
    assert not reasons, f"the answer of {method} breaks VK's schema: " + "; ".join(reasons)


def check_event(event: Any) -> None:
    """An event of the Callback API or of Bots Long Poll. Raises AssertionError."""
    if not PRESENT:
        return
    kind = str(event["type"])
    base = _standalone({"$ref": "callback/objects.json#/definitions/callback_base"})
    reasons = _unexcused(f"event:{kind}", base, event)
    if kind != "confirmation":
        reasons += _unexcused(f"event:{kind}", _event_schema(kind), event["object"])
    assert not reasons, f"the event {kind} breaks VK's schema: " + "; ".join(reasons)


def has_method(method: str) -> bool:
    """Whether the schema knows the method."""
    return any(one["name"] == method for one in _methods(method))


# -- the schema made usable ------------------------------------------------------------------------


@functools.cache
def _load(path: str) -> Any:
    return json.loads((FOLDER / path).read_text("utf-8"))


def _pointed(path: str, pointer: str) -> Any:
    node = _load(path)
    for step in pointer.strip("/").split("/"):
        node = node[step]
    return node


def _convert(node: Any, base: str, known: dict[str, Any]) -> Any:
    """`node` of the file `base` as draft-07; what it refers to is gathered in `known`."""
    if isinstance(node, list):
        return [_convert(one, base, known) for one in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        file, _, pointer = node["$ref"].partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(base), file)) if file else base
        name = (path + pointer).replace("/", ".")
        if name not in known:
            known[name] = {}  # first, because definitions refer to themselves
            known[name] = _convert(_pointed(path, pointer), path, known)
        return {"$ref": f"#/definitions/{name}"}
    made: dict[str, Any] = {}
    for word, value in node.items():
        if word == "properties":
            made[word] = {name: _convert(rule, base, known) for name, rule in value.items()}
            needed = [name for name, rule in value.items() if rule.get("required") is True]
            made |= {"required": needed} if needed else {}
        elif word == "enum":
            made[word] = value
        elif word not in DROPPED and not (word == "required" and isinstance(value, bool)):
            made[word] = _convert(value, base, known)
    return made


def _standalone(node: Any, base: str = "") -> dict[str, Any]:
    """A schema that needs no other file; references of `node` count from the folder of `base`."""
    known: dict[str, Any] = {}
    made: dict[str, Any] = _convert(node, base, known)
    return {**made, "definitions": known}


def _methods(method: str) -> Any:
    return _load(_file(method))["methods"]


def _file(method: str) -> str:
    return f"{method.partition('.')[0]}/methods.json"


def _spec(method: str) -> Any:
    for one in _methods(method):
        if one["name"] == method:
            return one
    raise AssertionError(f"VK's schema has no method {method}")


def _parameters(method: str) -> dict[str, Any]:
    return {one["name"]: one for one in _spec(method).get("parameters", [])}


@functools.cache
def _answers(method: str) -> list[dict[str, Any]]:
    """One schema for each shape of the answer: usual, extended …"""
    return [_standalone(shape, _file(method)) for shape in _spec(method)["responses"].values()]


@functools.cache
def _error_schema() -> dict[str, Any]:
    made = _standalone({"$ref": "base/objects.json#/definitions/base_error"})
    known = made.pop("definitions")
    return {"properties": {"error": made}, "required": ["error"], "definitions": known}


# Types whose object has no definition under callback, though the docs name it.
EVENT_OBJECTS = {
    "message_reply": "callback/objects.json#/definitions/callback_message",
    "message_edit": "callback/objects.json#/definitions/callback_message",
    "market_order_new": "market/objects.json#/definitions/market_order",
    "market_order_edit": "market/objects.json#/definitions/market_order",
}


@functools.cache
def _event_schema(kind: str) -> dict[str, Any]:
    own = f"callback/objects.json#/definitions/callback_{kind}"
    return _standalone({"$ref": EVENT_OBJECTS.get(kind, own)})


# -- values against it -----------------------------------------------------------------------------


def _wrong_parameter(method: str, name: str, rule: Any, text: str) -> list[str]:
    inside = _inside(method, name, rule)
    if inside is None:
        schema = _standalone({key: rule[key] for key in rule if key != "name"}, _file(method))
        return _unexcused(method, schema, _typed(schema, schema["definitions"], text), name)
    try:
        decoded = json.loads(text)
    except ValueError:
        return [f"{name}: not JSON"]
    length = {key: rule[key] for key in ("maxLength", "minLength") if key in rule}
    return _unexcused(method, length, text, name) + _unexcused(method, inside, decoded, name)


def _inside(method: str, name: str, rule: Any) -> dict[str, Any] | None:
    """The schema of what a text parameter carries as JSON; None for any other parameter."""
    if (method, name) in JSON_PARAMETERS:
        return _standalone(JSON_PARAMETERS[method, name])
    if rule.get("format") == "json":
        return {}
    if rule.get("type") == "string" and "$ref" in rule:
        schema = _standalone({"$ref": rule["$ref"]}, _file(method))
        named = schema["definitions"][schema["$ref"].rpartition("/")[2]]
        return schema if named.get("type") == "object" else None
    return None


def _typed(rule: Any, known: Mapping[str, Any], text: str) -> Any:
    """A form's text as the value that the rule speaks of; text that does not fit stays text."""
    while "$ref" in rule:
        rule = known[rule["$ref"].rpartition("/")[2]]
    kind = rule.get("type")
    if kind == "array":
        parts = text.split(",") if text else []
        return [_typed(rule.get("items", {}), known, part) for part in parts]
    if kind == "boolean" and text in ("0", "1"):
        return text == "1"
    if kind == "integer" and re.fullmatch(r"-?\d+", text):
        return int(text)
    if kind == "number" and re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text)
    return text


def _unexcused(what: str, schema: Any, value: Any, at: str = "") -> list[str]:
    """Why the schema refuses the value, without the known gaps."""
    errors = Draft7Validator(schema).iter_errors(value)
    return [f"{path}: {error.message[:300]}" for path, error in _excuse(what, errors, at)]


def _excuse(
    what: str, errors: Iterator[ValidationError], at: str
) -> Iterator[tuple[str, ValidationError]]:
    for error in errors:
        steps = [at] if at else []
        steps += [str(step) for step in error.absolute_path]
        if error.validator == "required":
            steps.append(error.message.split("'")[1])
        path = ".".join(steps)
        if not excused(GAPS, what, path, error.instance):
            yield path, error
