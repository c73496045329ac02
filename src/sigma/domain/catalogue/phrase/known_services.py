"""Services of the shop that a phrase names."""

from collections.abc import Sequence

from sigma.domain.catalogue.phrase.model import KnownService
from sigma.domain.catalogue.service import PriceKind, Service, normalized_title


def known_service(service: Service) -> KnownService:
    """Return what a phrase needs of a service."""
    is_priced = service.price_kind is not PriceKind.AGREEMENT
    return KnownService(
        service.title,
        service.amount if is_priced else None,
        service.price_kind is PriceKind.FIXED,
        service.id,
    )


def matching_services(title: str, services: Sequence[KnownService]) -> list[KnownService]:
    """Return the services that a title names, best matches only.

    First the equal titles, then those that begin with the title, then those that have all its words
    in any form («маникюра классического»).
    """
    name = normalized_title(title)
    if not name:
        return []
    equal = [s for s in services if normalized_title(s.title) == name]
    if equal:
        return equal
    longer = [s for s in services if normalized_title(s.title).startswith(f"{name} ")]
    if longer:
        return longer
    words = name.split()
    return [s for s in services if _has_all(normalized_title(s.title).split(), words)]


def _has_all(title: Sequence[str], words: Sequence[str]) -> bool:
    return all(any(_is_same_word(word, other) for other in title) for word in words)


def _is_same_word(one: str, other: str) -> bool:
    """Return whether two words differ in their endings only: at most three letters at the end."""
    if one == other:
        return True
    shortest = max(4, max(len(one), len(other)) - 3)
    return one[:shortest] == other[:shortest] and min(len(one), len(other)) >= shortest
