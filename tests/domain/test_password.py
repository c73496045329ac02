"""Which passwords are refused: short, common, made of words of the person or the shop."""

import time

import pytest

from sigma.domain.accounts.password import (
    MAX_PASSWORD,
    MIN_PASSWORD,
    check_password,
    normalize_password,
    own_words,
)

WORDS = own_words("Olga.Petrova@salon-lak.ru", "Ольга", "Студия «Лак»")


def problem_code(password: str) -> str:
    problem = check_password(normalize_password(password), WORDS)
    return problem.code if problem else ""


@pytest.mark.parametrize(
    "password",
    [
        "три случайных слова",
        "correct horse battery",
        "kot i pes na kryshe",
        "u7Fh2kQp9z",
        "        пробелы и ещё пробелы   ",
        "Ж" + "ё" * 3 + "лтый-кит-летит",
        "emoji 🦊🦊 tunnel",
        "ночь улица фонарь аптека " * 5,
        "п" + "x9#Lq2Vz" * 15 + "end",
    ],
)
def test_password_of_any_composition_is_accepted(password: str) -> None:
    assert problem_code(password) == ""


@pytest.mark.parametrize(
    "password",
    [
        *("1234567890", "qwertyuiop", "password123", "P@ssw0rd12", "iloveyou123", "1q2w3e4r5t"),
        *("aaaaaaaaaa", "abcabcabcabc", "1qaz2wsx3edc", "letmein123", "superman1990"),
        *("йцукенгшщз", "пароль12345", "Пароль2025!", "любовь2005", "привет12345", "наташа1985"),
        *("gfhjkm12345", "privet1234", "Ivanov1980", "2024-11-28x", "0987654321"),
        "a" * MAX_PASSWORD,
        "qwerty" * 20,
        "пароль" * 20,
    ],
)
def test_common_password_is_refused(password: str) -> None:
    assert problem_code(password) == "password_common"


@pytest.mark.parametrize(
    "password",
    [
        "olga.petrova@salon-lak.ru",
        "Petrova-ne-skazhet",
        "OLGAPETROVA 2026 x7",
        "моя СТУДИЯ на Ленина",
        "с-т-у-д-и-я-7391-ж",
        "Sigma и ромашки в поле",
        "cnelbz 9472 kbcf",  # «студия» with the Latin keys
        "зуекщмф 8301 дуы",  # "petrova" with the Russian keys
    ],
)
def test_own_words_are_refused_in_any_spelling_and_layout(password: str) -> None:
    assert problem_code(password) == "password_own_word"


@pytest.mark.parametrize("length", [0, 1, MIN_PASSWORD - 1, MAX_PASSWORD + 1, 10_000])
def test_length_is_bounded(length: int) -> None:
    assert problem_code(("x9#Lq2Vz" * 2000)[:length]) == "password_length"


def test_length_counts_characters_of_nfc() -> None:
    decomposed = "и\u0306" * MIN_PASSWORD  # «й» in two code points each
    assert normalize_password(decomposed) == "й" * MIN_PASSWORD
    assert problem_code("и\u0306" * (MIN_PASSWORD - 1)) == "password_length"


def test_short_words_of_names_and_hosts_of_addresses_are_no_own_words() -> None:
    assert own_words("a@mail.ru", "Ян", "«Лак»") == ()
    assert own_words("owner@example.org", "", "Студия") == ("owner", "студия")


@pytest.mark.parametrize("unit", ["a@4$5", "p4ssw0rd!@#$", "1234567890", "ы", "qwerty "])
def test_hostile_password_is_checked_soon(unit: str) -> None:
    started_s = time.process_time()
    check_password((unit * MAX_PASSWORD)[:MAX_PASSWORD], WORDS)
    assert time.process_time() - started_s < 5  # the library alone needs minutes for some
