"""The home page: required actions, figures, latest payments, setup steps."""

from dataclasses import dataclass
from typing import Any

from litestar import get
from litestar.di import NamedDependency
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.domain.billing.payment import REFUND_REASONS, Attention
from sigma.domain.billing.payment_acceptance import ACCEPTABLE
from sigma.services.accounts import shops
from sigma.services.accounts.shops import Dashboard
from sigma.services.accounts.users import Session
from sigma.services.billing.payment_limits import SECRET_UNREADABLE, connection_warnings
from sigma.services.billing.payments import PaymentRow
from sigma.services.context import Context
from sigma.services.invoice_cards import todo_board
from sigma.services.platform import health
from sigma.services.reconciliation import runs
from sigma.web.cabinet.board.todo_board import count_texts
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.payments.reconciliation import headline, result_tone
from sigma.web.cabinet.reports.figures import read_figures
from sigma.web.cabinet.responses import render_cabinet_page, translator_for
from sigma.web.cabinet.urls import query_values


@dataclass(frozen=True, slots=True)
class SetupStep:
    """One step of the guided setup; texts: `cabinet.step_{name}…`."""

    name: str
    url: str
    is_done: bool


def setup_steps(home: Dashboard) -> list[SetupStep]:
    """Return the steps from an empty shop to the first payment, in order."""
    return [
        SetupStep("seller", "/settings/shop", home.is_seller_complete),
        SetupStep("connection", "/settings/connections", home.has_connection),
        SetupStep("invoice", "/invoices/new", home.has_invoice),
    ]


def attention_action(row: PaymentRow) -> tuple[str, str]:
    """Return the action for a payment that needs attention: text key `cabinet.attend_…`, URL."""
    url = f"/payments/{row.payment.id}"
    if row.payment.attention in ACCEPTABLE:
        return "open", url
    if row.payment.attention in REFUND_REASONS or row.payment.attention is Attention.REFUND_FAILED:
        return "refund", f"{url}#refund"
    return "open", url


@dataclass(frozen=True, slots=True)
class LastReconciliation:
    """The result of the latest finished run; `at_us`: UTC microseconds."""

    text: str
    tone: str
    at_us: int


async def _last_reconciliation(ctx: Context, session: Session) -> LastReconciliation | None:
    details = await runs.find_latest(ctx, session.member)
    if details is None:
        return None
    text = headline(translator_for(session), details)
    at_us = details.run.finished_at_us or details.run.created_at_us
    return LastReconciliation(text, result_tone(details), at_us)


def _database_warning(state: str, *, is_low: bool) -> str:
    """Return the key of the text about the database, "" when all is well."""
    if state != "ok":
        return "cabinet.database_not_writable"
    return "cabinet.database_low_disk" if is_low else ""


@get("/")
async def home_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Show the shop at a glance."""
    shop_warnings = await connection_warnings(ctx, session.member)
    database_state = await health.check_database(ctx)
    home = await shops.get_dashboard(ctx, session.member)
    todo = setup_steps(home)
    figures = await read_figures(ctx, session, query_values(request))
    counts = await todo_board.counts(ctx, session.member)
    counts.pop(todo_board.Kind.ATTENTION)  # these payments are listed on the page itself
    next_step = next((step for step in todo if not step.is_done), None)
    return render_cabinet_page(
        request,
        session,
        "cabinet/home.html",
        section="home",
        home=home,
        figures=figures,
        errors=figures.errors if figures else {},
        database_warning=_database_warning(database_state, is_low=health.is_disk_almost_full(ctx)),
        # The setup steps show that no acquirer is connected.
        is_acquirer_key_unreadable=SECRET_UNREADABLE in shop_warnings,
        is_encryption_key_missing=bool(ctx.cipher.missing_key_ids)
        and session.member.can(Permission.SETTINGS),
        owed_names={
            name
            for name in ("held", "refunds_due", "refunds_pending")
            if any(getattr(owed, name) for owed in home.owed)
        },
        setup_steps=[] if all(step.is_done for step in todo) else todo,
        next_step=next_step,
        hide_plus=next_step is not None,  # show one button only
        todo_counts=count_texts(counts),
        reconciliation=await _last_reconciliation(ctx, session),
        attention_rows=[(row, *attention_action(row)) for row in home.attention_payments],
    )


HANDLERS = [home_page]
