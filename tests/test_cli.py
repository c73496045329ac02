"""The command line: errors are one line with exit code 2; data is created and shown."""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import click
import httpx
import pytest
from click.testing import CliRunner, Result

from sigma.cli import main
from sigma.cli.lazy_group import commands_of
from sigma.store.schema.migrate import upgrade

KEY = "m2VhK8s1QxTz7LpR4cNd9WbY3fGj6UaE"  # pragma: allowlist secret
UNREACHABLE = "postgresql://sigma:hunter2@127.0.0.1:1/sigma"  # nothing listens on port 1


def sigma(*args: str, stdin: str = "", **environ: str) -> Result:
    """Run a command in this process, in English unless `LANG` is given."""
    defaults = {"LANG": "C", "LC_ALL": "", "SIGMA_SECRET_KEY": KEY}
    return CliRunner().invoke(
        main, args, input=stdin, env=defaults | environ, catch_exceptions=False
    )


def error_line(result: Result) -> str:
    """Return the error line of a failed command; fail if it printed anything else."""
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line


@pytest.fixture
def shop(sqlite_database_url: str) -> dict[str, str]:
    """Environment variables of a database with one shop."""
    environ = {"SIGMA_DATABASE_URL": sqlite_database_url}
    result = sigma(
        *("user", "create", "--login", "owner@example.org", "--shop-name", "Студия"),
        stdin="a long password\na long password\n",
        **environ,
    )
    assert result.exit_code == 0, result.output
    return environ


@pytest.mark.parametrize("command", ["serve", "worker", "migrate", "invoice show x", "key create"])
def test_unreachable_database_gives_one_error_line_without_the_password(command: str) -> None:
    line = error_line(sigma(*command.split(), SIGMA_DATABASE_URL=UNREACHABLE))
    assert "connect" in line
    assert "hunter2" not in line


@pytest.mark.parametrize("command", ["serve", "worker", "migrate", "doctor", "key create"])
def test_bad_setting_gives_one_error_line(command: str) -> None:
    line = error_line(sigma(*command.split(), SIGMA_PORT="http"))
    assert line == "sigma: SIGMA_PORT: enter a whole number from 1 to 65535."


def test_error_line_is_russian_in_a_russian_locale() -> None:
    line = error_line(sigma("serve", SIGMA_PORT="http", LANG="ru_RU.UTF-8"))
    assert line.startswith("sigma: SIGMA_PORT: ")
    assert re.search("[а-я]", line)


