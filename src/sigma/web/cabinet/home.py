"""The first page: money taken, what waits for a person, what happened last, what to set up."""

from dataclasses import dataclass
from typing import Any

from litestar import get
from litestar.di import NamedDependency
from litestar.response import Response

from sigma.domain.billing.payment import RETURNABLE, Attention
from sigma.services.accounts import shops
from sigma.services.accounts.shops import Home
from sigma.services.accounts.users import Session
from sigma.services.billing.payments import PaymentRow
from sigma.services.context import Context
from sigma.services.invoice_cards import todo_board
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.responses import cabinet_page
from sigma.web.cabinet.todo_board import shown


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the guided set-up; words: cabinet.step_{name}…"""

    name: str
    url: str
    done: bool


def steps(home: Home) -> list[Step]:
    """From an empty shop to the first payment, in order."""
    return [
        Step("seller", "/settings/shop", home.seller_complete),
        Step("connection", "/settings/connections", home.has_connection),
        Step("invoice", "/invoices/new", home.has_invoice),
    ]


def action(row: PaymentRow) -> tuple[str, str]:
    """What to do about a payment that needs a person: words (cabinet.attend_…) and address."""
    url = f"/payments/{row.payment.id}"
    if row.payment.attention in RETURNABLE or row.payment.attention is Attention.REFUND_FAILED:
        return "refund", f"{url}#refund"
    return "look", url


@get("/")
async def home_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """The shop at a glance."""
    home = await shops.home(ctx, session.member)
    todo = steps(home)
    next_step = next((step for step in todo if not step.done), None)
    return cabinet_page(
        request,
        session,
        "cabinet/home.html",
        place="home",
        home=home,
        steps=[] if all(step.done for step in todo) else todo,
        next_step=next_step,
        hide_plus=next_step is not None,  # one thing to do
        waits=shown(await todo_board.counts(ctx, session.member)),
        attention=[(row, *action(row)) for row in home.attention],
    )


HANDLERS = [home_page]
