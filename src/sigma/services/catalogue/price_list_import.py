"""A price list as a file meets the catalogue: what each line would do, and doing it at one stroke.

The same file twice changes nothing the second time: lines know their service by id or by title.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.catalogue.service import Service, folded
from sigma.domain.change import Change
from sigma.domain.errors import Problem, Refused
from sigma.services.catalogue.services import applied, fresh, offer_of, room_for
from sigma.services.context import Context
from sigma.store import changes
from sigma.store.catalogue import services


class What(StrEnum):
    """What a line of the file does to the catalogue."""

    ADD = "add"
    CHANGE = "change"
    SAME = "same"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of a price list.

    `says` holds what the file has a column for: title, description, price with amount, visible,
    expires_days; the rest of a known service stays as it is.
    """

    line: int
    service_id: str
    says: dict[str, Any]
    problems: tuple[Problem, ...] = ()

    @property
    def title(self) -> str:
        """Its title; empty when the file has no such column."""
        return str(self.says.get("title", ""))


@dataclass(frozen=True, slots=True)
class Step:
    """What a line would do. `changes` names what becomes different; `service` is the outcome."""

    line: int
    title: str
    what: What
    service: Service | None = None
    before: Service | None = None
    changes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """How many lines did what."""

    counts: dict[What, int] = field(default_factory=dict)

    def of(self, what: What) -> int:
        """The number of lines of one kind."""
        return self.counts.get(what, 0)


async def preview(ctx: Context, member: Member, lines: list[Listed]) -> list[Step]:
    """What each line would do; nothing is written."""
    member.must(Permission.CATALOGUE)
    async with ctx.db.read() as tx:
        known = await services.of_shop(tx, member.shop_id)
    return planned(known, lines, lambda n: fresh(ctx, member.shop_id, n))


async def apply(ctx: Context, member: Member, lines: list[Listed]) -> Done:
    """Does what the good lines say, all of them in one transaction; wrong ones are left out.

    Raises Refused("validation") when the catalogue would grow too long.
    """
    member.must(Permission.CATALOGUE)
    async with ctx.db.write() as tx:
        known = await room_for(tx, member.shop_id, 0)
        first = await services.next_position(tx, member.shop_id)
        steps = planned(known, lines, lambda n: fresh(ctx, member.shop_id, first + n))
        added = sum(step.what is What.ADD for step in steps)
        if added:
            await room_for(tx, member.shop_id, added)
        saved = tuple(
            step.service
            for step in steps
            if step.service is not None and step.what in (What.ADD, What.CHANGE)
        )
        await changes.write(tx, Change(saved), ctx.now())
    return Done({what: sum(step.what is what for step in steps) for what in What})


def planned(
    known: Iterable[Service], lines: Iterable[Listed], make: Callable[[int], Service]
) -> list[Step]:
    """What each line would do to the known services. `make(n)` is the n-th new one. Pure."""
    by_id, by_title = {s.id: s for s in known}, dict[str, list[Service]]()
    for service in by_id.values():
        by_title.setdefault(folded(service.title), []).append(service)
    met: dict[str, int] = {}
    steps: list[Step] = []
    added = 0
    for line in lines:
        found = _known(line, by_id, by_title)
        name = found.id if isinstance(found, Service) else f"new {folded(line.title)}"
        problems = list(line.problems)
        if isinstance(found, Problem):
            problems.append(found)
        elif not problems and name in met:
            problems.append(Problem("line", "line_twice", {"line": met[name]}))
        if problems or isinstance(found, Problem):
            steps.append(Step(line.line, line.title, What.WRONG, problems=tuple(problems)))
            continue
        met[name] = line.line
        step = _step(line, found, lambda: make(added))  # noqa: B023 - called at once
        added += step.what is What.ADD
        steps.append(step)
    return steps


def _known(
    line: Listed, by_id: dict[str, Service], by_title: dict[str, list[Service]]
) -> Service | Problem | None:
    if line.service_id:
        return by_id.get(line.service_id) or Problem("id", "service_unknown")
    same = by_title.get(folded(line.title), [])
    if len(same) > 1:
        return Problem("title", "title_twice")
    return same[0] if same else None


def _step(line: Listed, known: Service | None, make: Callable[[], Service]) -> Step:
    before = known or make()
    says = dict(line.says)
    template = before.template
    if "expires_days" in says:
        template = replace(template, expires_days=says.pop("expires_days"))
    try:
        after = applied(before, replace(offer_of(before), template=template, **says))
    except Refused as refused:
        return Step(line.line, line.title, What.WRONG, problems=refused.problems)
    if known is None:
        return Step(line.line, after.title, What.ADD, after)
    different = tuple(
        name
        for name in ("title", "description", "price", "visible", "template")
        if getattr(after, name) != getattr(known, name)
        or (name == "price" and after.amount != known.amount)
    )
    what = What.CHANGE if different else What.SAME
    return Step(line.line, after.title, what, after, known, different)