def test_unmigrated_database_error_names_the_migrate_command(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/sigma.db"
    for command in ("worker", "key create"):
        assert "sigma migrate" in error_line(sigma(*command.split(), SIGMA_DATABASE_URL=url))


def test_serve_without_secret_key_explains_how_to_make_one(sqlite_database_url: str) -> None:
    line = error_line(sigma("serve", SIGMA_SECRET_KEY="", SIGMA_DATABASE_URL=sqlite_database_url))
    assert "SIGMA_SECRET_KEY" in line
    assert "secrets.token_urlsafe" in line


@pytest.mark.parametrize("command", ["serve", "demo --data {tmp}/demo"])
def test_port_in_use_gives_one_error_line(
    command: str, tmp_path: Path, sqlite_database_url: str
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = str(min(listener.getsockname()[1], 65510))
        args = command.format(tmp=tmp_path).split()
        result = run(*args, "--port", port, SIGMA_DATABASE_URL=sqlite_database_url)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert port in result.stderr


def test_migrate_prints_whether_it_changed_the_schema(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/deep/sigma.db"
    first, second = (sigma("migrate", SIGMA_DATABASE_URL=url) for _ in range(2))
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert "now at version" in first.stdout
    assert "already" in second.stdout


def test_user_create_refuses_a_second_first_owner(shop: dict[str, str]) -> None:
    result = sigma(
        *("user", "create", "--login", "b@example.org", "--shop-name", "B"),
        stdin="a long password\na long password\n",
        **shop,
    )
    assert result.exit_code == 2


def test_invoice_is_created_and_shown(shop: dict[str, str]) -> None:
    created = sigma(
        *("invoice", "create", "--title", "Маникюр", "--amount", "1 500,50", "--ask", "email!"),
        **shop,
    )
    assert created.exit_code == 0, created.stderr
    assert "http://127.0.0.1:8000/i/" in created.stdout
    invoice_id = re.findall(r"inv_\w+", created.stdout)[0]
    details = sigma("invoice", "show", invoice_id, **shop)
    assert "Маникюр" in details.stdout
    assert re.search(r"status +open", details.stdout)


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (["--title", "x", "--amount", "none"], "--amount"),
        (["--title", " ", "--amount", "1"], "title"),
        (["--title", "\u3164\u202e", "--amount", "1"], "title"),
        (["--title", "4111 1111 1111 1111", "--amount", "1"], "title"),
        (["--title", "x", "--amount", "1", "--ask", "shoe"], "--ask shoe"),
    ],
)
def test_invalid_invoice_gives_one_error_line(
    shop: dict[str, str], args: list[str], error: str
) -> None:
    assert error in error_line(sigma("invoice", "create", *args, **shop))


def test_unknown_id_gives_one_error_line(shop: dict[str, str]) -> None:
    for kind in ("invoice", "payment"):
        error_line(sigma(kind, "show", "inv_none", **shop))


def test_key_create_prints_only_the_key_to_stdout(shop: dict[str, str]) -> None:
    result = sigma("key", "create", "--name", "Касса", **shop)
    assert re.fullmatch(r"sk_[\w-]{43}\n", result.stdout)
    assert "Save the key" in result.stderr


def test_doctor_names_what_is_missing(shop: dict[str, str]) -> None:
    result = sigma("doctor", **shop)
    assert result.exit_code == 1
    assert re.search(r"^ok +database", result.stdout, re.MULTILINE)
    assert re.search(r"^!! +mail.*SIGMA_SMTP_URL", result.stdout, re.MULTILINE)
    assert re.search(r"^!! +acquirer", result.stdout, re.MULTILINE)


def test_doctor_writes_the_reason_of_a_failed_connection_to_stderr(shop: dict[str, str]) -> None:
    result = sigma("doctor", SIGMA_SMTP_URL="smtp://127.0.0.1:1", **shop)
    assert re.search(r"^!! +mail +127.0.0.1:1", result.stdout, re.MULTILINE)
    assert "outbound.failed" not in result.stdout
    assert re.search("outbound.failed.*ConnectionRefusedError", result.stderr)


def test_doctor_warns_when_a_proxy_hides_the_addresses_of_clients(shop: dict[str, str]) -> None:
    public = shop | {"SIGMA_BASE_URL": "https://pay.example.org"}
    warning = r"^!! +proxy.*SIGMA_TRUSTED_PROXIES"
    assert re.search(warning, sigma("doctor", **public).stdout, re.MULTILINE)
    trusting = public | {"SIGMA_TRUSTED_PROXIES": "127.0.0.1"}
    assert not re.search(warning, sigma("doctor", **trusting).stdout, re.MULTILINE)


def test_unverified_database_on_another_machine_is_reported() -> None:
    url = "postgresql://sigma:pass@0.0.0.0:1/sigma"
    assert "certificate of 0.0.0.0 is not checked" in run("doctor", SIGMA_DATABASE_URL=url).stdout
    log = run("serve", SIGMA_DATABASE_URL=url).stderr
    assert "database.not_verified" in log
    assert "pass" not in log


def test_doctor_reports_a_missing_index(sqlite_database_url: str) -> None:
    path = sqlite_database_url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as con:
        con.execute(
            "DROP INDEX "
            + con.execute(
                "SELECT name FROM sqlite_master WHERE type='index' AND name NOT LIKE 'sqlite_%'"
            ).fetchone()[0]
        )
    con.close()
    result = sigma("doctor", SIGMA_DATABASE_URL=sqlite_database_url)
    assert result.exit_code == 1
    assert re.search(r"^!! +database.*index", result.stdout, re.MULTILINE)


def command_paths(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return every command of a group as its arguments, e.g. `("invoice", "show")`."""
    paths = []
    for name, command in commands_of(group).items():
        paths.append((*path, name))
        if isinstance(command, click.Group):
            paths += command_paths(command, (*path, name))
    return paths


def test_every_command_has_help() -> None:
    for args in command_paths(main):
        assert sigma(*args, "--help").exit_code == 0


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a command that runs in its own process."""
    return os.environ | {"LANG": "C", "LC_ALL": "C", "SIGMA_SECRET_KEY": KEY} | more


def run(*args: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command in its own process."""
    command = [str(Path(sys.executable).with_name("sigma")), *args]
    return subprocess.run(
        command, env=environment(**environ), capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("stop_signal", [signal.SIGTERM, signal.SIGINT])
def test_serve_is_ready_and_shuts_down_cleanly(stop_signal: signal.Signals, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = tmp_path / "sigma.db"
    upgrade(f"sqlite:///{path}")
    process = subprocess.Popen(
        [Path(sys.executable).with_name("sigma"), "serve", "--port", str(port)],
        env=environment(SIGMA_DATABASE_URL=f"sqlite:///{path}"),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert wait_until_ready(port, process).json() == {
            "status": "ok",
            "database": "ok",
            "worker": "ok",
            "encryption": "ok",
        }
    finally:
        process.send_signal(stop_signal)
        _, stderr = process.communicate(timeout=20)
    assert process.returncode == 0, stderr
    assert not path.with_name("sigma.db-wal").exists(), "the database must be closed"
    assert "Traceback" not in stderr


# Serves an application that decodes something endless for each request.
BUSY_SERVER = """
import asyncio, sys, uvloop
from sigma.cli.servers import bind_socket, serve_app
from sigma.services.platform import limited_process
from sigma.web.middleware.connections import ConnectionTable

async def app(scope, receive, send):
    if scope["type"] == "http":
        limits = limited_process.Limits(1024**3, 20, 60)
        await asyncio.to_thread(limited_process.run, sys.argv[1], data=b"", limits=limits)

app.drain = lambda: None
app.connections = ConnectionTable()
with bind_socket("127.0.0.1", 0) as sock:
    sock.listen()
    print(sock.getsockname()[1], flush=True)
    uvloop.run(serve_app(app, sock))
"""


def test_stop_does_not_wait_for_a_file_that_is_being_decoded(tmp_path: Path) -> None:
    program, started = tmp_path / "endless.py", tmp_path / "started"
    program.write_text(f"import time\nopen({str(started)!r}, 'w').close()\ntime.sleep(60)")
    process = subprocess.Popen(
        [sys.executable, "-c", BUSY_SERVER, program],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        with socket.create_connection(("127.0.0.1", int(process.stdout.readline()))) as client:
            client.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            while not started.exists():
                assert process.poll() is None, process.communicate()
                time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            _, stderr = process.communicate(timeout=60)
    finally:
        process.kill()
    # After ten seconds the process would have been forced to exit, with another code.
    assert process.returncode == 0, stderr
    assert "stop.forced" not in stderr


def wait_until_ready(port: int, process: subprocess.Popen[str]) -> httpx.Response:
    """Return the first response of /readyz."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None
        try:
            return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5)
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail("the server did not respond")


# Runs the command line as if the packages of its first argument were not installed.
WITHOUT_PACKAGES = """
import sys

missing = sys.argv.pop(1).split(",")

class MissingPackages:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.split(".")[0] in missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, MissingPackages)
"""


def run_without(
    packages: str, *args: str, code: str = "from sigma.cli import main\nmain()", **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in a process that cannot import these packages (comma-separated)."""
    return subprocess.run(
        [sys.executable, "-c", f"{WITHOUT_PACKAGES}\n{code}", packages, *args],
        env=environment(**environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("missing", "command", "locale", "text"),
    [
        ("sigma_sandbox", "demo", "C", "is not installed"),
        ("sigma_sandbox", "sandbox", "ru_RU.UTF-8", "не установлена"),
        ("aiosmtpd", "demo", "ru_RU.UTF-8", "не установлена"),
        ("aiosmtpd", "sandbox", "C", "is not installed"),
    ],
)
def test_command_without_the_sandbox_says_what_to_install(
    missing: str, command: str, locale: str, text: str, tmp_path: Path
) -> None:
    options = ["--data", str(tmp_path / "data")]
    result = run_without(missing, command, *options, LANG=locale, LC_ALL="")
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert text in line
    assert line.endswith('pip install "sigma[sandbox]"')
    assert not (tmp_path / "data").exists()


def test_every_other_command_works_without_the_sandbox(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/sigma.db"
    migrated = run_without("sigma_sandbox,aiosmtpd", "migrate", SIGMA_DATABASE_URL=url)
    assert migrated.returncode == 0, migrated.stderr
    check_help = """
from click.testing import CliRunner
from sigma.cli import main

for path in sys.argv[1:]:
    result = CliRunner().invoke(main, [*path.split(), "--help"])
    assert result.exit_code == 0, result.output
"""
    paths = [" ".join(path) for path in command_paths(main)]
    result = run_without("sigma_sandbox,aiosmtpd", *paths, code=check_help)
    assert result.returncode == 0, result.stderr
