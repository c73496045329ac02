"""`python -m bench.export URL`: export the payments of a seeded shop (`python -m bench.seed`).

Prints seconds, rows per second, seconds of CPU time, and the memory of this process and of the one
that renders, for both formats. `--libraries N`: instead, N rows with our writer, openpyxl
(write_only) and XlsxWriter (constant_memory).
"""

import argparse
import asyncio
import resource
import time
from pathlib import Path

import openpyxl
import xlsxwriter

from bench.stage import open_harness
from sigma.documents.tables import xlsx_table
from sigma.documents.tables.columns import Column, ColumnKind, TableFormat
from sigma.domain.exports.export import FileFormat, Kind
from sigma.domain.lists.filters import PaymentFilter
from sigma.logs import configure
from sigma.services.exports import exports, files
from sigma.services.exports.exports import ExportRequest

MEBIBYTE = 1024 * 1024


def memory_mb() -> tuple[float, float]:
    """Return the peaks of resident memory of this process and of its ended children, in MB."""
    own, children = (
        resource.getrusage(who).ru_maxrss / 1024
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own, children


def cpu_s() -> float:
    """Return the CPU time of this process and of its ended children, in seconds."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in usage)


async def export(url: str, formats: list[FileFormat], target: Path | None) -> None:
    """Export all payments once in each format; write the files to `target` if it is given."""
    async with open_harness(url, pool_size=4) as harness:
        ctx, member = harness.ctx, harness.member
        for file_format in formats:
            before_mb, before_cpu_s = memory_mb()[0], cpu_s()
            start_s = time.perf_counter()
            wanted = ExportRequest(Kind.PAYMENTS, file_format, PaymentFilter())
            made = await exports.request(ctx, member, wanted)
            while made.is_running:
                await exports.make(ctx, made.id)
                made = await exports.get(ctx, member, made.id)
            made_s = time.perf_counter() - start_s
            opened = await files.open_file(ctx, member, made.id)
            start_s = time.perf_counter()
            size_bytes = 0
            with (target / opened.name if target else Path("/dev/null")).open("wb") as out:
                async for chunk in opened.chunks:
                    size_bytes += len(chunk)
                    out.write(chunk)
            download_s = time.perf_counter() - start_s
            await asyncio.sleep(1)  # the process of the last slice ends
            own_mb, child_mb = memory_mb()
            print(
                f"{file_format:<5}{made.total:>9} rows {made_s:7.1f} s"
                f" {made.total / made_s:8.0f} rows/s {size_bytes / MEBIBYTE:8.1f} MiB"
                f" download {download_s:5.1f} s CPU {cpu_s() - before_cpu_s:5.1f} s"
                f" memory {before_mb:.0f} -> {own_mb:.0f} MB, process {child_mb:.0f} MB"
            )


def compare_libraries(count: int) -> None:
    """Write `count` rows of 17 columns with our own writer, openpyxl and XlsxWriter.

    Prints CPU seconds: those of the clock say more about the other programs of a machine.
    """
    kinds = [ColumnKind.TEXT] * 12 + [ColumnKind.MONEY] * 3 + [ColumnKind.INTEGER] * 2
    table = TableFormat(tuple(Column(f"C{n}", kind) for n, kind in enumerate(kinds)), "ru", "UTC")
    row = ["Маникюр с покрытием"] * 12 + [150_000] * 3 + [42] * 2

    def ours() -> None:
        for first in range(0, count, 2000):
            part = [row] * min(2000, count - first)
            xlsx_table.compress(xlsx_table.sheet_rows(table, part, first + 2))

    def by_openpyxl() -> None:
        book = openpyxl.Workbook(write_only=True)
        sheet = book.create_sheet()
        for _ in range(count):
            sheet.append(row)
        book.save("/dev/null")

    def by_xlsxwriter() -> None:
        # As the statement is written: inline strings, rows on disk.
        book = xlsxwriter.Workbook("/dev/null", {"constant_memory": True})
        sheet = book.add_worksheet()
        for number in range(count):
            sheet.write_row(number, 0, row)
        book.close()

    for name, write in (("ours", ours), ("openpyxl", by_openpyxl), ("XlsxWriter", by_xlsxwriter)):
        start_s = cpu_s()
        write()
        spent_s = cpu_s() - start_s
        print(f"{name:<11}{spent_s:6.1f} s of CPU, {count / spent_s:8.0f} rows/s")


def main() -> None:
    """Parse the options and measure."""
    parser = argparse.ArgumentParser(prog="python -m bench.export", description=__doc__)
    parser.add_argument("url", nargs="?")
    parser.add_argument("--format", choices=list(FileFormat), action="append")
    parser.add_argument("--to", type=Path, help="folder for the files")
    parser.add_argument("--libraries", type=int, metavar="N")
    args = parser.parse_args()
    configure("warning")
    if args.libraries:
        compare_libraries(args.libraries)
    if args.url:
        formats = [FileFormat(one) for one in args.format or FileFormat]
        asyncio.run(export(args.url, formats, args.to))


if __name__ == "__main__":
    main()
