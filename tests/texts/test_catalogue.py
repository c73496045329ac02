"""Both languages say the same things, and everything that is said exists."""

import re
import string
from pathlib import Path

import pytest

import sigma
from sigma.domain.errors import CODES
from sigma.texts import LOCALES, Words
from sigma.texts.messages import catalogue

ROOT = Path(sigma.__file__).parent
# A whole key in quotes, said by t(…), rich(…), plural(…) or handed on as one.
_KEY = re.compile(r"""\b(?:t|rich|plural|raw)\(\s*["']([a-z]+(?:\.[a-z0-9_]+)+)["']\s*[,)]""")


def params(sentence: object) -> set[str]:
    """The placeholders of a sentence, of all its plural forms together."""
    forms = [sentence] if isinstance(sentence, str) else list(sentence.values())  # type: ignore[attr-defined]
    return {name for form in forms for _, name, _, _ in string.Formatter().parse(form) if name}


def test_both_languages_have_the_same_sentences() -> None:
    assert set(catalogue("ru")) == set(catalogue("en"))


def test_both_languages_want_the_same_params() -> None:
    other = catalogue("en")
    assert [k for k, s in catalogue("ru").items() if params(s) != params(other[k])] == []


def test_russian_plurals_have_their_three_forms_and_english_ones_two() -> None:
    wanted = {"ru": {"one", "few", "many"}, "en": {"one", "other"}}
    for locale in LOCALES:
        short = [
            key
            for key, sentence in catalogue(locale).items()
            if not isinstance(sentence, str) and not wanted[locale] <= set(sentence)
        ]
        assert short == []


def test_no_sentence_is_blank() -> None:
    for locale in LOCALES:
        for key, sentence in catalogue(locale).items():
            forms = [sentence] if isinstance(sentence, str) else sentence.values()
            assert all(form.strip() for form in forms), key


def test_every_refusal_and_every_problem_has_its_sentence() -> None:
    known = catalogue("ru")
    assert [code for code in CODES if f"errors.refusal.{code}" not in known] == []
    source = "".join(p.read_text(encoding="utf-8") for p in ROOT.rglob("*.py"))
    codes = set(re.findall(r'Problem\(\s*[^,()]+(?:\([^()]*\))?,\s*"([a-z_]+)"', source))
    codes |= set(re.findall(r'BadMoney\("([a-z_]+)"\)', source))
    assert {"required", "email", "phone_short", "money_format"} <= codes, "the search finds codes"
    assert sorted(code for code in codes if f"errors.problem.{code}" not in known) == []


def test_every_key_used_in_code_and_templates_exists() -> None:
    known = catalogue("ru")
    places = [*ROOT.rglob("*.py"), *ROOT.rglob("*.html"), *ROOT.rglob("*.txt")]
    ours = [p for p in places if "sandbox" not in p.parts]
    used = {k: p for p in ours for k in _KEY.findall(p.read_text(encoding="utf-8"))}
    assert len(used) > 50, "the search finds keys"
    assert {k: str(p.relative_to(ROOT)) for k, p in used.items() if k not in known} == {}


def test_what_clients_read_in_english_holds_no_cyrillic() -> None:
    areas = ("checkout", "receipt", "mail", "errors", "common")
    foreign = {
        key
        for key, sentence in catalogue("en").items()
        if key.startswith(areas) and re.search("[а-яё]", str(sentence), re.IGNORECASE)
    }
    # A language is offered in its own name.
    assert foreign <= {"common.language_ru", "checkout.change_language"}


def test_a_missing_sentence_is_an_error_and_never_a_blank() -> None:
    with pytest.raises(KeyError):
        Words("ru").t("checkout.no_such_thing")
    with pytest.raises(KeyError):
        Words("ru").t("checkout.pay")
    with pytest.raises(KeyError):
        Words("de")
