"""Import of a price list: upload, preview with changeable columns, apply.

The preview holds the cells of the file in a hidden field: nothing is stored before the seller
confirms, and other columns can be chosen without a second upload.
"""

import asyncio
import re
from typing import Any

from litestar import post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.domain.catalogue.price_headers import Meaning
from sigma.domain.catalogue.price_list import ChangeKind
from sigma.domain.catalogue.price_sheet import MAX_COLUMNS
from sigma.domain.errors import Problem, RefusedError
from sigma.services.accounts.users import Session
from sigma.services.catalogue import price_list_import
from sigma.services.catalogue.price_list_files import MAX_BYTES, Book
from sigma.services.catalogue.price_list_import import (
    MAX_PACKED_BYTES,
    ImportChoices,
    PriceList,
)
from sigma.services.context import Context
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.responses import (
    problem_texts,
    read_form_values,
    redirect,
    render_cabinet_page,
    translator_for,
)
from sigma.web.cabinet.services.import_export import render_import_export
from sigma.web.cabinet.services.price_list_views import preview_context
from sigma.web.forms import FormValues, first_value

MAX_UPLOAD_BYTES = MAX_BYTES + 512 * 1024
MAX_FORM_BYTES = MAX_PACKED_BYTES + 512 * 1024
_COLUMN_FIELD = re.compile(r"(column|before)\.(\d{1,3})", re.ASCII)


@post("/services/exchange/file", request_max_body_size=MAX_UPLOAD_BYTES)
async def upload_price_list(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Preview the changes of an uploaded file, row by row. Nothing is written."""
    session.member.require(Permission.CATALOGUE)
    upload = (await request.form()).get("file")
    data, name = b"", ""
    if isinstance(upload, UploadFile):
        data, name = await upload.read(), upload.filename
    try:
        if not data:
            raise RefusedError("validation", problems=(Problem("file", "required"),))
        book = await price_list_import.read(data, name)
        found = await price_list_import.parse(book)
    except RefusedError as error:
        return await _file_error_page(request, ctx, session, error)
    return await _preview_page(request, ctx, session, book, found)


@post(
    "/services/exchange/file/preview",
    request_max_body_size=MAX_FORM_BYTES,
    status_code=200,
)
async def preview_price_list(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Preview the same file with other columns or another sheet. Nothing is written."""
    session.member.require(Permission.CATALOGUE)
    form_data = await read_form_values(request)
    try:
        book = await _posted_book(form_data)
        found = await price_list_import.parse(book, _read_choices(form_data))
    except RefusedError as error:
        return await _file_error_page(request, ctx, session, error)
    return await _preview_page(request, ctx, session, book, found)


@post("/services/exchange/file/apply", request_max_body_size=MAX_FORM_BYTES)
async def apply_price_list(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Apply the previewed changes. Idempotent: a second submission changes nothing.

    Choices that were changed since the preview are previewed first.
    """
    session.member.require(Permission.CATALOGUE)
    form_data = await read_form_values(request)
    try:
        book = await _posted_book(form_data)
        found = await price_list_import.parse(book, _read_choices(form_data))
        if _has_other_choices(form_data):
            return await _preview_page(request, ctx, session, book, found, is_changed=True)
        counts = await price_list_import.apply(ctx, session.member, found.rows)
    except RefusedError as error:
        return await _file_error_page(request, ctx, session, error)
    return redirect(
        "/services",
        "services.done_import",
        added=counts[ChangeKind.ADD],
        changed=counts[ChangeKind.CHANGE],
        unchanged=counts[ChangeKind.UNCHANGED],
        invalid=counts[ChangeKind.INVALID],
    )


async def _posted_book(form_data: FormValues) -> Book:
    """Return the cells of the file from the hidden field. Raises RefusedError("bad_request")."""
    # In a thread: 10,000 rows would stop the event loop for a quarter of a second.
    packed = (form_data.get("body") or [""])[0]  # not cleaned either: it may have 12 MB
    return await asyncio.to_thread(price_list_import.unpack, packed)


async def _file_error_page(
    request: WebRequest, ctx: Context, session: Session, error: RefusedError
) -> Response[Any]:
    """Show the problem of the file, or of the whole import, beside the file field."""
    if not error.problems:
        raise error
    texts = list(problem_texts(translator_for(session), error.problems).values())
    return await render_import_export(request, ctx, session, {"file": texts[0]})


def _read_choices(form_data: FormValues) -> ImportChoices:
    """Return the posted sheet and columns. The columns of another sheet are recognised again."""
    sheet = form_data["sheet"][0] if form_data.get("sheet") else None
    if sheet != (form_data["before_sheet"][0] if form_data.get("before_sheet") else None):
        return ImportChoices(sheet)
    columns = _read_columns(form_data, "column")
    before = _read_columns(form_data, "before")
    meanings = {n: meaning for n, meaning in columns.items() if meaning in {*Meaning, ""}}
    # When a changed column gets the meaning of an unchanged one, the unchanged one loses it.
    changed = {meaning for n, meaning in meanings.items() if meaning != before.get(n)} - {""}
    taken_over = changed - {Meaning.CATEGORY, Meaning.DESCRIPTION}
    return ImportChoices(
        sheet,
        {
            n: "" if meaning in taken_over and meaning == before.get(n) else meaning
            for n, meaning in meanings.items()
        },
    )


def _read_columns(form_data: FormValues, prefix: str) -> dict[int, str]:
    matches = [match for name in form_data if (match := _COLUMN_FIELD.fullmatch(name))]
    return {
        int(match[2]): first_value(form_data, match[0])
        for match in matches
        if match[1] == prefix and int(match[2]) < MAX_COLUMNS
    }


def _has_other_choices(form_data: FormValues) -> bool:
    """Return whether the posted choices differ from those that the preview showed."""
    return _read_columns(form_data, "column") != _read_columns(form_data, "before") or (
        form_data.get("sheet") != form_data.get("before_sheet")
    )


async def _preview_page(
    request: WebRequest,
    ctx: Context,
    session: Session,
    book: Book,
    found: PriceList,
    *,
    is_changed: bool = False,
) -> Response[Any]:
    planned = await price_list_import.preview(ctx, session.member, found.rows)
    return render_cabinet_page(
        request,
        session,
        "cabinet/services/price_list.html",
        section="services",
        body=await asyncio.to_thread(price_list_import.pack, book),
        is_changed=is_changed,
        hide_plus=True,
        **preview_context(found, planned, translator_for(session)),
    )


HANDLERS = [upload_price_list, preview_price_list, apply_price_list]
