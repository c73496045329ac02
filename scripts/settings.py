"""Writes docs/settings.md and docs/settings.ru.md from the table of settings."""

from pathlib import Path

from sigma.settings import Known, known

DOCS = Path(__file__).parents[1] / "docs"

HEADS = {
    "en": (
        "# Settings",
        (
            "Sigma reads `SIGMA_*` variables, then a `.env` file in the folder where it is "
            "started (variables win). A value that cannot be used is told in one line, and the "
            "exit code is 2. `sigma doctor` checks the whole. This page is made from the table "
            "in `src/sigma/settings.py` by `scripts/settings.py`."
        ),
        "| Setting | Default | Meaning |",
        "Values marked with * are secrets: they are never logged or shown.",
    ),
    "ru": (
        "# Настройки",
        (
            "Sigma читает переменные `SIGMA_*`, затем файл `.env` в папке, где её запустили "
            "(переменные важнее). О негодном значении говорит одна строка, код выхода 2. Всё "
            "вместе проверяет `sigma doctor`. Страница сделана из таблицы в "
            "`src/sigma/settings.py` командой `scripts/settings.py`."
        ),
        "| Настройка | По умолчанию | Что значит |",
        "Значения со звёздочкой — секреты: они не попадают в журнал и на страницы.",
    ),
}


def page(locale: str) -> str:
    """The page in a language, whole."""
    title, intro, head, foot = HEADS[locale]
    rows = [_row(one, one.en if locale == "en" else one.ru) for one in known()]
    return "\n".join([title, "", intro, "", head, "|---|---|---|", *rows, "", foot, ""])


def _row(one: Known, meaning: str) -> str:
    default = f"`{one.default}`" if one.default else ""
    return f"| `{one.name}` | {default} | {meaning}{' *' if one.secret else ''} |"


if __name__ == "__main__":
    (DOCS / "settings.md").write_text(page("en"), encoding="utf-8")
    (DOCS / "settings.ru.md").write_text(page("ru"), encoding="utf-8")
