"""The table of settings, read once from SIGMA_* variables or a `.env` file."""

import dataclasses
import ipaddress
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from sigma.outbound.policy import Exemption, parse_exemption
from sigma.outbound.urls import InvalidUrlError, parse_smtp_url, parse_url
from sigma.weak_secrets import is_weak_secret

PREFIX = "SIGMA_"
MIN_SECRET_CHARS = 32
DATA_DIR = Path("var")

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


def _setting(default: Any, read: Reader, *, en: str, ru: str, secret: bool = False) -> Any:
    meta = {"read": read, "en": en, "ru": ru, "secret": secret}
    return field(default=default, repr=not secret, metadata=meta)


def _choice(*choices: str) -> Reader:
    def read(text: str) -> str:
        if text.lower() not in choices:
            raise SettingError("", "choice", choices=", ".join(choices))
        return text.lower()

    return read


def _int_between(low: int, high: int) -> Reader:
    def read(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not low <= int(text) <= high:
            raise SettingError("", "number", low=low, high=high)
        return int(text)

    return read


def _database_url(text: str) -> str:
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


def _secret_keys(text: str) -> str:
    keys = [key.strip() for key in text.split(",")]
    if any(len(key) < MIN_SECRET_CHARS for key in keys):
        raise SettingError("", "secret_short", min=MIN_SECRET_CHARS)
    # Only the first one encrypts. An old weak key must still decrypt, or it could not be replaced.
    if is_weak_secret(keys[0]):
        raise SettingError("", "secret_weak")
    return ",".join(keys)


def _http_url(text: str, *, may_have_path: bool = True) -> str:
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


def _smtp_url(text: str) -> str:
    try:
        parse_smtp_url(text)
    except InvalidUrlError:
        raise SettingError("", "smtp") from None
    return text


def _mail_from(text: str) -> str:
    if not re.fullmatch(r"[^\r\n<>]*<[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+", text):
        raise SettingError("", "mail_from")
    return text


def _list_of(parse: Callable[[str], object], code: str) -> Reader:
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


def _proxy(text: str) -> str:
    try:
        url = parse_url(text, "http")
    except InvalidUrlError:
        raise SettingError("", "outbound_proxy") from None
    if url.path not in ("", "/") or url.query:
        raise SettingError("", "outbound_proxy")
    return url.origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one process. A variable's name is SIGMA_ and the field's name in capitals."""

    database_url: str = _setting(
        "",
        _database_url,
        secret=True,
        en="Database: sqlite:///FILE or postgresql://user:password@host/name."
        " Empty: sigma.db in the data folder",
        ru="База данных: sqlite:///ФАЙЛ или postgresql://user:password@host/name."
        " Пусто: sigma.db в папке данных",
    )
    secret_key: str = _setting(
        "",
        _secret_keys,
        secret=True,
        en="Encrypts answers and credentials; at least 32 characters, required. Several keys,"
        " separated by commas: the first encrypts, all decrypt",
        ru="Шифрует ответы клиентов и ключи доступа; не короче 32 символов, обязателен. Несколько"
        " ключей через запятую: первый шифрует, расшифровывают все",
    )
    base_url: str = _setting(
        "",
        partial(_http_url, may_have_path=False),  # other applications would share the host
        en="Public address of Sigma, used in links. Empty: http://HOST:PORT",
        ru="Публичный адрес Sigma для ссылок. Пусто: http://HOST:PORT",
    )
    host: str = _setting(
        "127.0.0.1", str, en="Network address to listen on", ru="Сетевой адрес сервера"
    )
    port: int = _setting(
        8000, _int_between(1, 65535), en="Port to listen on", ru="Порт, на котором работает сервер"
    )
    smtp_url: str = _setting(
        "",
        _smtp_url,
        secret=True,
        en="Mail server: smtp://user:password@host:587 or smtps://… Empty: no mail is sent",
        ru="Почтовый сервер: smtp://user:password@host:587 или smtps://…"
        " Пусто: письма не отправляются",
    )
    mail_from: str = _setting(
        "Sigma <sigma@localhost>",
        _mail_from,
        en="Sender of mails, unless the shop has its own",
        ru="Отправитель писем, если у магазина не указан свой",
    )
    vk_api_url: str = _setting(
        "https://api.vk.ru",
        _http_url,
        en="Address of the VKontakte API; stored with each community when it is connected",
        ru="Адрес API ВКонтакте; сохраняется для каждого сообщества при подключении",
    )
    vk_site_url: str = _setting(
        "https://vk.com",
        _http_url,
        en="Address of the VKontakte site, for links to a community and its settings",
        ru="Адрес сайта ВКонтакте для ссылок на сообщество и его настройки",
    )
    locale: Literal["ru", "en"] = _setting(
        "ru",
        _choice("ru", "en"),
        en="Language of new shops and users, and of pages when the browser asks for neither"
        " Russian nor English: ru or en",
        ru="Язык новых магазинов и сотрудников, а также страниц, если браузер не просит ни русский,"
        " ни английский: ru или en",
    )
    data_dir: Path = _setting(  # noqa: RUF009
        DATA_DIR, Path, en="Folder for Sigma's own files", ru="Папка для файлов Sigma"
    )
    worker_inside: Literal["auto", "yes", "no"] = _setting(
        "auto",
        _choice("auto", "yes", "no"),
        en="Whether `sigma serve` also runs jobs: auto (yes on SQLite), yes, no",
        ru="Выполняет ли `sigma serve` фоновые задания: auto (да на SQLite), yes, no",
    )
    pool_size: int = _setting(
        8,
        _int_between(1, 200),
        en="Connections to PostgreSQL per process",
        ru="Число соединений с PostgreSQL на процесс",
    )
    session_days: int = _setting(
        30, _int_between(1, 365), en="Lifetime of a session, in days", ru="Срок сеанса, в днях"
    )
    session_idle_hours: int = _setting(
        72, _int_between(1, 8760), en="Hours of disuse that end it", ru="Часов простоя до его конца"
    )
    trusted_proxies: tuple[str, ...] = _setting(
        (),
        _list_of(ipaddress.ip_network, "networks"),
        en="Addresses or networks of trusted proxies, separated by commas: their X-Forwarded-For"
        " and X-Forwarded-Proto are used",
        ru="Адреса или сети доверенных прокси через запятую: Sigma использует их X-Forwarded-For"
        " и X-Forwarded-Proto",
    )
    outbound_allow: tuple[str, ...] = _setting(
        (),
        _list_of(parse_exemption, "outbound_allow"),
        en="Exceptions to the rule that Sigma connects only to public addresses and only encrypted:"
        " hosts, addresses or networks, separated by commas, each with :port to allow one port."
        " Everyone who may change a shop's connections can reach them",
        ru="Исключения из правила, по которому Sigma соединяется только с публичными адресами и"
        " только с шифрованием: имена, адреса или сети через запятую, с :порт для одного порта."
        " До них сможет дотянуться каждый, кто меняет подключения магазина",
    )
    outbound_proxy: str = _setting(
        "",
        _proxy,
        en="HTTP proxy for requests to acquirers and VKontakte: http://host:3128. It must refuse"
        " private addresses itself. Empty: no proxy, also when the environment names one",
        ru="HTTP-прокси для запросов к эквайерам и ВКонтакте: http://сервер:3128. Он должен сам"
        " отказывать в частных адресах. Пусто: без прокси, даже если он указан в окружении",
    )
    api_requests_per_minute: int = _setting(
        1200,
        _int_between(1, 1_000_000),
        en="Requests that one API key may make per minute; more are answered with 429",
        ru="Сколько запросов в минуту может сделать один ключ API; на лишние ответ 429",
    )
    manual_mails_per_day: int = _setting(
        200,
        _int_between(1, 1_000_000),
        en="Mails that one shop may send by hand per day: receipts sent again, test mails",
        ru="Сколько писем в день магазин может отправить вручную: повторные квитанции и проверки",
    )
    metrics_token: str = _setting(
        "",
        str,
        secret=True,
        en="Bearer token for /metrics. Empty: /metrics is available from this machine only",
        ru="Bearer-токен для /metrics. Пусто: /metrics доступен только с этой машины",
    )
    hsts: Literal["off", "host", "subdomains", "preload"] = _setting(
        "subdomains",
        _choice("off", "host", "subdomains", "preload"),
        en="For what browsers use https only, when the base URL is https: host (this host),"
        " subdomains (its subdomains too), preload (also by the list inside browsers),"
        " off (nothing)",
        ru="Что браузеры открывают только по https, если базовый адрес https: host — этот хост,"
        " subdomains — и его поддомены, preload — ещё и по списку в самих браузерах,"
        " off — не требовать",
    )
    log_level: Literal["debug", "info", "warning", "error"] = _setting(
        "info",
        _choice("debug", "info", "warning", "error"),
        en="Log level: debug, info, warning, error",
        ru="Уровень журнала: debug, info, warning, error",
    )
    log_format: Literal["auto", "json", "console"] = _setting(
        "auto",
        _choice("auto", "json", "console"),
        en="Log format: json, console, auto (console on a terminal)",
        ru="Формат журнала: json, console, auto (console в терминале)",
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
        """The secret keys: the first encrypts, all decrypt. Raises SettingError without any."""
        if not self.secret_key:
            raise SettingError("SIGMA_SECRET_KEY", "secret_missing")
        return tuple(self.secret_key.split(","))

    @property
    def exemptions(self) -> tuple[Exemption, ...]:
        """The exceptions to the outbound guard, parsed."""
        return tuple(map(parse_exemption, self.outbound_allow))

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is a SQLite file."""
        return self.database_url.startswith("sqlite:")

    @property
    def should_run_worker(self) -> bool:
        """Whether `sigma serve` also runs jobs."""
        return self.worker_inside == "yes" or (self.worker_inside == "auto" and self.is_sqlite)


@dataclass(frozen=True, slots=True)
class SettingInfo:
    """A row of the settings table, for documentation. `default` is as written in a variable."""

    name: str
    default: str
    en: str
    ru: str
    is_secret: bool


def list_settings() -> list[SettingInfo]:
    """Return all settings in the order of the table."""
    return [
        SettingInfo(
            name=PREFIX + one.name.upper(),
            default=",".join(one.default) if one.default == () else str(one.default),
            en=one.metadata["en"],
            ru=one.metadata["ru"],
            is_secret=one.metadata["secret"],
        )
        for one in dataclasses.fields(Settings)
    ]


def load_settings(
    environ: Mapping[str, str] | None = None, dotenv: Path | None = Path(".env"), **overrides: Any
) -> Settings:
    """Read the settings. Raises SettingError.

    Keyword arguments that are not None win over variables, variables over the `.env` file.
    """
    variables = dict(read_dotenv(dotenv)) if dotenv else {}
    variables |= os.environ if environ is None else environ
    values: dict[str, Any] = {}
    for one in dataclasses.fields(Settings):
        name = PREFIX + one.name.upper()
        if one.name in overrides and overrides[one.name] is not None:
            values[one.name] = overrides[one.name]
        elif text := variables.get(name, "").strip():
            try:
                values[one.name] = one.metadata["read"](text)
            except SettingError as error:
                raise SettingError(name, error.code, **error.params) from None
    return Settings(**values)


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Return SIGMA_* variables that are not settings, most likely misspelt."""
    names = {one.name for one in list_settings()}
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in names)


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
