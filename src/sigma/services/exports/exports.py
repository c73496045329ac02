"""Request an export, make its file step by step, read it.

The job export.make continues where it stopped: each part of the file is stored together with the
position after it. It also deletes the file when its time is over.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace

from sigma.documents.tables import xlsx_table
from sigma.domain.accounts.member import Member, Permission, Role
from sigma.domain.accounts.shop import Shop
from sigma.domain.audit.deed import Deed
from sigma.domain.change import Change
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.exports import export as domain
from sigma.domain.exports.export import (
    Export,
    Failure,
    FileFormat,
    FilePart,
    Kind,
    Status,
)
from sigma.domain.idempotency import Idempotency
from sigma.domain.limits import EXPORTS
from sigma.domain.lists.filters import (
    InvoiceFilter,
    PaymentFilter,
    parse_invoice_filter,
    parse_payment_filter,
)
from sigma.domain.time_units import DAY_US, SECOND_US
from sigma.services.context import Context
from sigma.services.exports.columns import ANSWERS, FEE_COLUMNS, check_columns, column_names
from sigma.services.exports.rendering import (
    Batch,
    PartRenderer,
    Rendering,
    decode_questions,
)
from sigma.services.ids import min_id
from sigma.services.lists.selection import select_invoices, select_payments
from sigma.services.platform import audit_log
from sigma.store import changes
from sigma.store.accounts import shops
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.engine.interface import Tx
from sigma.store.exports import exports, rows
from sigma.store.exports.rows import Raw as RawRow
from sigma.store.lists import reading
from sigma.store.lists.reading import ListedIds, Selection

BATCH_SIZE = 2000  # rows of a part
SLICE_US = 45 * SECOND_US  # how long one run of the job works
STORE_INTERVAL_S = 2.0  # how often the position is stored while counting
MAX_LISTED = 20
# An export whose job has failed for good no longer counts as running.
MAX_DURATION_US = DAY_US // 2

ListFilter = PaymentFilter | InvoiceFilter


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What to export. `columns`: names, all without any. `locale`: of headers and numbers."""

    kind: Kind
    file_format: FileFormat
    wanted: ListFilter
    columns: tuple[str, ...] = ()
    locale: str = "ru"


def parse_filter(
    kind: Kind, values: Mapping[str, Sequence[str]]
) -> tuple[ListFilter, list[Problem]]:
    """Read the filter of a list of this kind; see `sigma.domain.lists.filters`."""
    if kind is Kind.PAYMENTS:
        return parse_payment_filter(values)
    return parse_invoice_filter(values)


def can_read(member: Member, export: Export) -> bool:
    """Return whether a member of the shop may read the file of an export."""
    needed = Permission.READ_ANSWERS if export.has_answers else Permission.READ
    has_fees = not FEE_COLUMNS.isdisjoint(export.columns)
    return member.can(needed) and (member.sees_fees or not has_fees)


async def request(
    ctx: Context,
    member: Member,
    wanted: ExportRequest,
    *,
    idempotency: Idempotency[Export] | None = None,
) -> Export:
    """Store a new export; a job makes its file. It is recorded in the audit log.

    Without the right to read answers, clients and answers are masked. Raises RefusedError:
    "forbidden", "validation", "exports_running" when the shop has MAX_RUNNING, "too_many_requests".
    """
    member.require(Permission.READ)
    if problems := check_columns(wanted.kind, wanted.columns, member):
        raise validation_error(*problems)
    now_us = ctx.now_us()
    export_id = ctx.new_id("exp", member.shop_id)
    values = wanted.wanted.to_values()
    column = EncryptedColumn.EXPORT_FILTER
    created = Export(
        id=export_id,
        shop_id=member.shop_id,
        kind=wanted.kind,
        file_format=wanted.file_format,
        filter_encrypted=ctx.cipher.encrypt(values, column, export_id),
        columns=tuple(dict.fromkeys(wanted.columns)) or column_names(wanted.kind, member),
        has_answers=member.can(Permission.READ_ANSWERS),
        locale=wanted.locale,
        created_by=member.actor,
        created_at_us=now_us,
    )
    async with ctx.db.read() as tx:
        shop = await _shop(tx, member.shop_id)
        await _select(ctx, tx, member, shop, created.kind, wanted.wanted)  # refuses what it cannot
    await ctx.limiter.require(EXPORTS, member.shop_id)
    async with ctx.db.write() as tx:
        await shops.lock(tx, member.shop_id)
        since_id = min_id("exp", now_us - MAX_DURATION_US)
        if await exports.count_running(tx, member.shop_id, since_id) >= domain.MAX_RUNNING:
            raise RefusedError("exports_running", max=domain.MAX_RUNNING)
        stored = replace(created, version=1)
        change = domain.request(created).with_response(idempotency, stored, now_us)
        await changes.write(tx, change, now_us)
        detail = {"kind": str(created.kind), "format": str(created.file_format)}
        await audit_log.record(ctx, tx, member, Deed.EXPORT_REQUESTED, export_id, **detail)
    return stored


