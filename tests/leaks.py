"""Looks for what must never be kept in the clear: card numbers and clients' answers."""

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
from sigma.store.schema.tables import metadata
from sigma_sandbox.bank.cards import TEST_CARDS

ANSWERS = ("client@example.net", "+79167654321", "8 916 765-43-21", "без лака")
CARDS = tuple(card.number for card in TEST_CARDS)
_EVERYTHING = {table.name: statement(select(table)) for table in metadata.sorted_tables}
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")


async def dump(db: Database) -> dict[str, str]:
    """Every column of every row as text, by table."""
    return {table.name: await _text_of(db, table) for table in metadata.sorted_tables}


async def _text_of(db: Database, table: Table) -> str:
    async with db.read() as tx:
        rows = await tx.fetch_all(_EVERYTHING[table.name])
    return "\n".join(f"{c.name}={row[c.name]}" for row in rows for c in table.columns)


def leaks(text: str, answers: Iterable[str] = ANSWERS) -> list[str]:
    """What of the forbidden stands in a text, also escaped as in JSON or grouped as on a card."""
    plain = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text).casefold()
    digits = re.sub(r"(?<=\d)[ \-\u00a0](?=\d)", "", plain)
    found = [answer for answer in answers if answer.casefold() in plain]
    return found + [number for number in CARDS if number in digits]


@contextmanager
def kept_log() -> Iterator[io.StringIO]:
    """All that is logged inside, at the chattiest level, as the server would write it."""
    before, level = logging.root.handlers[:], logging.root.level
    stream = io.StringIO()
    logs.configure("debug", "json", stream)
    try:
        yield stream
    finally:
        logging.root.handlers[:] = before
        logging.root.setLevel(level)
        structlog.reset_defaults()
