"""The consent to process personal data: one wording for the page that asks and for the record
that proves it.
"""

from collections.abc import Sequence

from sigma.domain.accounts.shop import Shop
from sigma.domain.billing.question import BUILT_IN, Question
from sigma.texts.translator import Words

# Grows when the product's own wording changes; the very text and its hash are stored as well.
EDITION = 1


def consent_text(shop: Shop, questions: Sequence[Question], words: Words) -> tuple[str, str]:
    """The text to be agreed to and its version.

    The shop's own wording may hold {seller}, {inn}, {data} and {contact}.
    """
    seller = shop.seller
    fills = {
        "{seller}": seller.full_name or shop.name,
        "{inn}": seller.inn,
        "{data}": _data(questions, words),
        "{contact}": seller.email or words.phone(seller.phone) or shop.name,
    }
    if shop.consent_text:
        template, version = shop.consent_text, f"shop-{shop.consent_version}"
    else:
        key = "checkout.consent.text" if seller.inn else "checkout.consent.text_without_inn"
        template, version = words.raw(key), f"sigma-{EDITION}.{shop.consent_version}"
    return _fill(template, fills), f"{version}-{words.locale}"


def _fill(template: str, fills: dict[str, str]) -> str:
    """Puts the values in, in one pass: a value is never read as a placeholder."""
    filled, rest = "", template
    while rest:
        at = {mark: rest.find(mark) for mark in fills if mark in rest}
        if not at:
            return filled + rest
        mark = min(at, key=lambda name: at[name])
        filled += rest[: at[mark]] + fills[mark]
        rest = rest[at[mark] + len(mark) :]
    return filled


def _data(questions: Sequence[Question], words: Words) -> str:
    names = [words.t(f"checkout.consent.data_{q.kind}") for q in questions if q.kind in BUILT_IN]
    if any(q.kind not in BUILT_IN for q in questions):
        names.append(words.t("checkout.consent.data_own"))
    return words.listing(names)
