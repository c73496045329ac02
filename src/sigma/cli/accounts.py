"""Commands for shops, people and API keys: `sigma shop|user|key`.

They act with the rights of the installation. `--json` prints one JSON value on stdout.
"""

from dataclasses import replace
from typing import Any

import click
import msgspec

from sigma.cli.data import SHOP_OPTION, key, owner_of_shop, run_with_context, shop, user
from sigma.cli.output import CliError, t, terminal_translator
from sigma.domain.accounts.api_key import COMMAND_LINE, MAX_LIFETIME_DAYS, ApiKey
from sigma.domain.accounts.member import ALL_SCOPES, Role, Scope
from sigma.domain.accounts.shop import Shop
from sigma.domain.origin import Origin
from sigma.domain.text_cleaning import clean_text
from sigma.services.accounts import api_keys, installation, own_shops
from sigma.services.accounts.installation import Administrator, NewMember, NewShop, Person
from sigma.services.context import Context
from sigma.services.paging import MAX_LIMIT
from sigma.texts.formats import rfc3339

__all__ = ["key", "shop", "user"]

ADMINISTRATOR = Administrator(COMMAND_LINE)
JSON_OPTION = click.option("--json", "as_json", is_flag=True, help=t("cli.json"))


def _print_json(document: Any) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(document)).decode())


def _time(at_us: int | None) -> str | None:
    return rfc3339(at_us) if at_us else None


@shop.command("create", help=t("cli.shop_create"))
@click.option("--name", type=clean_text, required=True, help=t("cli.shop_name"))
@click.option("--owner", type=clean_text, required=True, help=t("cli.shop_owner"))
@JSON_OPTION
def shop_create(name: str, owner: str, as_json: bool) -> None:
    """Create a shop; print the link for its owner unless the owner has an account."""

    async def create(ctx: Context) -> NewShop:
        return await installation.create_shop(ctx, ADMINISTRATOR, name, owner)

    created = run_with_context(create)
    document = {
        "id": created.shop.id,
        "name": created.shop.name,
        "owner": created.owner_login,
        "invitation_url": created.invitation_url or None,
    }
    if as_json:
        _print_json(document)
        return
    click.echo(created.shop.id)
    if created.invitation_url:
        click.echo(created.invitation_url)
        click.echo(t("cli.invited", login=created.owner_login), err=True)


@shop.command("list", help=t("cli.shop_list"))
@click.option("--query", type=clean_text, default="", help=t("cli.shop_query"))
@JSON_OPTION
def shop_list(query: str, as_json: bool) -> None:
    """Print all shops, the newest first."""

    async def read(ctx: Context) -> list[Shop]:
        found: list[Shop] = []
        cursor: str | None = ""
        while cursor is not None:
            page = await installation.list_shops(
                ctx, ADMINISTRATOR, limit=MAX_LIMIT, cursor=cursor, query=query
            )
            found += page.data
            cursor = page.next_cursor
        return found

    found = run_with_context(read)
    if as_json:
        _print_json([_shop_document(one) for one in found])
        return
    for one in found:
        click.echo(f"{one.id}  {terminal_translator().date(one.created_at_us)}  {one.name}")


def _shop_document(one: Shop) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "created_at": _time(one.created_at_us),
        "quotas": msgspec.to_builtins(one.quotas),
    }


@user.command("add", help=t("cli.user_add"))
@click.argument("email", type=clean_text)
@click.option("--shop", "shop_id", default=None, help=t("cli.shop_option"))
@click.option(
    "--role", type=click.Choice([str(one) for one in Role]), default=None, help=t("cli.role")
)
@click.option("--administrator", is_flag=True, help=t("cli.administrator"))
@JSON_OPTION
def user_add(
    email: str, shop_id: str | None, role: str | None, administrator: bool, as_json: bool
) -> None:
    """Add a person to a team: an account at once, anybody else by an invitation link."""
    if role is None and not administrator:
        raise CliError(t("cli.role_missing", roles=", ".join(Role)))

    async def add(ctx: Context) -> NewMember | None:
        if administrator:
            await installation.add_administrator(ctx, ADMINISTRATOR, email)
        if role is None:
            return None
        member = await owner_of_shop(ctx, shop_id)
        return await installation.add_member(ctx, ADMINISTRATOR, member.shop_id, email, Role(role))

    added = run_with_context(add)
    if added is None:
        if as_json:
            _print_json({"email": email.lower(), "administrator": True})
        return
    document = {
        "email": added.login,
        "shop_id": added.shop_id,
        "role": str(added.role),
        "status": "invited" if added.invitation_url else "added",
        "invitation_url": added.invitation_url or None,
    }
    if as_json:
        _print_json(document)
    elif added.invitation_url:
        click.echo(added.invitation_url)
        click.echo(t("cli.invited", login=added.login), err=True)


