"""Parsing of JSON request bodies; an invalid body is reported with all its faults by field."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.json import Decoder

from sigma.domain.errors import Problem, RefusedError, validation_error

T = TypeVar("T", bound=Struct)

_JSON_TYPES = {
    "str": "string",
    "int": "integer",
    "bool": "boolean",
    "array": "array",
    "datetime": "RFC 3339 date-time",
}

MAX_PROBLEMS = 50  # problems reported for one body

# JSON escapes of control characters, which are refused (PostgreSQL cannot store NUL). This cheap
# search over the raw body decides whether the parsed values are walked at all.
_CONTROL_ESCAPE = re.compile(rb"\\(?:u00[01]|u007[fF]|[bf])")
_CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def parse_body(decoder: "Decoder[T]", body: bytes) -> T:
    """Decode a body into the decoder's struct.

    Raises RefusedError: "bad_request" when the body is not JSON, "validation" with the fields
    when it does not match the struct or contains control characters.
    """
    try:
        value = decoder.decode(body)
    except msgspec.ValidationError as error:
        raise validation_error(*_problems(decoder.type, body)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError("bad_request") from error
    if _CONTROL_ESCAPE.search(body) and (
        problems := list(_control_character_problems(msgspec.to_builtins(value), ""))
    ):
        raise validation_error(*problems[:MAX_PROBLEMS])
    return value


def _problems(shape: type[Struct], body: bytes) -> list[Problem]:
    try:
        plain = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:  # such as a number out of range
        raise RefusedError("bad_request") from error
    return list(_compare(shape, plain, ""))[:MAX_PROBLEMS] or [_type_problem("", "")]


def _compare(shape: Any, plain: Any, path: str) -> Iterator[Problem]:
    """Compare a value with its type, field by field: msgspec itself stops at the first fault."""
    bare = shape
    while get_origin(bare) is Annotated:
        bare = get_args(bare)[0]
    structs = [part for part in (bare, *get_args(bare)) if _is_struct(part)]
    if structs and get_origin(bare) is not list:
        yield from _compare_struct(structs[0], plain, path)
    elif get_origin(bare) is list and isinstance(plain, list):
        shape = bare
        for n, value in enumerate(plain):
            yield from _compare(get_args(shape)[0], value, f"{path}.{n}")
    else:
        try:
            msgspec.convert(plain, shape)
        except msgspec.ValidationError as error:
            yield _type_problem(path, str(error))


def _is_struct(shape: Any) -> bool:
    return isinstance(shape, type) and issubclass(shape, Struct)


def _compare_struct(shape: type[Struct], plain: Any, path: str) -> Iterator[Problem]:
    if not isinstance(plain, dict):
        yield _type_problem(path, "Expected `object`")
        return
    hints = get_type_hints(shape, include_extras=True)
    fields = {field.encode_name: field for field in msgspec.structs.fields(shape)}
    for name in plain:
        if name not in fields:
            yield Problem(f"{path}.{name[:100]}".lstrip("."), "unknown_field")
    for name, field in fields.items():
        field_path = f"{path}.{name}"
        if name in plain:
            yield from _compare(hints[field.name], plain[name], field_path)
        elif field.default is NODEFAULT and field.default_factory is NODEFAULT:
            yield Problem(field_path.lstrip("."), "required")


def _type_problem(path: str, message: str) -> Problem:
    """Return a "shape" problem with the expected JSON type, taken from msgspec's error message."""
    match = re.search(r"Expected `(\w+)", message)
    expected = _JSON_TYPES.get(match[1] if match else "", "object")
    return Problem(path.lstrip("."), "shape", {"expected": expected})


def _control_character_problems(plain: Any, path: str) -> Iterator[Problem]:
    """Yield a problem for every text or key with control characters."""
    if isinstance(plain, dict):
        for name, value in plain.items():
            if _CONTROL_CHARACTER.search(name):
                yield Problem(path.lstrip("."), "characters")
            else:
                yield from _control_character_problems(value, f"{path}.{name}")
    elif isinstance(plain, list | tuple):
        for n, value in enumerate(plain):
            yield from _control_character_problems(value, f"{path}.{n}")
    elif isinstance(plain, str) and _CONTROL_CHARACTER.search(plain):
        yield Problem(path.lstrip("."), "characters")
