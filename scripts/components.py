"""The packages of others that are distributed with Sigma, read from the lock files.

`sigma` runs on `requirements/run.lock`, the sandbox on `sandbox.lock`; of the front end's packages
those are built into its files that `package-lock.json` does not call development packages.
"""

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PYTHON_LOCKS = {"sigma": "requirements/run.lock", "sigma-sandbox": "requirements/sandbox.lock"}
FRONTEND_LOCK = "frontend/package-lock.json"

_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)(?: ; (?P<marker>[^\\]+))?")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_OURS = re.compile(r"^    # .+ \(.*pyproject\.toml\)$", re.MULTILINE)
_PARENT = re.compile(r"^    # +(?:via +)?(?P<name>(?!via$)[A-Za-z0-9._-]+)$")


@dataclass(frozen=True, slots=True)
class Package:
    """A package of another author.

    `ecosystem`: "pypi" or "npm", as in package URLs. `hashes`: (algorithm, hex digest) of each file
    that the lock file accepts. `parents`: packages of others that need it; `is_direct`: ours does.
    `marker`: where it is installed; empty for everywhere. `licence`: as an npm lock says.
    """

    ecosystem: str
    name: str
    version: str
    hashes: tuple[tuple[str, str], ...]
    parents: tuple[str, ...] = ()
    is_direct: bool = False
    marker: str = ""
    licence: str = ""


def read_python_lock(text: str) -> list[Package]:
    """Return the packages of a lock file that `uv pip compile --generate-hashes` wrote."""
    packages = []
    for entry in re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE):
        pin = _PIN.match(entry)
        if pin is None:
            continue
        parents = [match["name"] for line in entry.splitlines() if (match := _PARENT.match(line))]
        packages.append(
            Package(
                "pypi",
                pin["name"],
                pin["version"],
                tuple(("SHA-256", digest) for digest in _HASH.findall(entry)),
                tuple(parents),
                bool(_OURS.search(entry)),
                (pin["marker"] or "").strip(),
            )
        )
    return packages


def read_frontend_lock(text: str) -> list[Package]:
    """Return the packages of an npm lock file that are built into our files."""
    return list(_shipped(json.loads(text)["packages"]))


def _shipped(entries: dict[str, dict[str, Any]]) -> Iterator[Package]:
    for path, entry in entries.items():
        if not path or entry.get("dev"):
            continue
        name = path.rpartition("node_modules/")[2]
        algorithm, _, digest = entry["integrity"].partition("-")
        needed_by = [one for one, other in entries.items() if name in other.get("dependencies", {})]
        yield Package(
            "npm",
            name,
            entry["version"],
            ((algorithm.upper().replace("SHA", "SHA-"), base64.b64decode(digest).hex()),),
            tuple(one.rpartition("node_modules/")[2] for one in needed_by if one),
            "" in needed_by,
            licence=entry.get("license", ""),
        )


def read_packages(product: str, root: Path = ROOT) -> list[Package]:
    """Return what is distributed with one of our two packages, "sigma" or "sigma-sandbox"."""
    packages = read_python_lock((root / PYTHON_LOCKS[product]).read_text())
    if product == "sigma":
        packages += read_frontend_lock((root / FRONTEND_LOCK).read_text())
    return packages
