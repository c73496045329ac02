"""Which addresses and spellings are public."""

import ipaddress

import pytest

from sigma.outbound.addresses import is_public_address, is_public_host, normalize_host

PUBLIC = ["8.8.8.8", "93.184.215.14", "77.88.55.242", "2a02:6b8::2:242", "2606:4700::1111"]
PUBLIC += ["64:ff9b::808:808"]  # NAT64 of 8.8.8.8
PRIVATE = [
    *("127.0.0.1", "127.9.9.9", "0.0.0.0", "0.1.2.3", "10.1.2.3", "172.16.0.1", "192.168.1.1"),
    *("169.254.169.254", "100.64.0.1", "100.127.255.255", "192.0.0.8", "192.0.0.9", "192.0.2.1"),
    *("198.18.0.1", "198.51.100.7", "203.0.113.9", "192.88.99.1", "224.0.0.1", "239.255.255.250"),
    *("240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1"),
    *("fd12:3456::1", "ff02::1", "::ffff:8.8.8.8", "::ffff:127.0.0.1", "::127.0.0.1", "::8.8.8.8"),
    *("2002:7f00:1::", "2002:808:808::1", "64:ff9b::7f00:1", "64:ff9b::a01:203", "64:ff9b:1::1"),
    *("2001::1", "2001:db8::1", "2001:20::1", "3fff::1", "100::1", "5f00::1", "4000::1"),
    "64:ff9b::a9fe:a9fe",
]


@pytest.mark.parametrize("text", PUBLIC)
def test_address_of_an_ordinary_server_is_public(text: str) -> None:
    assert is_public_address(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", PRIVATE)
def test_special_address_is_not_public(text: str) -> None:
    assert not is_public_address(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("API.YooKassa.ru", "api.yookassa.ru"),
        ("api.yookassa.ru.", "api.yookassa.ru"),
        ("почта.рф", "xn--80a1acny.xn--p1ai"),
        ("[2A02:6B8:0::2]", "2a02:6b8::2"),
        ("my_host.example", "my_host.example"),
        ("１２７.0.0.1", "127.0.0.1"),
        ("127。0。0。1", "127.0.0.1"),
        ("ⓛocalhost", "localhost"),
    ],
)
def test_host_has_one_spelling(text: str, host: str) -> None:
    assert normalize_host(text) == host


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "a..ru", "-a.ru", "a-.ru", "a b.ru", "a/b", "a@b", "a:b", "*.ru", "a\x00.ru"),
        *("127.1", "127.0.1", "2130706433", "017700000001", "0x7f000001", "0x7f.0.0.1"),
        *("0177.0.0.1", "127.0.0.01", "1.2.3.4.5", "256.1.1.1", "a.1", "a.0x1", "127.0.0.1.."),
        *("fe80::1%eth0", "[fe80::1%25eth0]", "[::1", "a" * 64 + ".ru", "a." * 130 + "ru"),
    ],
)
def test_unusual_spelling_of_a_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        normalize_host(text)


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "a.localhost", "database", "db.internal", "printer.local", "router.lan"),
        *("nas.home.arpa", "x.onion", "127.0.0.1", "::1", "10.0.0.1", "corp", "a.corp", "x.test"),
    ],
)
def test_private_name_is_not_public(host: str) -> None:
    assert not is_public_host(normalize_host(host))


@pytest.mark.parametrize("host", ["api.yookassa.ru", "internal.example.ru", "8.8.8.8", "lan.ru"])
def test_public_name_is_public(host: str) -> None:
    assert is_public_host(host)
