"""Parts of the Markdown pages that the documentation tests read: tables, sections, links."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def read(name: str) -> str:
    """Return a file of the repository as text; `name` is its path from the root."""
    return (ROOT / name).read_text(encoding="utf-8")


def without_code(text: str) -> str:
    """Return the page without its fenced code blocks."""
    return _FENCE.sub("", text)


def table_rows(text: str) -> list[list[str]]:
    """Return the cells of every table row. A cell that is one code span loses its backticks."""
    found = []
    for line in text.splitlines():
        if line.startswith("|") and not re.fullmatch(r"[|\-: ]+", line):
            cells = re.split(r"(?<!\\)\|", line.strip()[1:-1])
            found.append([re.sub(r"^`([^`]*)`$", r"\1", cell.strip()) for cell in cells])
    return found


def tables(text: str) -> list[list[list[str]]]:
    """Return the tables of a page: a list of rows, the first one is the header."""
    blocks = re.findall(r"(?:^\|.*(?:\n|\Z))+", without_code(text), re.MULTILINE)
    return [table_rows(block) for block in blocks]


def section(text: str, title: str) -> str:
    """Return the text below the heading that ends with `title`, to the next equal or higher one."""
    page = without_code(text)
    heading = re.search(rf"^(#+) .*{re.escape(title)}$", page, re.MULTILINE)
    assert heading, f"no heading ends with: {title}"
    rest = page[heading.end() :]
    end = re.search(rf"^#{{1,{len(heading[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub makes of headings: lower case, hyphens for blanks."""
    heads = re.findall(r"^#+ (.+)$", without_code(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def names_in_cell(cell: str) -> list[str]:
    """Return the names in a table cell: `a` and `b` of "`a`, `b`"; none of "—"."""
    if cell == "—":
        return []
    return re.findall(r"`([^`]+)`", cell) if "`" in cell else [cell]
