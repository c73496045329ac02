"""The pages of exports: what to export, the latest files with their progress, the download."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.domain.errors import Problem, RefusedError
from sigma.domain.exports.export import Export, FileFormat, Kind, Status
from sigma.domain.lists.filters import (
    INVOICE_PARAMETERS,
    PAYMENT_PARAMETERS,
    is_filter_parameter,
)
from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.services.exports import exports, files
from sigma.services.exports.columns import column_names, column_title
from sigma.services.exports.exports import ExportRequest
from sigma.texts import Translator
from sigma.web.cabinet.guards import RECENT_AUTHENTICATION, WebRequest
from sigma.web.cabinet.lists.filter_texts import filter_texts
from sigma.web.cabinet.responses import (
    read_form_values,
    redirect,
    refusal_texts,
    render_cabinet_page,
    translator_for,
)
from sigma.web.cabinet.urls import query_values
from sigma.web.forms import FormValues, first_value
from sigma.web.ids import parse_id
from sigma.web.retry_after import retry_after_headers

PAGE_URL = "/exports"
MEBIBYTE = 1024 * 1024


@get(PAGE_URL)
async def export_list(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """List the latest files; the page follows those that are being made."""
    found = await exports.list_for_shop(ctx, session.member)
    translator = translator_for(session)
    return render_cabinet_page(
        request,
        session,
        "cabinet/exports/list.html",
        section="payments",
        rows=[(one, state_text(translator, one), one.is_ready(ctx.now_us())) for one in found],
        is_any_running=any(one.is_running for one in found),
        hide_plus=True,
    )


def state_text(translator: Translator, export: Export) -> str:
    """Return the state of an export in words."""
    match export.status:
        case Status.FAILED:
            return translator.t(f"exports.failure_{export.failure}")
        case Status.DONE:
            return translator.t("exports.done", size=_size_text(translator, export.size_bytes))
        case Status.EXPIRED:
            return translator.t("exports.expired")
    count = translator.number(str(export.done_count))
    total = translator.number(str(export.total))
    return translator.t(f"exports.{export.status}", count=count, total=total)


def _size_text(translator: Translator, size_bytes: int) -> str:
    if size_bytes < MEBIBYTE:
        return translator.t("exports.kilobytes", count=-(-size_bytes // 1024))
    megabytes = translator.number(f"{size_bytes / MEBIBYTE:.1f}")
    return translator.t("exports.megabytes", count=megabytes)


@get(PAGE_URL + "/new")
async def new_export_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Choose columns and format of the list that `?kind=` and its filters name."""
    session.member.require(Permission.READ)
    return await _form_page(request, ctx, session, query_values(request))


@post(PAGE_URL, opt=RECENT_AUTHENTICATION)
async def request_export(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Start an export."""
    form_data = await read_form_values(request)
    kind = _parse_kind(form_data)
    file_format = first_value(form_data, "format")
    wanted, problems = exports.parse_filter(kind, _filter_values(kind, form_data))
    names = column_names(kind, session.member)
    columns = tuple(name for name in names if name in form_data.get("column", []))
    if not columns:  # an export without a choice has all columns: not what was chosen here
        problems.append(Problem("column", "choose"))
    try:
        if problems:
            raise RefusedError("validation", problems=tuple(problems))
        await exports.request(
            ctx,
            session.member,
            ExportRequest(
                kind,
                FileFormat.CSV if file_format == FileFormat.CSV else FileFormat.XLSX,
                wanted,
                columns,
                session.locale,
            ),
        )
    except RefusedError as error:
        if error.code in ("forbidden", "not_found"):
            raise
        return await _form_page(request, ctx, session, form_data, error)
    return redirect(PAGE_URL, "exports.done_requested", tone="wait")


def _parse_kind(values: FormValues) -> Kind:
    return Kind.INVOICES if first_value(values, "kind") == Kind.INVOICES else Kind.PAYMENTS


def _filter_values(kind: Kind, values: FormValues) -> FormValues:
    """Return the parameters of the list's filter, without those of the page."""
    known = PAYMENT_PARAMETERS if kind is Kind.PAYMENTS else INVOICE_PARAMETERS
    return {
        name: found
        for name, found in values.items()
        if is_filter_parameter(name, known) and found and found[0]
    }


async def _form_page(
    request: WebRequest,
    ctx: Context,
    session: Session,
    values: FormValues,
    error: RefusedError | None = None,
) -> Response[Any]:
    translator = translator_for(session)
    kind = _parse_kind(values)
    filters = {name: found[0] for name, found in _filter_values(kind, values).items()}
    wanted, _ = exports.parse_filter(kind, _filter_values(kind, values))
    names = column_names(kind, session.member)
    chosen = values.get("column", [] if error else list(names))
    response = render_cabinet_page(
        request,
        session,
        "cabinet/exports/new.html",
        section="payments" if kind is Kind.PAYMENTS else "invoices",
        status=error.http_status if error else 200,
        kind=str(kind),
        filters=filters,
        conditions=await filter_texts(ctx, session, wanted, translator),
        columns=[(name, column_title(kind, name, translator), name in chosen) for name in names],
        file_format=first_value(values, "format") or str(FileFormat.XLSX),
        shows_answers=session.member.can(Permission.READ_ANSWERS),
        errors=refusal_texts(translator, error) if error else {},
        hide_plus=True,
    )
    if error:
        response.headers.update(retry_after_headers(error))
    return response


@post(PAGE_URL + "/{export_id:str}/file", opt=RECENT_AUTHENTICATION)
async def download_export(
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    export_id: FromPath[str],
) -> Response[Any]:
    """Redirect to a link that downloads the file and ends soon."""
    found = await exports.get(ctx, session.member, parse_id(export_id, "exp"))
    if not found.is_ready(ctx.now_us()):
        raise RefusedError("not_found", what="export")
    # Relative: the browser may know this server by another name than base_url.
    return redirect(files.link(ctx, session.member, found).removeprefix(ctx.settings.base_url))


HANDLERS = [export_list, new_export_page, request_export, download_export]
