"""Parsing of JSON request bodies; an invalid body is reported with all its faults by field."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import NODEFAULT, Struct

from sigma.domain.bank_cards import mask_card_numbers
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.text_cleaning import clean_text

T = TypeVar("T", bound=Struct)
ResultT = TypeVar("ResultT")

# First word of msgspec's "Expected `…`" → key under "errors.type" of the texts.
_JSON_TYPES = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "array": "array",
    "object": "object",
    "datetime": "date_time",
}
# Stands in for an invalid required text; its field is already reported, so nothing reads it.
_PLACEHOLDER = "1"

MAX_PROBLEMS = 50  # problems reported for one body
MAX_VALUES = 5000  # objects, lists, texts, numbers… of one body; the largest invoice has 2500
THREAD_BYTES = 16 * 1024  # a larger body is parsed in a thread

# Refused, not cleaned: a program that sends them has a bug that its author must learn of.
_CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")


def parse_body(shape: type[T], body: bytes) -> tuple[T, list[Problem]]:
    """Decode a body into a struct, with its texts cleaned; return it and the problems by field.

    Fields with a problem hold their default or a placeholder, so that the caller can check the
    others and report everything at once with `require_valid`. Raises RefusedError: "bad_request"
    when the body is not JSON, "too_large" when it has too many values, "validation" when it is not
    an object or has very many problems.
    """
    problems: list[Problem] = []
    try:
        decoded = msgspec.json.decode(body)
        _require_few_values(decoded)
        plain = _clean_texts(decoded, "", problems)
        problems += _duplicate_members(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError("bad_request") from error
    if not isinstance(plain, dict):
        raise validation_error(_shape_problem("", "Expected `object`"))
    values = _read_struct(shape, plain, "", problems)
    if len(problems) >= MAX_PROBLEMS:
        raise validation_error(*problems[:MAX_PROBLEMS])
    return msgspec.convert(values, shape), problems


async def parse_outside_loop(parse: Callable[[], ResultT], body: bytes) -> ResultT:
    """Return the result of `parse`, which reads `body`: a large body must not block the loop."""
    return await asyncio.to_thread(parse) if len(body) > THREAD_BYTES else parse()


def require_valid(body_problems: Iterable[Problem], value_problems: Iterable[Problem] = ()) -> None:
    """Raise RefusedError("validation") with all problems, if there are any.

    `body_problems` are of `parse_body`. A problem of a value is dropped when its field or the
    object around it is already reported: the value is a placeholder then.
    """
    problems = list(body_problems)
    reported = [problem.field for problem in problems]
    problems += [p for p in value_problems if not any(is_within(p.field, f) for f in reported)]
    if problems:
        raise validation_error(*problems[:MAX_PROBLEMS])


def is_within(field: str, other: str) -> bool:
    """Return whether the path `field` is `other` or lies inside it: "items.0.name" in "items.0"."""
    return field == other or field.startswith(f"{other}.")


def _require_few_values(decoded: Any) -> None:
    """Raise RefusedError("too_large") for more than MAX_VALUES values, before work on each.

    The fields of the body itself are not counted: the first unknown ones are reported by name.
    """
    count, unread = -len(decoded) if isinstance(decoded, dict) else 0, [decoded]
    while unread:
        value = unread.pop()
        members = value.values() if isinstance(value, dict) else value
        if isinstance(value, dict | list):
            count += len(value)
            if count > MAX_VALUES:
                raise RefusedError("too_large")
            unread += (member for member in members if isinstance(member, dict | list))


def _clean_texts(plain: Any, path: str, problems: list[Problem]) -> Any:
    """Return the decoded JSON with every text and key cleaned; report control characters."""
    if isinstance(plain, dict):
        cleaned = {}
        for name, value in plain.items():
            if _CONTROL_CHARACTER.search(name):
                problems.append(Problem(path, "characters"))
            else:
                clean_name = clean_text(name)
                if clean_name in cleaned:
                    problems.append(Problem(_join(path, name), "duplicate_field"))
                cleaned[clean_name] = _clean_texts(value, _join(path, name), problems)
        return cleaned
    if isinstance(plain, list):
        return [_clean_texts(value, _join(path, n), problems) for n, value in enumerate(plain)]
    if isinstance(plain, str):
        if _CONTROL_CHARACTER.search(plain):
            problems.append(Problem(path, "characters"))
        return clean_text(plain, multiline=True)
    return plain


def _duplicate_members(body: bytes) -> list[Problem]:
    """Return a problem for every name that one JSON object has twice: msgspec takes the last one.

    RFC 8259, 4 leaves the meaning of such an object open; of two amounts neither can be trusted.
    """
    problems: list[Problem] = []

    def check_names(members: list[tuple[str, Any]]) -> None:
        counts = Counter(name for name, _ in members)
        twice = sorted(name for name, count in counts.items() if count > 1)
        problems.extend(Problem(_join("", name), "duplicate_field") for name in twice)

    json.loads(body, object_pairs_hook=check_names, parse_int=str, parse_float=str)
    return problems


def _join(path: str, name: object) -> str:
    """Return the path of a member. A long name is cut, a card number in it is masked."""
    return f"{path}.{mask_card_numbers(str(name)[:100])}".lstrip(".")


def _read(shape: Any, plain: Any, path: str, problems: list[Problem]) -> Any:
    """Return a value that msgspec converts to `shape`; report what is wrong with `plain`.

    Field by field: msgspec itself stops at the first fault.
    """
    bare = _without_metadata(shape)
    if get_origin(bare) is list and isinstance(plain, list):
        (part,) = get_args(bare)
        return [_read(part, value, _join(path, n), problems) for n, value in enumerate(plain)]
    if get_origin(bare) is dict and isinstance(plain, dict):
        part = get_args(bare)[1]
        return {n: _read(part, value, _join(path, n), problems) for n, value in plain.items()}
    if (struct := _struct_of(bare)) and isinstance(plain, dict):
        return _read_struct(struct, plain, path, problems)
    try:
        msgspec.convert(plain, shape)
    except msgspec.ValidationError as error:
        problems.append(_shape_problem(path, "datetime" if _is_date_time(bare) else str(error)))
        return _placeholder(bare)
    return plain


def _read_struct(
    shape: type[Struct], plain: dict[str, Any], path: str, problems: list[Problem]
) -> dict[str, Any]:
    hints = get_type_hints(shape, include_extras=True)
    fields = {field.encode_name: field for field in msgspec.structs.fields(shape)}
    unknown = [name for name in plain if name not in fields]
    problems += [Problem(_join(path, name), "unknown_field") for name in unknown]
    values = {}
    for name, field in fields.items():
        field_path = _join(path, name)
        if name in plain:
            known = len(problems)
            values[name] = _read(hints[field.name], plain[name], field_path, problems)
            if values[name] is None and len(problems) > known:
                del values[name]  # the default takes its place
        elif field.default is NODEFAULT and field.default_factory is NODEFAULT:
            problems.append(Problem(field_path, "required"))
            values[name] = _placeholder(_without_metadata(hints[field.name]))
    return values


def _placeholder(bare: Any) -> Any:
    """Return a value of the shape for a required field; None lets the field use its default."""
    if get_origin(bare) is list:
        return []
    if get_origin(bare) is dict:
        return {}
    if (struct := _struct_of(bare)) is not None:
        return _read_struct(struct, {}, "", [])
    return _PLACEHOLDER if bare is str else None


def _without_metadata(shape: Any) -> Any:
    while get_origin(shape) is Annotated:
        shape = get_args(shape)[0]
    return shape


def _alternatives(bare: Any) -> Iterator[Any]:
    """Yield the members of a union, or the shape itself."""
    yield from (_without_metadata(part) for part in get_args(bare) or (bare,))


def _struct_of(bare: Any) -> type[Struct] | None:
    if get_origin(bare) in (list, dict):
        return None
    return next(
        (p for p in _alternatives(bare) if isinstance(p, type) and issubclass(p, Struct)), None
    )


def _is_date_time(bare: Any) -> bool:
    return datetime in tuple(_alternatives(bare))


def _shape_problem(path: str, message: str) -> Problem:
    """Return a "shape" problem with the expected type, taken from msgspec's error message."""
    match = re.search(r"Expected `(\w+)", message)
    expected = _JSON_TYPES.get(match[1] if match else message, "object")
    return Problem(path, "shape", {"expected": expected})
