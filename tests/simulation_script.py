"""Generate a simulation script from a seed: who does what, and which faults happen meanwhile.

Nothing here reads the state of the run, so a seed always gives the same script.
`tests.simulate` runs it.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

GOOD_CARDS = ("2202474301322987", "5555555555554444", "2200000000000004")
DECLINED_CARDS = ("5555555555554600", "2200000000000053", "5555555555554592", "5555555555554568")
CLIENTS = ("anna", "boris", "vera")
INVOICE_COUNT = 4

LOST_ANSWER_FAULTS = ("cut_answer", "http_500_after", "http_202", "garbage")
NOT_DONE_FAULTS = ("http_500_before", "http_429", "cut_request")
OPERATIONS = ("create", "get", "refund", "get_refund", "capture", "cancel", "list_refunds")


@dataclass(frozen=True)
class Action:
    """One action of a script.

    `crash_at_step`: its process is killed at this step of `crash_injection`; 0 means never.
    """

    kind: str
    params: dict[str, Any] = field(default_factory=dict)
    crash_at_step: int = 0

    def __str__(self) -> str:
        printed = {
            **self.params,
            **({"crash_at_step": self.crash_at_step} if self.crash_at_step else {}),
        }
        return " ".join([self.kind, *(f"{name}={value}" for name, value in printed.items())])


@dataclass(frozen=True)
class Script:
    """A whole script. Each invoice has a payment limit and a lifetime; None means unlimited."""

    seed: int
    two_stage: bool
    max_payments: tuple[int | None, ...]
    expiry_minutes: tuple[int | None, ...]
    actions: tuple[Action, ...]


def write_script(seed: int) -> Script:
    """Return the script of a seed."""
    rng = random.Random(seed)
    return Script(
        seed=seed,
        two_stage=rng.random() < 0.4,
        max_payments=tuple(rng.choice((1, 1, 2, 3, None)) for _ in range(INVOICE_COUNT)),
        expiry_minutes=tuple(rng.choice((None, None, 30, 90)) for _ in range(INVOICE_COUNT)),
        actions=tuple(_draw_actions(rng, rng.randint(30, 70))),
    )


def _draw_actions(rng: random.Random, number: int) -> Iterator[Action]:
    kinds, weights = zip(*((kind, weight) for kind, (weight, _) in ACTIONS.items()), strict=True)
    for kind in rng.choices(kinds, weights, k=number):
        yield ACTIONS[kind][1](rng)


def _crash_step(rng: random.Random, chance: float, steps: int) -> int:
    return rng.randint(1, steps) if rng.random() < chance else 0


def _click(rng: random.Random) -> Action:
    params = {
        "client": rng.choice(CLIENTS),
        "invoice": rng.randrange(INVOICE_COUNT),
        "clicks": rng.choice((1, 1, 1, 2, 4)),
    }
    return Action("click", params, _crash_step(rng, 0.15, 22))


def _tabs(rng: random.Random) -> Action:
    card = rng.choice(GOOD_CARDS)
    return Action("tabs", {"invoice": rng.randrange(INVOICE_COUNT), "card": card})


def _visit(rng: random.Random) -> Action:
    """A client opens the link, pays and returns to the shop's page."""
    params = {
        "client": rng.choice(CLIENTS),
        "invoice": rng.randrange(INVOICE_COUNT),
        "clicks": rng.choice((1, 1, 2)),
        "card": rng.choice(GOOD_CARDS * 3 + DECLINED_CARDS),
        "times": rng.choice((1, 2)),
    }
    return Action("visit", params, _crash_step(rng, 0.1, 22))


def _pay(rng: random.Random) -> Action:
    return Action(
        "pay", {"client": rng.choice(CLIENTS), "card": rng.choice(GOOD_CARDS * 2 + DECLINED_CARDS)}
    )


def _return(rng: random.Random) -> Action:
    params = {"client": rng.choice(CLIENTS), "times": rng.choice((1, 1, 3))}
    return Action("return", params, _crash_step(rng, 0.1, 24))


