"""Parsing and validation of API request bodies. No I/O; every error names the faulty parameter.

Limits (https://yookassa.ru/developers/api): description 128 characters, metadata 16 keys of 32
characters with values of 512, return_url 2048, a card payment 1 to 350 000 RUB.
"""

from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

import msgspec

from sigma_sandbox import money
from sigma_sandbox.bank.errors import ApiError, invalid_request
from sigma_sandbox.bank.store import Json

MIN_AMOUNT_MINOR, MAX_CARD_AMOUNT_MINOR = 1_00, 350_000_00
SHOP_CURRENCY = "RUB"
MAX_DESCRIPTION_LENGTH = 128
MAX_RETURN_URL_LENGTH = 2048
MAX_ITEMS = 100
VAT_CODES = range(1, 13)
CURRENCIES = frozenset(
    ["RUB", "USD", "EUR", "BYN", "KZT", "UAH", "UZS", "TRY", "INR", "MDL", "AZN", "AMD"]
)


class NewPayment(msgspec.Struct, frozen=True, kw_only=True):
    """A validated POST /payments body; amounts in minor units."""

    amount_minor: int
    currency: str
    capture: bool
    return_url: str
    locale: str | None
    description: str | None
    metadata: dict[str, str]
    receipt: Json | None
    customer_id: str | None


def parse_payment(body: Json) -> NewPayment:
    """Parse a POST /payments body. Raises ApiError."""
    amount_minor, currency = parse_amount(body.get("amount"))
    if currency != SHOP_CURRENCY:
        raise invalid_request("The shop takes payments in RUB only", "amount.currency")
    if not MIN_AMOUNT_MINOR <= amount_minor <= MAX_CARD_AMOUNT_MINOR:
        raise invalid_request("A card payment is from 1.00 to 350000.00 RUB", "amount.value")
    capture = body.get("capture", False)
    if not isinstance(capture, bool):
        raise invalid_request("A boolean is expected", "capture")
    if body.get("payment_method_id") or body.get("payment_token"):
        raise invalid_request("Saved methods and tokens are not supported", "payment_method_id")
    method = body.get("payment_method_data") or {"type": "bank_card"}
    if not isinstance(method, dict) or method.get("type") != "bank_card":
        raise invalid_request(
            "Only bank_card is supported in a test shop", "payment_method_data.type"
        )
    if method.get("card"):
        raise ApiError(403, "forbidden", "Card data is entered on the bank's page only")
    return_url, locale = _parse_confirmation(body.get("confirmation"))
    return NewPayment(
        amount_minor=amount_minor,
        currency=currency,
        capture=capture,
        return_url=return_url,
        locale=locale,
        description=parse_description(body),
        metadata=parse_metadata(body.get("metadata")),
        receipt=parse_receipt(body.get("receipt"), amount_minor),
        customer_id=_parse_customer_id(body.get("merchant_customer_id")),
    )


def parse_amount(body: Any, parameter: str = "amount") -> tuple[int, str]:
    """Parse an amount object to (minor units, currency).

    Raises ApiError when it is missing, malformed, not positive or of an unknown currency.
    """
    if not isinstance(body, dict):
        raise invalid_request("Amount is required", parameter)
    value, currency = body.get("value"), body.get("currency")
    minor = money.from_wire(value) if isinstance(value, str) else None
    if minor is None:
        raise invalid_request(
            "A decimal string with two digits after the point is expected", f"{parameter}.value"
        )
    if minor <= 0:
        raise invalid_request("Amount must be greater than zero", f"{parameter}.value")
    if currency not in CURRENCIES:
        raise invalid_request("Unknown currency", f"{parameter}.currency")
    return minor, currency


def parse_description(body: Json) -> str | None:
    """Return the description of a payment or a refund, or None. Raises ApiError if too long."""
    text = body.get("description")
    if text is None:
        return None
    if not isinstance(text, str) or len(text) > MAX_DESCRIPTION_LENGTH:
        raise invalid_request(f"At most {MAX_DESCRIPTION_LENGTH} characters", "description")
    return text


