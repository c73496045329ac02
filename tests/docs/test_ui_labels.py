"""The pages for sellers quote the interface word for word."""

import re
from collections.abc import Iterator

import pytest

from sigma.texts.messages import load_texts
from tests.docs.markdown import read, without_code

PAGES = ["README", "docs/inbox", "docs/reconciliation", "docs/services", "docs/sign-in"]
PAGES += ["docs/vk-set-up", "docs/client-data", "docs/customers", "docs/notifications"]
SECURITY_PAGES = [f"docs/security/{name}" for name in ("personal-data", "audit-log", "runbooks")]
ENGLISH_PAGES = ["docs/api", "docs/run-in-production", "docs/architecture", *SECURITY_PAGES]
QUOTES = {"ru": "«»", "en": "“”"}
CASES = [
    *(("ru", f"{page}.ru.md") for page in PAGES),
    *(("en", f"{page}.md") for page in [*PAGES, *ENGLISH_PAGES]),
]

# Quotes that are not labels of Sigma: words of VK and of the sandbox, names and examples.
OTHERS = {
    "ru": {
        *("Студию «Лак»", "Лак", "Новую студию", "Написать об услуге", "Начать"),
        *("маникюр", "маникюра", "к", "тыс", "₽", "руб"),
        *("Управление", "Работа с API", "Дополнительно", "Ключи доступа", "Создать ключ"),
        *("Контакты", "Разделах"),
    },
    "en": {"Start", "Manicure", "manicure", "manicures"},
}


def quotations(text: str, pair: str) -> Iterator[str]:
    """Yield the outermost quotations of a text, and the ones inside them."""
    starts: list[int] = []
    for position, character in enumerate(text):
        if character == pair[0]:
            starts.append(position + 1)
        elif character == pair[1] and starts:
            yield text[starts.pop() : position]


def is_in_the_texts(label: str, locale: str) -> bool:
    """Return whether a text of the interface is the label, or contains it.

    A placeholder of the text matches any words: “You already have an invoice for “Manicure”: …”.
    """
    for text in load_texts(locale).values():
        for form in [text] if isinstance(text, str) else text.values():
            fixed = re.split(r"\{\w+\}", form)
            has_words = any(re.search(r"\w{3}", part) for part in fixed)
            pattern = ".+".join(map(re.escape, fixed))
            if label in form or (has_words and re.fullmatch(pattern, label)):
                return True
    return False


@pytest.mark.parametrize(("locale", "page"), CASES)
def test_every_quoted_label_is_in_the_interface(locale: str, page: str) -> None:
    labels = set(quotations(without_code(read(page)), QUOTES[locale]))
    assert labels
    unknown = [
        label for label in sorted(labels - OTHERS[locale]) if not is_in_the_texts(label, locale)
    ]
    assert unknown == []


def test_changed_label_is_found() -> None:
    assert is_in_the_texts("Быстрый счёт", "ru")
    assert not is_in_the_texts("Счёт одной фразой", "ru")
    assert list(quotations("a «b «c»» d «e»", "«»")) == ["c", "b «c»", "e"]