def _notice(rng: random.Random) -> Action:
    params = {
        "which": round(rng.random(), 3),
        "copies": rng.choice((1, 1, 1, 3, 10)),
        "fate": rng.choice(("delivered", "delivered", "delivered_again_later", "dropped")),
    }
    return Action("notice", params, _crash_step(rng, 0.1, 40))


def _run_workers(rng: random.Random) -> Action:
    return Action("run_workers", {"workers": rng.choice((1, 1, 2, 3))}, _crash_step(rng, 0.2, 60))


def _refund(rng: random.Random) -> Action:
    percents = tuple(rng.choice((10, 30, 40, 50, 100)) for _ in range(rng.choice((1, 1, 2, 4))))
    params = {"which": round(rng.random(), 3), "percents": percents, "one_key": rng.random() < 0.3}
    return Action("refund", params, _crash_step(rng, 0.15, 8))


def _refund_at_bank(rng: random.Random) -> Action:
    """Money is given back outside Sigma, perhaps at the same time as by Sigma."""
    params = {
        "which": round(rng.random(), 3),
        "percents": tuple(rng.choice((10, 30, 50, 100)) for _ in range(rng.choice((1, 1, 2)))),
        "by": rng.choice(("cabinet", "cabinet", "cabinet", "client_bank")),
        "ours_percent": rng.choice((0, 0, 30, 100)),
    }
    return Action("refund_at_bank", params)


def _capture_or_cancel(rng: random.Random) -> Action:
    params = {
        "which": round(rng.random(), 3),
        "operations": rng.choice(
            (("capture",), ("cancel",), ("capture", "cancel"), ("capture",) * 3)
        ),
    }
    return Action("capture_or_cancel", params, _crash_step(rng, 0.15, 18))


def _api_fault(rng: random.Random) -> Action:
    effect = rng.choice(
        LOST_ANSWER_FAULTS * 3 + NOT_DONE_FAULTS + ("wrong_amount", "wrong_currency")
    )
    on = rng.choice(OPERATIONS[:2] * 2 + OPERATIONS)
    return Action("api_fault", {"effect": effect, "on": on, "times": rng.randint(1, 3)})


def _bank_behaviour(rng: random.Random) -> Action:
    effect = rng.choice(("decline", "refund_decline", "refund_pending", "reset"))
    return Action("bank_behaviour", {"effect": effect, "times": rng.randint(1, 2)})


def _advance_clock(rng: random.Random) -> Action:
    return Action(
        "advance_clock", {"seconds": rng.choice((5, 30, 30, 130, 130, 600, 2400, 4200, 90_000))}
    )


def _void(rng: random.Random) -> Action:
    return Action("void", {"invoice": rng.randrange(INVOICE_COUNT)}, _crash_step(rng, 0.2, 5))


def _toggle_key(_: random.Random) -> Action:
    return Action("toggle_key")


def _resend_receipt(rng: random.Random) -> Action:
    return Action("resend_receipt", {"which": round(rng.random(), 3)})


def _refresh_payment(rng: random.Random) -> Action:
    return Action("refresh_payment", {"which": round(rng.random(), 3)}, _crash_step(rng, 0.1, 12))


# Action kind → its weight in the draw and the function that draws its parameters.
ACTIONS: dict[str, tuple[float, Callable[[random.Random], Action]]] = {
    "visit": (5, _visit),
    "click": (8, _click),
    "tabs": (2, _tabs),
    "pay": (8, _pay),
    "return": (6, _return),
    "notice": (8, _notice),
    "run_workers": (9, _run_workers),
    "refund": (6, _refund),
    "refund_at_bank": (4, _refund_at_bank),
    "capture_or_cancel": (4, _capture_or_cancel),
    "api_fault": (8, _api_fault),
    "bank_behaviour": (2, _bank_behaviour),
    "advance_clock": (7, _advance_clock),
    "void": (1, _void),
    "toggle_key": (1, _toggle_key),
    "resend_receipt": (1, _resend_receipt),
    "refresh_payment": (2, _refresh_payment),
}
