"""Import invoices from a table: read it, preview its rows, create them in the background, undo.

Each row is created at most once: its invoice is stored under an idempotency key of the row, so a
restart between the invoice and the row's result finds the invoice again.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec

from sigma.domain.accounts.member import Member, Permission, Role
from sigma.domain.audit.deed import Deed
from sigma.domain.billing.question import Question
from sigma.domain.catalogue.price_sheet import Sheet, cell_text
from sigma.domain.change import Change
from sigma.domain.customers.customer import IdentityKind
from sigma.domain.customers.joining import Contact
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.idempotency import Idempotency, render_id
from sigma.domain.invoice_imports import batch as domain
from sigma.domain.invoice_imports.batch import Batch, BatchRow, RowStatus, Status
from sigma.domain.invoice_imports.table import (
    MAX_ROWS,
    PlannedRow,
    RowContent,
    TableColumn,
    build_draft,
    guess_columns,
    missing_meanings,
    plan_rows,
    with_meanings,
)
from sigma.domain.limits import INVOICE_IMPORTS
from sigma.domain.time_units import SECOND_US
from sigma.services.billing import invoices
from sigma.services.catalogue.price_list_files import Book
from sigma.services.context import Context
from sigma.services.customers.attachment import attach, vk_contact
from sigma.services.platform import audit_log
from sigma.services.platform.idempotency import run_once
from sigma.store import changes
from sigma.store.accounts import shops
from sigma.store.catalogue import services
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.engine.interface import ConflictError, StaleError, Tx
from sigma.store.invoice_imports import imports

SLICE_US = 45 * SECOND_US  # how long one run of the job works
STEP_ROWS = 20  # rows between two stores of the batch's counts
MAX_LISTED, MAX_LISTED_ROWS = 20, 200
MAX_FILE_NAME = 100
_decoder = msgspec.json.Decoder(RowContent)


class RowChangedError(Exception):
    """The row is no longer waiting: the data of its client were erased meanwhile."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What a member chose in the preview: column index → meaning, and the service."""

    meanings: Mapping[int, str] = field(default_factory=dict)
    service_id: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """What an import would create. Nothing is stored yet."""

    columns: tuple[TableColumn, ...]
    rows: list[PlannedRow]
    service_id: str | None

    @property
    def valid_rows(self) -> list[PlannedRow]:
        """The rows that can be created."""
        return [row for row in self.rows if not row.problems]


@dataclass(frozen=True, slots=True)
class BatchDetails:
    """A batch with its latest MAX_LISTED_ROWS rows, those with problems first."""

    batch: Batch
    rows: list[BatchRow]


async def preview(ctx: Context, member: Member, book: Book, choices: Choices) -> Preview:
    """Return the rows of a file with their problems.

    Raises RefusedError: "forbidden", "validation" for a file without rows or needed columns.
    """
    member.require(Permission.ISSUE)
    async with ctx.db.read() as tx:
        shop = await shops.get(tx, member.shop_id)
        questions, service_id = await _service_questions(tx, member.shop_id, choices.service_id)
    assert shop is not None, "a shop is never deleted"
    sheet = next((one for one in book.sheets if not one.is_hidden and len(one.rows) > 1), None)
    if sheet is None:
        raise validation_error(Problem("file", "file_empty"))
    now_us, tz = ctx.now_us(), shop.tz

    def plan() -> Preview:
        rows = _texts(sheet)
        columns = with_meanings(guess_columns(rows), choices.meanings)
        planned = []
        if not missing_meanings(columns):
            numbers = sheet.row_numbers
            planned = plan_rows(rows, numbers, columns, questions, tz=tz, now_us=now_us)
        return Preview(columns, planned, service_id)

    found = await asyncio.to_thread(plan)
    if len(found.rows) > MAX_ROWS:
        raise validation_error(Problem("file", "too_many", {"max": MAX_ROWS}))
    return found


def _texts(sheet: Sheet) -> list[list[str]]:
    return [[cell_text(cell) for cell in row] for row in sheet.rows]


