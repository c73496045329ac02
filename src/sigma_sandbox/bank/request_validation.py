"""What a merchant's program asks for, read and checked. Pure; every refusal names its parameter.

Limits: yookassa.ru/developers/api (description 128, metadata 16 keys of 32 with values of 512,
return_url 2048, a card payment up to 350 000 RUB).
"""

from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

import msgspec

from sigma_sandbox.bank.serializers import Refused, invalid, read_amount
from sigma_sandbox.bank.store import Json

MAX_CARD_RUB = 350_000_00
MAX_DESCRIPTION = 128
MAX_RETURN_URL = 2048
MAX_ITEMS = 100
VAT_CODES = range(1, 13)


class NewPayment(msgspec.Struct, frozen=True, kw_only=True):
    """A payment as asked, sums in minor units."""

    amount: int
    currency: str
    capture: bool
    return_url: str
    locale: str | None
    description: str | None
    metadata: dict[str, str]
    receipt: Json | None
    customer_id: str | None


def new_payment(body: Json) -> NewPayment:
    """Read POST /payments. Raises Refused."""
    amount, currency = read_amount(body.get("amount"))
    if currency == "RUB" and amount > MAX_CARD_RUB:
        raise invalid("A card payment is at most 350000.00 RUB", "amount.value")
    capture = body.get("capture", False)
    if not isinstance(capture, bool):
        raise invalid("A boolean is expected", "capture")
    if body.get("payment_method_id") or body.get("payment_token"):
        raise invalid("Saved methods and tokens are not served here", "payment_method_id")
    method = body.get("payment_method_data") or {"type": "bank_card"}
    if not isinstance(method, dict) or method.get("type") != "bank_card":
        raise invalid("Only bank_card works in a test shop", "payment_method_data.type")
    if method.get("card"):
        raise Refused(403, "forbidden", "Card data is entered on the bank's page only")
    return_url, locale = _confirmation(body.get("confirmation"))
    return NewPayment(
        amount=amount,
        currency=currency,
        capture=capture,
        return_url=return_url,
        locale=locale,
        description=description(body),
        metadata=_metadata(body.get("metadata")),
        receipt=receipt(body.get("receipt"), amount),
        customer_id=_customer(body.get("merchant_customer_id")),
    )


def description(body: Json) -> str | None:
    """The description of a payment or a refund. Raises Refused."""
    text = body.get("description")
    if text is None:
        return None
    if not isinstance(text, str) or len(text) > MAX_DESCRIPTION:
        raise invalid(f"At most {MAX_DESCRIPTION} characters", "description")
    return text


def _confirmation(said: Any) -> tuple[str, str | None]:
    if not isinstance(said, dict):
        raise invalid("Confirmation is required", "confirmation")
    if said.get("type") != "redirect":
        raise invalid("Only redirect is served here", "confirmation.type")
    url = said.get("return_url")
    if not isinstance(url, str) or not url:
        raise invalid("Return URL is required", "confirmation.return_url")
    if len(url) > MAX_RETURN_URL or not _is_web(url):
        raise invalid("An http(s) address is expected", "confirmation.return_url")
    locale = said.get("locale")
    if locale is not None and locale not in ("ru_RU", "en_US", "de_DE"):
        raise invalid("Unknown locale", "confirmation.locale")
    return url, locale


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    clean = url.isprintable() and " " not in url
    return clean and parts.scheme in ("http", "https") and bool(parts.hostname)


def _metadata(said: Any) -> dict[str, str]:
    if said is None:
        return {}
    if not isinstance(said, dict) or len(said) > 16:
        raise invalid("At most 16 keys", "metadata")
    for key, value in said.items():
        if len(key) > 32:
            raise invalid("A key is at most 32 characters", "metadata")
        if len(str(value)) > 512:
            raise invalid("A value is at most 512 characters", f"metadata.{key}")
    return {key: str(value) for key, value in said.items() if value is not None}


def _customer(said: Any) -> str | None:
    if said is not None and (not isinstance(said, str) or len(said) > 200):
        raise invalid("At most 200 characters", "merchant_customer_id")
    return said


def receipt(said: Any, amount: int | None, parameter: str = "receipt") -> Json | None:
    """Check 54-FZ data: a customer, items, their sum against `amount` (minor units, if known).

    Raises Refused.
    """
    if said is None:
        return None
    if not isinstance(said, dict):
        raise invalid("An object is expected", parameter)
    customer = said.get("customer") or said
    if not (customer.get("email") or customer.get("phone")):
        raise invalid("E-mail or phone is required", f"{parameter}.customer")
    items = said.get("items")
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_ITEMS:
        raise invalid(f"From 1 to {MAX_ITEMS} items", f"{parameter}.items")
    total = sum(_item(item, f"{parameter}.items[{n}]") for n, item in enumerate(items))
    if amount is not None and total != amount:
        raise invalid("The items do not add up to the amount", f"{parameter}.items")
    return said


def _item(item: Any, where: str) -> Decimal:
    """An item's total in minor units: quantity times the price of one."""
    if not isinstance(item, dict):
        raise invalid("An object is expected", where)
    name = item.get("description")
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_DESCRIPTION:
        raise invalid(f"From 1 to {MAX_DESCRIPTION} characters", f"{where}.description")
    if item.get("vat_code") not in VAT_CODES:
        raise invalid("A number from 1 to 12", f"{where}.vat_code")
    try:
        quantity = Decimal(str(item.get("quantity")))
    except InvalidOperation:
        raise invalid("A number is expected", f"{where}.quantity") from None
    if not quantity.is_finite() or quantity <= 0:
        raise invalid("A number greater than zero is expected", f"{where}.quantity")
    price, _ = read_amount(item.get("amount"), f"{where}.amount")
    return (quantity * price).quantize(Decimal(1))
