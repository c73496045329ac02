"""The export of a client's data as one HTML page that opens without a network."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sigma.documents.html_templates import html_environment
from sigma.texts import Translator


@dataclass(frozen=True, slots=True)
class Section:
    """One list of the export: `name` is its key in the JSON file."""

    name: str
    records: Sequence[Mapping[str, Any]]


def render_export(
    document: Mapping[str, Any], sections: Sequence[Section], translator: Translator
) -> str:
    """Return the page. Values are shown as they are in the JSON file."""
    return (
        html_environment()
        .get_template("client_export.html")
        .render(
            t=translator.t,
            locale=translator.locale,
            document=document,
            sections=sections,
            rows=lambda value: _rows(value, ""),
        )
    )


def _rows(value: Any, path: str) -> list[tuple[str, str]]:
    """Return a JSON value as lines: path of the key and the value as text; empty ones left out."""
    if value in (None, "", [], {}):
        return []
    if isinstance(value, Mapping):
        return [
            row
            for key, one in value.items()
            for row in _rows(one, f"{path}.{key}" if path else str(key))
        ]
    if isinstance(value, list | tuple):
        return [row for n, one in enumerate(value, 1) for row in _rows(one, f"{path}.{n}")]
    return [(path, value if isinstance(value, str) else json.dumps(value))]
