"""Why a payment or a refund failed, in words: the only mapping of reason codes to texts.

A code means different things for different readers and operations: `insufficient_funds` is the
client's card for a payment and the seller's own account for a refund. All pages, mails and API
responses take their text here.
"""

from enum import StrEnum

from sigma.texts.translator import Translator


class Reader(StrEnum):
    """Who reads the text."""

    CLIENT = "client"
    SELLER = "seller"
    PROGRAM = "program"  # of the shop: the same facts as the seller


_SECTIONS = {
    ("payment", Reader.CLIENT): "checkout.decline",
    ("payment", Reader.SELLER): "failures.payment",
    ("payment", Reader.PROGRAM): "failures.payment",
    ("refund", Reader.CLIENT): "failures.refund_client",
    ("refund", Reader.SELLER): "failures.refund",
    ("refund", Reader.PROGRAM): "failures.refund",
}
_REJECTED = "rejected_"  # the acquirer rejected the request itself, for example its credentials
# Reason codes of YooKassa that only look like a rejected request.
_ACQUIRERS_OWN = ("rejected_by_timeout", "rejected_by_payee")
# Reasons that Sigma gives; all others are the acquirer's.
_OWN_CODES = ("never_started", "already_refunded")


def payment_failure_text(code: str, reader: Reader, translator: Translator) -> str:
    """Return why a payment failed. `code`: the acquirer's reason code, or Sigma's."""
    return _text("payment", code, reader, translator)


def refund_failure_text(code: str, reader: Reader, translator: Translator) -> str:
    """Return why a refund failed. `code`: the acquirer's reason code, or Sigma's."""
    return _text("refund", code, reader, translator)


def is_acquirer_code(code: str) -> bool:
    """Return whether the acquirer gave this reason code, so that its support knows it."""
    is_rejection = code.startswith(_REJECTED) and code not in _ACQUIRERS_OWN
    return not is_rejection and code not in _OWN_CODES


def _text(operation: str, code: str, reader: Reader, translator: Translator) -> str:
    section = _SECTIONS[operation, reader]
    is_rejection = code.startswith(_REJECTED) and code not in _ACQUIRERS_OWN
    fallback = "rejected_other" if is_rejection else "other"
    for name in (code, fallback):
        if name and translator.has(f"{section}.{name}"):
            return translator.t(f"{section}.{name}")
    return translator.t(f"{section}.other")
