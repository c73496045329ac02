"""Everything Sigma says to people, in Russian and English: sentences, figures, dates, consents."""

from sigma.texts.consent import consent_text
from sigma.texts.messages import LOCALES
from sigma.texts.translator import Words

__all__ = ["LOCALES", "Words", "consent_text"]
