"""`sigma audit`: verify the audit log, and print it."""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from sigma.cli.data import owner_of_shop, run_with_context
from sigma.cli.output import CliError, t
from sigma.domain.audit.entry import INSTALLATION, Entry
from sigma.services.context import Context
from sigma.services.platform import audit_verification
from sigma.services.platform.audit_verification import ChainResult
from sigma.store.audit import entries

REPORT_INTERVAL_S = 1.0
BATCH_SIZE = 500


@click.group(help=t("cli.audit"))
def audit() -> None:
    """The audit log."""


@audit.command("verify", help=t("cli.audit_verify"))
@click.option("--shop", "shop_id", default=None, help=t("cli.audit_shop"))
@click.option(
    "--against",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    default=None,
    help=t("cli.audit_against"),
)
@click.option("--json", "as_json", is_flag=True, help=t("cli.json"))
def audit_verify(shop_id: str | None, against: Path | None, as_json: bool) -> None:
    """Verify every entry of every chain, or of one. Exits with 1 when something was changed."""
    known = read_known_macs(against) if against else {}
    progress = _Progress()

    async def verify(ctx: Context) -> list[ChainResult]:
        if shop_id not in (None, INSTALLATION):
            await owner_of_shop(ctx, shop_id)  # a mistyped id must not look intact
        return await audit_verification.verify(ctx, shop_id, known=known, report=progress.report)

    results = run_with_context(verify)
    if as_json:
        click.echo(json.dumps(result_json(results), indent=1))
    else:
        _print_results(results)
    sys.exit(1 if any(result.fault_count for result in results) else 0)


@audit.command("list", help=t("cli.audit_list"))
@click.option("--shop", "shop_id", default=INSTALLATION, help=t("cli.audit_list_shop"))
@click.option("--json", "as_json", is_flag=True, help=t("cli.json"))
def audit_list(shop_id: str, as_json: bool) -> None:
    """Print the entries of one chain, the oldest first: a line, or a JSON document, for each."""

    async def print_all(ctx: Context) -> None:
        after_number = 0
        while True:
            async with ctx.db.read() as tx:
                batch = await entries.list_after(tx, shop_id, after_number, BATCH_SIZE)
            for entry in batch:
                click.echo(_entry_line(entry, as_json=as_json))
            if len(batch) < BATCH_SIZE:
                return
            after_number = batch[-1].number

    run_with_context(print_all)


def _entry_line(entry: Entry, *, as_json: bool) -> str:
    if as_json:
        fields = {name: getattr(entry, name) for name in Entry.__slots__}
        return json.dumps(fields | {"detail": json.loads(entry.detail)}, ensure_ascii=False)
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(entry.occurred_at_us / 1_000_000))
    parts = (entry.number, when, entry.deed, entry.actor or "-", entry.subject or "-")
    return "  ".join(map(str, (*parts, entry.address or "-", entry.detail)))


@dataclass
class _Progress:
    """Prints how many entries are checked, once a second, to stderr."""

    reported_s: float = 0.0
    chain: str = ""
    finished_count: int = 0
    chain_count: int = 0

    async def report(self, chain: str, count: int) -> None:
        """Count the entries checked in a chain so far."""
        if chain != self.chain:
            self.finished_count += self.chain_count
            self.chain = chain
        self.chain_count = count
        now_s = time.monotonic()
        if not self.reported_s:
            self.reported_s = now_s
        if now_s - self.reported_s >= REPORT_INTERVAL_S:
            self.reported_s = now_s
            total = self.finished_count + count
            click.echo(t("cli.audit_progress", count=total, chain=chain), err=True)


def read_known_macs(path: Path) -> dict[str, dict[int, str]]:
    """Read chain → number → MAC from an earlier `--json` output, or from Sigma's log (JSON lines).

    Raises CliError when the file has none.
    """
    known: dict[str, dict[int, str]] = {}
    for record in _read_records(path.read_text(encoding="utf-8", errors="replace")):
        chain, number, mac = (record.get(name) for name in ("chain", "number", "mac"))
        if isinstance(chain, str) and isinstance(number, int) and isinstance(mac, str) and number:
            known.setdefault(chain, {})[number] = mac
    if not known:
        raise CliError(t("cli.audit_no_ends", file=path))
    return known


def _read_records(text: str) -> Iterator[dict[str, Any]]:
    try:
        document = json.loads(text)
    except ValueError:
        for line in text.splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict) and record.get("event") == "audit.end":
                yield record
        return
    records = document.get("chains", [document]) if isinstance(document, dict) else []
    yield from (record for record in records if isinstance(record, dict))


def result_json(results: list[ChainResult]) -> dict[str, Any]:
    """Return the `--json` document; each chain's `number` and `mac` are its end."""
    return {
        "ok": not any(result.fault_count for result in results),
        "chains": [
            {
                "chain": result.chain,
                "entries": result.entry_count,
                "first_number": result.first_number,
                "number": result.last_number,
                "mac": result.last_mac,
                "fault_count": result.fault_count,
                "faults": [
                    {"kind": str(fault.kind), "number": fault.number} for fault in result.faults
                ],
            }
            for result in results
        ],
    }


def _print_results(results: list[ChainResult]) -> None:
    for result in results:
        click.echo(
            t(
                "cli.audit_chain",
                chain=result.chain,
                count=result.entry_count,
                number=result.last_number,
                mac=result.last_mac or "-",
            )
        )
        for fault in result.faults:
            click.echo("  " + t(f"cli.audit_fault_{fault.kind}", number=fault.number))
        if (more := result.fault_count - len(result.faults)) > 0:
            click.echo("  " + t("cli.audit_more", count=more))
    faulty = sum(bool(result.fault_count) for result in results)
    click.echo(t("cli.audit_bad", count=faulty) if faulty else t("cli.audit_ok"))
