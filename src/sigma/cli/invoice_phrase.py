"""`sigma invoice parse`: what a phrase means. Needs no database, except with --shop."""

import json
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from sigma.cli.output import CliError, t, terminal_translator
from sigma.domain.catalogue.phrase.errors import PhraseError
from sigma.domain.catalogue.phrase.model import KnownService, Moment, Phrase
from sigma.domain.catalogue.phrase.parse import ACCEPTED, parse_phrase
from sigma.domain.catalogue.phrase.tokens import MAX_PHRASE
from sigma.domain.money import Money, MoneyError

DEFAULT_TZ = "Europe/Moscow"


@click.command("parse", help=t("cli.invoice_parse"))
@click.argument("text")
@click.option("--json", "as_json", is_flag=True, help=t("cli.parse_json"))
@click.option("--today", type=click.DateTime(["%Y-%m-%d"]), help=t("cli.parse_today"))
@click.option("--tz", default=None, help=t("cli.parse_tz"))
@click.option("--services", "services_path", type=click.Path(), help=t("cli.parse_services"))
@click.option("--currency", "currencies", multiple=True, help=t("cli.parse_currency"))
@click.option("--shop", "shop_id", default=None, help=t("cli.shop_option"))
def invoice_parse(
    text: str,
    as_json: bool,
    today: datetime | None,
    tz: str | None,
    services_path: str | None,
    currencies: tuple[str, ...],
    shop_id: str | None,
) -> None:
    """Print the amount, title, items and deadline of a phrase. Exit code 1 for a refused phrase."""
    services: Sequence[KnownService] = _read_services(services_path) if services_path else ()
    accepted: Collection[str] = {code.upper() for code in currencies} or ACCEPTED
    if shop_id:
        from sigma.cli.data import load_phrase_context

        shop_services, shop_accepted, shop_tz = load_phrase_context(shop_id)
        services, tz = services or shop_services, tz or shop_tz
        accepted = accepted if currencies else shop_accepted
    tz = _checked_zone(tz or DEFAULT_TZ)
    day = today.date() if today else datetime.now(UTC).astimezone(ZoneInfo(tz)).date()
    try:
        phrase = parse_phrase(text, day, accepted=accepted, services=services)
    except PhraseError as error:
        _print_error(error, accepted, as_json=as_json)
        click.get_current_context().exit(1)
    content = phrase_json(phrase, tz)
    if as_json:
        click.echo(json.dumps(content, ensure_ascii=False))
        return
    width = max(map(len, content))
    for name, value in content.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        click.echo(f"{name:<{width}}  {text}")


def _checked_zone(tz: str) -> str:
    try:
        return ZoneInfo(tz).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise CliError(t("cli.parse_tz_wrong", tz=tz)) from error


def _print_error(error: PhraseError, accepted: Collection[str], *, as_json: bool) -> None:
    if as_json:
        content = {"error": error.code} | ({"currency": error.currency} if error.currency else {})
        click.echo(json.dumps(content))
        return
    translator = terminal_translator()
    text = translator.t(
        f"errors.problem.phrase_{error.code}",
        currency=translator.currency_name(error.currency) if error.currency else "",
        accepted=translator.currency_names(accepted),
        max=MAX_PHRASE,
    )
    click.echo(text, err=True)


def phrase_json(phrase: Phrase, tz: str) -> dict[str, Any]:
    """Return the meaning of a phrase as JSON values.

    Amounts are decimal texts, `until` is RFC 3339 in the time zone. `visit`, `choices`, `service`
    and `services` are present only when the phrase has them.
    """
    known = phrase.amount or (phrase.choices[0] if phrase.choices else None)
    content: dict[str, Any] = {
        "amount": _decimal(phrase.amount),
        "currency": known.currency if known else None,
        "title": phrase.title,
        "items": [
            {
                "name": item.name,
                "quantity": f"{item.quantity:f}",
                "price": _decimal(item.price),
                "amount": _decimal(item.amount),
            }
            for item in phrase.items
        ],
        "until": phrase.deadline.at(tz).isoformat() if phrase.deadline else None,
        "ask": [str(ask) for ask in phrase.ask],
    }
    optional = {
        "visit": _visit_json(phrase.visit, tz) if phrase.visit else None,
        "choices": [_decimal(choice) for choice in phrase.choices],
        "service": phrase.service and (phrase.service.id or phrase.service.title),
        "services": [service.id or service.title for service in phrase.services],
    }
    return content | {name: value for name, value in optional.items() if value}


def _decimal(amount: Money | None) -> str | None:
    return amount.to_decimal_text() if amount else None


def _visit_json(visit: Moment, tz: str) -> str:
    """Return "2026-11-25T15:00:00+03:00", "2026-11-25" or "15:00"."""
    if visit.day is None:
        return f"{visit.clock:%H:%M}" if visit.clock else visit.note
    return visit.at(tz).isoformat() if visit.clock else visit.day.isoformat()


def _read_services(path: str) -> list[KnownService]:
    """Read a JSON list of services, also as the API returns it. Raises CliError."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        rows = content["data"] if isinstance(content, dict) else content
        return [_known_service(row) for row in rows]
    except OSError as error:
        raise CliError(f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, MoneyError) as error:
        raise CliError(t("cli.parse_services_wrong", path=path)) from error


def _known_service(row: dict[str, Any]) -> KnownService:
    price: Any = row.get("price", row.get("amount"))
    currency = row.get("currency", "RUB")
    if isinstance(price, dict):
        price, currency = price.get("value"), price.get("currency", currency)
    money = None if price is None else Money.parse(str(price), currency)
    is_fixed = row.get("price_kind", "fixed") == "fixed"
    return KnownService(str(row["title"]), money, is_fixed, str(row.get("id", "")))
