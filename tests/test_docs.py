"""Documentation that cannot lie: what exists is documented, and what is documented exists."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from scripts import states
from sigma.cli import main
from sigma.domain.errors import CODES
from sigma.sandbox.bank.cards import GROUPS
from sigma.sandbox.control import Effect
from sigma.settings import known
from sigma.store.tables import metadata
from sigma.web.api.openapi import OPERATIONS, PREFIX
from sigma.worker import HANDLERS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *ROOT.glob("*.md")])
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def rows(text: str) -> list[list[str]]:
    """The cells of every table row, without code marks."""
    found = []
    for line in text.splitlines():
        if line.startswith("|") and not re.fullmatch(r"[|\-: ]+", line):
            cells = re.split(r"(?<!\\)\|", line.strip()[1:-1])
            found.append([cell.strip().strip("`") for cell in cells])
    return found


def anchors(text: str) -> set[str]:
    """What GitHub makes of headings: lower case, punctuation gone, blanks become hyphens."""
    heads = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_the_states_are_drawn_from_the_tables_of_the_domain() -> None:
    assert read("docs/states.md") == states.page(), "run: .venv/bin/python scripts/states.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    lost = []
    for link in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        found = target.exists()
        if found and anchor:
            found = anchor in anchors(target.read_text(encoding="utf-8"))
        if not found:
            lost.append(link)
    assert lost == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_named_exists(page: Path) -> None:
    named = re.findall(
        r"`((?:src/sigma|tests|scripts|docs|frontend|requirements|bench)/[\w./-]*\w)[`/]",
        page.read_text(encoding="utf-8"),
    )
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):.*## ", read("Makefile"), re.MULTILINE))
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"(?:`|^|&& )make ([a-z]+)", text, re.MULTILINE)
    assert set(named) <= targets


def test_every_setting_is_documented_with_its_default() -> None:
    documented = {row[0]: row for row in rows(read("docs/settings.md"))}
    for setting in known():
        assert setting.name in documented, setting.name
        told = " ".join(documented[setting.name][1:])
        assert setting.default in told, f"{setting.name}: {setting.default} is the default"


def test_no_setting_is_documented_that_does_not_exist() -> None:
    names = {setting.name for setting in known()}
    for page in PAGES:
        told = set(re.findall(r"\bSIGMA_[A-Z_]*[A-Z]\b", page.read_text(encoding="utf-8")))
        assert told <= names, page.name


def test_every_refusal_is_documented_with_its_http_status() -> None:
    documented = {row[0]: row[1] for row in rows(read("docs/api.md")) if len(row) > 1}
    assert {code: documented.get(code) for code in CODES} == {
        code: str(status) for code, status in CODES.items()
    }


def test_every_kind_of_job_is_documented_and_no_other() -> None:
    section = read("docs/architecture.md").split("## 8. Jobs")[1].split("\n## ")[0]
    assert {row[0] for row in rows(section)} - {"Job"} == set(HANDLERS)


def test_every_unique_key_that_the_house_names_exists() -> None:
    told = set(re.findall(r"`((?:uq|pk)_\w+)`", read("docs/architecture.md")))
    keys = {str(one.name) for table in metadata.tables.values() for one in table.constraints}
    assert told
    assert told <= keys


def test_every_test_card_is_documented_with_what_it_does() -> None:
    documented = {
        card: (row[0].startswith("paid") or re.sub(r" \(.*", "", row[0]).strip("`"))
        for row in rows(read("docs/sandbox.md"))
        for card in row[1:]
        if card.isdigit() and len(card) == 16
    }
    listed = {card.number: card.reason is None or card.reason for g in GROUPS for card in g}
    assert documented == listed


def test_every_way_to_misbehave_is_documented() -> None:
    text = read("docs/sandbox.md")
    assert [effect for effect in Effect if f"`{effect}`" not in text] == []


def test_both_readmes_have_the_same_parts() -> None:
    def shape(name: str) -> tuple[list[str], list[str], list[str]]:
        text = read(name)
        levels = re.findall(r"^(#+) ", FENCE.sub("", text), re.MULTILINE)
        links = [link.replace(".ru.md", ".md") for link in LINK.findall(text)]
        commands = re.findall(r"^(?:make|curl|\.venv)\S* .*?(?=$)", text, re.MULTILINE)
        return levels, links, commands

    assert shape("README.md") == shape("README.ru.md")


def commands(group: click.Group, name: str = "sigma") -> Iterator[str]:
    """Full names of all commands that do something."""
    for command in group.commands.values():
        full = f"{name} {command.name}"
        yield from commands(command, full) if isinstance(command, click.Group) else [full]


def test_every_command_is_documented_and_no_other() -> None:
    section = read("docs/run-in-production.md").split("## Commands")[1].split("\n## ")[0]
    assert {row[0] for row in rows(section)} - {"Command"} == set(commands(main))


def test_every_call_of_the_api_is_documented_and_no_other() -> None:
    calls = {f"{one.method.upper()} {PREFIX}{one.path}" for one in OPERATIONS}
    told = re.findall(
        rf"\b(GET|POST|PUT|PATCH|DELETE)\s+({PREFIX}/[\w/{{}}]+)", read("docs/api.md")
    )
    named = {f"{method} {path}" for method, path in told}
    assert {_nameless(call) for call in named} == {_nameless(call) for call in calls}


def _nameless(call: str) -> str:
    """Without the names of what stands in an address."""
    return re.sub(r"\{\w+\}", "{}", call)
