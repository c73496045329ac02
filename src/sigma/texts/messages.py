"""Load the texts of both languages from the TOML files in this folder, once per process.

A key is `area.table.name`; the area is the file's name. A table whose keys are all plural forms
is one text.
"""

import functools
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Any

LOCALES = ("ru", "en")
PLURAL_FORMS = frozenset({"one", "few", "many", "other"})

Text = str | Mapping[str, str]  # a text, or a text for each plural form


@functools.cache
def load_texts(locale: str) -> Mapping[str, Text]:
    """Return all texts of a language by key. Raises KeyError for an unsupported language."""
    if locale not in LOCALES:
        raise KeyError(locale)
    texts: dict[str, Text] = {}
    for file in sorted(files("sigma.texts").joinpath(locale).iterdir(), key=lambda f: f.name):
        if file.name.endswith(".toml"):
            area = file.name.removesuffix(".toml")
            _flatten(area, tomllib.loads(file.read_text(encoding="utf-8")), texts)
    return MappingProxyType(texts)


def _flatten(prefix: str, table: dict[str, Any], texts: dict[str, Text]) -> None:
    for name, value in table.items():
        key = f"{prefix}.{name}"
        if isinstance(value, dict) and not set(value) <= PLURAL_FORMS:
            _flatten(key, value, texts)
        elif isinstance(value, str | dict):
            texts[key] = value
        else:
            raise TypeError(f"{key} is neither a text nor plural forms")
