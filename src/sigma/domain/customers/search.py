"""The words by which a customer is found by name."""

import re
from typing import Final

MIN_PREFIX, MAX_PREFIX = 3, 5  # letters of a word that search compares: «ива» finds «Иванов»
MAX_WORDS: Final = 12
TAG_PREFIX: Final = "#"
_WORD = re.compile(r"[^\W_]+")


def _words(text: str) -> list[str]:
    folded = text.casefold().replace("ё", "е")
    return list(dict.fromkeys(_WORD.findall(folded)))[:MAX_WORDS]


def index_tokens(name: str, tags: tuple[str, ...] = ()) -> list[str]:
    """Return what the search index has of a customer: beginnings of the words, and whole tags."""
    tokens: dict[str, None] = {}
    for word in _words(name):
        if len(word) < MIN_PREFIX:
            tokens[word] = None
        for length in range(MIN_PREFIX, min(len(word), MAX_PREFIX) + 1):
            tokens[word[:length]] = None
    return [*tokens, *map(tag_token, tags)]


def query_tokens(text: str) -> list[str]:
    """Return the tokens that a customer must have to be found by a text.

    Only the first letters of a word are compared, and a word of one or two letters whole.
    """
    return list(dict.fromkeys(word[:MAX_PREFIX] for word in _words(text)))


def tag_token(tag: str) -> str:
    """Return the token of a tag, in any case of its letters."""
    return TAG_PREFIX + tag.casefold().replace("ё", "е")
