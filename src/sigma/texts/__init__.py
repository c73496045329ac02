"""All texts for people, in Russian and English: messages, numbers, dates, consents."""

from sigma.texts.consent import consent_text, text_hash
from sigma.texts.messages import LOCALES
from sigma.texts.translator import Translator

__all__ = ["LOCALES", "Translator", "consent_text", "text_hash"]
