"""Rules for passwords: length, no common ones, no words of the person or the shop.

There are no rules of composition and no expiry (NIST SP 800-63B, section 3.1.1.2).
"""

import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise

from zxcvbn import zxcvbn

from sigma.domain.errors import Problem

MIN_PASSWORD, MAX_PASSWORD = 10, 128  # characters
# An attacker who tries the likely ones first needs fewer guesses than this: it is a common one.
MIN_GUESSES = 10**8
MIN_WORD = 4  # letters: shorter words of a name occur in other words
# zxcvbn takes a tenth of a second for 72 characters. A part of this length is judged by itself.
_CHUNK = 36
_ALWAYS_FORBIDDEN = ("sigma", "сигма")

# The keys of a Russian keyboard in the order of the Latin letters that they share a key with.
_RUSSIAN_KEYS = dict(
    zip(
        "йцукенгшщзхъфывапролджэячсмитьбюё",
        "qwertyuiop[]asdfghjkl;'zxcvbnm,.`",
        strict=True,
    )
)
# Words of the most common Russian passwords, the likeliest first. zxcvbn has English lists only.
_RUSSIAN_WORDS = (
    *("пароль", "привет", "любовь", "солнышко", "наташа", "марина", "андрей", "максим", "светлана"),
    *("александр", "сергей", "дмитрий", "владимир", "анастасия", "екатерина", "виктория", "ольга"),
    *("алексей", "николай", "кристина", "никита", "евгений", "татьяна", "ирина", "анна", "мария"),
    *("самсунг", "спартак", "зенит", "россия", "москва", "ангел", "малышка", "котенок", "зайка"),
    *("красотка", "хозяин", "админ", "администратор", "секрет", "доступ", "вход", "магазин"),
    *("счастье", "удача", "солнце", "дракон", "король", "принцесса", "любимая", "мама", "папа"),
    *("parol", "privet", "lubov", "lyubov", "solnyshko", "solnishko", "natasha", "marina"),
    *("andrey", "maksim", "sergey", "dima", "vladimir", "nastya", "katya", "rossiya", "moskva"),
    *("spartak", "zenit", "lubimaya", "malyshka", "krasotka", "admin", "magazin", "vasya", "masha"),
)


def normalize_password(password: str) -> str:
    """Return the password in NFC: «й» is one character on every keyboard and system."""
    return unicodedata.normalize("NFC", password)


def own_words(*names: str) -> tuple[str, ...]:
    """Return the words that a password must not contain: of a login, a person, a shop.

    Of an e-mail address only the part before "@": its host is a word of many.
    """
    words = []
    for name in names:
        whole = name.partition("@")[0].casefold()
        words += [_squeeze(whole), *re.split(r"[\W_]+", whole)]
    return tuple(dict.fromkeys(word for word in words if len(word) >= MIN_WORD))


def check_password(password: str, words: Iterable[str], field: str = "password") -> Problem | None:
    """Return what is wrong with a new password, or None.

    `password` in NFC; `words`: see `own_words`.
    """
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        return Problem(field, "password_length", {"min": MIN_PASSWORD, "max": MAX_PASSWORD})
    plain = password.casefold()
    squeezed = {_squeeze(plain), _squeeze(_as_typed_in_latin(plain))}
    for word in (*_ALWAYS_FORBIDDEN, *words):
        spellings = {word, _squeeze(_as_typed_in_latin(word))}
        if any(len(one) >= MIN_WORD and one in text for one in spellings for text in squeezed):
            return Problem(field, "password_own_word", {"word": word})
    if is_common(plain, tuple(words)):
        return Problem(field, "password_common")
    return None


def is_common(password: str, words: tuple[str, ...] = ()) -> bool:
    """Return whether an attacker guesses the password soon: common words, keys in a row, dates."""
    dictionary = [*_RUSSIAN_WORDS, *words]
    return all(
        min(
            int(zxcvbn(text, user_inputs=dictionary)["guesses"])
            for text in {part, _as_typed_in_latin(part)}
        )
        < MIN_GUESSES
        for part in _parts(password)
    )


def _squeeze(text: str) -> str:
    """Return only the letters and digits of a text."""
    return re.sub(r"[\W_]", "", text)


def _parts(password: str) -> list[str]:
    """Return the password in parts: a long one is common only when each of its parts is."""
    cuts = [*range(0, len(password), _CHUNK), len(password)]
    return [password[start:end] for start, end in pairwise(cuts) if end - start >= MIN_WORD]


def _as_typed_in_latin(text: str) -> str:
    """Return what the same keys type in the Latin layout: «йцукен» is "qwerty"."""
    return "".join(_RUSSIAN_KEYS.get(character, character) for character in text)
