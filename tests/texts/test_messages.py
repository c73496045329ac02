"""Texts: both languages have the same keys, and every key used in the code exists."""

import re
import string
from pathlib import Path

import pytest

import sigma
from sigma.domain.errors import STATUS_BY_CODE
from sigma.domain.money import MoneyError
from sigma.texts import LOCALES, Translator
from sigma.texts.messages import load_texts
from sigma.worker import HANDLERS

ROOT = Path(sigma.__file__).parent
# A complete quoted key as the first argument of t(…), rich(…), plural(…) or raw(…).
_KEY = re.compile(r"""\b(?:t|rich|plural|raw)\(\s*["']([a-z]+(?:\.[a-z0-9_]+)+)["']\s*[,)]""")


def placeholders(text: object) -> set[str]:
    """Return the placeholder names of a text, of all its plural forms together."""
    forms = [text] if isinstance(text, str) else list(text.values())  # type: ignore[attr-defined]
    return {name for form in forms for _, name, _, _ in string.Formatter().parse(form) if name}


def test_both_languages_have_the_same_keys() -> None:
    assert set(load_texts("ru")) == set(load_texts("en"))


def test_both_languages_use_the_same_placeholders() -> None:
    other = load_texts("en")
    assert [
        k for k, s in load_texts("ru").items() if placeholders(s) != placeholders(other[k])
    ] == []


def test_plurals_have_all_forms_of_their_language() -> None:
    required_forms = {"ru": {"one", "few", "many"}, "en": {"one", "other"}}
    for locale in LOCALES:
        incomplete = [
            key
            for key, text in load_texts(locale).items()
            if not isinstance(text, str) and not required_forms[locale] <= set(text)
        ]
        assert incomplete == []


def test_no_text_is_blank() -> None:
    for locale in LOCALES:
        for key, text in load_texts(locale).items():
            forms = [text] if isinstance(text, str) else text.values()
            assert all(form.strip() for form in forms), key


def test_every_refusal_and_problem_code_has_a_text() -> None:
    known = load_texts("ru")
    assert [code for code in STATUS_BY_CODE if f"errors.refusal.{code}" not in known] == []
    source = "".join(p.read_text(encoding="utf-8") for p in ROOT.rglob("*.py"))
    codes = set(re.findall(r'Problem\(\s*[^,()]+(?:\([^()]*\))?,\s*"([a-z_]+)"', source))
    codes |= set(re.findall(rf'{MoneyError.__name__}\("([a-z_]+)"\)', source))
    assert {"required", "email", "phone_short", "money_format"} <= codes, "the search finds codes"
    assert sorted(code for code in codes if f"errors.problem.{code}" not in known) == []


@pytest.mark.parametrize("kind", HANDLERS)
def test_every_job_kind_has_a_name_for_the_list_of_failed_jobs(kind: str) -> None:
    assert f"settings.job_{kind.replace('.', '_')}" in load_texts("ru")


def test_every_key_used_in_code_and_templates_exists() -> None:
    known = load_texts("ru")
    files = [*ROOT.rglob("*.py"), *ROOT.rglob("*.html"), *ROOT.rglob("*.txt")]
    product_files = [p for p in files if "sandbox" not in p.parts]
    used = {k: p for p in product_files for k in _KEY.findall(p.read_text(encoding="utf-8"))}
    assert len(used) > 50, "the search finds keys"
    assert {k: str(p.relative_to(ROOT)) for k, p in used.items() if k not in known} == {}


def test_english_texts_for_clients_contain_no_cyrillic() -> None:
    client_areas = ("checkout", "receipt", "mail", "errors", "common")
    with_cyrillic = {
        key
        for key, text in load_texts("en").items()
        if key.startswith(client_areas) and re.search("[а-яё]", str(text), re.IGNORECASE)
    }
    # The language switch names each language in that language.
    assert with_cyrillic <= {"common.language_ru", "checkout.change_language"}


def test_missing_text_or_locale_raises_key_error() -> None:
    with pytest.raises(KeyError):
        Translator("ru").t("checkout.no_such_thing")
    with pytest.raises(KeyError):
        Translator("ru").t("checkout.pay")
    with pytest.raises(KeyError):
        Translator("de")
