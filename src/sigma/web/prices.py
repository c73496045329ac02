"""The price of a service as text, shared by all pages."""

from sigma.domain.catalogue.service import PriceKind, Service
from sigma.texts import Translator


def price_text(service: Service, translator: Translator) -> str:
    """Return the price: «1 500 ₽», «от 1 500 ₽ / час», «1 500 ₽ – 2 000 ₽» or «бесплатно»."""
    text = _amount_text(service, translator)
    if not service.price_unit:
        return text
    return translator.t("storefront.price_per", price=text, unit=service.price_unit)


def _amount_text(service: Service, translator: Translator) -> str:
    if service.price_kind is PriceKind.FREE:
        return translator.t("storefront.price_free")
    low = translator.money(service.amount, short=True) if service.amount else ""
    high = translator.money(service.max_amount, short=True) if service.max_amount else ""
    if low and high:
        return translator.t("storefront.price_range", low=low, high=high)
    if high:
        return translator.t("storefront.price_up_to", sum=high)
    if not low or service.price_kind is PriceKind.AGREEMENT:
        return translator.t("storefront.price_agreement")
    if service.price_kind is PriceKind.FROM:
        return translator.t("storefront.price_from", sum=low)
    return low
