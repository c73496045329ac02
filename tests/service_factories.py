"""Factories for services of a shop."""

from typing import Any

from sigma.domain.catalogue.service import PriceKind, Service, ServiceFields
from sigma.domain.money import Money
from sigma.services.catalogue import services
from tests.world import World

DESCRIPTION = "Снятие, форма и покрытие. Полтора часа."


def service_fields(title: str = "Маникюр", **more: Any) -> ServiceFields:
    """Return the fields of a service form: a fixed price of 1500 ₽ by default."""
    usual: dict[str, Any] = {"price_kind": PriceKind.FIXED, "amount": Money(150_000)}
    return ServiceFields(title, **(usual | more))


async def create_service(world: World, title: str = "Маникюр", **more: Any) -> Service:
    """Create a service."""
    return await services.save(world.ctx, world.member, None, service_fields(title, **more))


async def create_described_service(world: World, title: str = "Маникюр", **more: Any) -> Service:
    """Create a service with a description, which VK's market requires."""
    return await create_service(world, title, **({"description": DESCRIPTION} | more))


async def list_services(world: World) -> list[Service]:
    """Return the shop's services in their order."""
    return await services.list_for_shop(world.ctx, world.member)
