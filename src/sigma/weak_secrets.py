"""Secrets that are obviously not random."""

import itertools
import re

MIN_DIFFERENT_CHARS = 8
_WORD = r"(?:[A-ZА-ЯЁ]?[a-zа-яё]+|[A-ZА-ЯЁ]+)"
# A sentence is a password, which a derivation without stretching does not protect.
_WORDS = re.compile(rf"{_WORD}(?:[ .,_-]+{_WORD}){{2,}}[ .!?]*")


def is_weak_secret(key: str) -> bool:
    """Return whether a key is obviously not random: words, a repeated unit, few characters, a row.

    A random key of 32 hexadecimal digits has about 14 different ones, and a sixth of its digits
    follows or repeats the one before.
    """
    if _WORDS.fullmatch(key):
        return True
    is_repeated = key in (key + key)[1:-1]
    steps = [abs(ord(b) - ord(a)) <= 1 for a, b in itertools.pairwise(key)]
    return is_repeated or len(set(key)) < MIN_DIFFERENT_CHARS or sum(steps) * 2 > len(steps)
