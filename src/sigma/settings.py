"""Every setting of Sigma in one table, read once from SIGMA_* variables or a `.env` file."""

import dataclasses
import ipaddress
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

PREFIX = "SIGMA_"
MIN_SECRET = 32
DATA_DIR = Path("var")

Reader = Callable[[str], Any]


class BadSetting(Exception):  # noqa: N818 - a word of ours
    """A setting that cannot be used. `code` is a key `cli.setting_<code>` of the texts."""

    def __init__(self, name: str, code: str, **params: object) -> None:
        super().__init__(f"{name}: {code}")
        self.name = name
        self.code = code
        self.params = params


def _setting(default: Any, read: Reader, *, en: str, ru: str, secret: bool = False) -> Any:
    meta = {"read": read, "en": en, "ru": ru, "secret": secret}
    return field(default=default, repr=not secret, metadata=meta)


def _text(text: str) -> str:
    return text


def _one_of(*words: str) -> Reader:
    def read(text: str) -> str:
        if text.lower() not in words:
            raise BadSetting("", "choice", choices=", ".join(words))
        return text.lower()

    return read


def _whole(low: int, high: int) -> Reader:
    def read(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not low <= int(text) <= high:
            raise BadSetting("", "number", low=low, high=high)
        return int(text)

    return read


def _database(text: str) -> str:
    if re.fullmatch(r"sqlite:///.+", text):
        return text
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - raises ValueError when it is no number
    except ValueError:
        raise BadSetting("", "database") from None
    if parts.scheme not in ("postgresql", "postgres") or len(parts.path) < 2:
        raise BadSetting("", "database")
    return text


def _secrets(text: str) -> str:
    keys = [key.strip() for key in text.split(",")]
    if any(len(key) < MIN_SECRET for key in keys):
        raise BadSetting("", "secret_short", min=MIN_SECRET)
    return ",".join(keys)


def _web_address(text: str) -> str:
    try:
        parts = urlsplit(text)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole or re.search(r"[\s?#@]", text):
        raise BadSetting("", "base_url")
    return text.rstrip("/")


def _smtp(text: str) -> str:
    try:
        parts = urlsplit(text)
        whole = parts.scheme in ("smtp", "smtps") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole:
        raise BadSetting("", "smtp")
    return text


def _mail_from(text: str) -> str:
    if not re.fullmatch(r"[^\r\n<>]*<[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+", text):
        raise BadSetting("", "mail_from")
    return text


def _networks(text: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    for part in parts:
        try:
            ipaddress.ip_network(part)
        except ValueError:
            raise BadSetting("", "networks", part=part) from None
    return parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a Sigma process runs with. The fields are the table: SIGMA_ + the name in capitals."""

    database_url: str = _setting(
        "",
        _database,
        secret=True,
        en="Where everything is kept: sqlite:///FILE or postgresql://user:password@host/name."
        " Empty: sigma.db in the data folder",
        ru="Где всё хранится: sqlite:///ФАЙЛ или postgresql://user:password@host/name."
        " Пусто: sigma.db в папке данных",
    )
    secret_key: str = _setting(
        "",
        _secrets,
        secret=True,
        en="Seals answers and credentials; 32 characters or more, required. Several, with commas"
        " between: the first seals, all open",
        ru="Шифрует ответы и доступы; от 32 знаков, обязателен. Несколько через запятую:"
        " первый шифрует, открывают все",
    )
    base_url: str = _setting(
        "",
        _web_address,
        en="The address under which clients see Sigma, for links. Empty: http://HOST:PORT",
        ru="Адрес, по которому Sigma видят клиенты, для ссылок. Пусто: http://HOST:PORT",
    )
    host: str = _setting(
        "127.0.0.1", _text, en="The address to listen on", ru="На каком адресе слушать"
    )
    port: int = _setting(8000, _whole(1, 65535), en="The port to listen on", ru="Порт")
    smtp_url: str = _setting(
        "",
        _smtp,
        secret=True,
        en="The mail server: smtp://user:password@host:587 or smtps://… Empty: no mail is sent",
        ru="Почтовый сервер: smtp://user:password@host:587 или smtps://… Пусто: писем не будет",
    )
    mail_from: str = _setting(
        "Sigma <sigma@localhost>",
        _mail_from,
        en="Who the mails are from, unless the shop says otherwise",
        ru="От кого письма, если магазин не указал иначе",
    )
    vk_api_url: str = _setting(
        "https://api.vk.ru",
        _web_address,
        en="Where VKontakte's API is; kept by each community when it is connected",
        ru="Где API ВКонтакте; каждое сообщество запоминает его при подключении",
    )
    vk_site_url: str = _setting(
        "https://vk.com",
        _web_address,
        en="Where VKontakte's pages are, for links to a community and its settings",
        ru="Где страницы ВКонтакте, для ссылок на сообщество и его настройки",
    )
    locale: Literal["ru", "en"] = _setting(
        "ru",
        _one_of("ru", "en"),
        en="The language of pages for those who have not chosen: ru or en",
        ru="Язык страниц для тех, кто не выбрал: ru или en",
    )
    data_dir: Path = _setting(  # noqa: RUF009
        DATA_DIR, Path, en="The folder for files of Sigma's own", ru="Папка для своих файлов"
    )
    worker_inside: Literal["auto", "yes", "no"] = _setting(
        "auto",
        _one_of("auto", "yes", "no"),
        en="Whether `sigma serve` also does the jobs: auto (yes on SQLite), yes, no",
        ru="Выполняет ли `sigma serve` и задания: auto (да на SQLite), yes, no",
    )
    pool_size: int = _setting(
        8,
        _whole(1, 200),
        en="Connections to PostgreSQL per process",
        ru="Соединений с PostgreSQL на процесс",
    )
    session_days: int = _setting(
        30,
        _whole(1, 365),
        en="How long a sign-in to the cabinet lasts, in days",
        ru="Сколько дней действует вход в кабинет",
    )
    trusted_proxies: tuple[str, ...] = _setting(
        (),
        _networks,
        en="Addresses or networks of proxies whose X-Forwarded-For and -Proto are believed,"
        " with commas between",
        ru="Адреса или сети прокси, чьим X-Forwarded-For и -Proto верить, через запятую",
    )
    metrics_token: str = _setting(
        "",
        _text,
        secret=True,
        en="The bearer token for /metrics. Empty: /metrics answers to this machine only",
        ru="Токен для /metrics. Пусто: /metrics отвечает только этой машине",
    )
    log_level: Literal["debug", "info", "warning", "error"] = _setting(
        "info",
        _one_of("debug", "info", "warning", "error"),
        en="How much to log: debug, info, warning, error",
        ru="Насколько подробен журнал: debug, info, warning, error",
    )
    log_format: Literal["auto", "json", "console"] = _setting(
        "auto",
        _one_of("auto", "json", "console"),
        en="The form of the log: json, console, auto (console on a terminal)",
        ru="Вид журнала: json, console, auto (console в терминале)",
    )

    def __post_init__(self) -> None:
        if not self.database_url:
            object.__setattr__(self, "database_url", f"sqlite:///{self.data_dir / 'sigma.db'}")
        if not self.base_url:
            host = "localhost" if self.host in ("0.0.0.0", "::", "") else self.host  # noqa: S104
            host = f"[{host}]" if ":" in host else host
            object.__setattr__(self, "base_url", f"http://{host}:{self.port}")

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """The secrets: the first seals, all open. Raises BadSetting when there is none."""
        if not self.secret_key:
            raise BadSetting("SIGMA_SECRET_KEY", "secret_missing")
        return tuple(self.secret_key.split(","))

    @property
    def sqlite(self) -> bool:
        """Whether the database is a file."""
        return self.database_url.startswith("sqlite:")

    @property
    def runs_worker(self) -> bool:
        """Whether `sigma serve` does the jobs too."""
        return self.worker_inside == "yes" or (self.worker_inside == "auto" and self.sqlite)

    @property
    def secure(self) -> bool:
        """Whether clients come over https, so that cookies may insist on it."""
        return self.base_url.startswith("https:")


@dataclass(frozen=True, slots=True)
class Known:
    """A row of the table, for documentation and checks. `default` is as it is typed."""

    name: str
    default: str
    en: str
    ru: str
    secret: bool


def known() -> list[Known]:
    """All settings in their order."""
    return [
        Known(
            name=PREFIX + one.name.upper(),
            default=",".join(one.default) if one.default == () else str(one.default),
            en=one.metadata["en"],
            ru=one.metadata["ru"],
            secret=one.metadata["secret"],
        )
        for one in dataclasses.fields(Settings)
    ]


def load(
    environ: Mapping[str, str] | None = None, dotenv: Path | None = Path(".env"), **given: Any
) -> Settings:
    """Reads settings: `given` before variables before the `.env` file. Raises BadSetting."""
    told = dict(read_dotenv(dotenv)) if dotenv else {}
    told |= os.environ if environ is None else environ
    values: dict[str, Any] = {}
    for one in dataclasses.fields(Settings):
        name = PREFIX + one.name.upper()
        if one.name in given and given[one.name] is not None:
            values[one.name] = given[one.name]
        elif text := told.get(name, "").strip():
            try:
                values[one.name] = one.metadata["read"](text)
            except BadSetting as error:
                raise BadSetting(name, error.code, **error.params) from None
    return Settings(**values)


def unknown(environ: Mapping[str, str]) -> list[str]:
    """Variables that look like settings and are none: misspelt ones, most likely."""
    names = {one.name for one in known()}
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in names)


def read_dotenv(path: Path) -> Iterator[tuple[str, str]]:
    """Names and values of a `.env` file: `NAME=value`, quotes, comments. Raises BadSetting."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise BadSetting(str(path), "dotenv", line=0) from error
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if not (m := re.fullmatch(r"(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*)", line, re.ASCII)):
            raise BadSetting(str(path), "dotenv", line=number)
        value = m[2]
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        else:
            value = re.sub(r"\s+#.*$", "", value)
        yield m[1], value
