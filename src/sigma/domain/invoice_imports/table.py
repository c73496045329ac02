"""Read the rows of a table as invoices: what its columns mean, what is wrong with each row."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from sigma.domain.billing.invoice import Draft, check_draft
from sigma.domain.billing.question import Question, parse_email, parse_phone
from sigma.domain.errors import Problem
from sigma.domain.lists.amount import parse_amount
from sigma.domain.lists.period import parse_bound
from sigma.domain.local_time import start_of_day
from sigma.domain.money import Money
from sigma.domain.text_cleaning import clean_text
from sigma.domain.time_units import SECOND_US

MAX_ROWS = 5000  # invoices of one import
_VK_ID = re.compile(r"(?:(?:https?://)?(?:m\.)?vk\.(?:com|ru)/)?(?:id)?(\d{1,12})", re.ASCII)


class Meaning(StrEnum):
    """What a column of the table holds."""

    TITLE = "title"
    AMOUNT = "amount"
    DESCRIPTION = "description"
    EMAIL = "email"
    PHONE = "phone"
    VK = "vk"
    EXPIRES = "expires"
    METADATA = "metadata"  # its header is the key


# Words that a header begins with, those of _WHOLE_WORDS not as a part of a longer word: «до 5 мая»
# and not «договор». The first meaning that fits is taken.
_WHOLE_WORDS = frozenset({"vk", "вк", "тел", "моб", "до", "due", "sum", "for", "valid"})
_HEADERS: Mapping[Meaning, tuple[str, ...]] = {
    Meaning.EMAIL: ("e-mail", "email", "почта", "эл. почта", "электронная почта"),
    Meaning.PHONE: ("тел", "телефон", "phone", "моб", "мобильн"),
    Meaning.VK: ("vk", "вк", "вконтакте", "id vk"),
    Meaning.EXPIRES: ("срок", "действует", "оплатить до", "expir", "valid", "due", "до"),
    Meaning.DESCRIPTION: ("опис", "коммент", "descr", "details"),
    Meaning.AMOUNT: ("сумма", "цена", "стоимость", "amount", "price", "sum", "total", "итог"),
    Meaning.TITLE: ("назв", "за что", "услуг", "товар", "title", "for", "name", "назначение"),
}


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of the file. `meaning` None: it is left out. `example`: its first value."""

    index: int
    header: str
    meaning: Meaning | None
    example: str


@dataclass(frozen=True, slots=True)
class RowContent:
    """What a row asks for. Contacts are normalized; they name the customer of the invoice."""

    title: str
    amount_minor: int
    currency: str = "RUB"
    description: str = ""
    expires_at_us: int | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    email: str = ""
    phone: str = ""
    vk_id: int | None = None


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """A row of the preview. `number`: as the spreadsheet program counts it."""

    number: int
    content: RowContent
    problems: tuple[Problem, ...] = ()


def guess_columns(rows: Sequence[Sequence[str]]) -> tuple[TableColumn, ...]:
    """Return the columns of a table whose first row has the headers."""
    headers = rows[0] if rows else ()
    taken: set[Meaning] = set()
    columns = []
    for index, header in enumerate(headers):
        meaning = _guess(header)
        if meaning in taken:
            meaning = None
        if meaning is not None:
            taken.add(meaning)
        values = (row[index] for row in rows[1:] if index < len(row) and row[index])
        columns.append(TableColumn(index, header, meaning, next(values, "")[:80]))
    return tuple(columns)


def _guess(header: str) -> Meaning | None:
    folded = clean_text(header).casefold()
    for meaning, words in _HEADERS.items():
        if any(_begins_with(folded, word) for word in words):
            return meaning
    return None


def _begins_with(text: str, word: str) -> bool:
    is_longer_word = text[len(word) : len(word) + 1].isalpha()
    return text.startswith(word) and not (word in _WHOLE_WORDS and is_longer_word)


def with_meanings(
    columns: Sequence[TableColumn], meanings: Mapping[int, str]
) -> tuple[TableColumn, ...]:
    """Return the columns with the meanings that a member chose: index → name, "" leaves one out."""
    known = {str(one): one for one in Meaning}
    return tuple(
        TableColumn(
            one.index,
            one.header,
            known.get(meanings[one.index]) if one.index in meanings else one.meaning,
            one.example,
        )
        for one in columns
    )


