"""How the price of a service is said, on every page alike."""

from sigma.domain.catalogue.service import PriceKind, Service
from sigma.texts import Words


def price_text(service: Service, words: Words) -> str:
    """«1 500 ₽», «от 1 500 ₽», «по договорённости»."""
    if service.price is PriceKind.AGREEMENT or service.amount is None:
        return words.t("storefront.price_agreement")
    money = words.money(service.amount, short=True)
    if service.price is PriceKind.FROM:
        return words.t("storefront.price_from", sum=money)
    return money
