"""Reads the sentences of both languages from the TOML files beside it, once per process.

A key is `area.table.name`; the area is the file's name. A table made only of plural classes is
one sentence.
"""

import functools
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Any

LOCALES = ("ru", "en")
PLURALS = frozenset({"one", "few", "many", "other"})

Sentence = str | Mapping[str, str]  # a text, or a text for each plural class


@functools.cache
def catalogue(locale: str) -> Mapping[str, Sentence]:
    """Every sentence of a language by its key. Raises KeyError for another language."""
    if locale not in LOCALES:
        raise KeyError(locale)
    found: dict[str, Sentence] = {}
    for file in sorted(files("sigma.texts").joinpath(locale).iterdir(), key=lambda f: f.name):
        if file.name.endswith(".toml"):
            area = file.name.removesuffix(".toml")
            _flatten(area, tomllib.loads(file.read_text(encoding="utf-8")), found)
    return MappingProxyType(found)


def _flatten(prefix: str, table: dict[str, Any], found: dict[str, Sentence]) -> None:
    for name, value in table.items():
        key = f"{prefix}.{name}"
        if isinstance(value, dict) and not set(value) <= PLURALS:
            _flatten(key, value, found)
        elif isinstance(value, str | dict):
            found[key] = value
        else:
            raise TypeError(f"{key} is neither a sentence nor plural forms")
