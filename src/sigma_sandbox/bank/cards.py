"""The test cards and what each of them does. No other number is accepted anywhere in the sandbox.

Source: yookassa.ru/developers/payment-acceptance/testing-and-going-live/testing.
"""

import msgspec

OK = "ok"


class ListedCard(msgspec.Struct, frozen=True):
    """A card of the list. `reason` None: the money is taken; `three_ds`: a code is asked first."""

    number: str
    brand: str
    reason: str | None
    three_ds: bool

    @property
    def grouped(self) -> str:
        """The number by fours, as on a card."""
        return " ".join(self.number[i : i + 4] for i in range(0, len(self.number), 4))


class Card(msgspec.Struct, frozen=True):
    """All that the bank remembers of a card. Never the number, never the CVC."""

    first6: str
    last4: str
    brand: str
    expiry_month: str
    expiry_year: str


# Result, asks for 3-D Secure, then MasterCard, Visa, Mir.
_TABLE: tuple[tuple[str, bool, tuple[str, ...]], ...] = (
    (OK, True, ("5555555555554477", "4793128161644804", "2200000000000004")),
    (OK, False, ("5555555555554444", "4111111111111111", "2202474301322987")),
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

# One row per result, a card of each payment system in it.
GROUPS: tuple[tuple[ListedCard, ...], ...] = tuple(
    tuple(
        ListedCard(number, brand, None if result == OK else result, three_ds)
        for number, brand in zip(numbers, BRANDS, strict=False)
    )
    for result, three_ds, numbers in _TABLE
)
TEST_CARDS = tuple(card for group in GROUPS for card in group)
BY_NUMBER = {card.number: card for card in TEST_CARDS}

# Who refused, by reason; whatever is not here was refused by the payment network.
_PARTIES = {
    "canceled_by_merchant": "merchant",
    "expired_on_confirmation": "yoo_money",
    "expired_on_capture": "yoo_money",
    "fraud_suspected": "yoo_money",
    "country_forbidden": "yoo_money",
    "internal_timeout": "yoo_money",
    "payment_method_restricted": "yoo_money",
}
DECLINE_REASONS = frozenset(
    [
        *(card.reason for card in TEST_CARDS if card.reason),
        *("internal_timeout", "identification_required", "permission_revoked"),
    ]
)


def party(reason: str) -> str:
    """`cancellation_details.party` for a reason of a canceled payment."""
    return _PARTIES.get(reason, "payment_network")


def luhn(number: str) -> bool:
    """The check digit that every card number has."""
    total = 0
    for place, char in enumerate(reversed(number)):
        digit = int(char) * (2 if place % 2 else 1)
        total += digit - 9 if digit > 9 else digit
    return total % 10 == 0


def brand_of(digits: str) -> str | None:
    """The payment system by the first digits, or None while it is not clear."""
    if digits.startswith(("2200", "2201", "2202", "2203", "2204")):
        return "Mir"
    if digits.startswith("4"):
        return "Visa"
    if digits.startswith(("51", "52", "53", "54", "55")):
        return "MasterCard"
    return None


def brand_name(brand: str, lang: str) -> str:
    """The payment system's name for people."""
    names = {"Mir": "Mir" if lang == "en" else "Мир", "MasterCard": "Mastercard"}
    return names.get(brand, brand)


def remember(card: ListedCard, month: int, year: int) -> Card:
    """What may be kept of a card."""
    return Card(card.number[:6], card.number[-4:], card.brand, f"{month:02d}", str(year))
