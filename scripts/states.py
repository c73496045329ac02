"""Draws docs/states.md from the FLOW tables of the domain: `python scripts/states.py`.

tests/test_docs.py draws it again and compares, so the page cannot lie.
"""

import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from sigma.domain.billing import connection, invoice, mail, payment, refund

PAGE = Path(__file__).parents[1] / "docs" / "states.md"
Flow = Mapping[StrEnum, Mapping[StrEnum, StrEnum]]

MEANINGS: dict[type[StrEnum], dict[str, str]] = {
    invoice.Status: {
        "draft": "written down, not issued: its link cannot be paid",
        "open": "waits for money",
        "paid": "has all the payments it allows (`max_payments`)",
        "void": "called off by the seller",
        "expired": "its time is over",
    },
    payment.Status: {
        "created": "stored with its operation key; the acquirer may not know it yet",
        "pending": "the client is at the acquirer",
        "authorized": "money is held, not taken (two-stage connections)",
        "captured": "money is taken, booked and has a receipt",
        "canceled": "held money was let go, or the client had no time left",
        "failed": "the acquirer said no; the reason is kept in `failure`",
    },
    refund.Status: {
        "pending": "promised; the acquirer is asked until it answers",
        "succeeded": "money is back and booked",
        "failed": "the acquirer said no; the sum may be refunded again",
    },
    payment.Attention: {
        "extra": "more payments than the invoice allows: money to give back",
        "late": "finished at the acquirer after the invoice's time: to give back",
        "voided": "the invoice had been called off: money to give back",
        "mismatch": "the acquirer names another amount or currency: never paid",
        "contradiction": "the acquirer takes back what it had said",
        "refund_failed": "the acquirer did not give the money back",
    },
    mail.Status: {
        "queued": "waits for the mail server",
        "sent": "the mail server took it",
        "failed": "the mail server said no for good; its words are kept in `answer`",
    },
    connection.Status: {
        "active": "takes new payments",
        "off": "takes no new payments; its open ones are still followed",
    },
    invoice.Event: {
        "issued": "the seller issues it",
        "filled": "the last payment that it waits for is captured in time",
        "voided": "the seller calls it off",
        "lapsed": "its time is over (the job `invoice.expire`)",
    },
}
HEAD = """\
# States

<!-- Drawn by scripts/states.py from the FLOW tables in src/sigma/domain. Do not edit by hand. -->

A status moves through one table per noun, `FLOW` in `src/sigma/domain`. Every pair of a status
and an event is in the table or refused. Arrows that stay put are left out of the pictures; the
tables have them all.

An invoice, a payment and a refund never skip these tables: `move()` and `settle()` are the only
functions that change a status.
"""
INVOICE = """
An empty cell is refused with `invoice_not_open` (`invoice_already_paid` for a paid one). Whether
an open invoice is past its time is compared in SQL as well, so a list says *expired* before the
job has moved the row. A payment that the acquirer finished before the expiry still fills an
expired invoice, even if we learn of it later.
"""
PAYMENT = """
The events are what the acquirer answers to *our* question (`payments.advance`). An empty cell is
a contradiction: the status stays and a person is called. Words that come late change nothing:
`captured` never leaves `captured`, and the acquirer's word that money was taken wins over our
belief that it was not.

**Not knowing is a flag, not a state.** When an answer is lost, `unknown` is set beside the status
and we ask again with the same operation key until we know.

**Refunded is a sum, not a state.** It is computed from the refunds.
"""
ATTENTION = """
## When a person must look

`attention` is a word beside a payment's status. The owner gets a mail and the cabinet shows the
payment first. Money that came extra, late or for a voided invoice is booked as *owed*, not as
*sales*; a word stays beside it until all of it is given back.
"""
REFUND = """
An empty cell is a contradiction: the status stays and a person is called. All refunds of a payment
that have not failed never exceed it: they are counted under the invoice's lock.
"""


def page() -> str:
    """The whole page."""
    parts = [
        HEAD,
        section("Invoice", invoice.FLOW, invoice.Event),
        meanings("Event", invoice.Event),
        INVOICE,
        section("Payment", payment.FLOW, payment.Event),
        PAYMENT,
        ATTENTION,
        meanings("`attention`", payment.Attention),
        section("Refund", refund.FLOW, refund.Event),
        REFUND,
        "\n## Mail and connection\n",
        meanings("Mail", mail.Status),
        meanings("Connection", connection.Status),
    ]
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def section(title: str, flow: Flow, events: type[StrEnum]) -> str:
    """One noun: its picture, its table, its words."""
    return "\n".join(
        [
            f"## {title}\n",
            picture(flow),
            meanings("Status", type(next(iter(flow)))),
            table(flow, events),
        ]
    )


def picture(flow: Flow) -> str:
    """A Mermaid state diagram, which GitHub and others draw."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {next(iter(flow))}"]
    for before, row in flow.items():
        moves = [(event, after) for event, after in row.items() if after is not before]
        lines += [f"    {before} --> {after}: {event}" for event, after in moves]
        if not moves:
            lines.append(f"    {before} --> [*]")
    return "\n".join([*lines, "```", ""])


def table(flow: Flow, events: type[StrEnum]) -> str:
    """Every pair; an empty cell is refused."""
    lines = [
        f"| is \\ told | {' | '.join(events)} |",
        f"|---|{'---|' * len(events)}",
    ]
    for before, row in flow.items():
        cells = [str(row.get(event, "")) for event in events]
        lines.append(f"| **{before}** | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def meanings(title: str, words: type[StrEnum]) -> str:
    """What each word says."""
    lines = [f"| {title} | Meaning |", "|---|---|"]
    lines += [f"| `{word}` | {MEANINGS[words][str(word)]} |" for word in words]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE.name} is drawn\n")
