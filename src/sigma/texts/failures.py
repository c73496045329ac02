"""Texts for failed payments and refunds."""

from sigma.texts.translator import Translator


def decline_text(code: str, translator: Translator) -> str:
    """Return why a payment failed and what to do. `code`: the acquirer's reason code."""
    key = f"checkout.decline.{code}"
    if code and translator.has(key):
        return translator.t(key)
    # "rejected_…": the acquirer rejected the request itself, for example its credentials.
    is_rejected = code.startswith("rejected_")
    return translator.t(f"checkout.decline.{'acquirer_refused' if is_rejected else 'other'}")
