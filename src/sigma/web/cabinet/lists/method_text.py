"""The payment method of a row as text."""

from collections.abc import Callable

from sigma.domain.billing.payment import PaymentMethod
from sigma.texts import Translator
from sigma.texts.receipt_view import method_label


def method_text(translator: Translator) -> Callable[[PaymentMethod | None], str]:
    """Return a function for templates: «Мир 0004», «СБП», "" for an unknown method."""

    def text(method: PaymentMethod | None) -> str:
        if method is None:
            return ""
        return method_label(method.kind, method.mask[-4:], method.brand, translator)

    return text
