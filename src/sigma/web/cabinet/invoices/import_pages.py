"""Import of invoices: upload a table, choose columns, preview, create, undo."""

import re
from typing import Any

from litestar import get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.invoice_imports.batch import BatchRow
from sigma.domain.invoice_imports.table import Meaning, RowContent, missing_meanings
from sigma.domain.money import Money
from sigma.services.accounts.users import Session
from sigma.services.catalogue import price_list_import, services
from sigma.services.catalogue.price_list_files import MAX_BYTES, Book
from sigma.services.catalogue.price_list_import import MAX_PACKED_BYTES
from sigma.services.context import Context
from sigma.services.invoice_imports import imports
from sigma.services.invoice_imports.imports import Choices, Preview
from sigma.texts import Translator
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.responses import (
    read_form_values,
    redirect,
    refusal_texts,
    render_cabinet_page,
    translator_for,
)
from sigma.web.forms import FormValues, first_value
from sigma.web.ids import parse_id
from sigma.web.retry_after import retry_after_headers

PAGE_URL = "/invoices/import"
MAX_UPLOAD_BYTES = MAX_BYTES + 512 * 1024
MAX_FORM_BYTES = MAX_PACKED_BYTES + 512 * 1024
MAX_PREVIEW_ROWS = 200
_COLUMN_FIELD = re.compile(r"column\.(\d{1,3})", re.ASCII)


@get(PAGE_URL)
async def import_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Show the upload form and the latest imports."""
    session.member.require(Permission.ISSUE)
    return await _upload_page(request, ctx, session)


async def _upload_page(
    request: WebRequest, ctx: Context, session: Session, error: RefusedError | None = None
) -> Response[Any]:
    errors = refusal_texts(translator_for(session), error) if error else {}
    return render_cabinet_page(
        request,
        session,
        "cabinet/invoices/import.html",
        section="invoices",
        status=error.http_status if error else 200,
        batches=await imports.list_batches(ctx, session.member),
        file_mb=MAX_BYTES // 1024**2,
        errors=errors,
        hide_plus=True,
    )


@post(PAGE_URL, request_max_body_size=MAX_UPLOAD_BYTES)
async def upload_table(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Preview the invoices of an uploaded table. Nothing is written."""
    session.member.require(Permission.ISSUE)
    upload = (await request.form()).get("file")
    data, name = b"", ""
    if isinstance(upload, UploadFile):
        data, name = await upload.read(), upload.filename
    try:
        if not data:
            raise validation_error(Problem("file", "required"))
        book = await price_list_import.read(data, name)
        found = await imports.preview(ctx, session.member, book, Choices())
    except RefusedError as error:
        if not error.problems:
            raise
        return await _upload_page(request, ctx, session, error)
    batch_id = ctx.new_id("imp", session.shop.id)
    return await _preview_page(request, ctx, session, book, found, batch_id, name)