def _parse_confirmation(raw: Any) -> tuple[str, str | None]:
    if not isinstance(raw, dict):
        raise invalid_request("Confirmation is required", "confirmation")
    if raw.get("type") != "redirect":
        raise invalid_request("Only redirect is supported", "confirmation.type")
    url = raw.get("return_url")
    if not isinstance(url, str) or not url:
        raise invalid_request("Return URL is required", "confirmation.return_url")
    if len(url) > MAX_RETURN_URL_LENGTH or not _is_http_url(url):
        raise invalid_request("An http(s) address is expected", "confirmation.return_url")
    locale = raw.get("locale")
    if locale is not None and locale not in ("ru_RU", "en_US", "de_DE"):
        raise invalid_request("Unknown locale", "confirmation.locale")
    return url, locale


def _is_http_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    is_printable = url.isprintable() and " " not in url
    return is_printable and parts.scheme in ("http", "https") and bool(parts.hostname)


def parse_metadata(raw: Any) -> dict[str, str]:
    """Return the metadata of a payment, keys and values as text. Raises ApiError above a limit."""
    if raw is None:
        return {}
    if not isinstance(raw, dict) or len(raw) > 16:
        raise invalid_request("At most 16 keys", "metadata")
    for key, value in raw.items():
        if len(key) > 32:
            raise invalid_request("A key is at most 32 characters", "metadata")
        if len(str(value)) > 512:
            raise invalid_request("A value is at most 512 characters", f"metadata.{key}")
    return {key: str(value) for key, value in raw.items() if value is not None}


def _parse_customer_id(raw: Any) -> str | None:
    if raw is not None and (not isinstance(raw, str) or len(raw) > 200):
        raise invalid_request("At most 200 characters", "merchant_customer_id")
    return raw


def parse_receipt(raw: Any, amount_minor: int | None, parameter: str = "receipt") -> Json | None:
    """Validate receipt data of 54-FZ and return it unchanged, or None if absent.

    `amount_minor` must equal the sum of the items; None skips this check.
    Raises ApiError.
    """
    if raw is None:
        return None
    if not isinstance(raw, dict):
        raise invalid_request("An object is expected", parameter)
    customer = raw.get("customer") or raw
    if not (customer.get("email") or customer.get("phone")):
        raise invalid_request("E-mail or phone is required", f"{parameter}.customer")
    items = raw.get("items")
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_ITEMS:
        raise invalid_request(f"From 1 to {MAX_ITEMS} items", f"{parameter}.items")
    total = sum(_item_total_minor(item, f"{parameter}.items[{n}]") for n, item in enumerate(items))
    if amount_minor is not None and total != amount_minor:
        raise invalid_request("The items do not add up to the amount", f"{parameter}.items")
    return raw


def _item_total_minor(item: Any, parameter: str) -> Decimal:
    """Return quantity times unit price, in minor units, rounded half to even."""
    if not isinstance(item, dict):
        raise invalid_request("An object is expected", parameter)
    name = item.get("description")
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_DESCRIPTION_LENGTH:
        raise invalid_request(
            f"From 1 to {MAX_DESCRIPTION_LENGTH} characters", f"{parameter}.description"
        )
    if item.get("vat_code") not in VAT_CODES:
        raise invalid_request("A number from 1 to 12", f"{parameter}.vat_code")
    try:
        quantity = Decimal(str(item.get("quantity")))
    except InvalidOperation:
        raise invalid_request("A number is expected", f"{parameter}.quantity") from None
    if not quantity.is_finite() or quantity <= 0:
        raise invalid_request("A number greater than zero is expected", f"{parameter}.quantity")
    unit_price_minor, _ = parse_amount(item.get("amount"), f"{parameter}.amount")
    return (quantity * unit_price_minor).quantize(Decimal(1))
