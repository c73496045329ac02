"""Commands for services: import of a price list. They call the web's services."""

from pathlib import Path
from typing import Any

import click
import msgspec

from sigma.cli.data import SHOP_OPTION, owner_of_shop, run_with_context
from sigma.cli.output import CliError, t, terminal_translator
from sigma.domain.catalogue.price_headers import Meaning
from sigma.domain.catalogue.price_list import ChangeKind, PlannedChange, count_by_kind
from sigma.domain.catalogue.service import Service
from sigma.domain.errors import RefusedError
from sigma.services.catalogue import price_list_import
from sigma.services.catalogue.price_list_files import MAX_BYTES
from sigma.services.catalogue.price_list_import import ImportChoices, PriceList
from sigma.services.context import Context

MEANINGS = ", ".join(Meaning)


@click.group(help=t("cli.service"))
def service() -> None:
    """Services of the shop."""


@service.command("import", help=t("cli.service_import"))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help=t("cli.dry_run"))
@click.option("--json", "as_json", is_flag=True, help=t("cli.json"))
@click.option("--sheet", default=None, help=t("cli.sheet"))
@click.option("--column", "columns", multiple=True, help=t("cli.column", meanings=MEANINGS))
@SHOP_OPTION
def service_import(
    file: Path,
    dry_run: bool,
    as_json: bool,
    sheet: str | None,
    columns: tuple[str, ...],
    shop_id: str | None,
) -> None:
    """Import a price list and print what each row changed, or would change."""

    async def run(ctx: Context) -> tuple[PriceList, list[PlannedChange]] | RefusedError:
        member = await owner_of_shop(ctx, shop_id)
        try:
            book = await price_list_import.read(_read_file(file), file.name)
            found = await price_list_import.parse(book, ImportChoices(sheet))
        except RefusedError as error:
            return error
        if columns:
            meanings = _parse_columns(columns, found)
            found = await price_list_import.parse(book, ImportChoices(sheet, meanings))
        planned = await price_list_import.preview(ctx, member, found.rows)
        if not dry_run:
            await price_list_import.apply(ctx, member, found.rows)
        return found, planned

    result = run_with_context(run)
    if isinstance(result, RefusedError):
        document = refusal_document(result)
        if as_json:
            click.echo(msgspec.json.format(msgspec.json.encode(document)).decode())
        raise CliError(f"{file}: {document['error']}")
    found, planned = result
    if as_json:
        document = import_document(found, planned)
        click.echo(msgspec.json.format(msgspec.json.encode(document)).decode())
    else:
        _print_plan(found, planned, dry_run=dry_run)


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)  # one byte too many is refused as too large


def _parse_columns(options: tuple[str, ...], found: PriceList) -> dict[int, str]:
    """Parse "HEADER=MEANING" options. Raises CliError for an unknown header or meaning."""
    index_by_header = {column.header: column.index for column in found.columns}
    meanings = {}
    for option in options:
        header, _, meaning = option.rpartition("=")
        if header not in index_by_header or meaning not in {*Meaning, ""}:
            raise CliError(
                t(
                    "cli.column_unknown",
                    option=option,
                    headers=", ".join(index_by_header),
                    meanings=MEANINGS,
                )
            )
        meanings[index_by_header[header]] = meaning
    return meanings


def import_document(found: PriceList, planned: list[PlannedChange]) -> dict[str, Any]:
    """Return the import as JSON values: columns, rows, and what is left out with the reason."""
    by_number = {row.row_number: row for row in found.rows}
    counts = count_by_kind(planned)
    return {
        "columns": {c.header: str(c.meaning) if c.meaning else None for c in found.columns},
        "rows": [_row_document(change, by_number[change.row_number].values) for change in planned],
        "counts": {str(kind): count for kind, count in counts.items()},
        "left_out": {
            "columns": {
                c.header: t(f"services.left_out_{c.left_out}")
                for c in found.columns
                if c.meaning is None and c.example
            },
            "rows": [
                {
                    "row": skipped.row_number,
                    "text": skipped.text,
                    "reason": str(skipped.reason),
                }
                for skipped in found.skipped
            ],
            "sheets": [
                {"name": s.name, "rows": s.row_count, "hidden": s.is_hidden}
                for s in found.sheets
                if not s.is_used
            ],
        },
    }


def _row_document(change: PlannedChange, values: dict[str, Any]) -> dict[str, Any]:
    current = change.service
    category = current.category if current else values.get("category")
    return {
        "row": change.row_number,
        "title": current.title if current else change.title,
        "price": _price_document(current, values),
        "category": category or None,
        "description": current.description if current else values.get("description", ""),
        "external_id": (current.external_id if current else values.get("external_id")) or None,
        "change": str(change.kind),
        "changed": list(change.changed_columns),
        "error": _error_text(change),
    }


def _price_document(current: Service | None, values: dict[str, Any]) -> dict[str, Any] | None:
    """Return the price of the service, or of an invalid row whose price was readable."""
    if current is not None:
        kind, low, high = current.price_kind, current.amount, current.max_amount
        unit = current.price_unit
    elif "price_kind" in values:
        kind, low, high = values["price_kind"], values["amount"], values["max_amount"]
        unit = values["price_unit"]
    else:
        return None
    either = low or high
    return {
        "kind": str(kind),
        "value": low.to_decimal_text() if low else None,
        "currency": either.currency if either else None,
        "max": high.to_decimal_text() if high else None,
        "unit": unit or None,
    }


def _error_text(change: PlannedChange) -> str | None:
    translator = terminal_translator()
    texts = []
    for problem in change.problems:
        key = f"services.column_{problem.field}"
        name = f"{translator.t(key)}: " if translator.has(key) else ""
        texts.append(f"{name}{translator.problem_text(problem)}")
    return " ".join(texts) or None


def _print_plan(found: PriceList, planned: list[PlannedChange], *, dry_run: bool) -> None:
    translator = terminal_translator()
    for column in found.columns:
        meaning = f"services.column_{column.meaning}" if column.meaning else ""
        what = t(meaning) if meaning else t(f"services.left_out_{column.left_out}")
        click.echo(f"{column.header}: {what}")
    for change in planned:
        if change.kind is not ChangeKind.UNCHANGED:
            what = translator.t(f"services.csv_{change.kind}")
            click.echo(f"{change.row_number}  {what}  {change.title}  {_error_text(change) or ''}")
    for skipped in found.skipped:
        click.echo(
            f"{skipped.row_number}  {t(f'services.skipped_{skipped.reason}')}  {skipped.text}"
        )
    for sheet in found.sheets:
        if not sheet.is_used:
            click.echo(t("services.sheet_left_out", sheet=sheet.name, rows=sheet.row_count))
    counts = {str(kind): count for kind, count in count_by_kind(planned).items()}
    click.echo(translator.t("services.csv_counts", **counts))
    click.echo(t("services.csv_nothing_yet" if dry_run else "cli.imported"))


def refusal_document(error: RefusedError) -> dict[str, Any]:
    """Return the document of a file that could not be read."""
    translator = terminal_translator()
    text = " ".join(translator.problem_text(problem) for problem in error.problems)
    return {"columns": {}, "rows": [], "error": text or translator.refusal_text(error)}
