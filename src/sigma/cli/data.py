"""Commands about records: invoices, payments, keys, people, the shop; the pages' own services."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click

from sigma.cli.output import Trouble, plainly, settings, t, words
from sigma.domain.accounts.member import Member, Role
from sigma.domain.billing.invoice import Draft, Invoice
from sigma.domain.billing.question import BUILT_IN, Kind, Question
from sigma.domain.errors import Problem
from sigma.main import check_migrated, open_context
from sigma.services.accounts import api_keys, users
from sigma.services.billing import invoices, payments
from sigma.services.context import Context
from sigma.store.accounts import shops as shop_rows
from sigma.web import forms

T = TypeVar("T")


def run(act: Callable[[Context], Awaitable[T]]) -> T:
    """Opens Sigma for one wish."""
    with plainly():
        loaded = settings()
        check_migrated(loaded)

        async def inside() -> T:
            async with open_context(loaded) as ctx:
                return await act(ctx)

        return asyncio.run(inside())


async def member_of(ctx: Context, shop_id: str | None) -> Member:
    """Acts for a shop (the first one, if none is named) with an owner's rights. Raises Trouble."""
    async with ctx.db.read() as tx:
        shop = await (shop_rows.get(tx, shop_id) if shop_id else shop_rows.first(tx))
    if shop is None:
        raise Trouble(t("cli.no_shop"))
    return Member("cli", shop.id, Role.OWNER)


def _show(**facts: object) -> None:
    width = max(map(len, facts))
    for name, value in facts.items():
        click.echo(f"{name:<{width}}  {value}")


SHOP = click.option("--shop", "shop_id", default=None, help=t("cli.shop_option"))


@click.group(help=t("cli.invoice"))
def invoice() -> None:
    """Invoices."""


@invoice.command("create", help=t("cli.invoice_create"))
@click.option("--title", required=True, help=t("cli.title"))
@click.option("--amount", required=True, help=t("cli.amount"))
@click.option("--currency", default="RUB")
@click.option("--description", default="", help=t("cli.description"))
@click.option("--ask", multiple=True, help=t("cli.ask"))
@click.option("--return-url", default="", help=t("cli.return_url"))
@click.option("--max-payments", type=int, default=1, help=t("cli.max_payments"))
@SHOP
def invoice_create(
    title: str,
    amount: str,
    currency: str,
    description: str,
    ask: tuple[str, ...],
    return_url: str,
    max_payments: int,
    shop_id: str | None,
) -> None:
    """Issues an invoice and prints its link."""
    read = forms.read_money(amount, "amount", currency)
    if isinstance(read, Problem):
        raise Trouble(f"--amount: {words().problem(read)}")
    draft = Draft(
        title=title,
        amount=read,
        description=description,
        questions=tuple(_question(text) for text in ask),
        max_payments=max_payments or None,
        return_url=return_url,
    )

    async def act(ctx: Context) -> tuple[Invoice, str]:
        made = await invoices.create(ctx, await member_of(ctx, shop_id), draft)
        return made, invoices.payment_url(ctx, made)

    made, url = run(act)
    _show(id=made.id, number=made.number, amount=words().money(made.amount), url=url)


def _question(text: str) -> Question:
    """ "email" or "email!" (required). Raises Trouble for anything else."""
    key, required = text.rstrip("!"), text.endswith("!")
    if key not in BUILT_IN:
        raise Trouble(t("cli.ask_unknown", asked=key, keys=", ".join(BUILT_IN)))
    return Question(key, Kind(key), required=required)


@invoice.command("show", help=t("cli.invoice_show"))
@click.argument("invoice_id")
@SHOP
def invoice_show(invoice_id: str, shop_id: str | None) -> None:
    """Prints one invoice."""

    async def act(ctx: Context) -> tuple[Invoice, str, list[Any]]:
        member = await member_of(ctx, shop_id)
        found = await invoices.get(ctx, member, invoice_id)
        paid = await payments.listing(ctx, member, invoice_id=invoice_id, limit=100)
        return found, invoices.payment_url(ctx, found), paid.data

    found, url, paid = run(act)
    say = words()
    _show(
        id=found.id,
        number=found.number,
        status=found.status,
        title=found.title,
        amount=say.money(found.amount),
        created=say.datetime(found.created_at),
        url=url,
    )
    for row in paid:
        click.echo(f"{row.payment.id}  {row.payment.status}  {say.money(row.payment.amount)}")


@click.group(help=t("cli.payment"))
def payment() -> None:
    """Payments."""


@payment.command("show", help=t("cli.payment_show"))
@click.argument("payment_id")
@SHOP
def payment_show(payment_id: str, shop_id: str | None) -> None:
    """Prints one payment; answers stay where they are."""

    async def act(ctx: Context) -> payments.Details:
        return await payments.details(ctx, await member_of(ctx, shop_id), payment_id)

    found, say = run(act), words()
    one = found.payment
    _show(
        id=one.id,
        invoice=found.invoice.number,
        status=f"{one.status}{' (unknown)' if one.unknown else ''}",
        amount=say.money(one.amount),
        refunded=say.money(found.refunded),
        card=one.method.mask if one.method else "",
        attention=one.attention or "",
        created=say.datetime(one.created_at),
    )
    for line in found.timeline:
        click.echo(f"{say.datetime(line.at)}  {line.kind}")


@click.group(help=t("cli.key"))
def key() -> None:
    """Keys for programs."""


@key.command("create", help=t("cli.key_create"))
@click.option("--name", default="cli", help=t("cli.key_name"))
@SHOP
def key_create(name: str, shop_id: str | None) -> None:
    """Prints a new key, once."""

    async def act(ctx: Context) -> str:
        return (await api_keys.create(ctx, await member_of(ctx, shop_id), name))[1]

    click.echo(run(act))
    click.echo(t("cli.key_once"), err=True)


@click.group(help=t("cli.user"))
def user() -> None:
    """People."""


@user.command("create", help=t("cli.user_create"))
@click.option("--login", required=True, help=t("cli.login"))
@click.option("--name", default="", help=t("cli.user_name"))
@click.option("--shop-name", required=True, help=t("cli.shop_name"))
@click.password_option(help=t("cli.password"))
def user_create(login: str, name: str, shop_name: str, password: str) -> None:
    """Makes the first owner and the shop, as the first page in the browser would."""

    async def act(ctx: Context) -> users.Signed:
        return await users.first_owner(
            ctx, login=login, password=password, name=name, shop_name=shop_name
        )

    signed = run(act)
    _show(user=signed.user.id, shop=signed.shop.id)


@click.group(help=t("cli.shop"))
def shop() -> None:
    """The shop."""


@shop.command("show", help=t("cli.shop_show"))
@SHOP
def shop_show(shop_id: str | None) -> None:
    """Prints what clients see of the shop."""

    async def act(ctx: Context) -> Any:
        member = await member_of(ctx, shop_id)
        async with ctx.db.read() as tx:
            return await shop_rows.get(tx, member.shop_id)

    found = run(act)
    seller = found.seller
    _show(id=found.id, name=found.name, seller=seller.full_name, inn=seller.inn, tz=found.tz)