@user.command("remove-administrator", help=t("cli.user_remove_administrator"))
@click.argument("email", type=clean_text)
def user_remove_administrator(email: str) -> None:
    """Take the right of an administrator of the installation; roles in shops stay."""

    async def remove(ctx: Context) -> None:
        await installation.remove_administrator(ctx, ADMINISTRATOR, email)

    run_with_context(remove)


@user.command("list", help=t("cli.user_list"))
@click.option("--shop", "shop_id", default=None, help=t("cli.user_list_shop"))
@JSON_OPTION
def user_list(shop_id: str | None, as_json: bool) -> None:
    """Print all people with their shops and roles, or those of one shop."""

    async def read(ctx: Context) -> list[Person]:
        if shop_id is not None:
            await owner_of_shop(ctx, shop_id)
        return await installation.list_people(ctx, ADMINISTRATOR, shop_id)

    people = run_with_context(read)
    if as_json:
        _print_json([_person_document(person) for person in people])
        return
    for person in people:
        roles = ", ".join(f"{shop}: {role}" for shop, role in person.roles.items())
        click.echo(f"{person.id}  {person.login}  {person.name}  {roles}")


def _person_document(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "email": person.login,
        "name": person.name,
        "administrator": person.is_administrator,
        "shops": [
            {"shop_id": shop_id, "role": str(role)} for shop_id, role in person.roles.items()
        ],
    }


@key.command("create", help=t("cli.key_create"))
@click.option("--name", type=clean_text, default="cli", help=t("cli.key_name"))
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([str(one) for one in Scope]),
    multiple=True,
    help=t("cli.key_scope"),
)
@click.option(
    "--days", type=click.IntRange(1, MAX_LIFETIME_DAYS), default=None, help=t("cli.key_days")
)
@click.option("--address", "addresses", multiple=True, help=t("cli.key_address"))
@SHOP_OPTION
@JSON_OPTION
def key_create(
    name: str,
    scopes: tuple[str, ...],
    days: int | None,
    addresses: tuple[str, ...],
    shop_id: str | None,
    as_json: bool,
) -> None:
    """Create a key and print it. It is shown only once."""

    async def create(ctx: Context) -> tuple[ApiKey, str]:
        origin = Origin(agent="sigma key create")
        maker = await owner_of_shop(ctx, shop_id)
        return await api_keys.create(
            ctx,
            replace(maker, origin=origin),
            name,
            scopes=tuple(Scope(scope) for scope in scopes) or ALL_SCOPES,
            lifetime_days=days,
            networks=" ".join(addresses),
            origin=origin,
        )

    created, secret = run_with_context(create)
    if as_json:
        _print_json(_key_document(created) | {"key": secret})
    else:
        click.echo(secret)
    click.echo(t("cli.key_once"), err=True)


@key.command("list", help=t("cli.key_list"))
@SHOP_OPTION
@JSON_OPTION
def key_list(shop_id: str | None, as_json: bool) -> None:
    """Print the keys of a shop, the newest first, including revoked ones."""

    async def read(ctx: Context) -> list[ApiKey]:
        return await api_keys.list_for_shop(ctx, await owner_of_shop(ctx, shop_id))

    keys = run_with_context(read)
    if as_json:
        _print_json([_key_document(one) for one in keys])
        return
    for one in keys:
        state = t("cli.key_revoked") if one.revoked_at_us else ", ".join(one.scopes)
        click.echo(f"{one.id}  {one.prefix}…  {one.name}  {state}")


def _key_document(one: ApiKey) -> dict[str, Any]:
    return {
        "id": one.id,
        "shop_id": one.shop_id,
        "name": one.name,
        "prefix": one.prefix,
        "scopes": [str(scope) for scope in one.scopes],
        "addresses": list(one.allowed_networks),
        "created_by": one.created_by,
        "created_at": _time(one.created_at_us),
        "expires_at": _time(one.expires_at_us),
        "last_used_at": _time(one.used_at_us),
        "revoked_at": _time(one.revoked_at_us),
    }


@key.command("revoke", help=t("cli.key_revoke"))
@click.argument("key_id")
def key_revoke(key_id: str) -> None:
    """Revoke a key; it stops working at once."""

    async def revoke(ctx: Context) -> None:
        shop_id = await own_shops.find_shop_id(ctx, key_id)
        member = await owner_of_shop(ctx, shop_id)
        await api_keys.revoke(ctx, member, key_id)

    run_with_context(revoke)
