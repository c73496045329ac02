"""Price list import: read a file, preview what its rows change, apply them in one transaction."""

import asyncio
import base64
import binascii
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.audit.deed import Deed
from sigma.domain.catalogue.price_headers import Meaning
from sigma.domain.catalogue.price_list import (
    ChangeKind,
    ImportRow,
    PlannedChange,
    count_by_kind,
    plan,
    services_to_save,
)
from sigma.domain.catalogue.price_sheet import MAX_COLUMNS, Column, Sheet
from sigma.domain.catalogue.price_table import ParsedSheet, SkippedRow, parse_sheet
from sigma.domain.change import Change
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.services.catalogue import price_list_files
from sigma.services.catalogue.price_list_files import Book
from sigma.services.catalogue.services import MAX_SERVICES, lock_catalogue, new_service
from sigma.services.context import Context
from sigma.services.platform import audit_log
from sigma.services.platform.limited_process import SerialExecutor
from sigma.store import changes
from sigma.store.catalogue import services

MAX_PACKED_BYTES = 12 * 1024 * 1024
_MAX_UNPACKED_BYTES = 64 * 1024 * 1024
_executor = SerialExecutor("price-lists")
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Book)


@dataclass(frozen=True, slots=True)
class ImportChoices:
    """What the seller chose in the preview.

    `sheet`: the name of the sheet, None for the first price list of the file. `meanings`: column
    index → meaning, "" to leave the column out; columns that are not named are recognised.
    """

    sheet: str | None = None
    meanings: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SheetSummary:
    """A sheet of the file. `is_used`: its rows are imported."""

    name: str
    row_count: int
    is_hidden: bool
    is_used: bool


@dataclass(frozen=True, slots=True)
class PriceList:
    """A parsed file: the rows to import, and everything of the file that is left out."""

    rows: list[ImportRow]
    columns: tuple[Column, ...]
    skipped: tuple[SkippedRow, ...]
    sheets: tuple[SheetSummary, ...]


async def read(data: bytes, name: str | None = None) -> Book:
    """Read a file in a thread, one at a time. Raises RefusedError("validation") for "file".

    `name`: of the file; None skips the comparison of its extension with the content.
    """
    return await _executor.run(price_list_files.read_book, data, name)


async def parse(book: Book, choices: ImportChoices | None = None) -> PriceList:
    """Parse a file in a thread. Raises RefusedError("validation") for "file"."""
    return await asyncio.to_thread(parse_book, book, choices or ImportChoices())


def parse_book(book: Book, choices: ImportChoices) -> PriceList:
    """Parse the chosen sheet of a file, or the first visible one that holds a price list.

    Raises RefusedError("validation"): file_empty, file_header, too_many.
    """
    if not any(cell != "" for sheet in book.sheets for row in sheet.rows for cell in row):
        raise validation_error(Problem("file", "file_empty"))
    chosen, parsed = _choose_sheet(book, choices)
    if chosen is None or parsed is None:
        raise validation_error(Problem("file", "file_header"))
    if not parsed.rows:
        raise validation_error(Problem("file", "file_empty"))
    if len(parsed.rows) > MAX_SERVICES:
        raise validation_error(Problem("file", "too_many", {"max": MAX_SERVICES}))
    summaries = tuple(
        SheetSummary(
            sheet.name,
            sum(any(cell != "" for cell in row) for row in sheet.rows),
            sheet.is_hidden,
            sheet is chosen,
        )
        for sheet in book.sheets
    )
    return PriceList(list(parsed.rows), parsed.columns, parsed.skipped, summaries)


