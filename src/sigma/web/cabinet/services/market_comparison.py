"""A service beside the item of a community, as the comparison shows them. Pure."""

from dataclasses import dataclass

from sigma.domain.catalogue.service import PriceKind, Service
from sigma.services.catalogue.services import small_of
from sigma.services.market.market_diff import Pair, State
from sigma.texts import Words
from sigma.web.prices import price_text

SHORT = 300  # characters of a description; the rest is not needed to choose


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a pair as texts. `differs` names what the other side has otherwise."""

    title: str
    price: str
    description: str
    visible: bool
    photo_url: str
    has_photo: bool


@dataclass(frozen=True, slots=True)
class PairShown:
    """A pair with what can be chosen: (choice, words)."""

    key: str
    mark: str
    title: str
    state: str
    tone: str
    ours: Side | None
    theirs: Side | None
    differs: tuple[str, ...]
    choices: tuple[tuple[str, str], ...]
    says: tuple[str, ...]
    service_id: str


_TONES = {State.BOTH: "bad", State.GONE: "wait"}


def shown(pair: Pair, words: Words) -> PairShown:
    """A pair for the page."""
    ours, theirs = _ours(pair, words), _theirs(pair, words)
    says = [words.t(f"services.vk_blocks_{code}") for code in pair.blocks]
    if not pair.blocks or pair.state is State.BOTH:
        says += [words.t(f"services.vk_notes_{code}") for code in pair.notes]
    if pair.item and pair.item.rejected:
        says.append(words.t("services.vk_rejected", words=pair.item.rejected))
    pushes = pair.state not in (State.NEW_THERE, State.CHANGED_THERE, State.TWIN)
    return PairShown(
        key=pair.key,
        mark=pair.mark,
        title=pair.title,
        state=words.t(f"services.vk_state_{pair.state}"),
        tone=_TONES.get(pair.state, "info"),
        ours=ours,
        theirs=theirs,
        differs=_differs(ours, theirs),
        choices=tuple(
            (str(c), words.t(f"services.vk_choice_{_choice(pair, str(c))}")) for c in pair.choices
        ),
        says=tuple(says) if pushes else (),
        service_id=pair.service.id if pair.service else "",
    )


def _choice(pair: Pair, choice: str) -> str:
    """Whose words a choice speaks: adding is not changing."""
    fresh = pair.state in (State.NEW_THERE, State.NEW_HERE, State.GONE)
    return f"{choice}_new" if fresh and choice in ("take", "push") else choice


def _ours(pair: Pair, words: Words) -> Side | None:
    service = pair.service
    if service is None:
        return None
    photo = f"/photos/{small_of(service.photo_id)}" if service.photo_id else ""
    return Side(
        service.title,
        price_text(service, words),
        service.description[:SHORT],
        service.visible,
        photo,
        bool(photo),
    )


def _theirs(pair: Pair, words: Words) -> Side | None:
    item = pair.item
    if item is None:
        return None
    like = Service("", "", item.title, 0, price=PriceKind(item.price_kind), amount=item.amount)
    return Side(
        item.title,
        price_text(like, words),
        item.description[:SHORT],
        item.available,
        "",  # another host's: not shown here
        bool(item.photo_url or item.photo_id),
    )


def _differs(ours: Side | None, theirs: Side | None) -> tuple[str, ...]:
    if ours is None or theirs is None:
        return ()
    names = ("title", "price", "description", "visible", "has_photo")
    return tuple(name for name in names if getattr(ours, name) != getattr(theirs, name))
