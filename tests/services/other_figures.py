"""The figures of a period from outside: the HTTP API, the exported table, the statement's file."""

import csv
import io
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl

from sigma.domain.exports.export import FileFormat as ExportFormat
from sigma.domain.exports.export import Kind
from sigma.domain.lists.filters import PaymentFilter
from sigma.domain.reports.periods import Period
from sigma.services.exports import exports, files
from sigma.services.exports.exports import ExportRequest
from sigma.services.reports.statement_files import FileFormat, download
from tests.web.api_harness import open_api_client
from tests.world import World

Captures = list[tuple[int, int, int, int]]  # captured at (UTC us), amount, fee, refunded: minor

_MOMENT = "%d.%m.%Y %H:%M:%S"


async def exported_payments(world: World) -> Captures:
    """Export the captured payments as CSV, and read the file as a spreadsheet program does."""
    wanted = ExportRequest(Kind.PAYMENTS, ExportFormat.CSV, PaymentFilter(status="captured"))
    made = await exports.request(world.ctx, world.member, wanted)
    await world.run_jobs()
    opened = await files.open_file(world.ctx, world.member, made.id)
    text = b"".join([chunk async for chunk in opened.chunks]).decode("utf-8-sig")
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=";")
    zone = ZoneInfo(world.shop.tz)
    return [
        (
            _microseconds(datetime.strptime(row["Оплачен"], _MOMENT).replace(tzinfo=zone)),
            _minor(row["Сумма"].replace(",", ".")),
            _minor(row["Комиссия"].replace(",", ".")),
            _minor(row["Возвращено"].replace(",", ".")),
        )
        for row in rows
    ]


async def payments_of_the_api(world: World) -> Captures:
    """Read all captured payments over HTTP. The API does not name fees: they are 0 here."""
    found: Captures = []
    async with open_api_client(world) as api:
        query = "?status=captured&limit=10"
        page: dict[str, Any] = {"next_cursor": ""}
        while (cursor := page["next_cursor"]) is not None:
            response = await api.get(f"/payments{query}" + (f"&cursor={cursor}" if cursor else ""))
            assert response.status_code == 200, response.text
            page = response.json()
            found += [
                (
                    _microseconds(datetime.fromisoformat(one["captured_at"])),
                    _minor(one["amount"]["value"]),
                    0,
                    _minor(one["refunded"]["value"]),
                )
                for one in page["data"]
            ]
    return found


async def workbook_sums(world: World, period: Period) -> tuple[int, int, int, int]:
    """Return gross, refunds, fees and net of the operations in the file for an accountant."""
    data = await download(world.ctx, world.member, world.shop, period, FileFormat.XLSX, "ru")
    sheet = openpyxl.load_workbook(io.BytesIO(data)).worksheets[1]
    gross, refunds, fees, net = (
        sum(_minor(str(cell)) for (cell,) in columns if cell is not None)
        for columns in (
            sheet.iter_rows(2, None, column, column, values_only=True) for column in range(7, 11)
        )
    )
    return gross, refunds, fees, net


def _minor(text: str) -> int:
    minor = Decimal(text or "0") * 100
    assert minor == int(minor), text
    return int(minor)


def _microseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)
