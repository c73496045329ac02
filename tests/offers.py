"""Services of a shop's catalogue for tests."""

from typing import Any

from sigma.domain.catalogue.service import PriceKind, Service
from sigma.domain.money import Money
from sigma.services.catalogue import services
from sigma.services.catalogue.services import Offer
from tests.world import World

WORDS = "Снятие, форма и покрытие. Полтора часа."


def offer(title: str = "Маникюр", **more: Any) -> Offer:
    """What a person fills in: 1500 ₽ unless told otherwise."""
    usual: dict[str, Any] = {"price": PriceKind.FIXED, "amount": Money(150_000)}
    return Offer(title, **(usual | more))


async def made(world: World, title: str = "Маникюр", **more: Any) -> Service:
    """A service in the catalogue."""
    return await services.save(world.ctx, world.member, None, offer(title, **more))


async def described(world: World, title: str = "Маникюр", **more: Any) -> Service:
    """One with a description, as VK wants it."""
    return await made(world, title, **({"description": WORDS} | more))


async def listing(world: World) -> list[Service]:
    """The catalogue in its order."""
    return await services.listing(world.ctx, world.member)