async def get(ctx: Context, member: Member, export_id: str) -> Export:
    """Return an export. Raises RefusedError("not_found"); "forbidden" for one with answers or fees
    that the member may not see.
    """
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        found = await exports.get(tx, export_id)
    if found is None or found.shop_id != member.shop_id:
        raise RefusedError("not_found", what="export")
    if not can_read(member, found):
        raise RefusedError("forbidden")
    return found


async def list_for_shop(ctx: Context, member: Member) -> list[Export]:
    """Return the latest exports of the shop, as far as the member may read their files."""
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        found = await exports.list_for_shop(tx, member.shop_id, MAX_LISTED)
    return [export for export in found if can_read(member, export)]


async def _shop(tx: Tx, shop_id: str) -> Shop:
    shop = await shops.get(tx, shop_id)
    assert shop is not None, "a shop is never deleted"
    return shop


async def _select(
    ctx: Context, tx: Tx, member: Member, shop: Shop, kind: Kind, wanted: ListFilter
) -> Selection:
    if isinstance(wanted, PaymentFilter):
        assert kind is Kind.PAYMENTS
        return await select_payments(ctx, tx, member, shop, wanted)
    return await select_invoices(ctx, tx, member, shop, wanted)


async def _selection(ctx: Context, tx: Tx, export: Export, shop: Shop) -> Selection:
    """Return the rows of an export as of its request: "today" stays that day, nothing is added."""
    values = ctx.cipher.decrypt(export.filter_encrypted, EncryptedColumn.EXPORT_FILTER, export.id)
    wanted, _ = parse_filter(export.kind, {name: [value] for name, value in values.items()})
    then = replace(ctx, now_us=lambda: export.created_at_us)
    # Its maker's right to answers was checked when it was requested.
    role = Role.OWNER if export.has_answers else Role.VIEWER
    member = Member(export.created_by, export.shop_id, role)
    selection = await _select(then, tx, member, shop, export.kind, wanted)
    end_us = min(export.created_at_us + 1, selection.values.get("created_to", 2**62))
    return replace(selection, values={**selection.values, "created_to": end_us})


async def make(ctx: Context, export_id: str, batch_size: int = BATCH_SIZE) -> int | None:
    """Job export.make: work on the file for SLICE_US; return when to go on, or to delete it."""
    async with ctx.db.read() as tx:
        export = await exports.get(tx, export_id)
    if export is None:
        return None
    if not export.is_running:
        return await _delete_when_due(ctx, export)
    async with ctx.db.read() as tx:
        shop = await _shop(tx, export.shop_id)
        selection = await _selection(ctx, tx, export, shop)
    work = _Work(ctx, selection, batch_size, ctx.now_us() + SLICE_US)
    if export.status is Status.COUNTING:
        export = await _count(work, export)
    if export.status is Status.WRITING:
        if export.file_format is FileFormat.XLSX and export.total > xlsx_table.MAX_ROWS:
            export = await _fail(ctx, export, Failure.TOO_MANY_ROWS)
        else:
            export = await _write(work, export, shop)
    if export.is_running:
        return ctx.now_us()
    return export.expires_at_us


@dataclass(frozen=True, slots=True)
class _Work:
    """One run of the job: which rows, how many at a time, until when."""

    ctx: Context
    selection: Selection
    batch_size: int
    end_us: int

    @property
    def is_over(self) -> bool:
        """Whether the next run must go on."""
        return self.ctx.now_us() >= self.end_us

    async def list_ids(self, tx: Tx, cursor: str | None) -> ListedIds | None:
        """Return the ids of the next rows."""
        return await reading.list_ids(tx, self.selection, cursor=cursor, limit=self.batch_size)


async def _save(ctx: Context, export: Export, *parts: FilePart) -> Export:
    """Store an export with new parts of its file. Raises StaleError when it was changed."""
    await changes.commit(ctx.db, Change((export, *parts)), ctx.now_us())
    return replace(export, version=export.version + 1)


async def _count(work: _Work, export: Export) -> Export:
    """Look through all rows once: how many there are, and which answers they have."""
    ctx = work.ctx
    found = {column.key: column for column in export.progress.answer_columns}
    cursor, count = export.progress.cursor, 0
    needs_questions = export.kind is Kind.PAYMENTS and ANSWERS in export.columns
    known: set[str] = set()
    stored_at_s = time.monotonic()
    while True:
        async with ctx.db.read() as tx:
            page = await work.list_ids(tx, cursor)
            questions: set[str] = set()
            if page is not None and needs_questions and page.ids:
                questions = await rows.list_questions(tx, page.ids) - known
        known |= questions
        for column in (one for text in sorted(questions) for one in decode_questions(text)):
            if len(found) < domain.MAX_ANSWER_COLUMNS:
                found.setdefault(column.key, column)
        count += len(page.ids) if page else 0
        cursor = page.next_cursor if page else None
        is_due = time.monotonic() - stored_at_s > STORE_INTERVAL_S
        if cursor is None or is_due or work.is_over:
            columns = tuple(found.values())
            export = await _save(ctx, domain.counted(export, count, columns, cursor))
            count, stored_at_s = 0, time.monotonic()
        if cursor is None or work.is_over:
            return export


