"""API endpoints of exports: request one, read its progress and its link."""

from datetime import datetime
from typing import Annotated

from litestar import Response, get, post
from litestar.params import FromPath
from msgspec import Meta, Struct

from sigma.domain.accounts.member import Member, Scope
from sigma.domain.errors import Problem
from sigma.domain.exports.export import Export, FileFormat, Kind
from sigma.domain.lists.filters import (
    INVOICE_PARAMETERS,
    PAYMENT_PARAMETERS,
    is_filter_parameter,
)
from sigma.services.context import Context
from sigma.services.exports import exports, files
from sigma.services.exports.columns import check_columns
from sigma.services.exports.exports import ExportRequest as Wanted
from sigma.web.api.body import parse_body, require_valid
from sigma.web.api.http import (
    ApiRequest,
    Ctx,
    CurrentMember,
    encode,
    json_response,
    read_idempotency,
    read_json,
    respond_once,
)
from sigma.web.api.problems import translator_for
from sigma.web.api.responses import to_datetime
from sigma.web.ids import parse_id


class ExportRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A list to export."""

    kind: Annotated[
        str,
        Meta(
            description="Which list. Invoices need the scope invoices:read too",
            extra_json_schema={"enum": [str(one) for one in Kind]},
        ),
    ]
    format: Annotated[
        str,
        Meta(
            description="Format of the file",
            extra_json_schema={"enum": [str(one) for one in FileFormat]},
        ),
    ]
    filter: Annotated[
        dict[str, str],
        Meta(description="The filters of the list, by name, as in its query string"),
    ] = {}
    columns: Annotated[
        list[str],
        Meta(description="Names of columns; all without any", extra_json_schema={"maxItems": 50}),
    ] = []


class ExportResponse(Struct, frozen=True):
    """An export and its progress."""

    id: str
    kind: Kind
    format: FileFormat
    status: Annotated[
        str,
        Meta(
            description="`done` has a `url`",
            extra_json_schema={"enum": ["counting", "writing", "done", "failed", "expired"]},
        ),
    ]
    rows: Annotated[int, Meta(description="Rows written so far; all of them when it is done")]
    total: Annotated[int | None, Meta(description="All rows; null while they are counted")]
    size_bytes: int | None
    url: Annotated[
        str | None,
        Meta(description="Downloads the file without a key for 15 minutes; each request makes one"),
    ]
    failure: Annotated[str | None, Meta(description="`too_many_rows` or `erased`")]
    created_at: datetime
    finished_at: datetime | None
    expires_at: Annotated[datetime | None, Meta(description="When the file is deleted")]


def export_response(ctx: Context, member: Member, export: Export) -> ExportResponse:
    """Return an export, with a new link when its file is ready."""
    is_ready = export.is_ready(ctx.now_us())
    is_counted = export.status != "counting"
    return ExportResponse(
        id=export.id,
        kind=export.kind,
        format=export.file_format,
        status="expired" if export.status == "done" and not is_ready else str(export.status),
        rows=export.done_count if is_counted else 0,
        total=export.total if is_counted else None,
        size_bytes=export.size_bytes or None,
        url=files.link(ctx, member, export) if is_ready else None,
        failure=export.failure or None,
        created_at=to_datetime(export.created_at_us),
        finished_at=to_datetime(export.finished_at_us) if export.finished_at_us else None,
        expires_at=to_datetime(export.expires_at_us) if export.expires_at_us else None,
    )


def _parse(body: bytes, member: Member, locale: str) -> Wanted:
    """Return the request in a body. Raises RefusedError("validation") with all its problems."""
    content, problems = parse_body(ExportRequest, body)
    found: list[Problem] = []
    if content.kind not in set(Kind):
        found.append(Problem("kind", "choose"))
    if content.format not in set(FileFormat):
        found.append(Problem("format", "choose"))
    require_valid(problems, found)
    kind = Kind(content.kind)
    known = PAYMENT_PARAMETERS if kind is Kind.PAYMENTS else INVOICE_PARAMETERS
    found = [
        Problem(f"filter.{name[:100]}", "unknown_field")
        for name in content.filter
        if not is_filter_parameter(name, known)
    ]
    wanted, wrong = exports.parse_filter(kind, {n: [v] for n, v in content.filter.items()})
    found += [Problem(f"filter.{one.field}", one.code, one.params) for one in wrong]
    found += check_columns(kind, content.columns, member)
    require_valid([], found)
    return Wanted(kind, FileFormat(content.format), wanted, tuple(content.columns), locale)


@post("/exports", scope=Scope.PAYMENTS_READ, status_code=202)
async def create_export(request: ApiRequest, ctx: Ctx, member: CurrentMember) -> Response[bytes]:
    """Start an export; its file is made in the background."""
    body = await read_json(request)
    wanted = _parse(body, member, translator_for(request).locale)
    if wanted.kind is Kind.INVOICES:
        member.require_scope(Scope.INVOICES_READ)

    def render(made: Export) -> str:
        return encode(export_response(ctx, member, made)).decode()

    idempotency = read_idempotency(request, member, body, status=202, render=render)
    return await respond_once(
        ctx, idempotency, lambda: exports.request(ctx, member, wanted, idempotency=idempotency)
    )


@get("/exports/{export_id:str}", scope=Scope.PAYMENTS_READ)
async def get_export(ctx: Ctx, member: CurrentMember, export_id: FromPath[str]) -> Response[bytes]:
    """Return an export: its progress, and the link of a file that is ready."""
    found = await exports.get(ctx, member, parse_id(export_id, "exp"))
    if found.kind is Kind.INVOICES:
        member.require_scope(Scope.INVOICES_READ)
    return json_response(export_response(ctx, member, found))


HANDLERS = [create_export, get_export]
