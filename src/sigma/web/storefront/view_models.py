"""Services as their public pages show them. Pure: the cabinet's preview draws the same."""

from dataclasses import dataclass
from typing import Any

from sigma.domain.catalogue.service import Service
from sigma.services.catalogue.image_processing import SMALL
from sigma.services.catalogue.services import small_of
from sigma.services.checkout.storefront import Front
from sigma.texts import Words
from sigma.web.checkout.page_context import initials, split
from sigma.web.prices import price_text


@dataclass(frozen=True, slots=True)
class Picture:
    """A photo's two files and their widths in points."""

    url: str
    small_url: str
    width: int
    height: int
    small_width: int


@dataclass(frozen=True, slots=True)
class Shown:
    """One service: where its page is, what to show of it."""

    id: str
    url: str
    title: str
    price: str
    letter: str  # stands for a photo
    picture: Picture | None


def picture(photo_id: str | None, sizes: dict[str, tuple[int, int]]) -> Picture | None:
    """A photo of known size."""
    if photo_id is None or photo_id not in sizes:
        return None
    width, height = sizes[photo_id]
    small = round(width * min(1.0, SMALL / max(width, height)))
    return Picture(f"/photos/{photo_id}", f"/photos/{small_of(photo_id)}", width, height, small)


def shown(service: Service, front: Front, words: Words) -> Shown:
    """A service in a list."""
    return Shown(
        id=service.id,
        url=f"/s/{front.shop.slug}/{service.id}",
        title=service.title,
        price=price_text(service, words),
        letter=initials(service.title)[:1],
        picture=picture(service.photo_id, front.sizes),
    )


def listed(front: Front, words: Words) -> dict[str, Any]:
    """Everything on the page of all services."""
    return {
        "initials": initials(front.shop.name),
        "services": [shown(service, front, words) for service in front.services],
        "write_url": front.links.get("", ""),
    }


def detailed(service: Service, front: Front, words: Words, base_url: str) -> dict[str, Any]:
    """Everything on the page of one service."""
    head, rest = split(service.description)
    one = shown(service, front, words)
    return {
        "initials": initials(front.shop.name),
        "service": one,
        "description": head,
        "description_rest": rest,
        "write_url": front.links.get(service.id, ""),
        "sum": words.money(service.amount, short=True) if service.amount else "",
        "payable": service.payable and front.payable,
        "list_url": f"/s/{front.shop.slug}",
        "image_url": f"{base_url}{one.picture.url}" if one.picture else "",
    }
