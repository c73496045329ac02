"""`sigma audit` in its own process: what it finds, what it says, its exit codes."""

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sigma.store.schema.migrate import upgrade
from tests.test_cli_keys import NEW, OLD, run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Path of a database with a shop and a key."""
    path = tmp_path / "sigma.db"
    url = f"sqlite:///{path}"
    upgrade(url)
    for args in (
        (
            *("user", "create", "--login", "a@example.org", "--shop-name", "Studio"),
            *("--password", "correct horse battery"),
        ),
        ("key", "create", "--name", "Shop"),
    ):
        created = run(url, OLD, *args)
        assert created.returncode == 0, created.stderr
    return path


def audit(path: Path, *args: str, secret: str = OLD) -> subprocess.CompletedProcess[str]:
    """Run `sigma audit` on this database."""
    return run(f"sqlite:///{path}", secret, "audit", *args)


def execute(path: Path, sql: str) -> None:
    """Change the database behind Sigma's back."""
    with closing(sqlite3.connect(path)) as database:
        database.execute(sql)
        database.commit()


def document(result: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return the JSON output."""
    parsed: dict[str, Any] = json.loads(result.stdout)
    return parsed


def test_intact_log_is_verified_with_exit_code_0(path: Path) -> None:
    result = audit(path, "verify")
    assert result.returncode == 0, result.stderr
    assert result.stdout.rstrip().endswith("The log is intact.")
    parsed = document(audit(path, "verify", "--json"))
    assert parsed["ok"] is True
    assert [chain["fault_count"] for chain in parsed["chains"]] == [0, 0]
    shop = next(c["chain"] for c in parsed["chains"] if c["chain"].startswith("shp_"))
    assert len(document(audit(path, "verify", "--shop", shop, "--json"))["chains"]) == 1
    lines = audit(path, "list", "--shop", shop, "--json").stdout.splitlines()
    assert [json.loads(line)["deed"] for line in lines] == ["owner.created", "api_key.created"]


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("UPDATE audit_entries SET actor = 'usr_x' WHERE number = 2", "changed"),
        ("DELETE FROM audit_entries WHERE number = 1 AND chain <> 'installation'", "missing"),
        ("DELETE FROM audit_entries WHERE number = 2", "truncated"),
        (
            (
                "INSERT INTO audit_entries SELECT chain, 9, deed, actor, subject, detail, address,"
                " agent, session, request_id, occurred_at_us, previous_mac, mac FROM audit_entries"
                " WHERE number = 2"
            ),
            "inserted",
        ),
        ("DELETE FROM audit_chains", "end_missing"),
    ],
)
def test_tampering_is_found_with_exit_code_1(path: Path, sql: str, kind: str) -> None:
    execute(path, sql)
    result = audit(path, "verify", "--json")
    assert result.returncode == 1, result.stderr
    found = {fault["kind"] for chain in document(result)["chains"] for fault in chain["faults"]}
    assert kind in found
    plain = audit(path, "verify")
    assert plain.returncode == 1
    assert "Logs that were changed" in plain.stdout


def test_log_that_cannot_be_verified_gives_exit_code_2(path: Path, tmp_path: Path) -> None:
    assert audit(tmp_path / "missing.db", "verify").returncode == 2
    assert audit(path, "verify", "--shop", "shp_unknown").returncode == 2
    ends = tmp_path / "ends.json"
    ends.write_text("{}")
    result = audit(path, "verify", "--against", str(ends))
    assert result.returncode == 2
    assert "names no end of a log" in result.stderr


def test_old_copy_is_found_against_an_earlier_output_and_against_the_log(
    path: Path, tmp_path: Path
) -> None:
    copy = path.read_bytes()
    url = f"sqlite:///{path}"
    assert run(url, OLD, "key", "create", "--name", "Later").returncode == 0
    ends = tmp_path / "ends.json"
    ends.write_text(audit(path, "verify", "--json").stdout)
    assert audit(path, "verify", "--against", str(ends)).returncode == 0
    chain = max(document(audit(path, "verify", "--json"))["chains"], key=lambda c: c["number"])
    line = {"event": "audit.end", **{k: chain[k] for k in ("chain", "number", "mac")}}
    log = tmp_path / "sigma.log"
    log.write_text(f"not json\n{json.dumps(line)}\n")
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    path.write_bytes(copy)
    assert audit(path, "verify").returncode == 0  # by itself it looks right
    for known in (ends, log):
        result = audit(path, "verify", "--against", str(known))
        assert result.returncode == 1, result.stdout + result.stderr
        assert "put back to an old copy" in result.stdout


def test_log_verifies_after_a_rotation_of_the_secret(path: Path) -> None:
    url = f"sqlite:///{path}"
    assert run(url, f"{NEW},{OLD}", "keys", "rotate").returncode == 0
    result = audit(path, "verify", secret=NEW)
    assert result.returncode == 0, result.stdout
    assert "encryption_keys.rotated" in audit(path, "list", secret=NEW).stdout
