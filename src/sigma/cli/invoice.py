"""The group `sigma invoice`."""

import click

from sigma.cli.lazy_group import LazyGroup
from sigma.cli.output import t

COMMANDS = {
    "create": "sigma.cli.data:invoice_create",
    "show": "sigma.cli.data:invoice_show",
    "parse": "sigma.cli.invoice_phrase:invoice_parse",
}


@click.group(cls=LazyGroup, lazy_commands=COMMANDS, help=t("cli.invoice"))
def invoice() -> None:
    """Invoices."""
