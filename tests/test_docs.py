"""Documentation that cannot lie: what exists is documented, and what is documented exists."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import click
import pytest

from scripts import states
from sigma.cli import main
from sigma.domain.catalogue import phrase as grammar
from sigma.domain.catalogue.phrase import read_phrase
from sigma.domain.errors import CODES
from sigma.domain.messaging.auto_reply import Say
from sigma.domain.messaging.card import Face
from sigma.services.invoice_cards.todo_board import Group
from sigma.settings import known
from sigma.store.schema.tables import metadata
from sigma.texts import Words
from sigma.web.api.openapi import OPERATIONS, PREFIX
from sigma.web.cabinet.services import price_list
from sigma.worker import HANDLERS
from sigma_sandbox.bank.cards import GROUPS
from sigma_sandbox.faults import Effect

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
    section = re.split(r"## \d+\. Jobs", read("docs/architecture.md"))[1].split("\n## ")[0]
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


BILINGUAL = [page for page in PAGES if page.with_suffix(".ru.md").exists()]
LANGUAGES = [("en", ".md"), ("ru", ".ru.md")]


@pytest.mark.parametrize("page", BILINGUAL, ids=lambda page: page.name)
def test_both_languages_have_the_same_parts(page: Path) -> None:
    def shape(path: Path) -> tuple[list[str], list[int]]:
        text = FENCE.sub("", path.read_text(encoding="utf-8"))
        tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
        return re.findall(r"^(#+) ", text, re.MULTILINE), [t.count("\n") for t in tables]

    assert shape(page) == shape(page.with_suffix(".ru.md"))


def test_every_page_for_sellers_is_in_russian_too() -> None:
    sellers = {"README.md", "inbox.md", "services.md", "settings.md", "vk-set-up.md"}
    assert {page.name for page in BILINGUAL} == sellers


@pytest.mark.parametrize(("locale", "ending"), LANGUAGES)
def test_every_face_of_a_card_is_told_in_the_words_of_the_dialogs(locale: str, ending: str) -> None:
    told = [row[0] for row in rows(read(f"docs/inbox{ending}"))]
    words = [Words(locale).raw(f"inbox.face.{face}") for face in Face]
    assert [face for face in Face if f"`{face}`" not in read("docs/architecture.md")] == []
    assert [word for word in words if word not in told] == []


@pytest.mark.parametrize(("locale", "ending"), LANGUAGES)
def test_every_automatic_answer_is_quoted_as_it_is_said(locale: str, ending: str) -> None:
    text = read(f"docs/inbox{ending}")
    for say in set(Say) - {Say.NOTHING}:
        key = "auto.invoice_again" if say is Say.INVOICE else f"auto.{say}"
        for part in re.split(r"\{\w+\}", Words(locale).raw(key)):
            assert part.strip() in text, f"{key}: {part}"


@pytest.mark.parametrize(("locale", "ending"), LANGUAGES)
def test_every_part_of_the_board_is_told_with_its_deed(locale: str, ending: str) -> None:
    told = [row for row in rows(read(f"docs/inbox{ending}")) if len(row) == 3]
    words = Words(locale)
    parts = {words.raw(f"board.group.{group}") for group in Group}
    assert parts <= {row[0] for row in told}
    deeds = ("answer", "remind", "open_payment", "mail_again", "open_refund")
    assert {words.raw(f"board.{deed}") for deed in deeds} <= {row[2] for row in told}


def forms() -> list[str]:
    """Every form that the grammar of phrases lists."""
    lines = re.findall(r"^    (.*)$", grammar.__doc__ or "", re.MULTILINE)
    listed = " ".join(line.split("=")[-1] for line in lines if "title" not in line)
    return [form.strip() for form in re.split(r"\||(?<=\S)  +", listed) if form.strip()]


@pytest.mark.parametrize("ending", [".md", ".ru.md"])
def test_every_form_of_a_phrase_has_an_example_and_every_example_is_true(ending: str) -> None:
    text = read(f"docs/inbox{ending}")
    examples = [row for row in rows(text) if len(row) == 4 and re.search(r"\d", row[1])]
    typed = [f" {row[0]} " for row in examples]
    assert [form for form in forms() if not any(f" {form} " in one for one in typed)] == []
    for phrase, amount, title, until in examples:
        read_as = read_phrase(phrase, date(2026, 11, 24))
        day = f"{read_as.until:%d.%m.%Y}" if read_as.until else examples[0][3]
        assert [amount, title, until] == [read_as.amount, read_as.title, day], phrase


@pytest.mark.parametrize("ending", [".md", ".ru.md"])
def test_every_column_of_a_price_list_is_documented(ending: str) -> None:
    told = [
        {row[0], *re.split(r", (?!дней)", row[1])} for row in rows(read(f"docs/services{ending}"))
    ]
    for column, (russian, english) in price_list.COLUMNS.items():
        names = {*russian, *english} - {"срок счета, дней"}
        assert any(names <= one for one in told), f"{column}: {names}"


def test_every_room_of_the_house_is_on_the_map() -> None:
    told = re.findall(r"(?:^  |  )(\w+)(?:/|\.py) ", read("docs/architecture.md"), re.MULTILINE)
    there = {path.stem for path in (ROOT / "src" / "sigma").iterdir() if path.stem[0] != "_"}
    assert there - {"py"} <= set(told)
