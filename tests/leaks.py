"""Find what must never be stored or logged in plain text: card numbers and clients' answers."""

import io
import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy import Table, select

from sigma import logs
from sigma.store.engine.interface import Database
from sigma.store.engine.statements import statement
from sigma.store.schema.all_tables import ALL_TABLES
from sigma_sandbox.bank.cards import TEST_CARDS

ANSWERS = ("client@example.net", "+79167654321", "8 916 765-43-21", "без лака")
CARD_NUMBERS = tuple(card.number for card in TEST_CARDS)
_SELECT_ALL = {table.name: statement(select(table)) for table in ALL_TABLES.sorted_tables}
_UNICODE_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")


async def dump_tables(db: Database) -> dict[str, str]:
    """Return each table's rows as text: one `column=value` line per column."""
    return {table.name: await _dump_table(db, table) for table in ALL_TABLES.sorted_tables}


async def _dump_table(db: Database, table: Table) -> str:
    async with db.read() as tx:
        rows = await tx.fetch_all(_SELECT_ALL[table.name])
    return "\n".join(f"{c.name}={row[c.name]}" for row in rows for c in table.columns)


def find_leaks(text: str, answers: Iterable[str] = ANSWERS) -> list[str]:
    """Return the forbidden values in `text`.

    Also finds JSON-escaped text (`\\uXXXX`) and card numbers grouped by spaces or hyphens.
    """
    plain = _UNICODE_ESCAPE.sub(lambda match: chr(int(match[1], 16)), text).casefold()
    digits = re.sub(r"(?<=\d)[ \-\u00a0](?=\d)", "", plain)
    leaked_answers = [answer for answer in answers if answer.casefold() in plain]
    return leaked_answers + [number for number in CARD_NUMBERS if number in digits]


@contextmanager
def captured_log() -> Iterator[io.StringIO]:
    """Capture the log of the block at level debug, as JSON lines, as the server writes it."""
    handlers, level = logging.root.handlers[:], logging.root.level
    stream = io.StringIO()
    logs.configure("debug", "json", stream)
    try:
        yield stream
    finally:
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
        structlog.reset_defaults()