def missing_meanings(columns: Sequence[TableColumn]) -> tuple[Meaning, ...]:
    """Return the meanings that an import cannot do without and no column has."""
    found = {one.meaning for one in columns}
    return tuple(one for one in (Meaning.TITLE, Meaning.AMOUNT) if one not in found)


def plan_rows(
    rows: Sequence[Sequence[str]],
    numbers: Sequence[int],
    columns: Sequence[TableColumn],
    questions: tuple[Question, ...],
    *,
    tz: str,
    now_us: int,
) -> list[PlannedRow]:
    """Return the rows under the headers with their problems; empty rows are left out."""
    planned = []
    for number, row in zip(numbers[1:], rows[1:], strict=True):
        if any(row):
            planned.append(_plan_row(number, row, columns, questions, tz, now_us))
    return planned


def _plan_row(
    number: int,
    row: Sequence[str],
    columns: Sequence[TableColumn],
    questions: tuple[Question, ...],
    tz: str,
    now_us: int,
) -> PlannedRow:
    cells: dict[Meaning, str] = {}
    metadata: dict[str, str] = {}
    for column in columns:
        value = clean_text(row[column.index], multiline=True) if column.index < len(row) else ""
        if column.meaning is Meaning.METADATA and value:
            metadata[clean_text(column.header)] = value
        elif column.meaning is not None and value:
            cells.setdefault(column.meaning, value)
    problems: list[Problem] = []
    content = RowContent(
        title=" ".join(cells.get(Meaning.TITLE, "").split()),
        amount_minor=_amount(cells.get(Meaning.AMOUNT, ""), problems),
        description=cells.get(Meaning.DESCRIPTION, ""),
        expires_at_us=_expiry(cells.get(Meaning.EXPIRES, ""), tz, problems),
        metadata=metadata,
        email=_email(cells.get(Meaning.EMAIL, ""), problems),
        phone=_phone(cells.get(Meaning.PHONE, ""), problems),
        vk_id=_vk_id(cells.get(Meaning.VK, ""), problems),
    )
    known = {problem.field for problem in problems}
    draft_problems = check_draft(build_draft(content, questions), now_us)
    problems += [one for one in draft_problems if one.field not in known]
    return PlannedRow(number, content, tuple(problems))


def build_draft(
    content: RowContent,
    questions: tuple[Question, ...],
    service_id: str | None = None,
    customer_id: str | None = None,
) -> Draft:
    """Return the invoice of a row."""
    return Draft(
        title=content.title,
        amount=Money(content.amount_minor, content.currency),
        description=content.description,
        questions=questions,
        expires_at_us=content.expires_at_us,
        metadata=content.metadata,
        service_id=service_id,
        customer_id=customer_id,
    )


def _amount(text: str, problems: list[Problem]) -> int:
    readings = parse_amount(text)
    if not text:
        problems.append(Problem("amount", "required"))
    elif len(readings) != 1:
        problems.append(Problem("amount", "money_ambiguous" if readings else "money_format"))
    return readings[0] if len(readings) == 1 else 0


def _expiry(text: str, tz: str, problems: list[Problem]) -> int | None:
    """Return the last second of a day in the shop's zone, or a time of RFC 3339."""
    if not text:
        return None
    bound = parse_bound(text)
    if bound is None:
        problems.append(Problem("expires_at", "date"))
        return None
    if isinstance(bound, int):
        return bound
    return start_of_day(bound + timedelta(days=1), tz) - SECOND_US


def _email(text: str, problems: list[Problem]) -> str:
    email = parse_email(text) if text else ""
    if email is None:
        problems.append(Problem("email", "email"))
    return email or ""


def _phone(text: str, problems: list[Problem]) -> str:
    phone = parse_phone(text) if text else ""
    if isinstance(phone, Problem):
        problems.append(phone)
        return ""
    return phone


def _vk_id(text: str, problems: list[Problem]) -> int | None:
    if not text:
        return None
    match = _VK_ID.fullmatch(text.strip("/ @"))
    if match is None or not 0 < int(match[1]) < 2**31:
        problems.append(Problem("vk", "vk_id"))
        return None
    return int(match[1])
