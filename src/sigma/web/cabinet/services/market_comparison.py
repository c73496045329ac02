"""View models of the market comparison: a service beside a market item. Pure."""

from dataclasses import dataclass

from sigma.domain.catalogue.market_pair import Choice, Pair, PairState
from sigma.domain.catalogue.service import PriceKind, Service, thumbnail_id
from sigma.texts import Translator
from sigma.web.prices import price_text

MAX_DESCRIPTION_LENGTH = 300  # characters of a description that the page shows


@dataclass(frozen=True, slots=True)
class SideView:
    """One side of a pair as texts."""

    title: str
    price: str
    description: str
    is_visible: bool
    photo_url: str
    has_photo: bool


@dataclass(frozen=True, slots=True)
class PairView:
    """A pair of service and market item.

    `choices`: (choice, label). `different_fields`: names of `SideView` fields.
    """

    key: str
    fingerprint: str
    title: str
    state: str
    tone: str
    local: SideView | None
    remote: SideView | None
    different_fields: tuple[str, ...]
    choices: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    service_id: str


_TONES = {PairState.CHANGED_BOTH: "bad", PairState.REMOTE_DELETED: "wait"}


def pair_view(pair: Pair, translator: Translator) -> PairView:
    """Return the view model of a pair."""
    local, remote = _local_side(pair, translator), _remote_side(pair, translator)
    notes = [translator.t(f"services.vk_push_problem_{code}") for code in pair.push_problems]
    if not pair.push_problems or pair.state is PairState.CHANGED_BOTH:
        notes += [translator.t(f"services.vk_push_warning_{code}") for code in pair.push_warnings]
    if pair.item and pair.item.rejection_reason:
        notes.append(translator.t("services.vk_rejected", reason=pair.item.rejection_reason))
    pushes = pair.state not in (
        PairState.NEW_REMOTE,
        PairState.CHANGED_REMOTE,
        PairState.UNLINKED_EQUAL,
    )
    return PairView(
        key=pair.key,
        fingerprint=pair.fingerprint,
        title=pair.title,
        state=translator.t(f"services.vk_state_{pair.state}"),
        tone=_TONES.get(pair.state, "info"),
        local=local,
        remote=remote,
        different_fields=_different_fields(local, remote),
        choices=tuple(
            (str(c), translator.t(f"services.vk_choice_{_choice_key(pair, c)}"))
            for c in pair.choices
        ),
        notes=tuple(notes) if pushes else (),
        service_id=pair.service.id if pair.service else "",
    )


def _choice_key(pair: Pair, choice: Choice) -> str:
    """Return the text key of a choice: adding an item has another label than changing one."""
    is_new = pair.state in (PairState.NEW_REMOTE, PairState.NEW_LOCAL, PairState.REMOTE_DELETED)
    return f"{choice}_new" if is_new and choice in (Choice.PULL, Choice.PUSH) else str(choice)


def _local_side(pair: Pair, translator: Translator) -> SideView | None:
    service = pair.service
    if service is None:
        return None
    photo = f"/photos/{thumbnail_id(service.photo_id)}" if service.photo_id else ""
    return SideView(
        service.title,
        price_text(service, translator),
        service.description[:MAX_DESCRIPTION_LENGTH],
        service.is_visible,
        photo,
        bool(photo),
    )


def _remote_side(pair: Pair, translator: Translator) -> SideView | None:
    item = pair.item
    if item is None:
        return None
    like = Service("", "", item.title, 0, price_kind=PriceKind(item.price_kind), amount=item.amount)
    return SideView(
        item.title,
        price_text(like, translator),
        item.description[:MAX_DESCRIPTION_LENGTH],
        item.is_available,
        "",  # hosted by VK; the content security policy blocks it
        bool(item.photo_url or item.photo_id),
    )


def _different_fields(local: SideView | None, remote: SideView | None) -> tuple[str, ...]:
    if local is None or remote is None:
        return ()
    names = ("title", "price", "description", "is_visible", "has_photo")
    return tuple(name for name in names if getattr(local, name) != getattr(remote, name))
