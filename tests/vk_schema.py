"""Check Sigma's VK requests and the sandbox's responses with VK's official JSON schema.

The schema is not in this repository. It is read from the folder that VK_API_SCHEMA names, else from
`shared/facts/vk-api-schema` beside the repository. Without the folder these checks accept
everything, the summary of the run says so, and only `tests.vk_models` checks.
Source: https://github.com/VKCOM/vk-api-schema
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

DEFAULT_DIR = Path(__file__).parents[2] / "shared" / "facts" / "vk-api-schema"
SCHEMA_DIR = Path(os.environ.get("VK_API_SCHEMA", DEFAULT_DIR))
HAS_SCHEMA = (SCHEMA_DIR / "messages" / "methods.json").is_file()

# Keywords that draft-07 does not have, or that refuse what the live API really sends.
NOT_DRAFT_07 = {"description", "enumNames", "entity", "nullable", "discriminator", "format"}
IGNORED_KEYWORDS = NOT_DRAFT_07 | {"additionalProperties"}
COMMON_PARAMETERS = {"access_token", "v", "lang"}  # parameters of every method; not in the schema

KEYBOARD = {"$ref": "messages/objects.json#/definitions/messages_keyboard"}
# Parameters whose JSON the schema does not describe where it should.
JSON_PARAMETERS = {
    ("messages.edit", "keyboard"): KEYBOARD,
    ("messages.send", "template"): {},
    ("messages.edit", "template"): {},
    ("messages.sendMessageEventAnswer", "event_data"): {"type": "object"},
    ("market.saveProductPhoto", "upload_response"): {},
}
# Parameters that the live API requires although the schema does not.
REQUIRED_PARAMETERS = {"messages.send": {"random_id"}}


ATTACHMENT_ENUMS = (
    ("messages/objects.json", "messages_message_attachment_type"),
    ("messages/objects.json", "messages_history_message_attachment_type"),
    ("wall/objects.json", "wall_wallpost_attachment_type"),
    ("wall/objects.json", "wall_comment_attachment_type"),
)


@dataclass(frozen=True)
class Gap:
    """A known error in a description of VK. `subject` and `path` may contain `*`."""

    subject: str  # a method, or an event's type after "event:"
    path: str  # of the refused value or of the missing one
    reason: str
    value: Any = None  # if given, only this value is accepted


# Attachment types that live messages have and the schema does not.
LIVE_ATTACHMENT_TYPES = (
    *("money_transfer", "money_request", "mini_app", "story", "narrative", "video_message"),
    *("market_album", "podcast", "group_call_in_progress", "audio_playlist", "clip", "hologram"),
)
GAPS = [
    *(
        Gap("*", "*attachments.*.type", "sent by VK, not in the schema", vk_type)
        for vk_type in LIVE_ATTACHMENT_TYPES
    ),
    Gap(
        "*", "*keyboard.buttons.*.color", "the schema names the usual colour 'default'", "secondary"
    ),
    Gap("*", "error.inner_type", "live errors do not have it"),
    Gap("*", "*.category.inner_type", "live items do not have it"),
    Gap("event:message_event", "payload", "text in the schema; VK sends the button's JSON decoded"),
    Gap("event:message_event", "type", "not in the list of types"),
    Gap(
        "event:message_typing_state",
        "state",
        "numbers in the schema; VK sends the word",
        "typing",
    ),
]


def is_excused(gaps: list[Gap], subject: str, path: str, value: Any = None) -> bool:
    """Whether this value was refused because of a known gap."""
    return any(
        fnmatchcase(subject, gap.subject)
        and fnmatchcase(path, gap.path)
        and (gap.value is None or gap.value == value)
        for gap in gaps
    )


def check_request(method: str, form: Mapping[str, str]) -> None:
    """Check a request: `form` is decoded from the body, all values are text.

    Raises AssertionError with every reason. Accepts everything without the schema.
    """
    if not HAS_SCHEMA:
        return
    rules = _parameters(method)
    params = {name: text for name, text in form.items() if name not in COMMON_PARAMETERS}
    needed = {name for name, rule in rules.items() if rule.get("required") is True}
    missing = (needed | REQUIRED_PARAMETERS.get(method, set())) - set(params)
    reasons = [f"{name}: missing" for name in sorted(missing)]
    for name, text in params.items():
        if name not in rules:
            reasons.append(f"{name}: no such parameter")
        else:
            reasons += _parameter_reasons(method, name, rules[name], text)
    assert not reasons, f"{method} breaks VK's schema: " + "; ".join(reasons)


def check_response(method: str, response: Any) -> None:
    """Check a whole response with its envelope.

    Raises AssertionError. Accepts everything without the schema.
    """
    if not HAS_SCHEMA:
        return
    if "error" in response:
        candidates = [_reasons(method, _error_schema(), response)]
    else:
        candidates = [_reasons(method, schema, response) for schema in _response_schemas(method)]
    reasons = min(candidates, key=len)
    assert not reasons, f"the response of {method} breaks VK's schema: " + "; ".join(reasons)


def check_event(event: Any) -> None:
    """Check an event of the Callback API or of Bots Long Poll. Raises AssertionError."""
    if not HAS_SCHEMA:
        return
    kind = str(event["type"])
    base = _standalone({"$ref": "callback/objects.json#/definitions/callback_base"})
    reasons = _reasons(f"event:{kind}", base, event)
    if kind != "confirmation":
        reasons += _reasons(f"event:{kind}", _event_schema(kind), event["object"])
    assert not reasons, f"the event {kind} breaks VK's schema: " + "; ".join(reasons)


def has_method(method: str) -> bool:
    """Whether the schema knows the method."""
    return any(one["name"] == method for one in _methods(method))


def attachment_types() -> tuple[str, ...]:
    """Return all types of attachments of messages, posts and comments; none without the schema."""
    if not HAS_SCHEMA:
        return ()
    found: dict[str, None] = {}
    for path, name in ATTACHMENT_ENUMS:
        found |= dict.fromkeys(_load(path)["definitions"][name]["enum"])
    return tuple(found)


# -- conversion to draft-07 ------------------------------------------------------------------------


@functools.cache
def _load(path: str) -> Any:
    return json.loads((SCHEMA_DIR / path).read_text("utf-8"))


def _resolve_pointer(path: str, pointer: str) -> Any:
    node = _load(path)
    for step in pointer.strip("/").split("/"):
        node = node[step]
    return node


def _convert(node: Any, base: str, known: dict[str, Any]) -> Any:
    """Return `node` of the file `base` as draft-07; collect referenced definitions in `known`."""
    if isinstance(node, list):
        return [_convert(one, base, known) for one in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        file, _, pointer = node["$ref"].partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(base), file)) if file else base
        name = (path + pointer).replace("/", ".")
        if name not in known:
            known[name] = {}  # set first, because definitions refer to themselves
            known[name] = _convert(_resolve_pointer(path, pointer), path, known)
        return {"$ref": f"#/definitions/{name}"}
    converted: dict[str, Any] = {}
    for keyword, value in node.items():
        if keyword == "properties":
            converted[keyword] = {name: _convert(rule, base, known) for name, rule in value.items()}
            needed = [name for name, rule in value.items() if rule.get("required") is True]
            converted |= {"required": needed} if needed else {}
        elif keyword == "enum":
            converted[keyword] = value
        elif keyword not in IGNORED_KEYWORDS and not (
            keyword == "required" and isinstance(value, bool)
        ):
            converted[keyword] = _convert(value, base, known)
    return converted


def _standalone(node: Any, base: str = "") -> dict[str, Any]:
    """Return a schema without references to other files.

    References in `node` are relative to the folder of `base`.
    """
    known: dict[str, Any] = {}
    converted: dict[str, Any] = _convert(node, base, known)
    return {**converted, "definitions": known}


def _methods(method: str) -> Any:
    return _load(_methods_file(method))["methods"]


def _methods_file(method: str) -> str:
    return f"{method.partition('.')[0]}/methods.json"


def _spec(method: str) -> Any:
    for one in _methods(method):
        if one["name"] == method:
            return one
    raise AssertionError(f"VK's schema has no method {method}")


def _parameters(method: str) -> dict[str, Any]:
    return {one["name"]: one for one in _spec(method).get("parameters", [])}


@functools.cache
def _response_schemas(method: str) -> list[dict[str, Any]]:
    """Return one schema for each shape of the response: usual, extended …"""
    return [
        _standalone(shape, _methods_file(method)) for shape in _spec(method)["responses"].values()
    ]


@functools.cache
def _error_schema() -> dict[str, Any]:
    error = _standalone({"$ref": "base/objects.json#/definitions/base_error"})
    known = error.pop("definitions")
    return {"properties": {"error": error}, "required": ["error"], "definitions": known}


# Event types whose object has no definition under "callback", though the documentation has one.
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


# -- validation of values --------------------------------------------------------------------------


def _parameter_reasons(method: str, name: str, rule: Any, text: str) -> list[str]:
    json_schema = _json_schema(method, name, rule)
    if json_schema is None:
        schema = _standalone(
            {key: rule[key] for key in rule if key != "name"}, _methods_file(method)
        )
        return _reasons(method, schema, _convert_text(schema, schema["definitions"], text), name)
    try:
        decoded = json.loads(text)
    except ValueError:
        return [f"{name}: not JSON"]
    length = {key: rule[key] for key in ("maxLength", "minLength") if key in rule}
    return _reasons(method, length, text, name) + _reasons(method, json_schema, decoded, name)


def _json_schema(method: str, name: str, rule: Any) -> dict[str, Any] | None:
    """Return the schema of the JSON in a text parameter; None for any other parameter."""
    if (method, name) in JSON_PARAMETERS:
        return _standalone(JSON_PARAMETERS[method, name])
    if rule.get("format") == "json":
        return {}
    if rule.get("type") == "string" and "$ref" in rule:
        schema = _standalone({"$ref": rule["$ref"]}, _methods_file(method))
        named = schema["definitions"][schema["$ref"].rpartition("/")[2]]
        return schema if named.get("type") == "object" else None
    return None


def _convert_text(rule: Any, known: Mapping[str, Any], text: str) -> Any:
    """Convert a form's text to the type of the rule; text that does not fit stays text."""
    while "$ref" in rule:
        rule = known[rule["$ref"].rpartition("/")[2]]
    kind = rule.get("type")
    if kind == "array":
        parts = text.split(",") if text else []
        return [_convert_text(rule.get("items", {}), known, part) for part in parts]
    if kind == "boolean" and text in ("0", "1"):
        return text == "1"
    if kind == "integer" and re.fullmatch(r"-?\d+", text):
        return int(text)
    if kind == "number" and re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text)
    return text


def _reasons(subject: str, schema: Any, value: Any, at: str = "") -> list[str]:
    """Return why the schema refuses the value, except for the known gaps."""
    errors = Draft7Validator(schema).iter_errors(value)
    return [f"{path}: {error.message[:300]}" for path, error in _without_gaps(subject, errors, at)]


def _without_gaps(
    subject: str, errors: Iterator[ValidationError], at: str
) -> Iterator[tuple[str, ValidationError]]:
    for error in errors:
        steps = [at] if at else []
        steps += [str(step) for step in error.absolute_path]
        if error.validator == "required":
            steps.append(error.message.split("'")[1])
        path = ".".join(steps)
        if not is_excused(GAPS, subject, path, error.instance):
            yield path, error
