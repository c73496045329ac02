"""Commands for invoices and payments, the first user, the shop. They call the web's services.

`sigma.cli.accounts` adds further commands to the groups of users, shops and API keys.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click

from sigma.cli.output import CliError, errors_as_messages, read_settings, t, terminal_translator
from sigma.domain.accounts.member import Member, Role
from sigma.domain.billing.invoice import Draft, Invoice
from sigma.domain.billing.question import BUILT_IN_KINDS, Question, QuestionKind
from sigma.domain.catalogue.phrase.known_services import known_service
from sigma.domain.catalogue.phrase.model import KnownService
from sigma.domain.errors import Problem, RefusedError
from sigma.domain.text_cleaning import clean_text
from sigma.logs import configure_for_command
from sigma.main import check_migrated, open_context
from sigma.services.accounts import first_owner, users
from sigma.services.authentication import password_resets, second_factors
from sigma.services.billing import invoices, payments
from sigma.services.billing.payment_details import PaymentDetails, get_details
from sigma.services.billing.payment_limits import accepted_currencies, list_warnings
from sigma.services.catalogue import services
from sigma.services.context import Context
from sigma.services.paging import MAX_LIMIT
from sigma.store.accounts import shops as shop_rows
from sigma.web import forms

T = TypeVar("T")


def run_with_context(action: Callable[[Context], Awaitable[T]]) -> T:
    """Open a context and run one async action in it. Raises CliError."""
    with errors_as_messages():
        loaded = read_settings()
        configure_for_command()
        check_migrated(loaded)

        async def inside() -> T:
            async with open_context(loaded) as ctx:
                return await action(ctx)

        return asyncio.run(inside())


async def owner_of_shop(ctx: Context, shop_id: str | None) -> Member:
    """Return a member with owner rights in the shop with this id, or in the first shop.

    Its user id is "cli": no stored user is involved. Raises CliError when there is no such shop.
    """
    async with ctx.db.read() as tx:
        shop = await (shop_rows.get(tx, shop_id) if shop_id else shop_rows.oldest(tx))
    if shop is None:
        raise CliError(t("cli.unknown_shop", shop=shop_id) if shop_id else t("cli.no_shop"))
    return Member("cli", shop.id, Role.OWNER)


def _print_fields(**fields: object) -> None:
    width = max(map(len, fields))
    for name, value in fields.items():
        click.echo(f"{name:<{width}}  {value}")


def clean_lines(text: str) -> str:
    """Return the cleaned text of an option that may have several lines."""
    return clean_text(text, multiline=True)


SHOP_OPTION = click.option("--shop", "shop_id", default=None, help=t("cli.shop_option"))


@click.command("create", help=t("cli.invoice_create"))
@click.option("--title", type=clean_text, required=True, help=t("cli.title"))
@click.option("--amount", type=clean_text, required=True, help=t("cli.amount"))
@click.option("--currency", type=clean_text, default="RUB")
@click.option("--description", type=clean_lines, default="", help=t("cli.description"))
@click.option("--ask", type=clean_text, multiple=True, help=t("cli.ask"))
@click.option("--return-url", type=clean_text, default="", help=t("cli.return_url"))
@click.option("--max-payments", type=int, default=1, help=t("cli.max_payments"))
@SHOP_OPTION
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
    """Issue an invoice and print its link."""
    money = forms.parse_money(amount, "amount", currency)
    if isinstance(money, Problem):
        raise CliError(f"--amount: {terminal_translator().problem_text(money)}")
    draft = Draft(
        title=title,
        amount=money,
        description=description,
        questions=tuple(_parse_question(text) for text in ask),
        max_payments=max_payments or None,
        return_url=return_url,
    )

    async def create(ctx: Context) -> tuple[Invoice, str, tuple[str, ...]]:
        member = await owner_of_shop(ctx, shop_id)
        created = await invoices.create(ctx, member, draft)
        warnings = (await list_warnings(ctx, member, created))[created.id]
        return created, invoices.payment_url(ctx, created), warnings

    created, url, warnings = run_with_context(create)
    _print_fields(
        id=created.id,
        number=created.number,
        amount=terminal_translator().money(created.amount),
        url=url,
    )
    for code in warnings:
        click.echo(t(f"api.warning.{code}"), err=True)


def _parse_question(text: str) -> Question:
    """Parse "email" or "email!" (required). Raises CliError for an unknown question key."""
    key, required = text.rstrip("!"), text.endswith("!")
    if key not in BUILT_IN_KINDS:
        raise CliError(t("cli.ask_unknown", question=key, keys=", ".join(BUILT_IN_KINDS)))
    return Question(key, QuestionKind(key), required=required)


@click.command("show", help=t("cli.invoice_show"))
@click.argument("invoice_id")
@SHOP_OPTION
def invoice_show(invoice_id: str, shop_id: str | None) -> None:
    """Print one invoice and its payments."""

    async def query(ctx: Context) -> tuple[Invoice, str, list[Any]]:
        member = await owner_of_shop(ctx, shop_id)
        issued = await invoices.get(ctx, member, invoice_id)
        payment_rows: list[Any] = []
        cursor: str | None = None
        while True:
            page = await payments.list_page(
                ctx, member, invoice_id=invoice_id, limit=MAX_LIMIT, cursor=cursor
            )
            payment_rows += page.data
            if (cursor := page.next_cursor) is None:
                break
        return issued, invoices.payment_url(ctx, issued), payment_rows

    issued, url, payment_rows = run_with_context(query)
    translator = terminal_translator()
    _print_fields(
        id=issued.id,
        number=issued.number,
        status=issued.status,
        title=issued.title,
        amount=translator.money(issued.amount),
        created=translator.datetime(issued.created_at_us),
        url=url,
    )
    for row in payment_rows:
        click.echo(
            f"{row.payment.id}  {row.payment.status}  {translator.money(row.payment.amount)}"
        )


def load_phrase_context(shop_id: str) -> tuple[list[KnownService], frozenset[str], str]:
    """Return the services, the accepted currencies and the time zone of a shop. Raises CliError."""

    async def query(ctx: Context) -> tuple[list[KnownService], frozenset[str], str]:
        member = await owner_of_shop(ctx, shop_id)
        async with ctx.db.read() as tx:
            stored = await shop_rows.get(tx, member.shop_id)
        listed = await services.list_for_shop(ctx, member)
        accepted = await accepted_currencies(ctx, member)
        return [known_service(s) for s in listed], accepted, stored.tz if stored else "UTC"

    return run_with_context(query)


@click.group(help=t("cli.payment"))
def payment() -> None:
    """Payments."""


@payment.command("show", help=t("cli.payment_show"))
@click.argument("payment_id")
@SHOP_OPTION
def payment_show(payment_id: str, shop_id: str | None) -> None:
    """Print one payment, without the client's answers."""

    async def query(ctx: Context) -> PaymentDetails:
        return await get_details(ctx, await owner_of_shop(ctx, shop_id), payment_id)

    details, translator = run_with_context(query), terminal_translator()
    paid = details.payment
    _print_fields(
        id=paid.id,
        invoice=details.invoice.number,
        status=f"{paid.status}{' (unknown)' if paid.is_outcome_unknown else ''}",
        amount=translator.money(paid.amount),
        refunded=translator.money(details.refunded),
        card=paid.method.mask if paid.method else "",
        attention=paid.attention or "",
        created=translator.datetime(paid.created_at_us),
    )
    for event in reversed(details.timeline.data):
        click.echo(f"{translator.datetime(event.occurred_at_us)}  {event.kind}")


