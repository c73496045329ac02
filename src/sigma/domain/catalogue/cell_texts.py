"""Texts of a price list's cells, cleaned: HTML becomes plain text, invisible characters go."""

import functools
import re
from html.parser import HTMLParser

from sigma.domain.text_cleaning import clean_text

# Only real tags and references make a text HTML: «5 < 10» and «R&D» stay as they are.
_HTML = re.compile(
    r"</?(?:br|p|b|i|u|s|em|strong|span|div|ul|ol|li|a|font|h[1-6]|table|tr|td|th|tbody|img|hr|small"
    r"|sup|sub|script|style|html|body|meta|o:p)\b[^>]*>"
    r"|&(?:nbsp|amp|lt|gt|quot|laquo|raquo|mdash|ndash|apos|hellip|bull|middot|#\d{2,6}|#x[0-9a-f]{2,5});",
    re.IGNORECASE,
)
# A cell that a spreadsheet would run as a formula is exported with an apostrophe before it.
_FORMULA_PREFIXES = ("=", "+", "-", "@", "'")
_BREAKING_TAGS = frozenset(
    ("br", "p", "div", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "ul", "ol")
)


class _TextExtractor(HTMLParser):
    """Collects the text of HTML; blocks and <br> become line breaks, scripts are dropped."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden_depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Start a new line at a block."""
        if tag in ("script", "style"):
            self._hidden_depth += 1
        elif tag in _BREAKING_TAGS:
            self.parts.append("\n• " if tag == "li" else "\n")

    def handle_endtag(self, tag: str) -> None:
        """End the line after a block."""
        if tag in ("script", "style"):
            self._hidden_depth = max(0, self._hidden_depth - 1)
        elif tag in _BREAKING_TAGS and tag not in ("br", "li"):
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        """Collect visible text."""
        if not self._hidden_depth:
            self.parts.append(data)


def without_html(text: str) -> str:
    """Return the text of HTML, or the text itself when it has no tags and no references."""
    if not _HTML.search(text):
        return text
    extractor = _TextExtractor()
    extractor.feed(re.sub(r"(<br\b[^>]*>)[ \t]*\r?\n", r"\1", text, flags=re.IGNORECASE))
    extractor.close()
    lines = [" ".join(line.split()) for line in "".join(extractor.parts).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


@functools.lru_cache(maxsize=2048)  # units, categories and descriptions repeat
def clean_cell(text: str, *, multiline: bool = False) -> str:
    """Return the plain text of a cell, cleaned by the rule for all text from outside.

    A line break becomes "\\n" with `multiline`, else a space; then runs of spaces become one.
    """
    if "<" in text or "&" in text:
        text = without_html(text)
    text = clean_text(text, multiline=multiline)
    if multiline:
        return "\n".join(line.rstrip() for line in text.split("\n"))
    return " ".join(text.split())


def unescape_formula(text: str) -> str:
    """Return a cell without the apostrophe that the export puts before «=», «+», «-», «@», «'»."""
    return text[1:] if text[:1] == "'" and text[1:2] in _FORMULA_PREFIXES else text
