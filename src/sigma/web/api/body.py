"""Reading a body: fast when it is right, and every fault by its field when it is not."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.json import Decoder

from sigma.domain.errors import Problem, Refused, invalid

T = TypeVar("T", bound=Struct)

_JSON_TYPES = {
    "str": "string",
    "int": "integer",
    "bool": "boolean",
    "array": "array",
    "datetime": "RFC 3339 date-time",
}

MAX_TOLD = 50  # faults of one body; the hundredth helps nobody

# Escapes of characters that no text of ours holds (and PostgreSQL refuses NUL): a quick look first.
_SUSPECT = re.compile(rb"\\(?:u00[01]|u007[fF]|[bf])")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def read(decoder: "Decoder[T]", body: bytes) -> T:
    """The body as its shape. Raises Refused: "bad_request" when it is not JSON at all,
    "validation" with the fields otherwise.
    """
    try:
        asked = decoder.decode(body)
    except msgspec.ValidationError as error:
        raise invalid(*_faults(decoder.type, body)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused("bad_request") from error
    if _SUSPECT.search(body) and (found := list(_controls(msgspec.to_builtins(asked), ""))):
        raise invalid(*found[:MAX_TOLD])
    return asked


def _faults(shape: type[Struct], body: bytes) -> list[Problem]:
    try:
        plain = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:  # a number out of range, for one
        raise Refused("bad_request") from error
    return list(_compared(shape, plain, ""))[:MAX_TOLD] or [_shape("", "")]


def _compared(shape: Any, plain: Any, path: str) -> Iterator[Problem]:
    """Walks a shape and a value side by side; msgspec itself stops at the first fault."""
    bare = shape
    while get_origin(bare) is Annotated:
        bare = get_args(bare)[0]
    structs = [one for one in (bare, *get_args(bare)) if _is_struct(one)]
    if structs and get_origin(bare) is not list:
        yield from _compared_struct(structs[0], plain, path)
    elif get_origin(bare) is list and isinstance(plain, list):
        shape = bare
        for n, value in enumerate(plain):
            yield from _compared(get_args(shape)[0], value, f"{path}.{n}")
    else:
        try:
            msgspec.convert(plain, shape)
        except msgspec.ValidationError as error:
            yield _shape(path, str(error))


def _is_struct(shape: Any) -> bool:
    return isinstance(shape, type) and issubclass(shape, Struct)


def _compared_struct(shape: type[Struct], plain: Any, path: str) -> Iterator[Problem]:
    if not isinstance(plain, dict):
        yield _shape(path, "Expected `object`")
        return
    hints = get_type_hints(shape, include_extras=True)
    fields = {field.encode_name: field for field in msgspec.structs.fields(shape)}
    for name in plain:
        if name not in fields:
            yield Problem(f"{path}.{name[:100]}".lstrip("."), "unknown_field")
    for name, field in fields.items():
        place = f"{path}.{name}"
        if name in plain:
            yield from _compared(hints[field.name], plain[name], place)
        elif field.default is NODEFAULT and field.default_factory is NODEFAULT:
            yield Problem(place.lstrip("."), "required")


def _shape(path: str, told: str) -> Problem:
    """A value of another type: what belongs there, as JSON names it."""
    found = re.search(r"Expected `(\w+)", told)
    expected = _JSON_TYPES.get(found[1] if found else "", "object")
    return Problem(path.lstrip("."), "shape", {"expected": expected})


def _controls(plain: Any, path: str) -> Iterator[Problem]:
    """Texts with control characters, by path."""
    if isinstance(plain, dict):
        for name, value in plain.items():
            if _CONTROL.search(name):
                yield Problem(path.lstrip("."), "characters")
            else:
                yield from _controls(value, f"{path}.{name}")
    elif isinstance(plain, list | tuple):
        for n, value in enumerate(plain):
            yield from _controls(value, f"{path}.{n}")
    elif isinstance(plain, str) and _CONTROL.search(plain):
        yield Problem(path.lstrip("."), "characters")
