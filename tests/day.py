"""The script of a bad day, drawn from a seed: who does what, and what goes wrong meanwhile.

Nothing here looks at the world, so one seed is one script for ever; `simulate` plays it.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

GOOD = ("2202474301322987", "5555555555554444", "2200000000000004")
BAD = ("5555555555554600", "2200000000000053", "5555555555554592", "5555555555554568")
CLIENTS = ("anna", "boris", "vera")
INVOICES = 4

LOST = ("cut_answer", "http_500_after", "http_202", "garbage")
NOTHING_DONE = ("http_500_before", "http_429", "cut_request")
OPERATIONS = ("create", "get", "refund", "get_refund", "capture", "cancel")


@dataclass(frozen=True)
class Act:
    """One thing that happens. `dies_at`: its process is killed at that step."""

    kind: str
    about: dict[str, Any] = field(default_factory=dict)
    dies_at: int = 0

    def __str__(self) -> str:
        told = " ".join(f"{name}={value}" for name, value in self.about.items())
        return f"{self.kind} {told}" + (f" †{self.dies_at}" if self.dies_at else "")


@dataclass(frozen=True)
class Day:
    """The whole script. `limits` and `minutes` are of the invoices: how many may pay, how long."""

    seed: int
    two_stage: bool
    limits: tuple[int | None, ...]
    minutes: tuple[int | None, ...]
    acts: tuple[Act, ...]


def write_day(seed: int) -> Day:
    """The script of a seed."""
    rng = random.Random(seed)
    return Day(
        seed=seed,
        two_stage=rng.random() < 0.4,
        limits=tuple(rng.choice((1, 1, 2, 3, None)) for _ in range(INVOICES)),
        minutes=tuple(rng.choice((None, None, 30, 90)) for _ in range(INVOICES)),
        acts=tuple(_acts(rng, rng.randint(30, 70))),
    )


def _acts(rng: random.Random, number: int) -> Iterator[Act]:
    kinds, weights = zip(*((kind, weight) for kind, (weight, _) in SCENES.items()), strict=True)
    for kind in rng.choices(kinds, weights, k=number):
        yield SCENES[kind][1](rng)


def _dies(rng: random.Random, chance: float, steps: int) -> int:
    return rng.randint(1, steps) if rng.random() < chance else 0


def _click(rng: random.Random) -> Act:
    about = {
        "client": rng.choice(CLIENTS),
        "invoice": rng.randrange(INVOICES),
        "clicks": rng.choice((1, 1, 1, 2, 4)),
    }
    return Act("click", about, _dies(rng, 0.15, 22))


def _tabs(rng: random.Random) -> Act:
    card = rng.choice(GOOD)
    return Act("tabs", {"invoice": rng.randrange(INVOICES), "card": card})


def _visit(rng: random.Random) -> Act:
    """Opens the link, pays, comes back to the shop's page."""
    about = {
        "client": rng.choice(CLIENTS),
        "invoice": rng.randrange(INVOICES),
        "clicks": rng.choice((1, 1, 2)),
        "card": rng.choice(GOOD * 3 + BAD),
        "times": rng.choice((1, 2)),
    }
    return Act("visit", about, _dies(rng, 0.1, 22))


def _pay(rng: random.Random) -> Act:
    return Act("pay", {"client": rng.choice(CLIENTS), "card": rng.choice(GOOD * 2 + BAD)})


def _return(rng: random.Random) -> Act:
    about = {"client": rng.choice(CLIENTS), "times": rng.choice((1, 1, 3))}
    return Act("return", about, _dies(rng, 0.1, 24))


def _notice(rng: random.Random) -> Act:
    about = {
        "which": round(rng.random(), 3),
        "copies": rng.choice((1, 1, 1, 3, 10)),
        "fate": rng.choice(("told", "told", "told again later", "dropped")),
    }
    return Act("notice", about, _dies(rng, 0.1, 40))


def _work(rng: random.Random) -> Act:
    return Act("work", {"workers": rng.choice((1, 1, 2, 3))}, _dies(rng, 0.2, 60))


def _refund(rng: random.Random) -> Act:
    parts = tuple(rng.choice((10, 30, 40, 50, 100)) for _ in range(rng.choice((1, 1, 2, 4))))
    about = {"which": round(rng.random(), 3), "percents": parts, "one_key": rng.random() < 0.3}
    return Act("refund", about, _dies(rng, 0.15, 8))


def _decide(rng: random.Random) -> Act:
    about = {
        "which": round(rng.random(), 3),
        "wishes": rng.choice((("capture",), ("cancel",), ("capture", "cancel"), ("capture",) * 3)),
    }
    return Act("decide", about, _dies(rng, 0.15, 18))


def _fault(rng: random.Random) -> Act:
    effect = rng.choice(LOST * 3 + NOTHING_DONE + ("wrong_amount", "wrong_currency"))
    on = rng.choice(OPERATIONS[:2] * 2 + OPERATIONS)
    return Act("fault", {"effect": effect, "on": on, "times": rng.randint(1, 3)})


def _bank(rng: random.Random) -> Act:
    effect = rng.choice(("decline", "refund_decline", "refund_pending", "calm"))
    return Act("bank", {"effect": effect, "times": rng.randint(1, 2)})


def _clock(rng: random.Random) -> Act:
    return Act("clock", {"seconds": rng.choice((5, 30, 30, 130, 130, 600, 2400, 4200, 90_000))})


def _void(rng: random.Random) -> Act:
    return Act("void", {"invoice": rng.randrange(INVOICES)}, _dies(rng, 0.2, 5))


def _key(_: random.Random) -> Act:
    return Act("key")


def _resend(rng: random.Random) -> Act:
    return Act("resend", {"which": round(rng.random(), 3)})


def _ask(rng: random.Random) -> Act:
    return Act("ask", {"which": round(rng.random(), 3)}, _dies(rng, 0.1, 12))


SCENES: dict[str, tuple[float, Callable[[random.Random], Act]]] = {
    "visit": (5, _visit),
    "click": (8, _click),
    "tabs": (2, _tabs),
    "pay": (8, _pay),
    "return": (6, _return),
    "notice": (8, _notice),
    "work": (9, _work),
    "refund": (6, _refund),
    "decide": (4, _decide),
    "fault": (8, _fault),
    "bank": (2, _bank),
    "clock": (7, _clock),
    "void": (1, _void),
    "key": (1, _key),
    "resend": (1, _resend),
    "ask": (2, _ask),
}
