"""Text from outside loses what nobody can see, and keeps what its script needs."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.domain.text_cleaning import clean_text

# Invisible in a plain text, and needed in some others: judged by the characters around them.
CONTEXTUAL = "\u200b\u200c\u200d\u200e\u200f\u061c"
any_text = st.text(
    st.characters()
    | st.sampled_from(CONTEXTUAL + "\ufe0f\u202e\u3164\u2800\u00ad\r\n \U0001f3f4é"),
    max_size=40,
)


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("\ufeffanna@mail.ru\u200b", "anna@mail.ru"),
        ("\u202aanna@mail.ru\u202c", "anna@mail.ru"),
        ("\u2068Анна\u2069", "Анна"),
        ("Анна\u202eаннА", "АннааннА"),
        ("а\x00б\x1b[31mв\x7fг\x9bд", "аб[31mвгд"),
        ("а\ud800б", "аб"),
        ("Анна\u200e", "Анна"),
        ("ма\u200cни\u00adкюр", "маникюр"),
        ("4111\u200b1111", "41111111"),
        ("\u00a0 Анна\u3000", "Анна"),
        ("e\u0301", "é"),
        ("и\u0306", "й"),
        ("Анна\U000e0041\U000e0042", "Анна"),  # tags can hide a whole sentence
        ("а\ufffcб\u2063в\u180eг", "абвг"),
        ("а\u3164б", "а б"),  # looks like a space
    ],
)
def test_invisible_characters_are_removed(raw: str, cleaned: str) -> None:
    assert clean_text(raw) == cleaned


@pytest.mark.parametrize(
    "raw",
    [
        *(
            "",
            " ",
            "\t\r\n",
            "\u3164",
            "\u115f\u1160",
            "\uffa0",
            "\u2800",
            "\u00ad",
            "\u180e",
            "\u200b",
        ),
        *("\u200d\u200c", "\ufe0f", "\u2060\ufeff", "\u202e \u202c", "\u200f", "\x00", "\ud83d"),
        *("\U000e0041", "\u2028", "\u3000\u3164\u00a0", "\u034f", "\u17b4", "\U0001d173", "\ufffe"),
    ],
)
def test_text_of_invisible_characters_is_empty(raw: str) -> None:
    assert clean_text(raw) == ""
    assert clean_text(raw, multiline=True) == ""


@pytest.mark.parametrize(
    "text",
    [
        "👨\u200d👩\u200d👧 и ❤\ufe0f\u200d🔥",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "👩🏽\u200d🚀",
        "می\u200cخواهم",  # Persian: the non-joiner separates the parts of the word
        "ക്\u200d",  # Malayalam: the joiner after a virama chooses the letter
        "ক্\u200dষ",
        "שלום \u200f(abc) עולם",
        "ភាសា\u200bខ្មែរ",  # Khmer has no spaces: the line may break here
        "مرحبا بالعالم",
        "Zoë, Ångström, Nguyễn",
        "x\u0323\u0307",
        "1\u00a0500 ₽",
        "김철수",
        "⠓⠑⠇⠇⠕",
        "\uf8ff",
    ],
)
def test_text_of_every_script_survives(text: str) -> None:
    assert clean_text(text) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize("line_break", ["\r\n", "\r", "\n", "\v", "\f", "\x85", "\u2028", "\u2029"])
def test_every_line_break_is_a_line_feed_or_a_space(line_break: str) -> None:
    assert clean_text(f"а{line_break}б", multiline=True) == "а\nб"
    assert clean_text(f"а{line_break}б") == "а б"


def test_no_invisible_character_survives_in_a_plain_text() -> None:
    visible_formats = set("\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd") | {
        chr(n) for n in (*range(0x600, 0x606), *range(0x13430, 0x13440))
    }
    survivors = [
        hex(n)
        for n in range(sys.maxunicode + 1)
        if unicodedata.category(chr(n)) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        and chr(n) not in visible_formats
        and clean_text(f"я{chr(n)}я") not in ("яя", "я я")
    ]
    assert survivors == []


@given(any_text, st.booleans())
def test_cleaning_twice_changes_nothing(text: str, multiline: bool) -> None:
    once = clean_text(text, multiline=multiline)
    assert clean_text(once, multiline=multiline) == once
    assert once == once.strip()
    assert unicodedata.is_normalized("NFC", once)


@given(any_text, st.booleans())
def test_clean_text_has_no_controls_overrides_and_surrogates(text: str, multiline: bool) -> None:
    cleaned = clean_text(text, multiline=multiline)
    cleaned.encode()
    left = {c for c in cleaned if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")}
    assert left <= ({"\n"} if multiline else set())
    assert not set(cleaned) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


@given(
    st.text(
        st.characters(
            categories=("L", "N", "P", "S"),
            exclude_characters="\u3164\uffa0\u2800\u115f\u1160\ufffc",
        )
    )
)
def test_letters_digits_and_signs_are_never_lost(text: str) -> None:
    assert clean_text(text) == unicodedata.normalize("NFC", text)


def test_marks_piled_on_a_letter_are_bounded() -> None:
    assert clean_text("x" + "\u0337" * 500 + "y") == "x" + "\u0337" * 6 + "y"
    assert clean_text("שָׁלוֹם ที่นี่ tiếng Việt") == unicodedata.normalize("NFC", "שָׁלוֹם ที่นี่ tiếng Việt")


def test_marks_of_one_letter_are_bounded_before_they_are_sorted() -> None:
    """NFC sorts them in quadratic time: 200,000 marks in the wrong order took minutes."""
    for accents in ("\u0301\u0323", "\u0f72\u0f71", "\u0f73", "\u0344\u0323", "\u302a\u3099"):
        cleaned = clean_text("e" + accents * 100_000)
        assert len(cleaned) <= 32
        assert clean_text(cleaned) == cleaned
    assert clean_text("x" + "\n \t" * 100_000 + "x", multiline=True).count("\n") == 100_000
    assert clean_text("\u0627\u200c" * 100_000).count("\u200c") == 99_999
