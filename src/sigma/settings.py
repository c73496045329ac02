"""The table of settings, read once from SIGMA_* variables or a `.env` file."""

import dataclasses
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from sigma.outbound.policy import Exemption, parse_exemption, parse_host_pattern
from sigma.setting_readers import (
    Reader,
    SettingError,
    read_choice,
    read_credentials,
    read_database_url,
    read_dotenv,
    read_file,
    read_http_url,
    read_int_between,
    read_list_of,
    read_mail_from,
    read_proxy,
    read_secret_keys,
    read_smtp_url,
)

__all__ = [
    "SettingError",
    "SettingInfo",
    "Settings",
    "list_settings",
    "load_settings",
    "read_dotenv",
    "unknown_variables",
]

PREFIX = "SIGMA_"
DATA_DIR = Path("var")
CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"


def _setting(default: Any, read: Reader, *, en: str, ru: str, secret: bool = False) -> Any:
    meta = {"read": read, "en": en, "ru": ru, "secret": secret}
    return field(default=default, repr=not secret, metadata=meta)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one process. A variable's name is SIGMA_ and the field's name in capitals."""

    database_url: str = _setting(
        "",
        read_database_url,
        secret=True,
        en="Database: sqlite:///FILE or postgresql://user:password@host/name."
        " Empty: sigma.db in the data folder",
        ru="База данных: sqlite:///ФАЙЛ или postgresql://user:password@host/name."
        " Пусто: sigma.db в папке данных",
    )
    secret_key: str = _setting(
        "",
        read_secret_keys,
        secret=True,
        en="Encrypts answers and credentials; at least 32 characters, required. Several keys,"
        " separated by commas: the first encrypts, all decrypt",
        ru="Шифрует ответы клиентов и ключи доступа; не короче 32 символов, обязателен. Несколько"
        " ключей через запятую: первый шифрует, расшифровывают все",
    )
    base_url: str = _setting(
        "",
        partial(read_http_url, may_have_path=False),  # other applications would share the host
        en="Public address of Sigma, used in links. Empty: http://HOST:PORT",
        ru="Публичный адрес Sigma для ссылок. Пусто: http://HOST:PORT",
    )
    host: str = _setting(
        "127.0.0.1", str, en="Network address to listen on", ru="Сетевой адрес сервера"
    )
    port: int = _setting(
        8000,
        read_int_between(1, 65535),
        en="Port to listen on",
        ru="Порт, на котором работает сервер",
    )
    smtp_url: str = _setting(
        "",
        read_smtp_url,
        secret=True,
        en="Mail server: smtp://user:password@host:587 or smtps://… Empty: no mail is sent",
        ru="Почтовый сервер: smtp://user:password@host:587 или smtps://…"
        " Пусто: письма не отправляются",
    )
    mail_from: str = _setting(
        "Sigma <sigma@localhost>",
        read_mail_from,
        en="Sender of mails, unless the shop has its own",
        ru="Отправитель писем, если у магазина не указан свой",
    )
    vk_api_url: str = _setting(
        "https://api.vk.ru",
        read_http_url,
        en="Address of the VKontakte API; stored with each community when it is connected",
        ru="Адрес API ВКонтакте; сохраняется для каждого сообщества при подключении",
    )
    vk_site_url: str = _setting(
        "https://vk.com",
        read_http_url,
        en="Address of the VKontakte site, for links to a community and its settings",
        ru="Адрес сайта ВКонтакте для ссылок на сообщество и его настройки",
    )
    locale: Literal["ru", "en"] = _setting(
        "ru",
        read_choice("ru", "en"),
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
        read_choice("auto", "yes", "no"),
        en="Whether `sigma serve` also runs jobs: auto (yes on SQLite), yes, no",
        ru="Выполняет ли `sigma serve` фоновые задания: auto (да на SQLite), yes, no",
    )
    pool_size: int = _setting(
        8,
        read_int_between(1, 200),
        en="Connections to PostgreSQL per process",
        ru="Число соединений с PostgreSQL на процесс",
    )
    session_days: int = _setting(
        30, read_int_between(1, 365), en="Lifetime of a session, in days", ru="Срок сеанса, в днях"
    )
    session_idle_hours: int = _setting(
        72,
        read_int_between(1, 8760),
        en="Hours of disuse that end it",
        ru="Часов простоя до его конца",
    )
    trusted_proxies: tuple[str, ...] = _setting(
        (),
        read_list_of(ipaddress.ip_network, "networks"),
        en="Addresses or networks of trusted proxies, separated by commas: their X-Forwarded-For"
        " and X-Forwarded-Proto are used",
        ru="Адреса или сети доверенных прокси через запятую: Sigma использует их X-Forwarded-For"
        " и X-Forwarded-Proto",
    )
    outbound_allow: tuple[str, ...] = _setting(
        (),
        read_list_of(parse_exemption, "outbound_allow"),
        en="Exceptions to the rule that Sigma connects only to public addresses and only encrypted:"
        " hosts, addresses or networks, separated by commas, each with :port to allow one port."
        " Everyone who may change a shop's connections can reach them",
        ru="Исключения из правила, по которому Sigma соединяется только с публичными адресами и"
        " только с шифрованием: имена, адреса или сети через запятую, с :порт для одного порта."
        " До них сможет дотянуться каждый, кто меняет подключения магазина",
    )
    outbound_proxy: str = _setting(
        "",
        read_proxy,
        en="HTTP proxy for requests to acquirers and VKontakte: http://host:3128. It must refuse"
        " private addresses itself. Empty: no proxy, also when the environment names one",
        ru="HTTP-прокси для запросов к эквайерам и ВКонтакте: http://сервер:3128. Он должен сам"
        " отказывать в частных адресах. Пусто: без прокси, даже если он указан в окружении",
    )
    outbound_hosts: tuple[str, ...] = _setting(
        (),
        read_list_of(parse_host_pattern, "outbound_hosts"),
        en="The only hosts that Sigma connects to, separated by commas: api.yookassa.ru, *.vk.ru."
        " Hosts of SIGMA_OUTBOUND_ALLOW and of other settings may always be called. Empty: any"
        " public host",
        ru="Единственные хосты, с которыми соединяется Sigma, через запятую: api.yookassa.ru,"
        " *.vk.ru. Хосты из SIGMA_OUTBOUND_ALLOW и других настроек доступны всегда. Пусто: любой"
        " публичный хост",
    )
    api_requests_per_minute: int = _setting(
        1200,
        read_int_between(1, 1_000_000),
        en="Requests that one API key may make per minute; more are answered with 429",
        ru="Сколько запросов в минуту может сделать один ключ API; на лишние ответ 429",
    )
    manual_mails_per_day: int = _setting(
        200,
        read_int_between(1, 1_000_000),
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
        read_choice("off", "host", "subdomains", "preload"),
        en="For what browsers use https only, when the base URL is https: host (this host),"
        " subdomains (its subdomains too), preload (also by the list inside browsers),"
        " off (nothing)",
        ru="Что браузеры открывают только по https, если базовый адрес https: host — этот хост,"
        " subdomains — и его поддомены, preload — ещё и по списку в самих браузерах,"
        " off — не требовать",
    )
    tls_certificate: str = _setting(
        "",
        read_file,
        en="Certificate chain (PEM): Sigma itself serves https, with TLS 1.2 or newer. Empty: http,"
        " for a reverse proxy on this machine",
        ru="Цепочка сертификатов (PEM): Sigma сама отвечает по https, TLS 1.2 или новее. Пусто:"
        " http, для обратного прокси на этой же машине",
    )
    tls_key: str = _setting(
        "",
        read_file,
        en="Private key (PEM) of the certificate. Empty: it is in the file of the certificate",
        ru="Закрытый ключ (PEM) сертификата. Пусто: он в файле сертификата",
    )
    second_factor: Literal["optional", "required"] = _setting(
        "optional",
        read_choice("optional", "required"),
        en="Second step at sign-in: optional (each shop decides), required (from everybody)",
        ru="Второй шаг входа: optional — решает каждый магазин, required — обязателен для всех",
    )
    security_profile: Literal["basic", "level2"] = _setting(
        "basic",
        read_choice("basic", "level2"),
        en="level2: Sigma starts only in the configuration that is assessed against OWASP ASVS"
        " level 2, and connects nowhere without encryption. basic: `sigma doctor` advises",
        ru="level2: Sigma запускается только в конфигурации, которая оценена по OWASP ASVS уровня"
        " 2, и никуда не подключается без шифрования. basic: советует `sigma doctor`",
    )
    log_level: Literal["debug", "info", "warning", "error"] = _setting(
        "info",
        read_choice("debug", "info", "warning", "error"),
        en="Log level: debug, info, warning, error",
        ru="Уровень журнала: debug, info, warning, error",
    )
    log_format: Literal["auto", "json", "console"] = _setting(
        "auto",
        read_choice("auto", "json", "console"),
        en="Log format: json, console, auto (console on a terminal)",
        ru="Формат журнала: json, console, auto (console в терминале)",
    )
    log_addresses: Literal["security", "all"] = _setting(
        "security",
        read_choice("security", "all"),
        en="Log lines with the client's IP address: security (security events), all (each request)",
        ru="Строки журнала с IP-адресом клиента: security — события безопасности, all — каждый"
        " запрос",
    )

    # Names of secrets that were read from variables or the `.env` file; no setting.
    exposed_secrets: tuple[str, ...] = field(default=(), metadata={"is_setting": False})

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
    def is_level2(self) -> bool:
        """Whether the installation must be in the assessed configuration."""
        return self.security_profile == "level2"

    @property
    def is_second_factor_required(self) -> bool:
        """Whether everybody needs a second factor, whatever a shop demands."""
        return self.second_factor == "required"

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


def _fields() -> list[dataclasses.Field[Any]]:
    fields = dataclasses.fields(Settings)
    return [one for one in fields if one.metadata.get("is_setting", True)]


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
        for one in _fields()
    ]


def load_settings(
    environ: Mapping[str, str] | None = None, dotenv: Path | None = Path(".env"), **overrides: Any
) -> Settings:
    """Read the settings. Raises SettingError.

    Keyword arguments that are not None win over credentials, credentials over variables, variables
    over the `.env` file. Credentials are files of the folder `CREDENTIALS_DIRECTORY`, which systemd
    and managers of secrets fill for one process.
    """
    variables = dict(read_dotenv(dotenv)) if dotenv else {}
    variables |= os.environ if environ is None else environ
    credentials = read_credentials(variables.get(CREDENTIALS_VARIABLE, ""))
    values: dict[str, Any] = {}
    exposed = []
    for one in _fields():
        name = PREFIX + one.name.upper()
        if one.name in overrides and overrides[one.name] is not None:
            values[one.name] = overrides[one.name]
        elif text := (credentials.get(name) or variables.get(name, "")).strip():
            try:
                values[one.name] = one.metadata["read"](text)
            except SettingError as error:
                raise SettingError(name, error.code, **error.params) from None
            if one.metadata["secret"] and name not in credentials:
                exposed.append(name)
    return Settings(**values, exposed_secrets=tuple(exposed))


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Return SIGMA_* variables that are not settings, most likely misspelt."""
    names = {one.name for one in list_settings()}
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in names)
