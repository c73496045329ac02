"""What a client answered for one payment, and the consent given with it.

Values are sealed before they come here.
"""

from dataclasses import dataclass

from sigma.domain.billing.question import Question


@dataclass(frozen=True, slots=True)
class Answers:
    """`sealed` is the encrypted JSON of key → value; `questions` are those that were on the page,
    so the pair can be read for ever.
    """

    id: str
    shop_id: str
    invoice_id: str
    payment_id: str
    payer: str
    questions: tuple[Question, ...]
    sealed: str
    created_at: int
    version: int = 0


@dataclass(frozen=True, slots=True)
class Consent:
    """Proof of a consent: the very text, its version and hash, when, and (sealed) from where."""

    id: str
    shop_id: str
    invoice_id: str
    payment_id: str
    purpose: str
    text: str
    text_version: str
    text_sha256: str
    given_at: int
    evidence_sealed: str  # JSON: ip, user_agent, page_url
    version: int = 0
