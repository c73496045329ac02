"""`sigma demo`: Sigma, its worker and the sandbox world in one process.

The optional sandbox is imported by the command, so that the command line works without it.
"""

import shutil
from pathlib import Path

import click

from sigma.cli.output import CliError, errors_as_messages, sandbox_required, t
from sigma.cli.servers import bind_socket
from sigma.logs import configure
from sigma.store.private_files import FILE_MODE, protect_dir, set_mode

MARKER_FILE = ".sigma-demo"  # only a folder with this file is deleted by --fresh


@click.command(help=t("cli.demo"))
@click.option("--port", type=click.IntRange(1, 65510), default=8000, help=t("cli.port_option"))
@click.option(
    "--data", type=click.Path(path_type=Path), default=Path("var/demo"), help=t("cli.demo_data")
)
@click.option("--fresh", is_flag=True, help=t("cli.fresh"))
def demo(port: int, data: Path, fresh: bool) -> None:
    """Run Sigma, a bank, VKontakte and a mailbox, with a shop that is ready to sell."""
    with errors_as_messages():
        with sandbox_required():
            from sigma.cli import demo_server
        configure("warning", "console")
        with bind_socket("127.0.0.1", port) as sock:
            for sandbox_port in (port + 1, port + 25):
                bind_socket("127.0.0.1", sandbox_port).close()  # report a busy port before starting
            _prepare_data_dir(data, fresh)
            demo_server.run(sock, port, data)


def _prepare_data_dir(data: Path, fresh: bool) -> None:
    """Create the demo's folder; with `fresh` delete it first.

    Raises CliError for a folder that was not created by a demo.
    """
    if fresh and data.exists():
        if not (data / MARKER_FILE).exists() and any(data.iterdir()):
            raise CliError(t("cli.not_a_demo", data=data))
        shutil.rmtree(data)
    protect_dir(data)
    (data / MARKER_FILE).touch()
    for file in data.iterdir():
        if file.is_file() and not file.is_symlink():
            set_mode(file, FILE_MODE)  # also of an older version
    (data / "demo.json").unlink(missing_ok=True)  # its existence means that the demo is ready
