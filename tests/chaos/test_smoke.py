"""A short form of `make chaos`, so that the harness cannot rot."""

import pytest

from tests.chaos.report import summary
from tests.chaos.run import Plan, run


@pytest.mark.both_databases
async def test_killed_processes_lose_and_double_nothing(database_url: str) -> None:
    """Without bounds of time: they hold on an idle machine only."""
    outcome = await run(database_url, Plan(seed=1, kills=1, rounds=0, with_faults=False))
    assert outcome.defects == []
    assert outcome.damage.kill_count >= 1
    assert outcome.letter_count
    assert outcome.message_count
    assert "0 lost, 0 doubled" in summary([outcome])
