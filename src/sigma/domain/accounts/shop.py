"""The shop (tenant) and its seller's requisites, which a client must be able to read before paying.
Includes the checksum rules of ИНН and ОГРН.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum

from sigma.domain.accounts.member import RefundLimits
from sigma.domain.accounts.quota import Quotas
from sigma.domain.accounts.second_factor import SecondFactorRule
from sigma.domain.errors import Problem


class SellerKind(StrEnum):
    """Legal form: company, sole proprietor (ИП) or self-employed person (НПД)."""

    COMPANY = "company"
    IP = "ip"
    NPD = "npd"


@dataclass(frozen=True, slots=True)
class Seller:
    """Requisites as the payment page shows them; empty strings where not filled in."""

    kind: SellerKind = SellerKind.NPD
    full_name: str = ""
    inn: str = ""
    ogrn: str = ""  # ОГРН of a company, ОГРНИП of an ИП
    address: str = ""
    phone: str = ""
    email: str = ""
    offer_url: str = ""
    policy_url: str = ""
    refund_terms: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether all requisites that the law and acquirers require are filled in and valid."""
        needed = [self.full_name, self.inn, self.phone or self.email, self.refund_terms]
        if self.kind is not SellerKind.NPD:
            needed.append(self.ogrn)
        return all(needed) and not check_seller(self)


REFUND_CONFIRMATION_MINOR = 1_000_000  # 10 000 ₽


@dataclass(frozen=True, slots=True)
class Shop:
    """The tenant: every row belongs to one shop.

    `tz` is the IANA time zone of all dates that people read; `locale` is "ru" or "en".
    `smtp_url_encrypted` is the shop's own SMTP URL; empty: the server's. `slug` is the name in the
    address of its public page of services; None: no page. `refund_limits` bind the team, `quotas`
    are set by the administrator of the installation. `second_factor_rule` is what its members need
    to sign in. A member confirms who they are before the refunds since the last proof exceed
    `refund_confirmation_minor` (kopecks) together; None: never. Refunds in other currencies are
    confirmed whenever it is set.
    """

    id: str
    name: str
    created_at_us: int
    seller: Seller = Seller()
    tz: str = "Europe/Moscow"
    locale: str = "ru"
    accent: str = ""  # "#rrggbb" or empty
    return_url: str = ""
    consent_text: str = ""  # empty: the default text
    consent_version: int = 1  # incremented when the text of the consent changes
    mail_from_name: str = ""
    mail_reply_to: str = ""
    smtp_url_encrypted: str = ""
    slug: str | None = None
    refund_limits: RefundLimits = field(default_factory=RefundLimits)
    quotas: Quotas = field(default_factory=Quotas)
    second_factor_rule: SecondFactorRule = SecondFactorRule.OPTIONAL
    refund_confirmation_minor: int | None = REFUND_CONFIRMATION_MINOR
    version: int = 0


_INN10 = (2, 4, 10, 3, 5, 9, 4, 6, 8)
_INN11 = (7, 2, 4, 10, 3, 5, 9, 4, 6, 8)
_INN12 = (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)


def _check_digit(number: str, weights: tuple[int, ...]) -> int:
    return sum(int(d) * w for d, w in zip(number, weights, strict=False)) % 11 % 10


def _is_digits(text: str, length: int) -> bool:
    return len(text) == length and text.isascii() and text.isdigit() and set(text) != {"0"}


def is_valid_inn(inn: str, kind: SellerKind) -> bool:
    """Return whether the ИНН is valid: 10 digits for a company, 12 for a person, checksums."""
    if kind is SellerKind.COMPANY:
        return _is_digits(inn, 10) and _check_digit(inn, _INN10) == int(inn[9])
    return (
        _is_digits(inn, 12)
        and _check_digit(inn, _INN11) == int(inn[10])
        and _check_digit(inn, _INN12) == int(inn[11])
    )


def is_valid_ogrn(ogrn: str, kind: SellerKind) -> bool:
    """Return whether the registration number fits the legal form.

    A company has an ОГРН (13 digits, check digit mod 11), an ИП an ОГРНИП (15 digits, check digit
    mod 13), НПД has none: it must be empty.
    """
    if kind is SellerKind.COMPANY:
        return (
            _is_digits(ogrn, 13) and ogrn[0] in "15" and int(ogrn[:12]) % 11 % 10 == int(ogrn[12])
        )
    if kind is SellerKind.IP:
        return (
            _is_digits(ogrn, 15) and ogrn[0] in "34" and int(ogrn[:14]) % 13 % 10 == int(ogrn[14])
        )
    return ogrn == ""


_URL_PATTERN = re.compile(
    r"https?://"
    r"(\[[0-9a-f:.]+\]|[^\s\x00-\x1f\x7f/?#:@\[\]\\<>\"']+)(:\d{1,5})?"
    r"([/?#][^\s\x00-\x1f\x7f\\<>\"]*)?",
    re.IGNORECASE,
)


def is_web_url(url: str) -> bool:
    """Return whether this is an absolute http(s) URL of at most 2000 characters.

    User names, spaces and control characters are not allowed.
    """
    return len(url) <= 2000 and _URL_PATTERN.fullmatch(url) is not None


def check_seller(seller: Seller) -> list[Problem]:
    """Return the problems of the requisites by field.

    An empty field is not a problem: it only makes the seller incomplete.
    """
    problems = []
    if seller.inn and not is_valid_inn(seller.inn, seller.kind):
        length = 10 if seller.kind is SellerKind.COMPANY else 12
        code = "inn_length" if not _is_digits(seller.inn, length) else "inn_checksum"
        problems.append(Problem("inn", code, {"length": length}))
    if seller.ogrn and not is_valid_ogrn(seller.ogrn, seller.kind):
        by_kind = {
            SellerKind.COMPANY: "ogrn",
            SellerKind.IP: "ogrnip",
            SellerKind.NPD: "ogrn_npd",
        }
        problems.append(Problem("ogrn", by_kind[seller.kind]))
    for name in ("offer_url", "policy_url"):
        value = getattr(seller, name)
        if value and not is_web_url(value):
            problems.append(Problem(name, "url"))
    return problems
