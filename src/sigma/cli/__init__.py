"""The command `sigma`: a thin door for a person at a terminal.

Trouble is one clear line and exit code 2.
"""

import click

from sigma.cli import data, demo, doctor, servers
from sigma.cli.output import Trouble, t


class Sigma(click.Group):
    """Turns what went wrong on the way into one line."""

    def invoke(self, ctx: click.Context) -> object:
        """Runs a command."""
        try:
            return super().invoke(ctx)
        except Trouble as trouble:
            click.echo(f"sigma: {trouble}", err=True)
            ctx.exit(2)


@click.group(cls=Sigma, help=t("cli.help"))
@click.version_option(package_name="sigma")
def main() -> None:
    """The commands below this one do the work."""


for command in (
    demo.demo,
    servers.serve,
    servers.worker,
    servers.sandbox,
    servers.migrate,
    doctor.doctor,
    data.invoice,
    data.payment,
    data.key,
    data.user,
    data.shop,
):
    main.add_command(command)
