"""The one rule for short names that people type: of persons, shops, API keys, senders of mails."""

from sigma.domain.bank_cards import contains_card_number
from sigma.domain.errors import Problem

MAX_NAME = 100  # characters


def check_name(field: str, name: str, *, is_required: bool = True) -> list[Problem]:
    """Return the problems of a cleaned name in a form field: missing, too long, a card number."""
    if not name:
        return [Problem(field, "required")] if is_required else []
    if len(name) > MAX_NAME:
        return [Problem(field, "too_long", {"max": MAX_NAME})]
    return [Problem(field, "card_number")] if contains_card_number(name) else []
