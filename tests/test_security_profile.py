"""The assessed configuration: what departs from it is named, and refused by the profile."""

import re
import ssl
from pathlib import Path

import pytest

from sigma.main import ProfileError, open_outbound, require_profile
from sigma.outbound.policy import DeniedError
from sigma.outbound.tls import CIPHERS
from sigma.security_profile import list_departures, measure_public_tls
from sigma.settings import Settings, load_settings
from tests.docs.markdown import read
from tests.outbound.servers import (
    ScriptedResolver,
    guard,
    listening,
    make_authority,
    server_context,
)
from tests.test_cli import KEY, sigma

PAGE = read("docs/security/assessed-configuration.md")
SMTP_URL = "smtps://mail.example.ru"
WITH_PASSWORD = "postgresql://sigma:a-password@127.0.0.1/sigma"  # pragma: allowlist secret


def documented_variables(folder: Path) -> dict[str, str]:
    """Return the variables of the documented file, with a certificate that exists."""
    certificate = folder / "tls.pem"
    certificate.touch()
    block = re.search(r"```\n(SIGMA_SECURITY_PROFILE=.+?)```", PAGE, re.DOTALL)
    assert block
    rows = [row.split("=", 1) for row in block[1].splitlines()]
    return {row[0]: row[1] for row in rows} | {"SIGMA_TLS_CERTIFICATE": str(certificate)}


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    """The documented configuration: variables, and secrets in a folder of credentials."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "SIGMA_SECRET_KEY").write_text(f"{KEY}\n")
    (folder / "SIGMA_SMTP_URL").write_text(SMTP_URL)
    return documented_variables(tmp_path) | {"CREDENTIALS_DIRECTORY": str(folder)}


def departures(variables: dict[str, str], **environ: str) -> set[tuple[str, str]]:
    settings = load_settings(variables, dotenv=None)
    return {(one.setting, one.code) for one in list_departures(settings, environ)}


def test_documented_configuration_is_the_one_that_the_profile_demands(
    variables: dict[str, str],
) -> None:
    assert departures(variables) == set()
    settings = load_settings(variables, dotenv=None)
    require_profile(settings)
    assert (settings.secret_key, settings.smtp_url) == (KEY, SMTP_URL)


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("SIGMA_BASE_URL", "http://pay.example.ru", "http"),
        ("SIGMA_BASE_URL", "http://127.0.0.1:8000", "http"),
        ("SIGMA_HSTS", "host", "hsts"),
        ("SIGMA_HSTS", "off", "hsts"),
        ("SIGMA_TLS_CERTIFICATE", "", "no_certificate"),
        ("SIGMA_SECOND_FACTOR", "optional", "second_factor"),
        ("SIGMA_OUTBOUND_HOSTS", "", "no_hosts"),
        ("SIGMA_LOG_ADDRESSES", "security", "log_addresses"),
        ("SIGMA_LOG_FORMAT", "auto", "log_format"),
        ("SIGMA_VK_API_URL", "http://api.vk.ru", "http"),
        ("SIGMA_VK_SITE_URL", "http://vk.com", "http"),
        ("SIGMA_METRICS_TOKEN", "a token of a program", "exposed_secret"),
        ("SIGMA_DATABASE_URL", "sqlite:////var/lib/sigma/sigma.db", "exposed_secret"),
    ],
)
def test_each_departure_is_named_with_its_setting(
    variables: dict[str, str], name: str, value: str, code: str
) -> None:
    assert departures(variables | {name: value}) == {(name, code)}
    settings = load_settings(variables | {name: value}, dotenv=None)
    with pytest.raises(ProfileError):
        require_profile(settings)


@pytest.mark.parametrize(
    ("url", "environ", "codes"),
    [
        ("postgresql:///sigma", {}, set()),
        ("postgresql:///sigma", {"PGHOST": "db"}, {"unverified_database"}),
        ("postgresql:///sigma", {"PGPASSWORD": "x"}, {"database_password"}),
        ("postgresql://sigma@db/sigma?sslmode=require", {}, {"unverified_database"}),
        (WITH_PASSWORD, {}, {"database_password"}),
        ("postgresql://sigma@db/sigma?sslmode=verify-full&sslrootcert=/ca.pem", {}, set()),
        ("postgresql:///sigma?password=x", {}, {"database_password"}),
    ],
)
def test_database_must_be_verified_and_entered_without_a_password(
    variables: dict[str, str], url: str, environ: dict[str, str], codes: set[str]
) -> None:
    Path(variables["CREDENTIALS_DIRECTORY"], "SIGMA_DATABASE_URL").write_text(url)
    assert departures(variables, **environ) == {("SIGMA_DATABASE_URL", code) for code in codes}


@pytest.mark.parametrize(
    ("url", "codes"),
    [
        ("", {"no_mail"}),
        ("smtp://mail.example.ru", set()),
        ("smtp://mail.example.ru?tls=no", {"plain_mail"}),
        ("smtp://127.0.0.1:25", {"plain_mail"}),
    ],
)
def test_mail_must_be_encrypted(variables: dict[str, str], url: str, codes: set[str]) -> None:
    Path(variables["CREDENTIALS_DIRECTORY"], "SIGMA_SMTP_URL").write_text(url)
    assert departures(variables) == {("SIGMA_SMTP_URL", code) for code in codes}


@pytest.mark.parametrize("command", [("serve",), ("worker",), ("migrate",), ("shop", "list")])
def test_commands_refuse_to_start_and_name_every_departure(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    result = sigma(*command, SIGMA_SECURITY_PROFILE="level2", SIGMA_DATA_DIR=str(tmp_path / "x"))
    assert result.exit_code == 2
    for setting in (
        *("SIGMA_BASE_URL", "SIGMA_TLS_CERTIFICATE", "SIGMA_SECOND_FACTOR"),
        *("SIGMA_OUTBOUND_HOSTS", "SIGMA_SMTP_URL", "SIGMA_SECRET_KEY"),
    ):
        assert f"{setting}: " in result.stderr
    assert not (tmp_path / "x").exists(), "nothing was begun"


def test_doctor_level2_lists_departures_without_the_profile(tmp_path: Path) -> None:
    environ = {"SIGMA_DATA_DIR": str(tmp_path)}
    assert "SIGMA_SECOND_FACTOR" not in sigma("doctor", **environ).stdout
    result = sigma("doctor", "--level2", **environ)
    assert result.exit_code == 1
    assert re.search(r"^!! +level 2 +SIGMA_SECOND_FACTOR: ", result.stdout, re.MULTILINE)


def test_documented_proxy_has_the_versions_and_cipher_suites_of_sigma() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers(CIPHERS)
    own = {one["name"] for one in context.get_ciphers() if one["protocol"] == "TLSv1.2"}
    assert re.findall(r"ssl_protocols (.+);", PAGE) == ["TLSv1.2 TLSv1.3"] * 2
    (suites,) = re.findall(r"ssl_ciphers (.+);", PAGE)
    assert set(suites.split(":")) <= own
    assert suites.startswith("ECDHE-ECDSA-AES256"), "the strongest first"
    assert "ssl_prefer_server_ciphers on;" in PAGE
    assert "proxy_ssl_verify on;" in PAGE


async def test_profile_connects_to_named_hosts_only_and_never_in_clear() -> None:
    settings = Settings(
        security_profile="level2",
        outbound_hosts=("api.bank.example.ru", "*.vk.ru"),
        outbound_allow=("10.0.0.7", "127.0.0.1"),
    )
    policy = open_outbound(settings).policy
    for host in ("api.bank.example.ru", "api.vk.ru", "10.0.0.7"):
        policy.check_host(host, 443, "https", is_encrypted=True)
    for host in ("bank.example.ru", "vk.ru", "notvk.ru", "api.bank.example.ru.evil.org", "8.8.8.8"):
        with pytest.raises(DeniedError):
            policy.check_host(host, 443, "https", is_encrypted=True)
    policy.check_host("127.0.0.1", 25, "smtp", is_encrypted=False)
    with pytest.raises(DeniedError):
        policy.check_host("10.0.0.7", 25, "smtp", is_encrypted=False)


async def test_public_address_is_measured_with_trusted_certificates_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = make_authority()
    tls = server_context(authority, tmp_path, "127.0.0.1")
    async with listening(tls=tls) as server:
        url = f"https://127.0.0.1:{server.port}"
        with pytest.raises(OSError, match="certificate"):
            await measure_public_tls(url, guard(resolve=ScriptedResolver([])))
        trusted = tmp_path / "ca.pem"
        trusted.write_text(authority.pem)
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        assert (await measure_public_tls(url, guard())).startswith("TLSv1.3 TLS_AES")
