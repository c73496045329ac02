"""The command `sigma`. An expected error is one line on stderr and exit code 2."""

import click

from sigma.cli import data, demo, doctor, reconcile, servers
from sigma.cli.output import CliError, t


class SigmaGroup(click.Group):
    """The command group that prints a CliError as one line."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; exit with code 2 on CliError."""
        try:
            return super().invoke(ctx)
        except CliError as error:
            click.echo(f"sigma: {error}", err=True)
            ctx.exit(2)


@click.group(cls=SigmaGroup, help=t("cli.help"))
@click.version_option(package_name="sigma")
def main() -> None:
    """The root command; it does nothing itself."""


for command in (
    demo.demo,
    servers.serve,
    servers.worker,
    servers.sandbox,
    servers.migrate,
    doctor.doctor,
    reconcile.reconcile,
    data.invoice,
    data.payment,
    data.key,
    data.user,
    data.shop,
):
    main.add_command(command)
