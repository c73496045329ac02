"""docs/security.md is the index of all pages about security; the commands of the runbooks exist."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from sigma.cli import main
from sigma.services.security_log import SecurityEvent
from tests.docs.markdown import ROOT, read, tables

RUNBOOKS = "docs/security/runbooks.md"
# What the index must lead to: the page, and a heading that it must have.
SUBJECTS = {
    "threat model": ("docs/security/threats.md", "# Threat model"),
    "ASVS": ("docs/asvs.md", "# OWASP ASVS 5.0, level 2"),
    "PCI DSS": ("docs/security/pci-dss.md", "# "),
    "152-ФЗ": ("docs/security/personal-data.md", "# "),
    "leaked key": (RUNBOOKS, "## The secret key has leaked"),
    "leaked database": (RUNBOOKS, "## A database or a backup has leaked"),
    "lost owner": (RUNBOOKS, "## The owner's password is lost"),
    "acquirer outage": (RUNBOOKS, "## The acquirer is down"),
    "how to report": ("SECURITY.md", "# "),
    "licences": ("docs/licences.md", "# Licences of dependencies"),
    "fail2ban": ("docs/security/fail2ban-sigma.conf", "[Definition]"),
}


def linked_files(page: str) -> set[str]:
    """Return the files of the repository that a page links to."""
    folder = (ROOT / page).parent
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", read(page))
    return {str((folder / target).resolve().relative_to(ROOT.resolve())) for target in targets}


def test_index_leads_to_every_page_about_security() -> None:
    linked = linked_files("docs/security.md")
    folder = ROOT / "docs" / "security"
    assert {f"docs/security/{path.name}" for path in folder.iterdir()} <= linked
    for subject, (page, heading) in SUBJECTS.items():
        assert page in linked, subject
        assert heading in read(page), subject


def test_links_of_the_security_pages_lead_somewhere() -> None:
    pages = ["docs/security.md", "docs/asvs.md", "docs/licences.md", "SECURITY.md"]
    pages += [f"docs/security/{path.name}" for path in (ROOT / "docs/security").glob("*.md")]
    missing = {page: {f for f in linked_files(page) if not (ROOT / f).exists()} for page in pages}
    assert {page: files for page, files in missing.items() if files} == {}


def commands_in(text: str) -> Iterator[list[str]]:
    """Yield the words of each `sigma …` command in the code of a page."""
    blocks = re.findall(r"^```(?:sh)?\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += re.findall(r"`(sigma [^`]+)`", text)
    for line in lines:
        if match := re.search(r"(?:^|[/;&|] ?)sigma ([a-z][a-z-]*(?: .*)?)$", line.strip()):
            yield shlex.split(match[1], comments=True)


def problem_of(words: list[str]) -> str:
    """Return why a command cannot be run; "" when its names and options exist."""
    command: click.Command = main
    words = words[:]
    context = click.Context(main)
    while isinstance(command, click.Group):
        if not words:
            return "no command"
        name = words.pop(0)
        found = command.get_command(context, name)
        if found is None:
            return f"no command {name}"
        command = found
    options = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
    unknown = [w for w in words if w.startswith("--") and w.partition("=")[0] not in options]
    return f"no option {unknown[0]}" if unknown else ""


@pytest.mark.parametrize(
    "page", [RUNBOOKS, "docs/security.md", "docs/security/threats.md", "docs/run-in-production.md"]
)
def test_every_command_of_the_page_exists(page: str) -> None:
    commands = list(commands_in(read(page)))
    assert {" ".join(words): found for words in commands if (found := problem_of(words))} == {}
    if page == RUNBOOKS:
        names = {tuple(words[:2]) for words in commands}
        assert {("keys", "rotate"), ("keys", "status"), ("key", "create")} <= names
        assert {("doctor",), ("reconcile",), ("migrate",)} <= names


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("```\nsigma keys rotate\n```", ""),
        ("```sh\nsigma keys turn\n```", "no command turn"),
        ("Run `sigma repair` then", "no command repair"),
        ("```\nsigma keys rotate --fast   # now\n```", "no option --fast"),
        ("```\nsigma keys\n```", "no command"),
    ],
)
def test_command_that_does_not_exist_is_found(text: str, problem: str) -> None:
    (words,) = commands_in(text)
    assert problem_of(words) == problem


def test_every_security_event_of_the_log_is_documented() -> None:
    header = ["Event", "Means"]
    (table,) = [one for one in tables(read("docs/security.md")) if one[0] == header]
    assert [row[0] for row in table[1:]] == [f"security.{event}" for event in SecurityEvent]
