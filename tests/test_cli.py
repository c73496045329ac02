"""The command line: trouble is one line and exit code 2; records are made and shown."""

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
from sigma.store.schema.migrate import upgrade

KEY = "0123456789abcdef0123456789abcdef"
NOBODY = "postgresql://sigma:hunter2@127.0.0.1:1/sigma"  # nothing listens on port 1


def sigma(*words: str, given: str = "", **environ: str) -> Result:
    """Runs a command in this process; English unless LANG says otherwise."""
    usual = {"LANG": "C", "LC_ALL": "", "SIGMA_SECRET_KEY": KEY}
    return CliRunner().invoke(main, words, input=given, env=usual | environ, catch_exceptions=False)


def one_line(result: Result) -> str:
    """The clear line of a command that could not do it."""
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line


@pytest.fixture
def shop(sqlite_database_url: str) -> dict[str, str]:
    """The environment of a database with a shop in it."""
    environ = {"SIGMA_DATABASE_URL": sqlite_database_url}
    made = sigma(
        *("user", "create", "--login", "owner@example.org", "--shop-name", "Студия"),
        given="a long password\na long password\n",
        **environ,
    )
    assert made.exit_code == 0, made.output
    return environ


@pytest.mark.parametrize("command", ["serve", "worker", "migrate", "invoice show x", "key create"])
def test_an_unreachable_database_is_one_line(command: str) -> None:
    line = one_line(sigma(*command.split(), SIGMA_DATABASE_URL=NOBODY))
    assert "connect" in line
    assert "hunter2" not in line


@pytest.mark.parametrize("command", ["serve", "worker", "migrate", "doctor", "key create"])
def test_a_bad_setting_is_one_line(command: str) -> None:
    line = one_line(sigma(*command.split(), SIGMA_PORT="http"))
    assert line == "sigma: SIGMA_PORT: give a whole number from 1 to 65535."


def test_the_line_is_russian_where_the_terminal_is() -> None:
    line = one_line(sigma("serve", SIGMA_PORT="http", LANG="ru_RU.UTF-8"))
    assert line.startswith("sigma: SIGMA_PORT: ")
    assert re.search("[а-я]", line)


