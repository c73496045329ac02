"""Documents that leave Sigma: the receipt as a file, and letters."""

from sigma.documents.letters import (
    MailBody,
    attention_mail,
    receipt_mail,
    refund_mail,
    test_mail,
)
from sigma.documents.pdf import receipt_pdf

__all__ = [
    "MailBody",
    "attention_mail",
    "receipt_mail",
    "receipt_pdf",
    "refund_mail",
    "test_mail",
]