@post(PAGE_URL + "/preview", request_max_body_size=MAX_FORM_BYTES, status_code=200)
async def preview_table(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Preview the same table with other columns or another service. Nothing is written."""
    session.member.require(Permission.ISSUE)
    form_data = await read_form_values(request)
    try:
        book = await _posted_book(form_data)
        found = await imports.preview(ctx, session.member, book, _choices(form_data))
    except RefusedError as error:
        if not error.problems:
            raise
        return await _upload_page(request, ctx, session, error)
    batch_id = parse_id(first_value(form_data, "batch"), "imp")
    name = first_value(form_data, "file_name")
    return await _preview_page(request, ctx, session, book, found, batch_id, name)


@post(PAGE_URL + "/apply", request_max_body_size=MAX_FORM_BYTES)
async def apply_table(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Create the invoices of the preview in the background. A second submission changes nothing.

    Nothing is created that the preview has not shown: other columns or another service are shown
    first.
    """
    session.member.require(Permission.ISSUE)
    form_data = await read_form_values(request)
    batch_id = parse_id(first_value(form_data, "batch"), "imp")
    name = first_value(form_data, "file_name")
    try:
        book = await _posted_book(form_data)
        found = await imports.preview(ctx, session.member, book, _choices(form_data))
    except RefusedError as error:
        if not error.problems:
            raise
        return await _upload_page(request, ctx, session, error)
    translator = translator_for(session)
    if _choices_text(found) != first_value(form_data, "previewed"):
        errors = {"": translator.t("imports.changed")}
        return await _preview_page(
            request, ctx, session, book, found, batch_id, name, errors=errors, status=422
        )
    try:
        batch = await imports.start(ctx, session.member, batch_id, name, found)
    except RefusedError as error:
        if not error.problems and error.code != "too_many_requests":
            raise
        errors = {"": next(iter(refusal_texts(translator, error).values()))}
        response = await _preview_page(
            request,
            ctx,
            session,
            book,
            found,
            batch_id,
            name,
            errors=errors,
            status=error.http_status,
        )
        response.headers.update(retry_after_headers(error))
        return response
    return redirect(f"{PAGE_URL}/{batch.id}")


async def _posted_book(form_data: FormValues) -> Book:
    packed = (form_data.get("body") or [""])[0]  # not cleaned: it may have 12 MB
    return await price_list_import.unpack_outside_loop(packed)


def _details(content: RowContent, translator: Translator) -> list[str]:
    """Return the contacts and the deadline of a row as people write them."""
    found = [
        content.email,
        translator.phone(content.phone) if content.phone else "",
        f"id{content.vk_id}" if content.vk_id else "",
    ]
    if content.expires_at_us is not None:
        moment = translator.datetime(content.expires_at_us)
        found.append(f"{translator.t('imports.meaning.expires')}: {moment}")
    return [one for one in found if one]


def _choices_text(found: Preview) -> str:
    """Return the choices of a preview: "title,amount,,email svc_…"."""
    meanings = ",".join(str(one.meaning or "") for one in found.columns)
    return f"{meanings} {found.service_id or ''}".strip()


def _choices(form_data: FormValues) -> Choices:
    matches = [match for name in form_data if (match := _COLUMN_FIELD.fullmatch(name))]
    meanings = {int(match[1]): first_value(form_data, match[0]) for match in matches}
    return Choices(meanings, first_value(form_data, "service"))


async def _preview_page(
    request: WebRequest,
    ctx: Context,
    session: Session,
    book: Book,
    found: Preview,
    batch_id: str,
    file_name: str,
    *,
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> Response[Any]:
    translator = translator_for(session)
    # Rows with problems first: they are what must be looked at.
    rows = sorted(found.rows, key=lambda row: not row.problems)[:MAX_PREVIEW_ROWS]
    offered = await services.list_for_shop(ctx, session.member)
    return render_cabinet_page(
        request,
        session,
        "cabinet/invoices/import_preview.html",
        section="invoices",
        status=status,
        errors=errors or {},
        previewed=_choices_text(found),
        body=await price_list_import.pack_outside_loop(book),
        batch_id=batch_id,
        file_name=file_name,
        columns=found.columns,
        missing=missing_meanings(found.columns),
        meanings=list(Meaning),
        services=[("", translator.t("imports.no_service"))]
        + [(one.id, one.title) for one in offered],
        service_id=found.service_id or "",
        rows=[
            (
                row,
                Money(row.content.amount_minor, row.content.currency),
                _details(row.content, translator),
                [
                    _with_column(one.field, translator.problem_text(one), translator)
                    for one in row.problems
                ],
            )
            for row in rows
        ],
        valid_count=len(found.valid_rows),
        invalid_count=len(found.rows) - len(found.valid_rows),
        hidden_count=len(found.rows) - len(rows),
        hide_plus=True,
    )


@get(PAGE_URL + "/{batch_id:str}")
async def batch_page(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    batch_id: FromPath[str],
) -> Response[Any]:
    """Show the progress of an import and the result of each row."""
    details = await imports.get_details(ctx, session.member, parse_id(batch_id, "imp"))
    translator = translator_for(session)
    return render_cabinet_page(
        request,
        session,
        "cabinet/invoices/import_batch.html",
        section="invoices",
        batch=details.batch,
        rows=[(row, _problem_text(translator, row)) for row in details.rows],
        hide_plus=True,
    )


def _problem_text(translator: Translator, row: BatchRow) -> str:
    """Return why a row has no invoice, or why its invoice is not voided."""
    field, _, code = row.problem.partition(":")
    for key in (f"errors.refusal.{code}", f"errors.problem.{code}"):
        if code and translator.has(key):
            text = translator.raw(key)
            if "{" in text:
                text = translator.t("imports.refused", code=code)
            return _with_column(field, text, translator)
    return code


def _with_column(field: str, text: str, translator: Translator) -> str:
    """Return a problem of a row with the name of its column: «Сумма: Заполните это поле.»."""
    key = f"imports.meaning.{field.partition('.')[0].removesuffix('_at')}"
    return f"{translator.t(key)}: {text}" if translator.has(key) else text


@post(PAGE_URL + "/{batch_id:str}/undo")
async def undo_batch(
    ctx: NamedDependency[Context], session: NamedDependency[Session], batch_id: FromPath[str]
) -> Response[Any]:
    """Void the invoices of an import that are not paid; the page asks for confirmation first."""
    batch = await imports.undo(ctx, session.member, parse_id(batch_id, "imp"))
    return redirect(f"{PAGE_URL}/{batch.id}")


HANDLERS = [import_page, upload_table, preview_table, apply_table, batch_page, undo_batch]
