"""Everything Sigma says to people, in Russian and English: sentences, money, dates, phones, consents."""

from sigma.texts.consent import consent
from sigma.texts.words import LOCALES, Words

__all__ = ["LOCALES", "Words", "consent"]
