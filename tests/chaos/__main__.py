"""Kill, stop and starve real processes of Sigma while they are used, then audit all books.

    python -m tests.chaos
    python -m tests.chaos --database postgresql --kills 20 --rounds 0 --seed 7

Exit code 1 when anything was lost, doubled, stuck, late or answered with an unexpected error;
130 when the run was interrupted.
"""

import argparse
import asyncio
import logging
import secrets
import signal
import sys
import time

import structlog

from tests.chaos.report import Outcome, summary
from tests.chaos.run import Plan, run
from tests.simulate import fresh_database

MAX_PROBLEMS = 40  # printed for each database
INTERRUPTED_EXIT_CODE = 130  # as a shell reports it


def main() -> None:
    """Parse the command line, run the plan on each database, print the summary."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--database", choices=["postgresql", "sqlite", "both"], default="both")
    parser.add_argument("--kills", type=int, default=100, help="on each database")
    parser.add_argument("--rounds", type=int, default=20, help="of rolling restarts")
    parser.add_argument("--only-kills", action="store_true", help="no other faults")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    plan = Plan(options.seed, options.kills, options.rounds, not options.only_kills)
    print(f"seed {plan.seed}", flush=True)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    kinds = ["postgresql", "sqlite"] if options.database == "both" else [options.database]
    try:
        outcomes = [_run(kind, plan) for kind in kinds]
    except KeyboardInterrupt:
        print("interrupted: nothing was audited", flush=True)
        sys.exit(INTERRUPTED_EXIT_CODE)
    for outcome in outcomes:
        _print_problems(outcome)
    print(f"\n{summary(outcomes)}\nseed {plan.seed}")
    sys.exit(any(outcome.problems for outcome in outcomes))


def _run(kind: str, plan: Plan) -> Outcome:
    started = time.monotonic()

    def announce(text: str) -> None:
        print(f"{kind} {time.monotonic() - started:4.0f} s  {text}", flush=True)

    with fresh_database(kind) as url:
        return asyncio.run(run(url, plan, announce))


def _print_problems(outcome: Outcome) -> None:
    problems = outcome.problems
    for text in problems[:MAX_PROBLEMS]:
        print(f"{outcome.database}: {text}")
    if len(problems) > MAX_PROBLEMS:
        print(f"{outcome.database}: and {len(problems) - MAX_PROBLEMS} more")


if __name__ == "__main__":
    main()
