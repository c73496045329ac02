"""`sigma keys` in its own process: what it does, what it says, its exit codes."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from sigma.store.schema.migrate import upgrade

OLD, NEW, OTHER = (secrets.token_urlsafe(30) for _ in range(3))
SIGMA = str(Path(sys.executable).with_name("sigma"))


def environment(url: str, secret: str) -> dict[str, str]:
    """Return the environment of a command with this database and secret."""
    return os.environ | {
        "LANG": "C",
        "LC_ALL": "C",
        "SIGMA_SECRET_KEY": secret,
        "SIGMA_DATABASE_URL": url,
    }


def run(url: str, secret: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [SIGMA, *args],
        env=environment(url, secret),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def usages(result: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    """Return role → usage of the JSON output."""
    return {usage["role"]: usage for usage in json.loads(result.stdout)["keys"]}


@pytest.fixture
def shop_url(tmp_path: Path) -> str:
    """URL of a database with a shop, its keys encrypted with OLD."""
    url = f"sqlite:///{tmp_path / 'sigma.db'}"
    upgrade(url)
    password = secrets.token_urlsafe(12)
    created = run(
        *(url, OLD, "user", "create", "--login", "a@example.org"),
        *("--shop-name", "Studio", "--password", password),
    )
    assert created.returncode == 0, created.stderr
    return url


def test_status_before_during_and_after_a_rotation(shop_url: str) -> None:
    before = run(shop_url, OLD, "keys", "status", "--json")
    assert before.returncode == 0
    assert usages(before)["current"]["rows"] == 3, "hash, signing and audit key"

    during = run(shop_url, f"{NEW},{OLD}", "keys", "status")
    assert during.returncode == 0
    assert "still needs the key" in during.stdout

    rotated = run(shop_url, f"{NEW},{OLD}", "keys", "rotate", "--json")
    assert rotated.returncode == 0, rotated.stderr
    assert "Re-encrypted rows: 3" in rotated.stderr
    assert usages(rotated)["old"]["removable"] is True
    status = run(shop_url, f"{NEW},{OLD}", "keys", "status")
    assert "opens nothing any more" in status.stdout

    after = run(shop_url, NEW, "keys", "status", "--json")
    assert (after.returncode, usages(after)["current"]["rows"]) == (0, 3)
    again = run(shop_url, NEW, "keys", "rotate", "--json")
    assert (again.returncode, "Re-encrypted rows: 0" in again.stderr) == (0, True)


def test_missing_key_is_named_by_status_and_doctor(shop_url: str) -> None:
    old_id = usages(run(shop_url, OLD, "keys", "status", "--json"))["current"]["id"]
    status = run(shop_url, OTHER, "keys", "status", "--json")
    assert status.returncode == 1
    assert usages(status)["missing"]["id"] == old_id
    assert f"The data needs the key {old_id}" in run(shop_url, OTHER, "keys", "status").stdout
    doctor = run(shop_url, OTHER, "doctor")
    assert f"SIGMA_SECRET_KEY lacks the key {old_id}" in doctor.stdout
    assert OTHER not in doctor.stdout + doctor.stderr + status.stdout + status.stderr


def test_worker_gets_the_rotation_in_the_background(shop_url: str) -> None:
    queued = run(shop_url, f"{NEW},{OLD}", "keys", "rotate", "--background")
    assert queued.returncode == 0, queued.stderr
    worker = subprocess.Popen(
        [SIGMA, "worker"], env=environment(shop_url, f"{NEW},{OLD}"), stderr=subprocess.PIPE
    )
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if usages(run(shop_url, f"{NEW},{OLD}", "keys", "status", "--json"))["old"][
                "removable"
            ]:
                return
        pytest.fail("the worker has not rotated")
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=20)
