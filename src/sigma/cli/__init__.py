"""The command `sigma`. An expected error is one line on stderr and exit code 2."""

import click

from sigma.cli.lazy_group import LazyGroup
from sigma.cli.output import CliError, t

COMMANDS = {
    "demo": "sigma.cli.demo:demo",
    "serve": "sigma.cli.servers:serve",
    "worker": "sigma.cli.servers:worker",
    "sandbox": "sigma.cli.servers:sandbox",
    "migrate": "sigma.cli.servers:migrate",
    "doctor": "sigma.cli.doctor:doctor",
    "reconcile": "sigma.cli.reconcile:reconcile",
    "totals": "sigma.cli.reconcile:totals",
    "invoice": "sigma.cli.invoice:invoice",
    "payment": "sigma.cli.data:payment",
    "key": "sigma.cli.accounts:key",
    "keys": "sigma.cli.keys:keys",
    "audit": "sigma.cli.audit:audit",
    "user": "sigma.cli.accounts:user",
    "shop": "sigma.cli.accounts:shop",
    "service": "sigma.cli.service:service",
}


class SigmaGroup(LazyGroup):
    """The command group that prints a CliError as one line."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; exit with code 2 on CliError."""
        try:
            return super().invoke(ctx)
        except CliError as error:
            click.echo(f"sigma: {error}", err=True)
            ctx.exit(2)


@click.group(cls=SigmaGroup, lazy_commands=COMMANDS, help=t("cli.help"))
@click.version_option(package_name="sigma")
def main() -> None:
    """The root command; it does nothing itself."""
