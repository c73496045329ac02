"""`sigma user`: passwords, one-time links, lost factors; the code that `sigma serve` prints."""

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.test_cli import environment, error_line, shop, sigma, wait_until_ready

__all__ = ["shop"]  # a fixture


def test_reset_password_prints_a_one_time_link(shop: dict[str, str]) -> None:
    environ = shop | {"SIGMA_BASE_URL": "https://pay.example.org"}
    result = sigma("user", "reset-password", " Owner@example.org", **environ)
    assert result.exit_code == 0, result.output
    assert re.fullmatch(r"https://pay\.example\.org/sign-in/reset/[\w-]{43}\n", result.stdout), (
        result.stdout
    )
    assert "once" in result.stderr


@pytest.mark.parametrize("command", ["reset-password", "remove-second-factor"])
def test_unknown_address_is_named(shop: dict[str, str], command: str) -> None:
    line = error_line(sigma("user", command, "nobody@example.org", **shop))
    assert "nobody@example.org" in line


def test_second_factor_is_removed(shop: dict[str, str]) -> None:
    result = sigma("user", "remove-second-factor", "owner@example.org", **shop)
    assert result.exit_code == 0
    assert "owner@example.org" in result.stdout


@pytest.mark.parametrize("password", ["short", "1234567890", "owner-owner-owner"])
def test_weak_password_of_the_first_owner_is_refused(
    sqlite_database_url: str, password: str
) -> None:
    result = sigma(
        *("user", "create", "--login", "owner@example.org", "--shop-name", "Студия"),
        stdin=f"{password}\n{password}\n",
        SIGMA_DATABASE_URL=sqlite_database_url,
    )
    assert result.exit_code == 2
    assert "password" in result.stderr


def test_serve_prints_the_code_that_creates_the_first_owner(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log_path = tmp_path / "serve.log"
    with log_path.open("w") as log:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("sigma"), "serve", "--port", str(port)],
            env=environment(SIGMA_DATABASE_URL=f"sqlite:///{tmp_path / 'sigma.db'}"),
            stderr=log,
            text=True,
        )
        try:
            wait_until_ready(port, process)
            printed = log_path.read_text()
            code = re.search(
                r"Setup code: ([0-9a-z-]{14,})\nCreate the first owner: (\S+)", printed
            )
            assert code, printed
            assert code[2].endswith(f"/start?code={code[1]}")
            form = {"shop_name": "Студия", "name": "", "login": "a@example.org", "locale": "ru"}
            form["password"] = "correct horse battery"
            url = f"http://127.0.0.1:{port}/start"
            without = httpx.post(url, data=form, timeout=30)
            assert without.status_code == 422, "the first comer does not know the code"
            created = httpx.post(url, data=form | {"code": code[1]}, timeout=30)
            assert created.status_code == 303, created.text
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 0
