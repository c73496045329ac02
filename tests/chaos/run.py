"""One run: start an installation, damage it while it is used, then audit it."""

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.audit import audit, wait_until_idle
from tests.chaos.clients import Crowd
from tests.chaos.faults import Saboteur
from tests.chaos.installation import Installation, open_installation
from tests.chaos.report import Outcome

CALM_S = 2.0  # between two faults, so that each finds Sigma at work


@dataclass(frozen=True)
class Plan:
    """What a run does: `kills`, `rounds` of rolling restarts, and whether to try other faults."""

    seed: int
    kills: int = 100
    rounds: int = 20
    with_faults: bool = True


async def run(
    database_url: str, plan: Plan, announce: Callable[[str], None] = lambda _: None
) -> Outcome:
    """Run the plan on a migrated, empty database. `announce` gets a line for each part."""
    with tempfile.TemporaryDirectory(prefix="sigma-chaos-") as folder:
        async with open_installation(database_url, Path(folder)) as installation:
            crowd = Crowd(installation, plan.seed)
            saboteur = Saboteur(installation, crowd, plan.seed)
            kind = database_url.partition(":")[0]
            outcome = Outcome(kind, saboteur.damage, crowd.journal)
            async with crowd.at_work():
                await _do_damage(installation, saboteur, plan, announce)
                announce("audit")
            outcome.stuck = await wait_until_idle(installation, crowd, announce)
            await audit(installation, crowd, outcome)
            for process in installation.processes:
                outcome.tracebacks += process.tracebacks
            return outcome


async def _do_damage(
    installation: Installation, saboteur: Saboteur, plan: Plan, announce: Callable[[str], None]
) -> None:
    announce(f"{plan.kills} kills")
    await saboteur.kill_processes(plan.kills, announce)
    faults = [saboteur.fill_disk, saboteur.freeze_database]
    if not installation.is_sqlite:
        faults += [saboteur.silence_database, saboteur.cut_database, saboteur.stop_backends]
    for fault in faults if plan.with_faults else ():
        announce((fault.__doc__ or "").splitlines()[0])
        await asyncio.sleep(CALM_S)
        await fault()
    if plan.rounds and not installation.is_sqlite:
        await asyncio.sleep(CALM_S)
        announce(f"{plan.rounds} rolling restarts")
        await saboteur.restart_in_turn(plan.rounds, announce)