async def _service_questions(
    tx: Tx, shop_id: str, service_id: str
) -> tuple[tuple[Question, ...], str | None]:
    if not service_id:
        return (), None
    service = await services.get(tx, service_id)
    if service is None or service.shop_id != shop_id:
        raise RefusedError("not_found", what="service")
    return service.invoice_template.questions, service.id


async def start(
    ctx: Context, member: Member, batch_id: str, file_name: str, planned: Preview
) -> Batch:
    """Store the valid rows as a batch; a job creates their invoices.

    `batch_id` was made with the preview: a second submission returns the same batch. Raises
    RefusedError: "forbidden", "validation" without any valid row, "too_many_requests".
    """
    member.require(Permission.ISSUE)
    async with ctx.db.read() as tx:
        known = await imports.get(tx, batch_id)
    if known is not None:
        return _own(member, known)
    rows = planned.valid_rows
    if not rows:
        raise validation_error(Problem("file", "no_valid_rows"))
    await ctx.limiter.require(INVOICE_IMPORTS, member.shop_id)
    now_us = ctx.now_us()
    batch = Batch(
        id=batch_id,
        shop_id=member.shop_id,
        file_name=file_name[:MAX_FILE_NAME],
        service_id=planned.service_id,
        created_by=member.actor,
        created_at_us=now_us,
        total=len(rows),
    )
    stored = await asyncio.to_thread(_encrypted_rows, ctx, batch, rows)
    try:
        async with ctx.db.write() as tx:
            await changes.write(tx, domain.start(batch, stored), now_us)
            await audit_log.record(
                ctx, tx, member, Deed.INVOICES_IMPORTED, batch_id, count=len(rows)
            )
    except (ConflictError, StaleError):
        async with ctx.db.read() as tx:
            known = await imports.get(tx, batch_id)
        if known is None:
            raise
        return _own(member, known)  # the other half of a double click was faster
    return replace(batch, version=1)


def _encrypted_rows(ctx: Context, batch: Batch, rows: list[PlannedRow]) -> list[BatchRow]:
    found = []
    for position, row in enumerate(rows):
        row_id = f"{batch.id}.{position:05}"
        content = msgspec.to_builtins(row.content)
        column = EncryptedColumn.IMPORT_CONTENT
        encrypted = ctx.cipher.encrypt(content, column, row_id)
        found.append(BatchRow(row_id, batch.id, row.number, encrypted))
    return found


def _own(member: Member, batch: Batch | None) -> Batch:
    if batch is None or batch.shop_id != member.shop_id:
        raise RefusedError("not_found", what="import")
    return batch


async def get_details(ctx: Context, member: Member, batch_id: str) -> BatchDetails:
    """Return a batch with its rows. Raises RefusedError("not_found")."""
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        batch = _own(member, await imports.get(tx, batch_id))
        rows: list[BatchRow] = []
        for status in (RowStatus.NOT_VOIDED, RowStatus.REFUSED):
            rows += await imports.list_rows(tx, batch_id, MAX_LISTED_ROWS, status=status)
        known = {row.id for row in rows}
        others = await imports.list_rows(tx, batch_id, MAX_LISTED_ROWS)
        rows += [row for row in others if row.id not in known]
    return BatchDetails(batch, rows[:MAX_LISTED_ROWS])


async def list_batches(ctx: Context, member: Member) -> list[Batch]:
    """Return the shop's latest batches."""
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        return await imports.list_for_shop(tx, member.shop_id, MAX_LISTED)


async def undo(ctx: Context, member: Member, batch_id: str) -> Batch:
    """Void the invoices of a batch that are not paid; a job does it. May be repeated.

    Raises RefusedError: "forbidden", "not_found", "import_running" before all are created.
    """
    member.require(Permission.ISSUE)
    now_us = ctx.now_us()
    async with ctx.db.write() as tx:
        batch = _own(member, await imports.lock(tx, batch_id))
        if batch.status in (Status.UNDOING, Status.UNDONE):
            return batch
        undoing = domain.undo(batch)
        await changes.write(tx, Change((undoing,), jobs=(domain.job(undoing),)), now_us)
        await audit_log.record(ctx, tx, member, Deed.IMPORT_UNDONE, batch_id)
    return replace(undoing, version=batch.version + 1)


