"""Secrets that are obviously not random."""

import itertools

MIN_DIFFERENT_CHARS = 8


def is_weak_secret(key: str) -> bool:
    """Return whether a key is obviously not random: one unit repeated, few characters, or a row.

    A random key of 32 hexadecimal digits has about 14 different ones, and a sixth of its digits
    follows or repeats the one before.
    """
    is_repeated = key in (key + key)[1:-1]
    steps = [abs(ord(b) - ord(a)) <= 1 for a, b in itertools.pairwise(key)]
    return is_repeated or len(set(key)) < MIN_DIFFERENT_CHARS or sum(steps) * 2 > len(steps)
