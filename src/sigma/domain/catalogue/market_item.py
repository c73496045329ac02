"""An item of a VK community's market, and what VK accepts as one.

Source: https://dev.vk.ru/ru/method/market
"""

from dataclasses import dataclass

from sigma.domain.catalogue.service import PriceKind
from sigma.domain.money import Money

MIN_TITLE_CHARS, MAX_TITLE_BYTES, MIN_DESCRIPTION_CHARS = 4, 100, 10
DEFAULT_CATEGORY_ID = 1


@dataclass(frozen=True, slots=True)
class MarketItem:
    """An item of VK's market: a physical good or a service, VK does not say which.

    `amount` is None for a price by agreement, a zero price and an unsupported currency.
    """

    id: int
    owner_id: int
    title: str
    description: str
    price_kind: PriceKind
    amount: Money | None
    photo_url: str
    is_available: bool
    photo_id: int = 0
    category_id: int = DEFAULT_CATEGORY_ID
    url: str = ""
    rejection_reason: str = ""  # title of the moderators' reason, empty when accepted


@dataclass(frozen=True, slots=True)
class MarketItemDraft:
    """The content of an item to write. The API has no "from" or "by agreement" price: send None."""

    title: str
    description: str
    amount: Money | None
    photo_id: int
    is_available: bool = True
    category_id: int = DEFAULT_CATEGORY_ID
    url: str = ""


def find_draft_problem(draft: MarketItemDraft) -> str:
    """Return the field for which VK would refuse the item (title, description, photo), or ""."""
    # VK measures the title in cp1251. A character outside it (an emoji) counts as its XML entity.
    title_bytes = len(draft.title.encode("cp1251", "xmlcharrefreplace"))
    if len(draft.title) < MIN_TITLE_CHARS or title_bytes > MAX_TITLE_BYTES:
        return "title"
    if len(draft.description) < MIN_DESCRIPTION_CHARS:
        return "description"
    return "photo" if draft.photo_id <= 0 else ""
