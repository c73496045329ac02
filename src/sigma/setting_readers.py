"""Readers of single settings: each turns the text of a variable into a value, or refuses it."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from sigma.outbound.urls import InvalidUrlError, parse_smtp_url, parse_url
from sigma.weak_secrets import is_weak_secret

MIN_SECRET_CHARS = 32

Reader = Callable[[str], Any]


class SettingError(Exception):
    """An invalid or missing setting. `code` is part of the text key `cli.setting_<code>`.

    `params` fill the placeholders of that text.
    """

    def __init__(self, name: str, code: str, **params: object) -> None:
        super().__init__(f"{name}: {code}")
        self.name = name
        self.code = code
        self.params = params


def read_choice(*choices: str) -> Reader:
    """Return the reader of one of these words, in any case."""

    def read(text: str) -> str:
        if text.lower() not in choices:
            raise SettingError("", "choice", choices=", ".join(choices))
        return text.lower()

    return read


def read_int_between(low: int, high: int) -> Reader:
    """Return the reader of a whole number within inclusive bounds."""

    def read(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not low <= int(text) <= high:
            raise SettingError("", "number", low=low, high=high)
        return int(text)

    return read


def read_database_url(text: str) -> str:
    """Read the URL of a SQLite file or of a PostgreSQL database. Raises SettingError."""
    if re.fullmatch(r"sqlite:///.+", text):
        return text
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - raises ValueError when it is not a number
    except ValueError:
        raise SettingError("", "database") from None
    if parts.scheme not in ("postgresql", "postgres") or len(parts.path) < 2:
        raise SettingError("", "database")
    return text


def read_secret_keys(text: str) -> str:
    """Read secret keys separated by commas; the first must be random. Raises SettingError."""
    keys = [key.strip() for key in text.split(",")]
    if any(len(key) < MIN_SECRET_CHARS for key in keys):
        raise SettingError("", "secret_short", min=MIN_SECRET_CHARS)
    # Only the first one encrypts. An old weak key must still decrypt, or it could not be replaced.
    if is_weak_secret(keys[0]):
        raise SettingError("", "secret_weak")
    return ",".join(keys)


def read_http_url(text: str, *, may_have_path: bool = True) -> str:
    """Read an http or https URL without a query or a slash at its end. Raises SettingError."""
    try:
        url = parse_url(text, "http", "https")
    except InvalidUrlError:
        raise SettingError("", "base_url") from None
    if url.query or re.search(r"[?#@]", text):
        raise SettingError("", "base_url")
    # Browsers write scheme and host in lower case: so do links, cookies and the origin check.
    parts = urlsplit(text)
    if not may_have_path and parts.path.strip("/"):
        raise SettingError("", "base_url_path")
    return urlunsplit(parts._replace(netloc=parts.netloc.lower())).rstrip("/")


def read_smtp_url(text: str) -> str:
    """Read the URL of a mail server. Raises SettingError."""
    try:
        parse_smtp_url(text)
    except InvalidUrlError:
        raise SettingError("", "smtp") from None
    return text


def read_mail_from(text: str) -> str:
    """Read the sender of mails, an address with or without a name. Raises SettingError."""
    if not re.fullmatch(r"[^\r\n<>]*<[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+", text):
        raise SettingError("", "mail_from")
    return text


def read_list_of(parse: Callable[[str], object], code: str) -> Reader:
    """Return the reader of parts separated by commas; each must be one that `parse` accepts."""

    def read(text: str) -> tuple[str, ...]:
        parts = tuple(part.strip() for part in text.split(",") if part.strip())
        for part in parts:
            try:
                parse(part)
            except ValueError:
                raise SettingError("", code, part=part) from None
        return parts

    return read


def read_proxy(text: str) -> str:
    """Read the URL of an HTTP proxy. Raises SettingError."""
    try:
        url = parse_url(text, "http")
    except InvalidUrlError:
        raise SettingError("", "outbound_proxy") from None
    if url.path not in ("", "/") or url.query:
        raise SettingError("", "outbound_proxy")
    return url.origin


def read_dotenv(path: Path) -> Iterator[tuple[str, str]]:
    """Yield names and values of a `.env` file: `NAME=value`, quotes, comments.

    A missing file is empty. Raises SettingError for a malformed line or an unreadable file.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(str(path), "dotenv", line=0) from error
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if not (m := re.fullmatch(r"(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*)", line, re.ASCII)):
            raise SettingError(str(path), "dotenv", line=number)
        value = m[2]
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        else:
            value = re.sub(r"\s+#.*$", "", value)
        yield m[1], value


def read_file(text: str) -> str:
    """Read the path of a file that exists and can be read. Raises SettingError."""
    try:
        with Path(text).open("rb"):
            return text
    except OSError:
        raise SettingError("", "file", file=text) from None


def read_credentials(folder: str) -> dict[str, str]:
    """Return the texts of the files SIGMA_… in a folder of credentials; {} without a folder.

    Raises SettingError when the folder or a file cannot be read.
    """
    if not folder:
        return {}
    try:
        files = [one for one in Path(folder).iterdir() if one.name.startswith("SIGMA_")]
        return {one.name: one.read_text(encoding="utf-8").strip() for one in files}
    except (OSError, UnicodeDecodeError):
        raise SettingError("CREDENTIALS_DIRECTORY", "file", file=folder) from None
