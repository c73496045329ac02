"""Columns of a table, and how their raw values are read: shared by CSV and XLSX."""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

_DECIMAL = re.compile(r"-?\d{1,15}(?:[.,]\d{1,10})?", re.ASCII)
_LEADING_ZERO = re.compile(r"-?0\d")
# Control characters have no place in a cell; XML cannot hold them, nor lone surrogates.
_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]"
)
MAX_CELL_CHARS = 32_767  # of Excel


class ColumnKind(StrEnum):
    """What the values of a column are. None is an empty cell in every kind."""

    TEXT = "text"  # str; always stays text
    INTEGER = "integer"  # int
    MONEY = "money"  # int: minor units, of currencies with two decimals
    MOMENT = "moment"  # int: UTC microseconds, shown in the zone of the table
    NUMBER = "number"  # str: a decimal number, or else a text
    DATE = "date"  # str: an ISO date, or else a text


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its header and the kind of its values."""

    title: str
    kind: ColumnKind = ColumnKind.TEXT


@dataclass(frozen=True, slots=True)
class TableFormat:
    """How the values of a table are written: columns, "ru" or "en", an IANA time zone."""

    columns: tuple[Column, ...]
    locale: str
    tz: str

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of moments."""
        return ZoneInfo(self.tz)


Row = Sequence[Any]


def clean_cell(text: str) -> str:
    """Return a text without characters that a cell cannot hold, cut to what Excel can hold."""
    return _UNPRINTABLE.sub("", text[:MAX_CELL_CHARS])


def decimal_text(value: str) -> str | None:
    """Return a number with a point, or None for a text, such as one with leading zeros."""
    if not _DECIMAL.fullmatch(value) or _LEADING_ZERO.match(value):
        return None
    return value.replace(",", ".")


def money_text(minor: int) -> str:
    """Return minor units as a decimal number with a point and two decimals."""
    sign, minor = ("-", -minor) if minor < 0 else ("", minor)
    return f"{sign}{minor // 100}.{minor % 100:02}"


def local_time(at_us: int, zone: ZoneInfo) -> dt.datetime:
    """Return a time in UTC microseconds as local wall time, to the second."""
    return dt.datetime.fromtimestamp(at_us // 1_000_000, zone)


def iso_date(value: str) -> dt.date | None:
    """Return the date of an ISO text, or None."""
    try:
        return dt.date.fromisoformat(value)
    except ValueError:
        return None