def _choose_sheet(book: Book, choices: ImportChoices) -> tuple[Sheet | None, ParsedSheet | None]:
    if choices.sheet is not None:
        named = [sheet for sheet in book.sheets if sheet.name == choices.sheet]
        if not named:
            raise validation_error(Problem("file", "file_sheet", {"sheet": choices.sheet}))
        return named[0], parse_sheet(named[0], choices.meanings or None)
    best: tuple[Sheet | None, ParsedSheet | None] = (None, None)
    # Visible sheets first; one with prices is better than a list of names.
    for sheet in sorted(book.sheets, key=lambda sheet: sheet.is_hidden):
        parsed = parse_sheet(sheet)
        if parsed is None or not parsed.rows:
            best = best if best[0] or parsed is None else (sheet, parsed)
            continue
        if any(column.meaning is Meaning.PRICE for column in parsed.columns):
            best = (sheet, parsed)
            break
        if best[1] is None or not best[1].rows:
            best = (sheet, parsed)
    if best[0] is not None and choices.meanings:
        return best[0], parse_sheet(best[0], choices.meanings)
    if best[0] is None and choices.meanings and book.sheets:
        return book.sheets[0], parse_sheet(book.sheets[0], choices.meanings)
    return best


def pack(book: Book) -> str:
    """Return the cells of a file as text for a hidden form field, so it is uploaded once."""
    packed = zlib.compress(_encoder.encode(book), 6)
    return base64.urlsafe_b64encode(packed).decode()


def unpack(text: str) -> Book:
    """Return the cells from a hidden form field. Raises RefusedError("bad_request")."""
    try:
        inflater = zlib.decompressobj()
        data = inflater.decompress(
            base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True),
            _MAX_UNPACKED_BYTES,
        )
        if not inflater.eof:
            raise RefusedError("bad_request")
        book = _decoder.decode(data)
    except (UnicodeEncodeError, binascii.Error, zlib.error, msgspec.DecodeError):
        raise RefusedError("bad_request") from None
    if not all(map(_is_bounded, book.sheets)):
        raise RefusedError("bad_request")
    return book


def _is_bounded(sheet: Sheet) -> bool:
    """Return whether a sheet could be of a file that was read: the field may be forged."""
    is_long = len(sheet.rows) > price_list_files.MAX_ROWS
    is_wide = max(map(len, sheet.rows), default=0) > MAX_COLUMNS
    return not is_long and not is_wide and len(sheet.rows) == len(sheet.row_numbers)


async def pack_outside_loop(book: Book) -> str:
    """Return `pack` of a file, in a thread: many rows would stop the event loop."""
    return await asyncio.to_thread(pack, book)


async def unpack_outside_loop(text: str) -> Book:
    """Return `unpack` of a text, in a thread. Raises RefusedError("bad_request")."""
    return await asyncio.to_thread(unpack, text)


async def preview(ctx: Context, member: Member, rows: list[ImportRow]) -> list[PlannedChange]:
    """Plan the import without writing anything."""
    member.require(Permission.CATALOGUE)
    async with ctx.db.read() as tx:
        existing = await services.list_for_shop(tx, member.shop_id)
    return await asyncio.to_thread(
        plan, existing, rows, lambda n: new_service(ctx, member.shop_id, n)
    )


async def apply(ctx: Context, member: Member, rows: list[ImportRow]) -> dict[ChangeKind, int]:
    """Apply all valid rows in one transaction; invalid rows are skipped.

    Returns the number of rows by kind of change. Raises RefusedError("validation") when the shop
    would have too many services.
    """
    member.require(Permission.CATALOGUE)
    async with ctx.db.write() as tx:
        existing = await lock_catalogue(tx, member.shop_id, 0)
        first_position = await services.next_position(tx, member.shop_id)
        planned = await asyncio.to_thread(
            plan, existing, rows, lambda n: new_service(ctx, member.shop_id, first_position + n)
        )
        counts = count_by_kind(planned)
        if counts[ChangeKind.ADD]:
            await lock_catalogue(tx, member.shop_id, counts[ChangeKind.ADD])
        await changes.write(tx, Change(services_to_save(planned)), ctx.now_us())
        detail: dict[str, Any] = {str(kind): count for kind, count in counts.items()}
        await audit_log.record(ctx, tx, member, Deed.PRICE_LIST_IMPORTED, **detail)
    return counts
