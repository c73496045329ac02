"""`sigma keys`: which SIGMA_SECRET_KEY stored data needs, and its rotation."""

import json
import sys
import time
from typing import Any

import click

from sigma.cli.data import run_with_context
from sigma.cli.output import t
from sigma.services.context import Context
from sigma.services.personal_data import rehashing
from sigma.services.platform import key_rotation
from sigma.services.platform.key_rotation import KeyRole, KeyUsage
from sigma.store.installation_keys import renew_keys
from sigma.store.key_rotations import Rotation

REPORT_INTERVAL_S = 1.0


@click.group(help=t("cli.keys"))
def keys() -> None:
    """Encryption keys."""


@keys.command("status", help=t("cli.keys_status"))
@click.option("--json", "as_json", is_flag=True, help=t("cli.json"))
def keys_status(as_json: bool) -> None:
    """Print how many rows need which key. Exits with 1 when rows need a missing key."""
    usages = run_with_context(key_rotation.list_usages)
    _print_usages(usages, as_json)
    sys.exit(1 if _has_problem(usages) else 0)


@keys.command("rotate", help=t("cli.keys_rotate"))
@click.option("--background", is_flag=True, help=t("cli.keys_background"))
@click.option("--json", "as_json", is_flag=True, help=t("cli.json"))
def keys_rotate(background: bool, as_json: bool) -> None:
    """Re-encrypt all rows with the first key. Exits with 1 when rows cannot be read."""
    if background:
        run_with_context(key_rotation.enqueue)
        click.echo(t("cli.keys_enqueued"), err=True)
        return
    usages = run_with_context(_rotate)
    _print_usages(usages, as_json)
    sys.exit(1 if _has_problem(usages) else 0)


@keys.command("renew", help=t("cli.keys_renew"))
def keys_renew() -> None:
    """Add keys that sign links and audit entries from the next start on."""
    run_with_context(lambda ctx: renew_keys(ctx.db, ctx.cipher, ctx.now_us()))
    click.echo(t("cli.keys_renewed"), err=True)


@keys.command("rehash", help=t("cli.keys_rehash"))
def keys_rehash() -> None:
    """Make the hashes of contacts and words anew with the renewed key."""
    count = run_with_context(rehashing.rehash)
    click.echo(t("cli.keys_rehashed", count=count), err=True)


async def _rotate(ctx: Context) -> list[KeyUsage]:
    before = await key_rotation.list_usages(ctx)
    total = sum(usage.row_count for usage in before if usage.role is KeyRole.OLD)
    rotation = await key_rotation.start(ctx)
    already, reported_s = rotation.rotated_count, time.monotonic()

    async def report(progress: Rotation) -> None:
        nonlocal reported_s
        if time.monotonic() - reported_s >= REPORT_INTERVAL_S:
            reported_s = time.monotonic()
            done = progress.rotated_count - already
            click.echo(t("cli.keys_progress", done=done, total=max(total, done)), err=True)

    progress = await key_rotation.rotate(ctx, report)
    count = progress.rotated_count - already
    click.echo(t("cli.keys_rotated", count=count), err=True)
    return await key_rotation.list_usages(ctx)


def _has_problem(usages: list[KeyUsage]) -> bool:
    return any(
        usage.damaged_count or (usage.role in (KeyRole.MISSING, KeyRole.UNKNOWN))
        for usage in usages
    )


def _print_usages(usages: list[KeyUsage], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"keys": [_usage_json(usage) for usage in usages]}, indent=1))
        return
    for usage in usages:
        role = t(f"cli.keys_role_{usage.role}")
        click.echo(f"{usage.key_id or '?':<8}  {usage.row_count:>9}  {role}")
        for column, count in usage.rows_by_column.items():
            click.echo(f"          {count:>9}  {column}")
    for usage in usages:
        click.echo(_advice(usage))


def _usage_json(usage: KeyUsage) -> dict[str, Any]:
    return {
        "id": usage.key_id,
        "role": str(usage.role),
        "rows": usage.row_count,
        "damaged": usage.damaged_count,
        "removable": usage.is_removable,
        "columns": {str(column): count for column, count in usage.rows_by_column.items()},
    }


def _advice(usage: KeyUsage) -> str:
    """Return what the administrator should do about a key."""
    values = {"key": usage.key_id or "?", "count": usage.row_count, "damaged": usage.damaged_count}
    if usage.role is KeyRole.OLD:
        name = "removable" if usage.is_removable else "needed"
        if usage.is_removable and usage.damaged_count:
            name = "removable_damaged"
        return t(f"cli.keys_{name}", **values)
    return t(f"cli.keys_advice_{usage.role}", **values)
