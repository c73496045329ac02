"""Parse pasted certificates and describe them."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509

MAX_PEM_CHARS = 32_000
MAX_CERTIFICATES = 10
_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
_PATH = re.compile(
    r"(?:file:|~|\.{0,2}/|[A-Za-z]:[\\/])\S*|\S+\.(?:pem|crt|cer|der|p12|pfx)", re.IGNORECASE
)

# Reading one extension parses them all; the types of x509 are no ValueErrors.
_UNREADABLE = (
    *(ValueError, TypeError, x509.InvalidVersion),
    *(x509.DuplicateExtension, x509.UnsupportedGeneralNameType),
)


class InvalidCertificateError(ValueError):
    """A text that is no list of certificates.

    `code`: "certificate_path" (a file name), "certificate_private_key", "certificate_too_long",
    "certificate_expired", "certificate" for everything else.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the settings page shows of a certificate. `expires_at_us`: UTC microseconds.

    `is_authority`: it signs other certificates; otherwise it is one server's own.
    """

    subject: str
    expires_at_us: int
    is_authority: bool


def normalize_certificates(text: str, now_us: int) -> str:
    """Return only the certificates of a pasted text, as PEM. Raises InvalidCertificateError.

    Text between them, such as the comments of a bundle, is dropped.
    """
    text = text.strip()
    if len(text) > MAX_PEM_CHARS:
        raise InvalidCertificateError("certificate_too_long")
    if "PRIVATE KEY-----" in text:
        raise InvalidCertificateError("certificate_private_key")
    if "\n" not in text and _PATH.fullmatch(text):
        raise InvalidCertificateError("certificate_path")
    blocks = _BLOCK.findall(text)
    if not blocks:
        raise InvalidCertificateError("certificate")
    if len(blocks) > MAX_CERTIFICATES:
        raise InvalidCertificateError("certificate_too_long")
    pem = "\n".join("\n".join(block.split("\r\n")) for block in blocks) + "\n"
    if all(one.expires_at_us <= now_us for one in read_certificates(pem)):
        raise InvalidCertificateError("certificate_expired")
    return pem


def read_certificates(pem: str) -> list[Certificate]:
    """Parse the certificates of a PEM text. Raises InvalidCertificateError."""
    try:
        return [_describe(one) for one in x509.load_pem_x509_certificates(pem.encode())]
    except _UNREADABLE:
        raise InvalidCertificateError("certificate") from None


def _describe(certificate: x509.Certificate) -> Certificate:
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        is_authority = constraints.ca
    except x509.ExtensionNotFound:
        # Version 1 certificates have no extensions; those that sign themselves are authorities.
        is_authority = certificate.subject == certificate.issuer
    names = [
        str(one.value)
        for one in certificate.subject
        if one.oid in (x509.NameOID.COMMON_NAME, x509.NameOID.ORGANIZATION_NAME)
    ]
    expires_at = certificate.not_valid_after_utc - datetime(1970, 1, 1, tzinfo=UTC)
    expires_at_us = int(expires_at.total_seconds()) * 1_000_000
    return Certificate(", ".join(names)[:200], expires_at_us, is_authority)
