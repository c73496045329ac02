"""Why an invoice phrase is refused."""

CODES = {
    "no_amount": "no number of the phrase is a sum, and no service with a price is named",
    "no_title": "the phrase has a sum and nothing that it is for",
    "amount_not_positive": "the sum is zero or negative",
    "amount_too_large": "the sum is over the limit of `Money`",
    "currency_not_accepted": "the currency named is not one that the connection takes",
    "card_number": "the phrase has the number of a bank card",
    "bad_day": "there is no such day",
    "past_day": "the deadline has passed",
    "too_long": "more than `MAX_PHRASE` characters",
}


class PhraseError(ValueError):
    """The phrase cannot become an invoice. `code` is a key of CODES.

    `currency`: the ISO 4217 code of the currency that is not accepted, "XXX" for «у.е.».
    """

    def __init__(self, code: str, currency: str = "") -> None:
        assert code in CODES, f"unknown code {code}"
        super().__init__(code)
        self.code = code
        self.currency = currency
