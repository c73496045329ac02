"""Find known vulnerabilities of the pinned packages, and fail for those beyond their time frame.

    python -m scripts.audit                    asks https://api.osv.dev, fails without an answer
    python -m scripts.audit --recorded FILE    reads answers that were recorded before
    python -m scripts.audit --record FILE      asks and records the answers

The time frames are those of SECURITY.md. Vulnerabilities that do not concern Sigma are listed in
requirements/accepted.toml.
"""

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from scripts.components import FRONTEND_LOCK, ROOT, read_python_lock

API = "https://api.osv.dev/v1"
LOCKS = ("run", "sandbox", "build", "dev", "node")
ECOSYSTEMS = {"pypi": "PyPI", "npm": "npm"}
# Lower bound of the CVSS score → days until a package must be replaced.
DAYS_BY_SCORE = {9.0: 2, 7.0: 7, 4.0: 30, 0.0: 90}
SCORES = {"CRITICAL": 9.0, "HIGH": 7.0, "MODERATE": 4.0, "MEDIUM": 4.0, "LOW": 0.1}

Answers = dict[str, list[dict[str, Any]]]  # "ecosystem/name@version" → advisories


class NoAnswerError(Exception):
    """The database of vulnerabilities could not be asked."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A vulnerability of a pinned package. `due`: the day on which it must be replaced."""

    package: str
    advisory: str
    due: date
    accepted_until: date | None = None

    def is_overdue(self, today: date) -> bool:
        """Return whether the time frame is over and no reason holds any more."""
        if self.accepted_until is not None:
            return today > self.accepted_until
        return today > self.due


def pinned_packages(root: Path = ROOT) -> list[str]:
    """Return "ecosystem/name@version" of all packages of all lock files."""
    found = set()
    for name in LOCKS:
        for package in read_python_lock((root / f"requirements/{name}.lock").read_text()):
            found.add(f"pypi/{package.name}@{package.version}")
    entries = json.loads((root / FRONTEND_LOCK).read_text())["packages"]
    for path, entry in entries.items():
        if path and not entry.get("link"):
            found.add(f"npm/{path.rpartition('node_modules/')[2]}@{entry['version']}")
    return sorted(found)


def ask(packages: Iterable[str], api: str = API) -> Answers:
    """Return the advisories of packages from OSV. Raises NoAnswerError."""
    packages = list(packages)
    try:
        with httpx.Client(timeout=30) as http:
            queries = {"queries": [_query(package) for package in packages]}
            response = http.post(f"{api}/querybatch", json=queries).raise_for_status()
            results = response.json()["results"]
            if len(results) != len(packages):
                raise NoAnswerError("the answer has another number of packages")
            answers: Answers = {}
            for package, result in zip(packages, results, strict=True):
                ids = [one["id"] for one in result.get("vulns", [])]
                urls = [f"{api}/vulns/{one}" for one in ids]
                answers[package] = [http.get(url).raise_for_status().json() for url in urls]
            return answers
    except (httpx.HTTPError, KeyError, ValueError) as error:
        raise NoAnswerError(f"{type(error).__name__}: {error}") from error


def _query(package: str) -> dict[str, Any]:
    ecosystem, _, rest = package.partition("/")
    name, _, version = rest.rpartition("@")
    return {"version": version, "package": {"name": name, "ecosystem": ECOSYSTEMS[ecosystem]}}


def due_day(advisory: dict[str, Any]) -> date:
    """Return the day until which the package must be replaced; an unknown score counts as high."""
    published = datetime.fromisoformat(advisory["published"]).date()
    word = str(advisory.get("database_specific", {}).get("severity", "")).upper()
    score = SCORES.get(word, 7.0)
    days = next(days for bound, days in DAYS_BY_SCORE.items() if score >= bound)
    return published + timedelta(days=days)


def findings(packages: Iterable[str], answers: Answers, accepted: dict[str, Any]) -> list[Finding]:
    """Return the vulnerabilities of packages. Raises NoAnswerError for a package without answer."""
    found = []
    for package in packages:
        if package not in answers:
            raise NoAnswerError(f"no answer about {package}")
        for advisory in answers[package]:
            if "withdrawn" in advisory:
                continue
            until = accepted.get(advisory["id"], {}).get("until")
            found.append(Finding(package, advisory["id"], due_day(advisory), until))
    return found


def read_accepted(text: str) -> dict[str, Any]:
    """Return the accepted vulnerabilities. Raises ValueError without a reason or a day."""
    accepted = tomllib.loads(text)
    for name, entry in accepted.items():
        if not entry.get("reason") or not isinstance(entry.get("until"), date):
            raise ValueError(f"{name} needs reason and until")
    return accepted


def main(arguments: list[str] | None = None, today: date | None = None) -> int:
    """Print the vulnerabilities; return 0 for none overdue, 1 for some, 2 without an answer."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--recorded", type=Path)
    parser.add_argument("--record", type=Path)
    parser.add_argument("--api", default=API)
    parser.add_argument("--root", type=Path, default=ROOT)
    options = parser.parse_args(arguments)
    today = today or datetime.now(UTC).date()
    packages = pinned_packages(options.root)
    accepted = read_accepted((options.root / "requirements/accepted.toml").read_text())
    try:
        if options.recorded:
            answers: Answers = json.loads(options.recorded.read_text())
        else:
            answers = ask(packages, options.api)
        found = findings(packages, answers, accepted)
    except NoAnswerError as error:
        print(f"NOT CHECKED, the database of vulnerabilities gave no answer. {error}")
        return 2
    if options.record:
        options.record.write_text(json.dumps(answers))
    for one in found:
        state = "OVERDUE" if one.is_overdue(today) else "known"
        print(f"{state:<8} {one.package} {one.advisory} replace until {one.due}")
    print(f"{len(packages)} packages, {len(found)} vulnerabilities")
    return int(any(one.is_overdue(today) for one in found))


def documented_days(page: str) -> list[int]:
    """Return the days of the time frames in SECURITY.md, from critical to low."""
    rows = re.findall(r"^\| (?:critical|high|medium|low).*?\| (\d+) days", page, re.MULTILINE)
    return [int(days) for days in rows]


if __name__ == "__main__":
    sys.exit(main())
