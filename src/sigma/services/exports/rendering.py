"""Turn raw rows into a part of the file: decode, decrypt, format, compress, encrypt.

This takes nearly all the time of an export. A large one has a process of its own, so that the
pages of other people do not wait for it.
"""

import asyncio
import multiprocessing
import os
import threading
import zlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any

import msgspec

from sigma.documents.tables import csv_table, xlsx_table
from sigma.documents.tables.columns import TableFormat
from sigma.domain.billing.question import BUILT_IN_KINDS, AnswerValue
from sigma.domain.customers.customer import IdentityKind
from sigma.domain.customers.masking import DOTS, mask_contact, mask_name
from sigma.domain.exports.export import AnswerColumn, Export, FileFormat, Kind
from sigma.services.exports.columns import ANSWERS, CLIENT, COLUMNS, Raw, Scope, file_columns
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.encryption import Cipher, DecryptionError
from sigma.store.exports import rows
from sigma.store.exports.rows import Raw as RawRow
from sigma.texts import Translator

PROCESS_ROWS = 20_000  # an export with more rows has a process of its own


@dataclass(frozen=True, slots=True)
class Batch:
    """Raw rows of a part. `first_number`: position of its first row in the file, from 0."""

    part_id: str
    rows: list[RawRow]
    answers: list[RawRow]
    first_number: int
    is_last: bool


@dataclass(frozen=True, slots=True)
class RenderedPart:
    """An encrypted part of the file. `crc` continues that of the parts before it."""

    body_encrypted: str
    size_bytes: int
    compressed_bytes: int
    crc: int
    count: int


@dataclass(frozen=True, slots=True)
class PartRenderer:
    """Renders the parts of one export."""

    export: Export
    cipher: Cipher
    base_url: str
    tz: str

    def render(self, batch: Batch, crc: int) -> RenderedPart:
        """Return a part. `crc`: CRC-32 of the parts before it."""
        translator = Translator(self.export.locale, self.tz)
        columns = file_columns(self.export, translator)
        table = TableFormat(columns, self.export.locale, self.tz)
        values = self._values(batch, translator)
        data = b""
        if self.export.file_format is FileFormat.XLSX:
            if batch.first_number == 0:
                data = xlsx_table.sheet_start(table)
            data += xlsx_table.sheet_rows(table, values, batch.first_number + 2)
            if batch.is_last:
                data += xlsx_table.SHEET_END
        else:
            if batch.first_number == 0:
                data = csv_table.csv_header(table)
            data += csv_table.csv_rows(table, values)
        packed = xlsx_table.compress(data)
        body = self.cipher.encrypt(packed, EncryptedColumn.EXPORT_PART, batch.part_id)
        return RenderedPart(body, len(data), len(packed), zlib.crc32(data, crc), len(values))

    def _values(self, batch: Batch, translator: Translator) -> list[list[Any]]:
        is_payments = self.export.kind is Kind.PAYMENTS
        names = rows.PAYMENT_COLUMNS if is_payments else rows.INVOICE_COLUMNS
        scope = Scope(translator, self.base_url, self.export.created_at_us)
        chosen = [one for one in COLUMNS[self.export.kind] if one.name in self.export.columns]
        answers = self._read_answers(batch.answers)
        needs_client = CLIENT in self.export.columns
        found = []
        for raw in batch.rows:
            row = dict(zip(names, raw, strict=True))
            given = answers.get(row["id"], {})
            if needs_client:
                row["client_name"] = self._client_name(row, given)
            values: list[Any] = []
            for column in chosen:
                if column.name == ANSWERS:
                    values += self._answer_values(given, translator)
                else:
                    values.append(column.value(row, scope))
            found.append(values)
        return found

    def _read_answers(self, stored: Sequence[RawRow]) -> dict[str, dict[str, AnswerValue]]:
        found = {}
        for payment_id, answers_id, ciphertext in stored:
            if not ciphertext:
                continue
            try:
                column = EncryptedColumn.ANSWER_VALUES
                found[payment_id] = self.cipher.decrypt(ciphertext, column, answers_id)
            except DecryptionError:
                continue  # shown as empty, like on the pages
        return found

    def _client_name(self, row: Raw, given: dict[str, AnswerValue]) -> str | None:
        name = ""
        if row["client_name"]:
            try:
                column = EncryptedColumn.CUSTOMER_NAME
                name = self.cipher.decrypt(row["client_name"], column, row["client_id"])
            except DecryptionError:
                name = ""
        answered = given.get("name", "")
        name = name or (answered if isinstance(answered, str) else "")
        return (name if self.export.has_answers else mask_name(name)) or None

    def _answer_values(
        self, given: dict[str, AnswerValue], translator: Translator
    ) -> list[str | None]:
        return [
            self._answer(column, given.get(column.key), translator)
            for column in self.export.progress.answer_columns
        ]

    def _answer(
        self, column: AnswerColumn, value: AnswerValue | None, translator: Translator
    ) -> str | None:
        """Return an answer as the API gives it; masked without the right to read answers."""
        if value is None or value == "" or value == []:
            return None
        if isinstance(value, bool):
            text = translator.t("common.yes" if value else "common.no")
        else:
            text = ", ".join(value) if isinstance(value, list) else value
        if self.export.has_answers:
            return text
        if column.kind in (IdentityKind.EMAIL, IdentityKind.PHONE):
            return mask_contact(IdentityKind(column.kind), text)
        is_name = column.kind in BUILT_IN_KINDS and column.key == "name"
        return mask_name(text) if is_name else DOTS


_of_process: PartRenderer | None = None


def _start_process(renderer: PartRenderer) -> None:
    global _of_process  # noqa: PLW0603 - a process has one export
    _of_process = renderer
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the worker was killed: its queue alone would wait for ever."""
    if parent := multiprocessing.parent_process():
        wait([parent.sentinel])
        os._exit(1)


def _render(batch: Batch, crc: int) -> RenderedPart:
    assert _of_process is not None
    return _of_process.render(batch, crc)


class Rendering:
    """Renders the parts of one export outside the event loop: in a process, or in a thread."""

    def __init__(self, renderer: PartRenderer) -> None:
        self._renderer = renderer
        self._pool: ProcessPoolExecutor | None = None
        if renderer.export.total > PROCESS_ROWS:
            self._pool = ProcessPoolExecutor(
                1, multiprocessing.get_context("spawn"), _start_process, (renderer,)
            )

    async def render(self, batch: Batch, crc: int) -> RenderedPart:
        """Return a part, see PartRenderer. Raises BrokenProcessPool when the process was killed."""
        if self._pool is None:
            return await asyncio.to_thread(self._renderer.render, batch, crc)
        return await asyncio.get_running_loop().run_in_executor(self._pool, _render, batch, crc)

    def end(self) -> None:
        """End the process; what it still does is lost."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def decode_questions(questions_json: str) -> list[AnswerColumn]:
    """Return the columns of a stored set of questions."""
    return [
        AnswerColumn(one["key"], one["kind"], one.get("label", ""))
        for one in msgspec.json.decode(questions_json)
    ]
