"""The price of a service as text, shared by all pages."""

from sigma.domain.catalogue.service import PriceKind, Service
from sigma.texts import Translator


def price_text(service: Service, translator: Translator) -> str:
    """Return the price: «1 500 ₽», «от 1 500 ₽» or «по договорённости»."""
    if service.price_kind is PriceKind.AGREEMENT or service.amount is None:
        return translator.t("storefront.price_agreement")
    money = translator.money(service.amount, short=True)
    if service.price_kind is PriceKind.FROM:
        return translator.t("storefront.price_from", sum=money)
    return money
