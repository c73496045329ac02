"""Keyed hashes by which lists find payments and invoices, without plain text in the index.

Words are hashed by their stems, as in the search of messages. Each word is indexed for members who
may read answers ("all"); the words of titles, descriptions and metadata also for the others
("public"): a search must not tell them what a client answered.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.payment import Payment
from sigma.domain.billing.question import AnswerValue, Question, QuestionKind
from sigma.domain.change import SearchTokens
from sigma.domain.messaging.message import search_stems
from sigma.store.encryption import Cipher, HashPurpose

MAX_WORDS = 60  # of a payment or invoice


class Subject(StrEnum):
    """What a list shows. A payment and an invoice with the same word have different tokens."""

    PAYMENT = "payment"
    INVOICE = "invoice"


class Feature(StrEnum):
    """What a token stands for."""

    WORD = "word"
    PUBLIC_WORD = "public_word"
    EMAIL = "email"
    PHONE = "phone"
    METADATA = "metadata"  # key and value
    EMPTY_ANSWER = "empty_answer"  # key of a question that was asked and not answered


def token_hash(
    cipher: Cipher, shop_id: str, subject: Subject, feature: Feature, *texts: str
) -> int:
    """Return the keyed hash of a token, less than 2^60 (fits BIGINT)."""
    digest = cipher.keyed_hash(HashPurpose.LIST_TOKEN, shop_id, subject, feature, *texts)
    return int(digest[:15], 16)


def invoice_tokens(cipher: Cipher, invoice: Invoice) -> SearchTokens:
    """Return what a list finds an invoice by: the words of its texts, and its metadata."""
    found = _public_tokens(cipher, Subject.INVOICE, invoice)
    return SearchTokens(invoice.id, invoice.created_at_us, tuple(dict.fromkeys(found)))


def payment_tokens(
    cipher: Cipher,
    payment: Payment,
    invoice: Invoice,
    answers: Mapping[str, AnswerValue],
    questions: tuple[Question, ...] | None = None,
) -> SearchTokens:
    """Return what a list finds a payment by: the invoice's texts, and the client's answers.

    `questions`: those that were asked and whose answers are not erased; by default all of the
    invoice.
    """
    found = _public_tokens(cipher, Subject.PAYMENT, invoice)
    form = invoice.questions if questions is None else questions
    found += _answer_tokens(cipher, payment.shop_id, form, answers)
    return SearchTokens(payment.id, payment.created_at_us, tuple(dict.fromkeys(found)))


def _public_tokens(cipher: Cipher, subject: Subject, invoice: Invoice) -> list[int]:
    texts = [invoice.title, invoice.description, *(item.name for item in invoice.items)]
    stems = _stems([*texts, *invoice.metadata.values()])
    hashes = [
        token_hash(cipher, invoice.shop_id, subject, feature, stem)
        for stem in stems
        for feature in (Feature.WORD, Feature.PUBLIC_WORD)
    ]
    return hashes + [
        token_hash(cipher, invoice.shop_id, subject, Feature.METADATA, key, value)
        for key, value in invoice.metadata.items()
    ]


def _answer_tokens(
    cipher: Cipher,
    shop_id: str,
    questions: tuple[Question, ...],
    answers: Mapping[str, AnswerValue],
) -> list[int]:
    features: list[tuple[Feature, str]] = []
    texts: list[str] = []
    for question in questions:
        value = answers.get(question.key)
        if not value:
            features.append((Feature.EMPTY_ANSWER, question.key))
        elif question.kind is QuestionKind.EMAIL and isinstance(value, str):
            features.append((Feature.EMAIL, value.casefold()))
            texts.append(value.partition("@")[0])
        elif question.kind is QuestionKind.PHONE and isinstance(value, str):
            features.append((Feature.PHONE, value))
        elif not isinstance(value, bool):
            texts += [value] if isinstance(value, str) else value
    features += [(Feature.WORD, stem) for stem in _stems(texts)]
    return [
        token_hash(cipher, shop_id, Subject.PAYMENT, feature, text) for feature, text in features
    ]


def _stems(texts: Iterable[str]) -> list[str]:
    stems = dict.fromkeys(stem for text in texts for stem in search_stems(text))
    return list(stems)[:MAX_WORDS]
