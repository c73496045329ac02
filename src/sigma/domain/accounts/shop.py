"""The shop and its seller: requisites that a client must be able to read before paying, with the
checks of the numbers.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from sigma.domain.errors import Problem


class SellerKind(StrEnum):
    """Who sells: a company, a sole proprietor (ИП), a self-employed person (НПД)."""

    COMPANY = "company"
    IP = "ip"
    NPD = "npd"


@dataclass(frozen=True, slots=True)
class Seller:
    """Requisites as the payment page shows them. Texts; empty where not filled."""

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
    def complete(self) -> bool:
        """Whether what the law and acquirers want shown is filled; such a seller gets the tick."""
        needed = [self.full_name, self.inn, self.phone or self.email, self.refund_terms]
        if self.kind is not SellerKind.NPD:
            needed.append(self.ogrn)
        return all(needed) and not check_seller(self)


@dataclass(frozen=True, slots=True)
class Shop:
    """The tenant. `tz` is an IANA zone for what people read; `locale` is "ru" or "en"."""

    id: str
    name: str
    created_at: int
    seller: Seller = Seller()
    tz: str = "Europe/Moscow"
    locale: str = "ru"
    accent: str = ""  # "#rrggbb" or empty
    return_url: str = ""
    consent_text: str = ""  # empty: the product's own wording
    consent_version: int = 1  # grows with every change of what the consent says
    mail_from_name: str = ""
    mail_reply_to: str = ""
    smtp_sealed: str = ""  # the shop's own SMTP URL, sealed; empty: the server's
    slug: str | None = None  # the name in the address of its public page of services; None: no page
    version: int = 0


_INN10 = (2, 4, 10, 3, 5, 9, 4, 6, 8)
_INN11 = (7, 2, 4, 10, 3, 5, 9, 4, 6, 8)
_INN12 = (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)


def _digit(number: str, weights: tuple[int, ...]) -> int:
    return sum(int(d) * w for d, w in zip(number, weights, strict=False)) % 11 % 10


def _digits(text: str, length: int) -> bool:
    return len(text) == length and text.isascii() and text.isdigit() and set(text) != {"0"}


def inn_ok(inn: str, kind: SellerKind) -> bool:
    """Ten digits for a company, twelve for a person, with the checksums of the tax service."""
    if kind is SellerKind.COMPANY:
        return _digits(inn, 10) and _digit(inn, _INN10) == int(inn[9])
    return (
        _digits(inn, 12)
        and _digit(inn, _INN11) == int(inn[10])
        and _digit(inn, _INN12) == int(inn[11])
    )


def ogrn_ok(ogrn: str, kind: SellerKind) -> bool:
    """ОГРН (13 digits, mod 11) for a company, ОГРНИП (15 digits, mod 13 and its last digit) for an
    ИП; none for НПД.
    """
    if kind is SellerKind.COMPANY:
        return _digits(ogrn, 13) and ogrn[0] in "15" and int(ogrn[:12]) % 11 % 10 == int(ogrn[12])
    if kind is SellerKind.IP:
        return _digits(ogrn, 15) and ogrn[0] in "34" and int(ogrn[:14]) % 13 % 10 == int(ogrn[14])
    return ogrn == ""


_URL = re.compile(
    r"https?://"
    r"(\[[0-9a-f:.]+\]|[^\s\x00-\x1f\x7f/?#:@\[\]\\<>\"']+)(:\d{1,5})?"
    r"([/?#][^\s\x00-\x1f\x7f\\<>\"]*)?",
    re.IGNORECASE,
)


def url_ok(url: str) -> bool:
    """An absolute http(s) address without user names, spaces or control characters."""
    return len(url) <= 2000 and _URL.fullmatch(url) is not None


def check_seller(seller: Seller) -> list[Problem]:
    """What is wrong with the requisites that are filled (empty ones are only incomplete), by
    field.
    """
    problems = []
    if seller.inn and not inn_ok(seller.inn, seller.kind):
        length = 10 if seller.kind is SellerKind.COMPANY else 12
        code = "inn_length" if not _digits(seller.inn, length) else "inn_checksum"
        problems.append(Problem("inn", code, {"length": length}))
    if seller.ogrn and not ogrn_ok(seller.ogrn, seller.kind):
        by_kind = {
            SellerKind.COMPANY: "ogrn",
            SellerKind.IP: "ogrnip",
            SellerKind.NPD: "ogrn_npd",
        }
        problems.append(Problem("ogrn", by_kind[seller.kind]))
    for name in ("offer_url", "policy_url"):
        value = getattr(seller, name)
        if value and not url_ok(value):
            problems.append(Problem(name, "url"))
    return problems
