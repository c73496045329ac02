"""The documentation agrees with the code: what exists is documented, and nothing else is."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import click
import pytest

from scripts import roles, settings, states
from sigma.cli import main
from sigma.cli.lazy_group import commands_of
from sigma.domain.catalogue.phrase.errors import CODES
from sigma.domain.catalogue.phrase.model import Ask
from sigma.domain.catalogue.phrase.parse import parse_phrase
from sigma.domain.catalogue.price_headers import Meaning, guess_header
from sigma.domain.errors import STATUS_BY_CODE
from sigma.domain.messaging.auto_reply import AutoReply
from sigma.domain.messaging.card import CardState
from sigma.domain.reconciliation.difference import ACTIONS, Action
from sigma.domain.reconciliation.run import MAX_STORED
from sigma.domain.reconciliation.run import Status as RunStatus
from sigma.services.invoice_cards.todo_board import Kind
from sigma.settings import list_settings
from sigma.store.schema.all_tables import ALL_TABLES
from sigma.texts import Translator
from sigma.web.api.openapi import OPERATIONS, PREFIX
from sigma.worker import HANDLERS
from sigma_sandbox.bank.cards import CARD_GROUPS
from sigma_sandbox.faults import Effect
from tests.docs.markdown import LINK, PAGES, ROOT, anchors, read, section, table_rows, without_code

BILINGUAL = [page for page in PAGES if page.with_suffix(".ru.md").exists()]
LANGUAGES = [("en", ".md"), ("ru", ".ru.md")]


def test_states_page_is_generated_from_the_transition_tables() -> None:
    assert read("docs/states.md") == states.render_page(), "run: .venv/bin/python scripts/states.py"


@pytest.mark.parametrize(("locale", "ending"), LANGUAGES)
def test_roles_page_is_generated_from_the_tables_of_rights(locale: str, ending: str) -> None:
    page = roles.render_page(locale)
    assert read(f"docs/roles{ending}") == page, "run: .venv/bin/python scripts/roles.py"


@pytest.mark.parametrize(("locale", "ending"), LANGUAGES)
def test_settings_page_is_generated_from_the_settings_table(locale: str, ending: str) -> None:
    page = settings.render_page(locale)
    assert read(f"docs/settings{ending}") == page, "run: .venv/bin/python scripts/settings.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_has_a_target(page: Path) -> None:
    broken = []
    for link in LINK.findall(without_code(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        exists = target.exists()
        if exists and anchor:
            exists = anchor in anchors(target.read_text(encoding="utf-8"))
        if not exists:
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_in_a_page_exists(page: Path) -> None:
    paths = re.findall(
        r"`((?:src/sigma(?:_sandbox)?|tests|scripts|docs|frontend|requirements|bench|packaging)"
        r"/[\w./-]*\w)[`/]",
        page.read_text(encoding="utf-8"),
    )
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_in_a_page_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):.*## ", read("Makefile"), re.MULTILINE))
    text = page.read_text(encoding="utf-8")
    used = re.findall(r"(?:`|^|&& )make ([a-z]+)", text, re.MULTILINE)
    assert set(used) <= targets


# What belongs to a tracker or to the way the project is written, not to its users.
INTERNAL = re.compile(r"\bissue \d|\bissue #|(?<![\w&/])#\d+\b|\bthe lead\b|\bhelpers?\b|\bAI\b")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_refers_to_the_project_tracker(page: Path) -> None:
    assert INTERNAL.findall(without_code(page.read_text(encoding="utf-8"))) == []


def test_every_setting_is_documented_with_its_default() -> None:
    documented = {row[0]: row for row in table_rows(read("docs/settings.md"))}
    for setting in list_settings():
        assert setting.name in documented, setting.name
        text = " ".join(documented[setting.name][1:])
        assert setting.default in text, f"{setting.name}: {setting.default} is the default"


def test_every_documented_setting_exists() -> None:
    names = {setting.name for setting in list_settings()}
    for page in PAGES:
        documented = set(re.findall(r"\bSIGMA_[A-Z_]*[A-Z]\b", page.read_text(encoding="utf-8")))
        assert documented <= names, page.name


def test_every_refusal_code_is_documented_with_its_http_status() -> None:
    documented = {row[0]: row[1] for row in table_rows(read("docs/api.md")) if len(row) > 1}
    assert {code: documented.get(code) for code in STATUS_BY_CODE} == {
        code: str(status) for code, status in STATUS_BY_CODE.items()
    }


def test_documented_job_kinds_are_the_handled_ones() -> None:
    jobs = table_rows(section(read("docs/architecture.md"), "Jobs"))
    assert {row[0] for row in jobs} - {"Job"} == set(HANDLERS)


def test_every_unique_key_in_the_architecture_page_exists() -> None:
    documented = set(re.findall(r"`((?:uq|pk)_\w+)`", read("docs/architecture.md")))
    keys = {str(one.name) for table in ALL_TABLES.tables.values() for one in table.constraints}
    assert documented
    assert documented <= keys


def test_every_test_card_is_documented_with_its_result() -> None:
    documented = {
        card: (row[0].startswith("paid") or re.sub(r" \(.*", "", row[0]).strip("`"))
        for row in table_rows(read("docs/sandbox.md"))
        for card in row[1:]
        if card.isdigit() and len(card) == 16
    }
    listed = {
        card.number: card.decline_reason is None or card.decline_reason
        for group in CARD_GROUPS
        for card in group
    }
    assert documented == listed


def test_every_sandbox_fault_is_documented() -> None:
    text = read("docs/sandbox.md")
    assert [effect for effect in Effect if f"`{effect}`" not in text] == []


def test_both_readmes_have_the_same_parts() -> None:
    def shape(name: str) -> tuple[list[str], list[str], list[str]]:
        text = read(name)
        levels = re.findall(r"^(#+) ", without_code(text), re.MULTILINE)
        links = [link.replace(".ru.md", ".md") for link in LINK.findall(text)]
        commands = re.findall(r"^(?:make|curl|\.venv)\S* .*?(?=$)", text, re.MULTILINE)
        return levels, links, commands

    assert shape("README.md") == shape("README.ru.md")


def command_names(group: click.Group, name: str = "sigma") -> Iterator[str]:
    """Yield the full name of every command that is not a group."""
    for command in commands_of(group).values():
        full_name = f"{name} {command.name}"
        if isinstance(command, click.Group):
            yield from command_names(command, full_name)
        else:
            yield full_name


def test_documented_commands_are_the_existing_ones() -> None:
    documented = table_rows(section(read("docs/run-in-production.md"), "Commands"))
    assert {row[0] for row in documented} - {"Command"} == set(command_names(main))


def test_documented_api_operations_are_the_existing_ones() -> None:
    operations = {f"{one.method.upper()} {PREFIX}{one.path}" for one in OPERATIONS}
    documented = {
        f"{method} {path}"
        for method, path in re.findall(
            rf"\b(GET|POST|PUT|PATCH|DELETE)\s+({PREFIX}/[\w/{{}}]+)", read("docs/api.md")
        )
    }
    assert set(map(_unnamed_params, documented)) == set(map(_unnamed_params, operations))


def _unnamed_params(operation: str) -> str:
    """Return the operation with `{}` for every path parameter, whatever its name."""
    return re.sub(r"\{\w+\}", "{}", operation)


@pytest.mark.parametrize("page", BILINGUAL, ids=lambda page: page.name)
def test_both_languages_have_the_same_parts(page: Path) -> None:
    def shape(path: Path) -> tuple[list[str], list[int]]:
        text = without_code(path.read_text(encoding="utf-8"))
        tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
        return re.findall(r"^(#+) ", text, re.MULTILINE), [table.count("\n") for table in tables]

    assert shape(page) == shape(page.with_suffix(".ru.md"))


def test_every_page_for_sellers_is_also_in_russian() -> None:
    sellers = {"README.md", "inbox.md", "reconciliation.md", "services.md", "settings.md"}
    sellers |= {"vk-set-up.md", "roles.md", "sign-in.md", "client-data.md", "customers.md"}
    sellers |= {"reports.md", "notifications.md", "export.md", "invoice-import.md"}
    assert {page.name for page in BILINGUAL} == sellers


@pytest.mark.parametrize(("locale", "ending"), LANGUAGES)
def test_every_card_state_is_documented_with_its_inbox_text(locale: str, ending: str) -> None:
    documented = [row[0] for row in table_rows(read(f"docs/inbox{ending}"))]
    texts = [Translator(locale).raw(f"inbox.card_state.{state}") for state in CardState]
    architecture = read("docs/architecture.md")
    assert [state for state in CardState if f"`{state}`" not in architecture] == []
    assert [text for text in texts if text not in documented] == []


@pytest.mark.parametrize(("locale", "ending"), LANGUAGES)
def test_every_auto_reply_is_quoted_word_for_word(locale: str, ending: str) -> None:
    page = read(f"docs/inbox{ending}")
    for auto_reply in set(AutoReply) - {AutoReply.NOTHING}:
        is_invoice = auto_reply is AutoReply.INVOICE
        key = "auto.invoice_again" if is_invoice else f"auto.{auto_reply}"
        for part in re.split(r"\{\w+\}", Translator(locale).raw(key)):
            assert part.strip() in page, f"{key}: {part}"


@pytest.mark.parametrize(("locale", "ending"), LANGUAGES)
def test_every_board_section_is_documented_with_its_action(locale: str, ending: str) -> None:
    documented = [row for row in table_rows(read(f"docs/inbox{ending}")) if len(row) == 3]
    translator = Translator(locale)
    sections = {translator.raw(f"board.kind.{kind}") for kind in Kind}
    assert sections <= {row[0] for row in documented}
    actions = ("answer", "remind", "open_payment", "mail_again", "open_refund")
    assert {translator.raw(f"board.{action}") for action in actions} <= {
        row[2] for row in documented
    }


@pytest.mark.parametrize("ending", [".md", ".ru.md"])
def test_every_phrase_example_is_right(ending: str) -> None:
    rows = table_rows(read(f"docs/inbox{ending}"))
    examples = [row for row in rows if len(row) == 4 and re.search(r"\d", row[1])]
    assert len(examples) > 15
    for phrase, amount, title, until in examples:
        parsed = parse_phrase(phrase, date(2026, 11, 24))
        day = f"{parsed.deadline.day:%d.%m.%Y}" if parsed.deadline else examples[0][3]
        decimal = parsed.amount.to_decimal_text().removesuffix(".00") if parsed.amount else ""
        assert [amount, title, until] == [decimal, parsed.title, day], phrase
        assert parsed.ask == (), phrase


@pytest.mark.parametrize(("locale", "ending"), LANGUAGES)
def test_every_difference_is_documented_with_its_button(locale: str, ending: str) -> None:
    raw = Translator(locale).raw
    page = read(f"docs/reconciliation{ending}")
    documented = {row[0]: row[1:] for row in table_rows(page) if len(row) == 4}
    for kind, action in ACTIONS.items():
        title, button = raw(f"reconciliation.kind.{kind}"), raw(f"reconciliation.action.{action}")
        assert documented[kind][:2] == [title, button], kind
    assert str(MAX_STORED) in page
    assert [one for one in (*Action, *RunStatus) if f"`{one}`" not in page] == ["running"]


@pytest.mark.parametrize("ending", [".md", ".ru.md"])
def test_every_question_and_error_of_a_phrase_is_documented(ending: str) -> None:
    documented = {row[0].strip("`") for row in table_rows(read(f"docs/inbox{ending}"))}
    assert [ask for ask in Ask if ask not in documented] == []
    assert [code for code in CODES if code not in documented] == []


@pytest.mark.parametrize("ending", [".md", ".ru.md"])
def test_every_column_of_a_price_list_is_documented(ending: str) -> None:
    """Each documented header is recognised as the column of its row, and none is missing."""
    header = "| Столбец" if ending == ".ru.md" else "| Column"
    section = read(f"docs/services{ending}").split(header, 1)[1].split("\n\n", 1)[0]
    meanings: list[Meaning | None] = []
    for row in table_rows(f"{header}{section}")[1:]:
        names = [name.strip("` ") for name in re.split(r", (?!дней|руб)", f"{row[0]}, {row[1]}")]
        found = {guess_header(name).meaning for name in names if name}
        assert len(found) == 1, f"{row[0]}: {found}"
        meanings += found
    # The header `id` is recognised as a code; the values say whose it is.
    assert {*meanings} == {*Meaning} - {Meaning.ID}
