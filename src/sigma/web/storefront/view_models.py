"""View models of the public pages. Pure: the cabinet's preview uses them too."""

from dataclasses import dataclass
from typing import Any

from sigma.domain.catalogue.service import Service, grouped_page, thumbnail_id
from sigma.services.catalogue.image_processing import SMALL_SIDE_PX
from sigma.services.checkout.storefront import Storefront
from sigma.texts import Translator
from sigma.texts.formats import initials
from sigma.web.checkout.page_context import split_description
from sigma.web.prices import price_text

PAGE_SIZE = 200  # services on one page of the list


@dataclass(frozen=True, slots=True)
class PhotoView:
    """URLs and sizes in pixels of the full and the small file of a photo."""

    url: str
    small_url: str
    width: int
    height: int
    small_width: int


@dataclass(frozen=True, slots=True)
class ServiceView:
    """A service as texts and URLs."""

    id: str
    url: str
    title: str
    price: str
    letter: str  # shown when there is no photo
    picture: PhotoView | None


def photo_view(photo_id: str | None, sizes: dict[str, tuple[int, int]]) -> PhotoView | None:
    """Return the photo, or None without a photo or when its size is unknown.

    `sizes`: photo id → width and height in pixels.
    """
    if photo_id is None or photo_id not in sizes:
        return None
    width, height = sizes[photo_id]
    small_width = round(width * min(1.0, SMALL_SIDE_PX / max(width, height)))
    return PhotoView(
        f"/photos/{photo_id}", f"/photos/{thumbnail_id(photo_id)}", width, height, small_width
    )


def service_view(service: Service, front: Storefront, translator: Translator) -> ServiceView:
    """Return a service of the list."""
    return ServiceView(
        id=service.id,
        url=f"/s/{front.shop.slug}/{service.id}",
        title=service.title,
        price=price_text(service, translator),
        letter=initials(service.title)[:1],
        picture=photo_view(service.photo_id, front.photo_sizes),
    )


def list_context(front: Storefront, translator: Translator, offset: int = 0) -> dict[str, Any]:
    """Return the template context of the list of services, from the service number `offset` on."""
    next_offset = offset + PAGE_SIZE
    return {
        "initials": initials(front.shop.name),
        "groups": [
            (category, [service_view(service, front, translator) for service in members])
            for category, members in grouped_page(front.services, offset, PAGE_SIZE)
        ],
        "more_url": f"/s/{front.shop.slug}?from={next_offset}"
        if next_offset < len(front.services)
        else "",
        "write_url": front.conversation_urls.get("", ""),
    }


def service_context(
    service: Service, front: Storefront, translator: Translator, base_url: str
) -> dict[str, Any]:
    """Return the template context of the page of one service."""
    head, rest = split_description(service.description)
    view = service_view(service, front, translator)
    return {
        "initials": initials(front.shop.name),
        "service": view,
        "description": head,
        "description_rest": rest,
        "write_url": front.conversation_urls.get(service.id, ""),
        "amount": translator.money(service.amount, short=True) if service.amount else "",
        "is_payable": front.is_payable(service),
        "list_url": f"/s/{front.shop.slug}",
        "image_url": f"{base_url}{view.picture.url}" if view.picture else "",
    }