async def advance(ctx: Context, batch_id: str) -> int | None:
    """Job invoice_import.advance: create or void the next rows; return when to go on."""
    async with ctx.db.read() as tx:
        batch = await imports.get(tx, batch_id)
    if batch is None or not batch.is_running:
        return None
    end_us = ctx.now_us() + SLICE_US
    # The right was checked when the batch was requested.
    member = Member(batch.created_by, batch.shop_id, Role.OPERATOR)
    is_creating = batch.status is Status.CREATING
    waiting = RowStatus.QUEUED if is_creating else RowStatus.CREATED
    async with ctx.db.read() as tx:
        questions, service_id = await _service_questions(tx, batch.shop_id, batch.service_id or "")
    while True:
        if ctx.now_us() >= end_us:
            return ctx.now_us()
        async with ctx.db.read() as tx:
            rows = await imports.list_rows(tx, batch_id, STEP_ROWS, status=waiting)
        try:
            ended = [
                await _create(ctx, member, row, questions, service_id)
                if is_creating
                else await _void(ctx, member, row)
                for row in rows
            ]
        except RowChangedError:
            return ctx.now_us()
        is_last = len(rows) < STEP_ROWS
        statuses = [row.status for row in ended]
        updated = domain.advanced(batch, statuses, is_last=is_last, now_us=ctx.now_us())
        try:
            await changes.commit(ctx.db, Change((updated, *ended)), ctx.now_us())
        except ConflictError:  # an erasure has refused rows meanwhile: read them again
            return ctx.now_us()
        if is_last:
            return None
        batch = replace(updated, version=batch.version + 1)


async def _create(
    ctx: Context,
    member: Member,
    row: BatchRow,
    questions: tuple[Question, ...],
    service_id: str | None,
) -> BatchRow:
    """Return the row with the result of its invoice."""
    values = ctx.cipher.decrypt(row.content_encrypted, EncryptedColumn.IMPORT_CONTENT, row.id)
    content = msgspec.convert(values, RowContent)
    idempotency = Idempotency(member.shop_id, f"import:{row.id}", row.id, 201, render_id)
    try:
        customer_id = await find_customer(ctx, member, row, content)
        draft = build_draft(content, questions, service_id, customer_id)
        response, _ = await run_once(
            ctx,
            idempotency,
            lambda: invoices.create(ctx, member, draft, idempotency=idempotency),
        )
    except RefusedError as refused:
        code = refused.problems[0].code if refused.problems else refused.code
        field_name = refused.problems[0].field if refused.problems else ""
        problem = f"{field_name}:{code}"
        return replace(row, status=RowStatus.REFUSED, problem=problem, content_encrypted="")
    return replace(row, status=RowStatus.CREATED, invoice_id=response.body, content_encrypted="")


async def find_customer(
    ctx: Context, member: Member, row: BatchRow, content: RowContent
) -> str | None:
    """Return the customer of a row, found or created by its contacts; None without contacts.

    Raises RowChangedError when the row waits no longer.
    """
    contacts = []
    if content.vk_id is not None:
        contacts.append(vk_contact(content.vk_id))
    if content.email:
        contacts.append(Contact(IdentityKind.EMAIL, content.email))
    if content.phone:
        contacts.append(Contact(IdentityKind.PHONE, content.phone))
    if not contacts:
        return None
    async with ctx.db.write() as tx:
        stored = await imports.lock_row(tx, row.id)
        if stored is None or stored.status is not RowStatus.QUEUED:
            raise RowChangedError  # its client must not come back after the erasure
        return await attach(ctx, tx, member.shop_id, contacts)


async def _void(ctx: Context, member: Member, row: BatchRow) -> BatchRow:
    try:
        await invoices.void(ctx, member, row.invoice_id)
    except RefusedError as refused:
        return replace(row, status=RowStatus.NOT_VOIDED, problem=f":{refused.code}")
    return replace(row, status=RowStatus.VOIDED)
