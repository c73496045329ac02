"""What an erasure removes, and what is left: the entry of the erasure log, contacts in texts."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

REMOVED: Final = "[…]"  # in place of a contact in a text that stays
MIN_NAME_CHARS: Final = 3


class Reason(StrEnum):
    """Why data were erased."""

    REQUEST = "request"  # a member erased a client's data
    PERIOD = "period"  # their retention period was over


@dataclass(frozen=True, slots=True)
class Erasure:
    """An entry of the erasure log: how many rows of each kind, never what was in them."""

    id: str
    shop_id: str
    erased_at_us: int
    actor: str
    reason: str
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ContactScrubber:
    """Replaces a client's name, e-mail addresses and phones in texts that must stay.

    Phones are found in any spelling of their digits, names as whole words in any case.
    """

    pattern: re.Pattern[str] | None

    def text(self, text: str) -> str:
        """Return the text without the contacts."""
        return self.pattern.sub(REMOVED, text) if self.pattern else text

    def value(self, value: Any) -> Any:
        """Return a JSON value without the contacts in its texts; keys stay."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: self.value(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(one) for one in value]
        return value


def contact_scrubber(
    *, names: Iterable[str] = (), emails: Iterable[str] = (), phones: Iterable[str] = ()
) -> ContactScrubber:
    """Return the scrubber of a client's contacts. `phones`: in E.164."""
    parts = [re.escape(email) for email in emails if email]
    parts += [_phone_pattern(phone) for phone in phones if phone]
    for name in names:
        words = name.split()
        if len("".join(words)) >= MIN_NAME_CHARS:
            parts.append(r"(?<!\w)" + r"\s+".join(map(re.escape, words)) + r"(?!\w)")
    # The longest first: of two names that begin alike the longer one is replaced whole.
    parts = sorted(set(parts), key=len, reverse=True)
    return ContactScrubber(re.compile("|".join(parts), re.IGNORECASE) if parts else None)


def _phone_pattern(phone: str) -> str:
    digits = re.sub(r"\D", "", phone)
    separated = r"[\s().-]*".join(digits.removeprefix("7"))
    prefix = r"(?:\+?[78][\s().-]*)?" if digits.startswith("7") else r"\+?"
    return rf"(?<!\d){prefix}{separated}(?!\d)"
