"""`make audit`: known vulnerabilities of pinned packages, by recorded and by served advisories."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from scripts import audit
from scripts.components import ROOT, read_python_lock
from tests.docs.markdown import read

TODAY = date(2026, 11, 28)


def advisory(severity: str, published: str, **more: Any) -> dict[str, Any]:
    return {
        "id": "GHSA-1111-2222-3333",
        "published": f"{published}T10:00:00Z",
        "database_specific": {"severity": severity},
    } | more


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A small repository with one Python package in each lock and one npm package."""
    (tmp_path / "requirements").mkdir()
    (tmp_path / "frontend").mkdir()
    for name in audit.LOCKS:
        lines = "click==8.3.1 \\\n    --hash=sha256:00\n"
        (tmp_path / f"requirements/{name}.lock").write_text(lines)
    lock = {"packages": {"": {}, "node_modules/htmx.org": {"version": "2.0.0"}}}
    (tmp_path / "frontend/package-lock.json").write_text(json.dumps(lock))
    (tmp_path / "requirements/accepted.toml").write_text("")
    return tmp_path


def run(repository: Path, answers: dict[str, Any]) -> int:
    recorded = repository / "recorded.json"
    recorded.write_text(json.dumps(answers))
    arguments = ["--root", str(repository), "--recorded", str(recorded)]
    return audit.main(arguments, TODAY)


@pytest.mark.parametrize(
    ("severity", "published", "result"),
    [
        ("CRITICAL", "2026-11-27", 0),
        ("CRITICAL", "2026-11-25", 1),
        ("HIGH", "2026-11-22", 0),
        ("HIGH", "2026-11-20", 1),
        ("unheard of", "2026-11-20", 1),
        ("MODERATE", "2026-11-01", 0),
        ("MODERATE", "2026-10-01", 1),
        ("LOW", "2026-10-01", 0),
        ("LOW", "2026-08-01", 1),
    ],
)
def test_vulnerability_beyond_its_time_frame_fails(
    repository: Path, severity: str, published: str, result: int
) -> None:
    found = [advisory(severity, published)]
    assert run(repository, {"pypi/click@8.3.1": found, "npm/htmx.org@2.0.0": []}) == result
    assert run(repository, {"pypi/click@8.3.1": [], "npm/htmx.org@2.0.0": found}) == result


def test_withdrawn_and_accepted_vulnerabilities_pass_until_their_day(repository: Path) -> None:
    old = advisory("CRITICAL", "2026-01-01")
    answers = {"pypi/click@8.3.1": [old], "npm/htmx.org@2.0.0": []}
    assert run(repository, answers) == 1
    assert run(repository, answers | {"pypi/click@8.3.1": [old | {"withdrawn": "now"}]}) == 0
    accepted = repository / "requirements/accepted.toml"
    accepted.write_text('[GHSA-1111-2222-3333]\nreason = "not called"\nuntil = 2026-11-28\n')
    assert run(repository, answers) == 0
    accepted.write_text('[GHSA-1111-2222-3333]\nreason = "not called"\nuntil = 2026-11-27\n')
    assert run(repository, answers) == 1
    accepted.write_text("[GHSA-1111-2222-3333]\nuntil = 2026-11-28\n")
    with pytest.raises(ValueError, match="reason"):
        run(repository, answers)


def test_no_answer_is_reported_and_is_no_success(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(repository, {"pypi/click@8.3.1": []}) == 2
    assert "NOT CHECKED" in capsys.readouterr().out
    arguments = ["--root", str(repository), "--api", "http://127.0.0.1:1"]
    assert audit.main(arguments, TODAY) == 2
    assert "NOT CHECKED" in capsys.readouterr().out


def test_audit_queries_every_pinned_package() -> None:
    packages = audit.pinned_packages()
    for lock in audit.LOCKS:
        text = (ROOT / f"requirements/{lock}.lock").read_text()
        count = sum("==" in row and row[0].isalnum() for row in text.splitlines() if row)
        pins = read_python_lock(text)
        assert len(pins) == count
        assert all(f"pypi/{one.name}@{one.version}" in packages for one in pins)
    assert any(one.startswith("npm/htmx.org@2.") for one in packages)
    assert any(one.startswith("npm/esbuild@") for one in packages)


def test_time_frames_are_those_of_the_security_policy() -> None:
    assert audit.documented_days(read("SECURITY.md")) == list(audit.DAYS_BY_SCORE.values())
    assert audit.read_accepted(read("requirements/accepted.toml")) is not None
    assert "scripts.audit" in read("Makefile")
