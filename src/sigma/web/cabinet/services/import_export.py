"""Import and export of services: the page, the export, and the market items of a VK community."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.domain.audit.deed import Deed
from sigma.domain.errors import RefusedError
from sigma.services.accounts.users import Session
from sigma.services.catalogue import services
from sigma.services.catalogue.price_list_files import MAX_BYTES
from sigma.services.context import Context
from sigma.services.market import market_apply, market_diff
from sigma.services.market.market_apply import ApplyResult, Failure
from sigma.services.market.market_diff import Comparison
from sigma.services.platform import audit_log
from sigma.services.vk import community_client
from sigma.texts import Translator
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.responses import (
    read_form_values,
    render_cabinet_page,
    translator_for,
)
from sigma.web.cabinet.services import price_list
from sigma.web.cabinet.services.market_comparison import pair_view
from sigma.web.cabinet.services.price_list_views import row_problem_texts
from sigma.web.forms import FormValues, first_value
from sigma.web.ids import parse_id

MAX_CHOICES_BYTES = 1024 * 1024


@get("/services/exchange")
async def import_export_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Show the page to import and export services: a file, or a VK community."""
    return await render_import_export(request, ctx, session, {})


async def render_import_export(
    request: WebRequest, ctx: Context, session: Session, errors: dict[str, str]
) -> Response[Any]:
    """Render the page to import and export services, with the errors of its file field."""
    session.member.require(Permission.CATALOGUE)
    return render_cabinet_page(
        request,
        session,
        "cabinet/services/import_export.html",
        section="services",
        status=422 if errors else 200,
        errors=errors,
        communities=[
            community for community, _ in await community_client.list_connected(ctx, session.member)
        ],
        count=len(await services.list_for_shop(ctx, session.member)),
        file_mb=MAX_BYTES // 1024**2,
        hide_plus=True,
    )


@get("/services/export.csv")
async def export_csv(
    ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[bytes]:
    """Export the services as CSV; the same file can be imported again."""
    exported = await services.list_for_shop(ctx, session.member)
    await audit_log.record_alone(ctx, session.member, Deed.PRICE_LIST_EXPORTED, count=len(exported))
    headers = {"content-disposition": 'attachment; filename="services.csv"'}
    return Response(
        price_list.to_csv(exported, session.locale),
        media_type="text/csv; charset=utf-8",
        headers=headers,
    )


@get("/services/exchange/vk/{community_id:str}")
async def compare_page(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    community_id: FromPath[str],
) -> Response[Any]:
    """Compare the services with a community's market items, or show why VK denies access."""
    return await _comparison_page(request, ctx, session, parse_id(community_id, "con"))


@post("/services/exchange/vk/{community_id:str}", request_max_body_size=MAX_CHOICES_BYTES)
async def apply_choices(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    community_id: FromPath[str],
) -> Response[Any]:
    """Apply the chosen actions, then show the new comparison."""
    community_id = parse_id(community_id, "con")
    choices = _parse_choices(await read_form_values(request))
    try:
        outcome = await market_apply.apply_choices(ctx, session.member, community_id, choices)
    except RefusedError as error:
        if error.code not in ("vk_refused", "vk_silent", "no_community"):
            raise
        return await _comparison_page(request, ctx, session, community_id)
    return await _comparison_page(request, ctx, session, community_id, outcome)


def _parse_choices(form_data: FormValues) -> dict[str, tuple[str, str]]:
    """Return pair key → (choice, fingerprint of the pair as displayed)."""
    keys = [name.removeprefix("do.") for name in form_data if name.startswith("do.")]
    return {
        key: (first_value(form_data, f"do.{key}"), first_value(form_data, f"fingerprint.{key}"))
        for key in keys
    }


async def _comparison_page(
    request: WebRequest,
    ctx: Context,
    session: Session,
    community_id: str,
    outcome: ApplyResult | None = None,
) -> Response[Any]:
    translator = translator_for(session)
    comparison: Comparison | None = None
    problem = ""
    try:
        comparison = await market_diff.compare(ctx, session.member, community_id)
    except RefusedError as error:
        if error.code not in ("vk_refused", "vk_silent", "no_community"):
            raise
        problem = translator.refusal_text(error)
    pairs = comparison.differing_pairs if comparison else []
    return render_cabinet_page(
        request,
        session,
        "cabinet/services/compare.html",
        section="services",
        community=comparison.client.community if comparison else None,
        community_id=community_id,
        access_error=_access_error_text(comparison.access_error, translator)
        if comparison and comparison.access_error
        else "",
        problem=problem,
        pairs=[pair_view(pair, translator) for pair in pairs],
        same_count=len(comparison.pairs) - len(pairs) if comparison else 0,
        outcome=outcome,
        failures=[(f.title, _failure_text(f, translator)) for f in outcome.failures]
        if outcome
        else [],
        hide_plus=True,
    )


def _access_error_text(code: str, translator: Translator) -> str:
    key = f"services.vk_access_error_{code}"
    return (
        translator.t(key)
        if translator.has(key)
        else translator.t("services.vk_access_error_other", code=code)
    )


def _failure_text(failure: Failure, translator: Translator) -> str:
    """Return the text of why an action failed."""
    if failure.problems:
        return " ".join(row_problem_texts(failure.problems, translator))
    if translator.has(f"services.vk_no_{failure.code}"):
        return translator.t(f"services.vk_no_{failure.code}")
    if translator.has(f"errors.refusal.{failure.code}"):
        return translator.t(f"errors.refusal.{failure.code}")
    return translator.t("services.vk_no", code=failure.code, message=failure.vk_message or "…")


HANDLERS = [import_export_page, export_csv, compare_page, apply_choices]
