"""Find our rows without a partner while two lists are read in pages, newest first.

The acquirer's list gives the creation time there, ours the creation time here. Both orders are
nearly the same: the acquirer creates an object after we stored it, and the clocks differ a little.
So only the rows around the position of both lists are in memory, however long the lists are.
"""

from collections.abc import Iterable

from sigma.domain.time_units import HOUR_US

MAX_CLOCK_SKEW_US = HOUR_US  # the acquirer's clock may be behind ours by this much


class StreamMatcher:
    """Rows of ours whose partner is not read yet, and partners whose row is not read yet.

    `unmatched`: our id → its creation time (UTC microseconds). `matched`: ids of our rows whose
    partner was read first. Both are the state to store between two pages.
    """

    def __init__(self, unmatched: dict[str, int], matched: Iterable[str]) -> None:
        self.unmatched = dict(unmatched)
        self.matched = set(matched)

    def add_partner(self, our_id: str) -> None:
        """Record that the acquirer's list has the partner of this row."""
        if self.unmatched.pop(our_id, None) is None:
            self.matched.add(our_id)

    def add_ours(self, our_id: str, created_at_us: int) -> None:
        """Record that our list has this row."""
        if our_id in self.matched:
            self.matched.remove(our_id)
        else:
            self.unmatched[our_id] = created_at_us

    def pop_missing(self, reached_us: int | None) -> list[str]:
        """Return our rows whose partner can no longer come, and forget them.

        `reached_us`: the acquirer's list is read down to this creation time (UTC microseconds);
        None: to its end.
        """
        missing = [
            our_id
            for our_id, created_at_us in self.unmatched.items()
            if reached_us is None or created_at_us > reached_us + MAX_CLOCK_SKEW_US
        ]
        for our_id in missing:
            del self.unmatched[our_id]
        return missing