@dataclass(frozen=True, slots=True)
class _Page:
    """Raw rows of a part, and the cursor after them; None at the end."""

    rows: list[RawRow]
    answers: list[RawRow]
    cursor: str | None


async def _read(work: _Work, export: Export, cursor: str | None) -> _Page:
    async with work.ctx.db.read() as tx:
        page = await work.list_ids(tx, cursor)
        ids = page.ids if page else ()
        answers: list[RawRow] = []
        if export.kind is Kind.INVOICES:
            found = await rows.list_invoices(tx, ids) if ids else []
        else:
            found = await rows.list_payments(tx, ids) if ids else []
            if ids and {"answers", "client"} & set(export.columns):
                answers = await rows.list_answers(tx, ids)
    return _Page(found, answers, page.next_cursor if page else None)


async def _write(work: _Work, export: Export, shop: Shop) -> Export:
    """Store the parts of the file. While one is rendered, the rows of the next are read."""
    ctx = work.ctx
    part_renderer = PartRenderer(export, ctx.cipher, ctx.settings.base_url, shop.tz)
    renderer = Rendering(part_renderer)
    page = await _read(work, export, export.progress.cursor)
    ahead: asyncio.Task[_Page] | None = None
    try:
        while True:
            if page.cursor is not None:
                ahead = asyncio.create_task(_read(work, export, page.cursor))
            export = await _write_part(ctx, export, renderer, page)
            if not export.is_running or work.is_over or ahead is None:
                return export
            page, ahead = await ahead, None
    except BrokenProcessPool:
        return export  # its process was killed: the next run goes on after the last stored part
    finally:
        if ahead is not None:
            ahead.cancel()
        renderer.end()


async def _write_part(ctx: Context, export: Export, renderer: Rendering, page: _Page) -> Export:
    progress = export.progress
    part_id = f"{export.id}.{progress.part_count:06}"
    is_last = page.cursor is None
    batch = Batch(part_id, page.rows, page.answers, export.done_count, is_last)
    part = await renderer.render(batch, progress.crc)
    size_bytes = progress.size_bytes + part.size_bytes
    is_workbook = export.file_format is FileFormat.XLSX
    too_many = export.done_count + part.count > xlsx_table.MAX_ROWS
    if is_workbook and (too_many or size_bytes > xlsx_table.MAX_SHEET_BYTES):
        return await _fail(ctx, export, Failure.TOO_MANY_ROWS)
    updated = domain.written(
        export,
        part.count,
        replace(
            progress,
            cursor=page.cursor,
            part_count=progress.part_count + 1,
            size_bytes=size_bytes,
            compressed_bytes=progress.compressed_bytes + part.compressed_bytes,
            crc=part.crc,
        ),
    )
    if is_last:
        updated = domain.finished(updated, file_size(updated), ctx.now_us())
    return await _save(ctx, updated, FilePart(part_id, export.id, part.body_encrypted))


def file_size(export: Export) -> int:
    """Return the size of a complete file in bytes."""
    if export.file_format is FileFormat.CSV:
        return export.progress.size_bytes
    package = workbook_package(export)
    end_bytes = len(xlsx_table.END_OF_STREAM)
    return package.overhead_bytes + export.progress.compressed_bytes + end_bytes


def workbook_package(export: Export) -> xlsx_table.Package:
    """Return what an XLSX file has around its parts."""
    progress = export.progress
    return xlsx_table.Package(
        str(export.kind),
        compressed_bytes=progress.compressed_bytes + len(xlsx_table.END_OF_STREAM),
        size_bytes=progress.size_bytes,
        crc=progress.crc,
    )


async def _fail(ctx: Context, export: Export, failure: Failure) -> Export:
    failed = await _save(ctx, domain.failed(export, failure, ctx.now_us()))
    await _delete_parts(ctx, export.id)
    return failed


async def _delete_when_due(ctx: Context, export: Export) -> int | None:
    """Delete the file of a finished export when its time is over; return when that is."""
    if export.is_ready(ctx.now_us()):
        return export.expires_at_us
    if export.status is Status.DONE:
        await _save(ctx, domain.expired(export))
    await _delete_parts(ctx, export.id)
    return None


async def _delete_parts(ctx: Context, export_id: str) -> None:
    while True:
        async with ctx.db.write() as tx:
            if not await exports.delete_parts(tx, export_id):
                return


async def discard_all(tx: Tx, shop_id: str, now_us: int) -> None:
    """Delete the files of a shop in a transaction: the data of a client were erased.

    Running exports end as failed.
    """
    for export in await exports.lock_stored(tx, shop_id):
        is_running = export.is_running
        ended = (
            domain.failed(export, Failure.ERASED, now_us) if is_running else domain.expired(export)
        )
        await changes.write(tx, Change((ended,)), now_us)
        while await exports.delete_parts(tx, export.id):
            pass