@click.group(help=t("cli.key"))
def key() -> None:
    """API keys."""


@click.group(help=t("cli.user"))
def user() -> None:
    """Users."""


@user.command("create", help=t("cli.user_create"))
@click.option("--login", type=clean_text, required=True, help=t("cli.login"))
@click.option("--name", type=clean_text, default="", help=t("cli.user_name"))
@click.option("--shop-name", type=clean_text, required=True, help=t("cli.shop_name"))
@click.password_option(help=t("cli.password"))
def user_create(login: str, name: str, shop_name: str, password: str) -> None:
    """Create the first owner and the shop, as the set-up page does."""

    async def create(ctx: Context) -> users.NewSession:
        return await first_owner.create_first_owner(
            ctx,
            login=login,
            password=password,
            name=name,
            shop_name=shop_name,
            locale=ctx.settings.locale,
        )

    signed = run_with_context(create)
    _print_fields(user=signed.user.id, shop=signed.shop.id)


@user.command("reset-password", help=t("cli.user_reset_password"))
@click.argument("email", type=clean_text)
def user_reset_password(email: str) -> None:
    """Print a one-time link for a new password. A second factor stays."""

    async def create(ctx: Context) -> str:
        try:
            return await password_resets.create_link(ctx, email)
        except RefusedError as error:
            raise CliError(t("cli.user_unknown", login=email)) from error

    click.echo(run_with_context(create))
    click.echo(t("cli.reset_link"), err=True)


@user.command("remove-second-factor", help=t("cli.user_remove_second_factor"))
@click.argument("email", type=clean_text)
def user_remove_second_factor(email: str) -> None:
    """Remove every second factor of a person who has lost them."""

    async def remove(ctx: Context) -> str:
        try:
            return (await second_factors.remove_all(ctx, email)).login
        except RefusedError as error:
            raise CliError(t("cli.user_unknown", login=email)) from error

    click.echo(t("cli.second_factor_removed", login=run_with_context(remove)))


@click.group(help=t("cli.shop"))
def shop() -> None:
    """The shop."""


@shop.command("show", help=t("cli.shop_show"))
@SHOP_OPTION
def shop_show(shop_id: str | None) -> None:
    """Print the public details of the shop."""

    async def query(ctx: Context) -> Any:
        member = await owner_of_shop(ctx, shop_id)
        async with ctx.db.read() as tx:
            return await shop_rows.get(tx, member.shop_id)

    stored = run_with_context(query)
    seller = stored.seller
    _print_fields(
        id=stored.id, name=stored.name, seller=seller.full_name, inn=seller.inn, tz=stored.tz
    )
