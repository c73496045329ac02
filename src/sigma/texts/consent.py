"""The consent to process personal data: the same text for the payment page and for the record."""

import hashlib
from collections.abc import Sequence

from sigma.domain.accounts.shop import Shop
from sigma.domain.billing.question import BUILT_IN_KINDS, Question
from sigma.texts.translator import Translator

# Increase when Sigma's own wording changes. The full text and its hash are stored as well.
TEXT_EDITION = 2


def consent_text(
    shop: Shop, questions: Sequence[Question], translator: Translator
) -> tuple[str, str]:
    """Return the consent text and its version: "sigma-1.2-ru", or "shop-2-ru" for own wording.

    A shop's own wording may use the placeholders {seller}, {inn}, {data} and {contact}.
    """
    seller = shop.seller
    values = {
        "{seller}": seller.full_name or shop.name,
        "{inn}": seller.inn,
        "{data}": _data_names(questions, translator),
        "{contact}": seller.email or translator.phone(seller.phone) or shop.name,
    }
    if shop.consent_text:
        template, version = shop.consent_text, f"shop-{shop.consent_version}"
    else:
        key = "checkout.consent.text" if seller.inn else "checkout.consent.text_without_inn"
        template, version = translator.raw(key), f"sigma-{TEXT_EDITION}.{shop.consent_version}"
    return _fill_placeholders(template, values), f"{version}-{translator.locale}"


def text_hash(text: str) -> str:
    """Return the SHA-256 of a consent text in hex. Another text needs another consent."""
    return hashlib.sha256(text.encode()).hexdigest()


def _fill_placeholders(template: str, values: dict[str, str]) -> str:
    """Replace the placeholders in one pass, so that a value is never taken for a placeholder."""
    filled, rest = "", template
    while rest:
        positions = {name: rest.find(name) for name in values if name in rest}
        if not positions:
            return filled + rest
        placeholder = min(positions, key=lambda name: positions[name])
        filled += rest[: positions[placeholder]] + values[placeholder]
        rest = rest[positions[placeholder] + len(placeholder) :]
    return filled


def _data_names(questions: Sequence[Question], translator: Translator) -> str:
    names = [
        translator.t(f"checkout.consent.data_{q.kind}")
        for q in questions
        if q.kind in BUILT_IN_KINDS
    ]
    if any(q.kind not in BUILT_IN_KINDS for q in questions):
        names.append(translator.t("checkout.consent.data_own"))
    return translator.join_names(names)
