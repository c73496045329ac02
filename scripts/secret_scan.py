"""Look for keys and passwords in the files of the repository: `python -m scripts.secret_scan`.

The forms of keys are those of detect-secrets, and Sigma's own. Nothing is sent anywhere. A value
that is meant to be there needs `pragma: allowlist secret` in a comment on its line.
"""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.plugins.base import BasePlugin, RegexBasedDetector
from detect_secrets.plugins.high_entropy_strings import HighEntropyStringsPlugin

ROOT = Path(__file__).parents[1]
ALLOWED = "pragma: allowlist secret"
# Made by make and by running; .gitignore has them too.
IGNORED_FOLDERS = {
    *(".git", ".venv", ".venv-node", "node_modules", "dist", "static", "var", "__pycache__"),
    *(".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache"),
}
# Hashes of packages: random, public and thousands.
LOCK_FILES = re.compile(r"^(?:requirements/.*\.lock|frontend/package-lock\.json)$")
# A password in a URL with one of these is an example. Also what a program fills in: {password}.
EXAMPLE_PASSWORDS = re.compile(
    r"(?i)(?:пароль|пар%D0.*|p|b|pw|pass|pass-?word|secret|hunter2|\$?[{<].*|p%.{1,18})"
)
_IGNORED_TYPES = {
    "Secret Keyword",  # any text beside the word "secret": every form and test has one
    "Public IP (ipv4)",
}
EXAMPLE_KEY = "0123456789abcdef" * 2
MIN_RANDOM_CHARS = 20  # of a random text that has no known form
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-")


class SigmaKeyDetector(RegexBasedDetector):
    """Keys that Sigma creates or stores: its API, VKontakte, YooKassa, its own secret key."""

    secret_type = "Key of Sigma"
    denylist = (
        re.compile(r"\bsk_[A-Za-z0-9_-]{40,}"),
        re.compile(r"\bvk1\.a\.[A-Za-z0-9_-]{40,}"),
        # With a digit and a capital: names of tests begin in the same way.
        re.compile(r"\b(?:live|test)_(?=[\w-]*\d)(?=[\w-]*[A-Z])[A-Za-z0-9_-]{40,}"),
        re.compile(r"SIGMA_SECRET_KEY=[\"']?([A-Za-z0-9_-]{40,})"),
    )


@dataclass(frozen=True, slots=True)
class Finding:
    """A value that looks like a secret. It is not printed: logs of builds are public."""

    path: str
    line: int
    kind: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.kind}"


def detectors() -> list[BasePlugin]:
    """Return the detectors of detect-secrets, but for the two that find no secrets here."""
    classes: Mapping[str, type[BasePlugin]] = get_mapping_from_secret_type_to_class()
    return [SigmaKeyDetector(), *(classes[one]() for one in classes.keys() - _IGNORED_TYPES)]


def scan(path: str, text: str, plugins: Sequence[BasePlugin]) -> Iterator[Finding]:
    """Yield what looks like a secret in the text of a file, once for each line."""
    lines = text.split("\n")
    for plugin in plugins:
        # The whole text at once: line by line it takes twenty times as long.
        for value in set(plugin.analyze_string(text)):
            if _is_secret(plugin, value):
                for number, line in enumerate(lines, 1):
                    if value in line and ALLOWED not in line:
                        yield Finding(path, number, plugin.secret_type)


def _is_secret(plugin: BasePlugin, value: str) -> bool:
    if plugin.secret_type == "Basic Auth Credentials":
        return not EXAMPLE_PASSWORDS.fullmatch(value)
    if isinstance(plugin, HighEntropyStringsPlugin):
        if len(value) < MIN_RANDOM_CHARS or value == EXAMPLE_KEY or _UUID.match(value):
            return False
        return bool(plugin.calculate_shannon_entropy(value) > plugin.entropy_limit)
    return True


def tracked_files(root: Path = ROOT) -> list[str]:
    """Return the paths of the files that git tracks or would add.

    Without git, or outside a repository: all files but those that `make` and a run create.
    """
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=root, check=True, text=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        paths = [path.relative_to(root) for path in root.rglob("*")]
        names = [path.as_posix() for path in paths if not IGNORED_FOLDERS.intersection(path.parts)]
    else:
        names = done.stdout.split("\0")
    return sorted(name for name in names if name and (root / name).is_file())


def scan_files(root: Path, names: Sequence[str]) -> list[Finding]:
    """Return what looks like a secret in these files; files that are no text are skipped."""
    plugins = detectors()
    found: list[Finding] = []
    for name in names:
        if LOCK_FILES.match(name):
            continue
        try:
            text = (root / name).read_text()
        except UnicodeDecodeError:
            continue
        found += scan(name, text, plugins)
    return found


def main() -> int:
    """Scan the repository; return the exit code."""
    names = tracked_files()
    found = scan_files(ROOT, names)
    for finding in found:
        print(finding, file=sys.stderr)
    if found:
        print(f"no secret? Write `{ALLOWED}` in a comment on its line", file=sys.stderr)
    else:
        print(f"{len(names)} files contain no secrets")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
