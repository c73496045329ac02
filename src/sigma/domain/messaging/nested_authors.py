"""Names of the authors of quoted and forwarded messages."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sigma.domain.messaging.message import NestedMessage


def author_names(nested: tuple["NestedMessage", ...]) -> dict[int, str]:
    """Return the names of the authors of nested messages by VK's id, "" while not known."""
    names: dict[int, str] = {}
    for one in nested:
        inner = author_names(one.nested).items()
        for from_id, name in ((one.from_id, one.author_name), *inner):
            names[from_id] = name or names.get(from_id, "")
    names.pop(0, None)
    return names


def name_authors(
    nested: tuple["NestedMessage", ...], names: Mapping[int, str]
) -> tuple["NestedMessage", ...]:
    """Return the nested messages with the names of their authors, where `names` has them."""
    return tuple(
        replace(
            one,
            author_name=names.get(one.from_id, "") or one.author_name,
            nested=name_authors(one.nested, names),
        )
        for one in nested
    )
