"""One search for everything: what a typed text may mean in a list of payments or invoices.

A text can mean several things at once: «1500» is an invoice number, a sum, the last digits of a
card and a VK id. The list shows what any of the meanings finds.
"""

import re
import unicodedata
from dataclasses import dataclass

from sigma.domain.billing.question import parse_email, parse_phone
from sigma.domain.lists.amount import parse_amount
from sigma.domain.messaging.message import search_stems
from sigma.domain.text_cleaning import clean_text

MAX_QUERY_LENGTH = 100  # characters

_INVOICE_NUMBER = re.compile(
    r"(?:счёт|счет|invoice|inv)?\s*(?:№|#|n[o°]?\.?)\s*(\d{1,12})", re.IGNORECASE
)
_DIGITS = re.compile(r"\d{1,12}", re.ASCII)
_LAST_DIGITS = re.compile(r"(?:[*•·x\s]+)?(\d{4})", re.IGNORECASE | re.ASCII)
_VK_ID = re.compile(
    r"(?:https?://)?(?:m\.)?(?:vk\.(?:com|ru)/)?(?:id)?(\d{1,10})", re.IGNORECASE | re.ASCII
)
_EXTERNAL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-.:]{5,79}", re.ASCII)
_METADATA_PAIR = re.compile(r"([^\s=:]{1,40})\s*[=:]\s*(\S.{0,99})")
_PHONE_TEXT = re.compile(r"[+\d()\-\s.‐-―]{7,}")
_MIN_PHONE_DIGITS = 10


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """The meanings of one searched text; those it cannot have are empty.

    `stems`: of its words, all of which must be found. `external_id`: an id of the acquirer or of
    Sigma. `pair`: key and value of metadata. `email` and `phone` are normalized as answers are.
    """

    stems: tuple[str, ...] = ()
    number: int | None = None
    amounts_minor: tuple[int, ...] = ()
    email: str = ""
    phone: str = ""
    last4: str = ""
    vk_id: int | None = None
    external_id: str = ""
    pair: tuple[str, str] | None = None

    def __bool__(self) -> bool:
        return self != SearchQuery()


def parse_search(text: str) -> SearchQuery:
    """Return the meanings of a typed text; none for a text without letters and digits."""
    text = unicodedata.normalize("NFKC", clean_text(text[: 4 * MAX_QUERY_LENGTH]))
    text = text[:MAX_QUERY_LENGTH].strip()
    if match := _INVOICE_NUMBER.fullmatch(text):
        return SearchQuery(number=int(match[1]))
    if "@" in text and (email := parse_email(text)):
        return SearchQuery(email=email.casefold(), stems=tuple(search_stems(text)))
    if phone := _phone(text):
        return SearchQuery(phone=phone)
    pair, last4 = _METADATA_PAIR.fullmatch(text), _LAST_DIGITS.fullmatch(text)
    vk_id, amounts = _VK_ID.fullmatch(text), parse_amount(text)
    # The parts of «1 500,00» are not words, those of «1500» may be one.
    has_words = not amounts or _DIGITS.fullmatch(text)
    return SearchQuery(
        stems=tuple(search_stems(text)) if has_words else (),
        number=int(text) if _DIGITS.fullmatch(text) else None,
        amounts_minor=amounts,
        last4=last4[1] if last4 else "",
        vk_id=int(vk_id[1]) if vk_id else None,
        external_id=text if _EXTERNAL_ID.fullmatch(text) else "",
        pair=(pair[1], pair[2]) if pair else None,
    )


def _phone(text: str) -> str:
    if not _PHONE_TEXT.fullmatch(text) or sum(c.isdigit() for c in text) < _MIN_PHONE_DIGITS:
        return ""
    phone = parse_phone(text)
    return phone if isinstance(phone, str) else ""
