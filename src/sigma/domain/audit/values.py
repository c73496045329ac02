"""Values of domain objects as the audit log stores them."""

from typing import Any, Final

from sigma.domain.accounts.shop import Shop
from sigma.domain.money import Money

# A seller may be a person: of these the log only says that they changed. So also of the mail
# server, whose URL has a password.
PERSONAL_SELLER_FIELDS: Final = (
    "full_name",
    "inn",
    "ogrn",
    "address",
    "phone",
    "email",
    "mail_reply_to",
    "mail_from_name",
    "smtp_url",
)


def money_detail(amount: Money) -> dict[str, Any]:
    """Return an amount as `amount_minor` and `currency`."""
    return {"amount_minor": amount.minor, "currency": amount.currency}


def shop_values(shop: Shop) -> dict[str, Any]:
    """Return the settings of a shop: a mail server as ciphertext, which changes with it."""
    seller = {name: getattr(shop.seller, name) for name in shop.seller.__slots__}
    return seller | {
        "kind": str(shop.seller.kind),
        "name": shop.name,
        "tz": shop.tz,
        "locale": shop.locale,
        "accent": shop.accent,
        "return_url": shop.return_url,
        "consent_text": shop.consent_text,
        "mail_from_name": shop.mail_from_name,
        "mail_reply_to": shop.mail_reply_to,
        "smtp_url": shop.smtp_url_encrypted,
    }
