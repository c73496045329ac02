"""Merging two customers, splitting one, and undoing either. The caller holds their locks.

No row is ever lost: a move takes rows from one customer to another and records their ids.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sigma.domain.change import Change, NewId, TimelineEvent
from sigma.domain.customers.customer import MAX_NOTES, MAX_TAGS, Customer, CustomerDetails, Identity
from sigma.domain.errors import Problem, RefusedError, validation_error

NOTES_SEPARATOR = "\n\n"


class MoveKind(StrEnum):
    """What a move was."""

    MERGE = "merge"  # `from_id` was merged into `to_id`
    SPLIT = "split"  # a part of `from_id` became the new customer `to_id`


@dataclass(frozen=True, slots=True)
class Move:
    """The trace of one merge or split. Times are UTC microseconds.

    `actor` and `undone_by` are ids of users. `counts`: moved rows by kind.
    """

    id: str
    shop_id: str
    kind: MoveKind
    from_id: str
    to_id: str
    moved_at_us: int
    actor: str
    counts: Mapping[str, int]
    undone_at_us: int | None = None
    undone_by: str = ""
    version: int = 0


def require_different(one: Customer | None, other: Customer | None, shop_id: str) -> None:
    """Raise RefusedError unless both customers exist in the shop and can be merged."""
    for customer in (one, other):
        if customer is None or customer.shop_id != shop_id:
            raise RefusedError("not_found", what="customer")
        if customer.merged_into_id is not None:
            raise RefusedError("changed_meanwhile")
    if one == other:
        raise validation_error(Problem("other", "same_customer"))


def merge(
    source: Customer,
    target: Customer,
    counts: Mapping[str, int],
    now_us: int,
    new_id: NewId,
    actor: str,
) -> tuple[Move, Change]:
    """Merge `source` into `target`. The source is left as an empty row, so that it can return."""
    move = Move(
        new_id("mov"), source.shop_id, MoveKind.MERGE, source.id, target.id, now_us, actor, counts
    )
    merged = replace(source, merged_into_id=target.id)
    events = _events(move, "merged", now_us, new_id, actor)
    return move, Change((move, merged, *events))


def split(
    source: Customer,
    new_customer: Customer,
    counts: Mapping[str, int],
    now_us: int,
    new_id: NewId,
    actor: str,
) -> tuple[Move, Change]:
    """Record the split of a part of `source` into a new customer."""
    move = Move(
        new_id("mov"),
        source.shop_id,
        MoveKind.SPLIT,
        source.id,
        new_customer.id,
        now_us,
        actor,
        counts,
    )
    return move, Change((move, *_events(move, "split", now_us, new_id, actor)))


def undo(
    move: Move, moved: Customer, holder_id: str, now_us: int, new_id: NewId, actor: str
) -> Change:
    """Undo a move; empty when it is undone already.

    `moved`: the source of a merge, or the new customer of a split. `holder_id`: who the other
    customer of the move is now, after later merges. A merge gives its source back; a split merges
    the new customer back. Raises RefusedError("changed_meanwhile") when that is not possible.
    """
    if move.undone_at_us is not None:
        return Change()
    if move.kind is MoveKind.MERGE:
        if moved.merged_into_id != move.to_id:
            raise RefusedError("changed_meanwhile")
        restored = replace(moved, merged_into_id=None)
    else:
        if moved.merged_into_id is not None or moved.id == holder_id:
            raise RefusedError("changed_meanwhile")
        restored = replace(moved, merged_into_id=holder_id)
    undone = replace(move, undone_at_us=now_us, undone_by=actor)
    events = _events(move, f"{move.kind}_undone", now_us, new_id, actor)
    return Change((undone, restored, *events))


def _events(
    move: Move, kind: str, now_us: int, new_id: NewId, actor: str
) -> tuple[TimelineEvent, ...]:
    """Return an event for the timeline of both customers."""
    return tuple(
        TimelineEvent(
            new_id("evt"), move.shop_id, one, f"customer.{kind}", now_us, actor, {"other": other}
        )
        for one, other in ((move.from_id, move.to_id), (move.to_id, move.from_id))
    )


def require_part(identities: Sequence[Identity], chosen: Collection[str]) -> list[Identity]:
    """Return the chosen identities. Raises RefusedError("validation") unless some stay."""
    found = [identity for identity in identities if identity.id in chosen]
    if not found or len(found) == len(identities):
        raise validation_error(Problem("identities", "leave_one"))
    return found


def goes_with(hashes: Sequence[str], known: Collection[str], chosen: Collection[str]) -> bool:
    """Return whether a row leaves with the chosen contacts.

    `hashes`: its contacts, the strongest first; `known`: all contacts of the customer. The
    strongest one that the customer has decides, as it did when the row was attached.
    """
    decisive = next((one for one in hashes if one in known), None)
    return decisive is not None and decisive in chosen


def joined_details(target: CustomerDetails, source: CustomerDetails) -> CustomerDetails:
    """Return notes and tags of a merged customer: those of both."""
    notes = NOTES_SEPARATOR.join(text for text in (target.notes, source.notes) if text)
    tags = dict.fromkeys((*target.tags, *source.tags))
    return CustomerDetails(notes[: 2 * MAX_NOTES], tuple(tags)[: 2 * MAX_TAGS])


def separated_details(joined: CustomerDetails, source: CustomerDetails) -> CustomerDetails:
    """Return the notes after an undo, without those of the source if they are still at the end.

    Tags stay: nobody knows which of them were of both.
    """
    if not source.notes:
        return joined
    if joined.notes == source.notes:
        return replace(joined, notes="")
    return replace(joined, notes=joined.notes.removesuffix(NOTES_SEPARATOR + source.notes))
