"""The one cleaning rule for text from outside: answers, titles, names, VK texts, API bodies.

What a reader cannot see must not be stored: it breaks databases and mail headers, reorders the
text around it, makes equal texts differ and makes an empty answer look filled in.
"""

import functools
import re
import unicodedata

# Every one of these ends a line somewhere: https://www.unicode.org/reports/tr14/ (classes BK, CR,
# LF, NL).
_LINE_BREAK = re.compile("\r\n|[\n\r\v\f\x85\u2028\u2029]")
# They look like a space and are letters or symbols: Hangul fillers and the empty Braille pattern.
_BLANKS = dict.fromkeys((0x3164, 0xFFA0, 0x2800), " ")
_BLANKS[ord("\t")] = " "

_INVISIBLE = re.compile(
    "["
    "\x00-\x09\x0b-\x1f\x7f-\x9f"  # controls other than the line feed
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f"  # soft hyphen, fillers, joiner, Mongolian
    "\u202a-\u202e\u2066-\u2069"  # direction embeddings, overrides and isolates
    "\u2060-\u2065\u206a-\u206f\ufeff\ufff0-\ufffc"  # invisible operators, byte order mark
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"  # lone surrogates and noncharacters
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # shorthand and musical format controls
    "\U000e0000-\U000e001f\U000e0080-\U000e00ff\U000e01f0-\U000e0fff"  # reserved as invisible
    + "".join(chr(n) + chr(n + 1) for n in range(0x1FFFE, 0x110000, 0x10000))  # noncharacters
    + "]+"
)
# Invisible characters that some scripts and emoji need. Each is judged by its neighbours.
_JOINERS = "\u200b\u200c\u200d"  # zero width space, non-joiner, joiner
_DIRECTION_MARKS = re.compile("[\u061c\u200e\u200f]")
_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"  # variants of the character before
_TAGS = "\U000e0020-\U000e007f"  # spell the region of a flag after a black flag
_NEEDS_NEIGHBOURS = re.compile(f"[{_JOINERS}{_SELECTORS}{_TAGS}]")
_LONE_TAGS = re.compile(f"(?<![\U0001f3f4{_TAGS}])[{_TAGS}]+")
_LONE_SELECTOR = re.compile(f"(?:(?<=[\\s{_JOINERS}{_SELECTORS}])|^)[{_SELECTORS}]+")
_JOINER_RUN = re.compile(f"[{_JOINERS}]+")
# Marks that stand above or below a letter. Piled up by the hundred they cover the lines around.
_DIACRITICS = (
    "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
    "\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u06d6-\u06dc\u06df-\u06e4\u0e34-\u0e3a\u0e47-\u0e4e"
)
_MAX_DIACRITICS = 6  # no script needs more on one letter
_PILED_DIACRITICS = re.compile(f"([{_DIACRITICS}]{{{_MAX_DIACRITICS}}})[{_DIACRITICS}]+")
_PLAIN_SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "DIGIT")  # their letters are never joined
_VIRAMA_CLASS = 9  # canonical combining class: a joiner after a virama chooses the letter's shape
_DIRECTION_CHARACTERS = "\u061c\u200e\u200f"
_STRIPPED = "".join(c for c in map(chr, range(0x3001)) if c.isspace()) + _DIRECTION_CHARACTERS
# NFC sorts the marks of one letter in quadratic time: 100,000 of them would take a minute. Thirty
# are the bound of the stream-safe format, https://www.unicode.org/reports/tr15/#Stream_Safe_Text_Format.
_MAX_MARKS = 30
_MARKS_OF_TWO = {0x344: "\u0308\u0301", 0xF73: "\u0f71\u0f72", 0xF75: "\u0f71\u0f74"}
_MARKS_OF_TWO[0xF81] = "\u0f71\u0f80"  # each of these counts as the two marks of its NFC


def clean_text(text: str, *, multiline: bool = False) -> str:
    """Return the text in NFC, stripped, without controls and invisible characters.

    Every line break becomes "\\n" with `multiline`, else a space. What a script needs stays:
    joiners inside emoji and inside words of joining scripts, direction marks in right-to-left
    texts, variation selectors after a character, six of the marks piled on one letter. Whether a
    text is empty is judged on the result.
    Cleaning a clean text changes nothing.
    """
    if text.isascii() and text.isprintable():
        return text.strip(" ")
    text = _LINE_BREAK.sub("\n" if multiline else " ", text).translate(_BLANKS)
    text = _INVISIBLE.sub("", text)
    if _DIRECTION_MARKS.search(text) and not _has_right_to_left_letters(text):
        text = _DIRECTION_MARKS.sub("", text)
    if _NEEDS_NEIGHBOURS.search(text):
        text = _without_loose_characters(text)
    text = _without_excess_marks(text.strip(_STRIPPED))
    return _PILED_DIACRITICS.sub(r"\1", unicodedata.normalize("NFC", text))


def _without_excess_marks(text: str) -> str:
    """Drop the combining marks that follow thirty others."""
    if len(text) <= _MAX_MARKS:
        return text
    return _excess_marks().sub(r"\1", text.translate(_MARKS_OF_TWO))


@functools.cache
def _excess_marks() -> re.Pattern[str]:
    # Every character that has a canonical combining class lies in these planes.
    accents = "".join(c for c in map(chr, range(0x300, 0x20000)) if unicodedata.combining(c))
    return re.compile(f"([{accents}]{{{_MAX_MARKS}}})[{accents}]+")


def _has_right_to_left_letters(text: str) -> bool:
    """Return whether the text has Hebrew, Arabic or other right-to-left letters."""
    return any(unicodedata.bidirectional(c) in ("R", "AL") for c in text if c not in "\u200f\u061c")


def _without_loose_characters(text: str) -> str:
    """Drop the tags, selectors and joiners that have nothing to work on."""
    text = _LONE_TAGS.sub("", text)
    text = _LONE_SELECTOR.sub("", text)
    return _JOINER_RUN.sub(lambda run: _needed_joiner(text, run), text)


def _needed_joiner(text: str, run: re.Match[str]) -> str:
    """Return the first joiner of a run if it changes how its neighbours are displayed, else ""."""
    start, end = run.span()
    before, after = text[max(start - 1, 0) : start], text[end : end + 1]
    joiner = run[0][0]
    if before and unicodedata.combining(before) == _VIRAMA_CLASS and joiner != "\u200b":
        return joiner
    if not before.strip() or not after.strip():
        return ""
    return "" if _is_plain(before) and _is_plain(after) else joiner


@functools.lru_cache(maxsize=4096)
def _is_plain(character: str) -> bool:
    return character.isascii() or unicodedata.name(character, "").startswith(_PLAIN_SCRIPTS)