def test_an_unmigrated_database_is_one_line(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/sigma.db"
    for command in ("worker", "key create"):
        assert "sigma migrate" in one_line(sigma(*command.split(), SIGMA_DATABASE_URL=url))


def test_without_a_secret_key_serve_says_how_to_make_one(sqlite_database_url: str) -> None:
    line = one_line(sigma("serve", SIGMA_SECRET_KEY="", SIGMA_DATABASE_URL=sqlite_database_url))
    assert "SIGMA_SECRET_KEY" in line
    assert "secrets.token_urlsafe" in line


@pytest.mark.parametrize("command", ["serve", "demo --data {tmp}/demo"])
def test_a_taken_port_is_one_line(command: str, tmp_path: Path, sqlite_database_url: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(min(taken.getsockname()[1], 65510))
        words = command.format(tmp=tmp_path).split()
        ended = run(*words, "--port", port, SIGMA_DATABASE_URL=sqlite_database_url)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert port in ended.stderr


def test_migrate_says_where_the_database_is_now(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/deep/sigma.db"
    first, again = (sigma("migrate", SIGMA_DATABASE_URL=url) for _ in range(2))
    assert (first.exit_code, again.exit_code) == (0, 0)
    assert "now" in first.stdout
    assert "already" in again.stdout


def test_there_is_one_first_owner(shop: dict[str, str]) -> None:
    again = sigma(
        *("user", "create", "--login", "b@example.org", "--shop-name", "B"),
        given="a long password\na long password\n",
        **shop,
    )
    assert again.exit_code == 2


def test_an_invoice_is_issued_and_shown(shop: dict[str, str]) -> None:
    made = sigma(
        *("invoice", "create", "--title", "Маникюр", "--amount", "1 500,50", "--ask", "email!"),
        **shop,
    )
    assert made.exit_code == 0, made.stderr
    assert "http://127.0.0.1:8000/i/" in made.stdout
    invoice_id = re.findall(r"inv_\w+", made.stdout)[0]
    shown = sigma("invoice", "show", invoice_id, **shop)
    assert "Маникюр" in shown.stdout
    assert re.search(r"status +open", shown.stdout)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--title", "x", "--amount", "none"], "--amount"),
        (["--title", " ", "--amount", "1"], "title"),
        (["--title", "x", "--amount", "1", "--ask", "shoe"], "--ask shoe"),
    ],
)
def test_an_invoice_that_cannot_be_is_one_line(
    shop: dict[str, str], words: list[str], told: str
) -> None:
    assert told in one_line(sigma("invoice", "create", *words, **shop))


def test_what_is_not_there_is_one_line(shop: dict[str, str]) -> None:
    for kind in ("invoice", "payment"):
        one_line(sigma(kind, "show", "inv_none", **shop))


def test_a_key_is_printed_alone_so_that_a_script_can_take_it(shop: dict[str, str]) -> None:
    made = sigma("key", "create", "--name", "Касса", **shop)
    assert re.fullmatch(r"sk_[\w-]{43}\n", made.stdout)
    assert "Keep" in made.stderr


def test_the_doctor_tells_what_to_do(shop: dict[str, str]) -> None:
    told = sigma("doctor", **shop)
    assert told.exit_code == 1
    assert re.search(r"^ok +database", told.stdout, re.MULTILINE)
    assert re.search(r"^!! +mail.*SIGMA_SMTP_URL", told.stdout, re.MULTILINE)
    assert re.search(r"^!! +acquirer", told.stdout, re.MULTILINE)


def test_the_doctor_sees_a_database_of_another_shape(sqlite_database_url: str) -> None:
    path = sqlite_database_url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as con:
        con.execute(
            "DROP INDEX "
            + con.execute(
                "SELECT name FROM sqlite_master WHERE type='index' AND name NOT LIKE 'sqlite_%'"
            ).fetchone()[0]
        )
    con.close()
    told = sigma("doctor", SIGMA_DATABASE_URL=sqlite_database_url)
    assert told.exit_code == 1
    assert re.search(r"^!! +database.*index", told.stdout, re.MULTILINE)


def test_every_command_explains_itself() -> None:
    def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
        found = []
        for name, command in group.commands.items():
            found.append((*path, name))
            if isinstance(command, click.Group):
                found += commands(command, (*path, name))
        return found

    for words in commands(main):
        assert sigma(*words, "--help").exit_code == 0


def environment(**more: str) -> dict[str, str]:
    """The environment of a command in a process of its own."""
    return os.environ | {"LANG": "C", "LC_ALL": "C", "SIGMA_SECRET_KEY": KEY} | more


def run(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Runs a command as a person would."""
    command = [Path(sys.executable).with_name("sigma"), *words]
    return subprocess.run(
        command, env=environment(**environ), capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_answers_and_ends_in_order(number: signal.Signals, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = tmp_path / "sigma.db"
    upgrade(f"sqlite:///{path}")
    process = subprocess.Popen(
        [Path(sys.executable).with_name("sigma"), "serve", "--port", str(port)],
        env=environment(SIGMA_DATABASE_URL=f"sqlite:///{path}"),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert answer(port, process).json() == {"status": "ok", "database": "ok", "worker": "ok"}
    finally:
        process.send_signal(number)
        _, told = process.communicate(timeout=20)
    assert process.returncode == 0, told
    assert not path.with_name("sigma.db-wal").exists(), "the database was closed"
    assert "Traceback" not in told


def answer(port: int, process: subprocess.Popen[str]) -> httpx.Response:
    """The server's first answer."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None
        try:
            return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5)
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail("the server did not answer")
