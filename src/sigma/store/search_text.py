"""Text search in a column that holds normalized text."""


def normalize_text(text: str) -> str:
    """Return `text` normalized for search: case-folded, ё as е, single spaces.

    Not done in SQL, because SQLite's lower() does not support Cyrillic.
    """
    return " ".join(text.casefold().replace("ё", "е").split())


def like_pattern(text: str) -> str:
    """Return a LIKE pattern (escape character "\\") that finds the normalized `text` anywhere."""
    escaped = normalize_text(text)
    for special in ("\\", "%", "_"):
        escaped = escaped.replace(special, "\\" + special)
    return f"%{escaped}%"
