"""The parser of configured URLs, and the exceptions of the installation."""

import ipaddress

import pytest

from sigma.outbound.policy import DeniedError, Policy, parse_exemption
from sigma.outbound.urls import InvalidUrlError, is_public_url, parse_smtp_url, parse_url


def test_url_is_parsed_and_normalized() -> None:
    url = parse_url("https://API.YooKassa.ru:443/v3/")
    assert (url.origin, url.port, url.path) == ("https://api.yookassa.ru", 443, "/v3/")
    assert parse_url("https://[2A02::1]:8443").origin == "https://[2a02::1]:8443"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *(("", "url"), ("nowhere", "scheme"), ("//a.ru", "scheme"), ("ftp://a.ru", "scheme")),
        *(("http://a.ru", "scheme"), ("file:///etc/passwd", "scheme"), ("https://", "host")),
        *(("https:///v3", "host"), ("https://[::1", "url"), ("https://a.ru:0", "port")),
        *(("https://a.ru:99999", "port"), ("https://a.ru:x", "port"), ("https://a.ru:", "port")),
        *(("https://a.ru:-1", "port"), ("https://a.ru:٤٤٣", "port"), ("https://x:8:443", "port")),
        *(("https://me@a.ru", "url"), ("https://a.ru#x", "url"), ("https://a.ru\\@b.ru", "url")),
        *(("https://a.ru/\r\nX: 1", "url"), ("https://a .ru", "url"), ("https://a.ru/\t", "url")),
        *(("https://127.1", "host"), ("https://0x7f.1", "host"), ("https://" + "a" * 3000, "url")),
        *(("https://[fe80::1%25eth0]/", "host"), ("https://a.ru\u3000", "host")),
    ],
)
def test_malformed_url_is_refused_with_a_code(text: str, code: str) -> None:
    with pytest.raises(InvalidUrlError) as caught:
        parse_url(text)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("smtp://mail.ru", ("mail.ru", 587, False, True)),
        ("smtp://mail.ru:2525", ("mail.ru", 2525, False, True)),
        ("smtps://mail.ru", ("mail.ru", 465, True, False)),
        ("smtp://mail.ru?tls=no", ("mail.ru", 587, False, False)),
        ("smtp://127.0.0.1:25", ("127.0.0.1", 25, False, False)),
        ("smtp://localhost:25", ("localhost", 25, False, False)),
        ("smtps://[2a02::1]:465/", ("2a02::1", 465, True, False)),
    ],
)
def test_smtp_url_is_encrypted_unless_it_is_local_or_opts_out(
    text: str, expected: tuple[str, int, bool, bool]
) -> None:
    server = parse_smtp_url(text)
    assert (server.host, server.port, server.use_tls, server.start_tls) == expected


def test_credentials_in_smtp_url_are_percent_decoded() -> None:
    server = parse_smtp_url("smtp://me%40shop.ru:p%40ss%3Aw%2Ford@mail.ru")
    assert (server.username, server.password) == ("me@shop.ru", "p@ss:w/ord")
    assert "p@ss" not in repr(server)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "mail.ru",
            "http://mail.ru",
            "smtp://",
            "smtp://a\r\nb",
            "smtp://x:99999",
            "smtp://x:0",
        ),
        *("smtp://[::1", "smtp://a.ru/path", "smtp://a%0d%0ab:p@a.ru", "smtp://a:p%00@a.ru"),
        *("smtp://a:b@c:d@e:f", "smtp://127.1", "smtp://me@", "smtp:mail.ru"),
    ],
)
def test_malformed_smtp_url_is_refused(text: str) -> None:
    with pytest.raises(InvalidUrlError):
        parse_smtp_url(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("https://pay.example.ru", True), ("https://pay.example.ru:8443/a?b", True)),
        *(("https://pu.vk.com./c1/ss/upload.php", True), ("http://pay.example.ru", False)),
        *(("https://localhost", False), ("https://192.168.1.4", False), ("", False)),
    ],
)
def test_url_is_public_by_its_text(text: str, expected: bool) -> None:
    assert is_public_url(text) is expected


def _denied(policy: Policy, host: str, address: str, port: int = 443, *, tls: bool = True) -> bool:
    scheme = "https" if tls else "http"
    try:
        policy.check_host(host, port, scheme, is_encrypted=tls)
        policy.check_address(host, ipaddress.ip_address(address), port, scheme, is_encrypted=tls)
    except DeniedError:
        return True
    return False


def test_without_exemptions_only_public_and_encrypted_connections_are_allowed() -> None:
    policy = Policy()
    assert not _denied(policy, "api.yookassa.ru", "8.8.8.8")
    assert not _denied(policy, "api.yookassa.ru", "8.8.8.8", 8443)
    assert _denied(policy, "api.yookassa.ru", "8.8.8.8", 22)
    assert _denied(policy, "api.yookassa.ru", "8.8.8.8", tls=False)
    assert _denied(policy, "api.yookassa.ru", "10.0.0.1")
    assert _denied(policy, "10.0.0.1", "10.0.0.1")
    assert _denied(policy, "db.internal", "8.8.8.8")


@pytest.mark.parametrize(
    ("exemption", "host", "address", "port", "denied"),
    [
        ("10.1.0.0/16", "10.1.2.3", "10.1.2.3", 80, False),
        ("10.1.0.0/16", "10.2.2.3", "10.2.2.3", 80, True),
        ("10.1.0.0/16", "bank.example", "10.1.2.3", 80, True),  # the name is not exempt
        ("10.1.0.0/16", "bank.internal", "10.1.2.3", 80, True),
        ("10.1.0.0/16", "bank.example", "8.8.8.8", 80, True),
        ("127.0.0.1:8001", "127.0.0.1", "127.0.0.1", 8001, False),
        ("127.0.0.1:8001", "127.0.0.1", "127.0.0.1", 8002, True),
        ("127.0.0.1", "127.0.0.2", "127.0.0.2", 80, True),
        ("bank.internal", "bank.internal", "10.9.9.9", 80, False),
        ("Bank.Internal.:8080", "bank.internal", "10.9.9.9", 8080, False),
        ("bank.internal", "other.bank.internal", "10.9.9.9", 80, True),
        ("[fd00::1]:8443", "fd00::1", "fd00::1", 8443, False),
        ("fd00::/8", "fd12::1", "fd12::1", 1, False),
        ("127.0.0.0/8", "::ffff:127.0.0.1", "::ffff:127.0.0.1", 80, True),
    ],
)
def test_exemption_covers_exactly_its_hosts_and_port(
    exemption: str, host: str, address: str, port: int, denied: bool
) -> None:
    policy = Policy((parse_exemption(exemption),))
    assert _denied(policy, host, address, port, tls=False) is denied


@pytest.mark.parametrize(
    "text", ["", "10.0.0.1/8", "a b", "a:0", "a:99999", "a:x", "*", "1.2", "*.a"]
)
def test_malformed_exemption_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_exemption(text)
