"""One guard that `scripts.mutants` removes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """One guard, how it is removed, and the tests that must fail then."""

    guard: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...]
