"""The test cards and their results. The sandbox accepts no other card number.

Source: https://yookassa.ru/developers/payment-acceptance/testing-and-going-live/testing
"""

import msgspec

SUCCESS = "ok"


class ListedCard(msgspec.Struct, frozen=True):
    """A test card. `decline_reason` None: it pays. `has_three_ds`: a code is required first."""

    number: str
    brand: str
    decline_reason: str | None
    has_three_ds: bool

    @property
    def formatted_number(self) -> str:
        """The number in groups of four digits, as printed on a card."""
        return " ".join(self.number[i : i + 4] for i in range(0, len(self.number), 4))


class MaskedCard(msgspec.Struct, frozen=True):
    """The card data that the bank stores: never the full number, never the CVC."""

    first6: str
    last4: str
    brand: str
    expiry_month: str
    expiry_year: str


# Result, whether 3-D Secure is required, numbers of MasterCard, Visa, Mir.
_CARDS_BY_RESULT: tuple[tuple[str, bool, tuple[str, ...]], ...] = (
    (SUCCESS, True, ("5555555555554477", "4793128161644804", "2200000000000004")),
    (SUCCESS, False, ("5555555555554444", "4111111111111111", "2202474301322987")),
    ("3d_secure_failed", True, ("5555555555554592", "4839665499603842", "2200000000000012")),
    ("call_issuer", False, ("5555555555554535", "4926946416239025", "2200000000000020")),
    ("card_expired", False, ("5555555555554543", "4141435412630840", "2200000000000038")),
    ("fraud_suspected", False, ("5555555555554568", "4483274282299972", "2200000000000046")),
    ("general_decline", False, ("5555555555554527", "4889971706588753", "2202202212312379")),
    ("insufficient_funds", False, ("5555555555554600", "4562265587712390", "2200000000000053")),
    ("invalid_card_number", False, ("5555555555554618",)),
    ("invalid_csc", False, ("5555555555554626",)),
    ("issuer_unavailable", False, ("5555555555554501",)),
    ("payment_method_limit_exceeded", False, ("5555555555554576",)),
    ("payment_method_restricted", False, ("5555555555554550",)),
    ("country_forbidden", False, ("5555555555554584",)),
)
BRANDS = ("MasterCard", "Visa", "Mir")

# One group per result, with one card of each payment system.
CARD_GROUPS: tuple[tuple[ListedCard, ...], ...] = tuple(
    tuple(
        ListedCard(number, brand, None if result == SUCCESS else result, three_ds)
        for number, brand in zip(numbers, BRANDS, strict=False)
    )
    for result, three_ds, numbers in _CARDS_BY_RESULT
)
TEST_CARDS = tuple(card for group in CARD_GROUPS for card in group)
CARDS_BY_NUMBER = {card.number: card for card in TEST_CARDS}

# `cancellation_details.party` by reason; for other reasons it is "payment_network".
_CANCELLATION_PARTIES = {
    "canceled_by_merchant": "merchant",
    "expired_on_confirmation": "yoo_money",
    "expired_on_capture": "yoo_money",
    "fraud_suspected": "yoo_money",
    "country_forbidden": "yoo_money",
    "internal_timeout": "yoo_money",
    "payment_method_restricted": "yoo_money",
}


def cancellation_party(reason: str) -> str:
    """Return `cancellation_details.party` for the cancellation reason of a payment."""
    return _CANCELLATION_PARTIES.get(reason, "payment_network")


def is_luhn_valid(number: str) -> bool:
    """Return whether the check digit of a card number is valid (Luhn algorithm)."""
    total = 0
    for index, char in enumerate(reversed(number)):
        digit = int(char) * (2 if index % 2 else 1)
        total += digit - 9 if digit > 9 else digit
    return total % 10 == 0


def detect_brand(digits: str) -> str | None:
    """Return the payment system by the first digits, or None if they match none."""
    if digits.startswith(("2200", "2201", "2202", "2203", "2204")):
        return "Mir"
    if digits.startswith("4"):
        return "Visa"
    if digits.startswith(("51", "52", "53", "54", "55")):
        return "MasterCard"
    return None


def brand_name(brand: str, lang: str) -> str:
    """Return the display name of a payment system in "ru" or "en"."""
    names = {"Mir": "Mir" if lang == "en" else "Мир", "MasterCard": "Mastercard"}
    return names.get(brand, brand)


def mask_card(card: ListedCard, month: int, year: int) -> MaskedCard:
    """Return the card data that may be stored."""
    return MaskedCard(card.number[:6], card.number[-4:], card.brand, f"{month:02d}", str(year))
