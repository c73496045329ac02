"""User-perceived characters: a letter with its accents, an emoji with its modifiers, a flag."""

import regex

_GRAPHEME = regex.compile(r"\X")


def graphemes(text: str) -> list[str]:
    """Split a text into extended grapheme clusters (Unicode UAX #29). Their join is the text."""
    return list(_GRAPHEME.findall(text))


def shorten(text: str, max_length: int) -> str:
    """Return the text cut to `max_length` graphemes, the last one being "…" when it was cut."""
    parts = graphemes(text)
    if len(parts) <= max_length:
        return text
    return "".join(parts[: max_length - 1]).rstrip() + "…"


def well_formed(text: str) -> str:
    """Return the text with surrogate pairs joined and lone surrogates replaced by U+FFFD.

    A lone surrogate can be part of a Python string (JSON allows it) but not of any encoding.
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
