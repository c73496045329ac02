"""What strangers write is shown as text; only plain addresses of pages become links."""

import re

import pytest

from sigma.web.cabinet.inbox.view_models import linked, safe_url

HOSTILE = (
    "<script>alert(1)</script>",
    "javascript:alert(1)",
    "data:text/html,<b>",
    'https://example.com/"onmouseover="alert(1)',
    "[id1|<img src=x onerror=alert(1)>]",
    "[club1|javascript:alert(1)]",
    "&lt;b&gt; {{7*7}} ${7*7}",
    "http:// http://[::1 https://",
    "https://vk.com@evil.example/ https://a:b@evil.example/",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_only_text(text: str) -> None:
    page = linked(text)
    assert re.sub(r"</?a\b[^>]*>", "", page).count("<") == 0, page
    for tag in re.findall(r"<a\b[^>]*>", page):
        good = r'<a href="https?://[^"<>@]+" target="_blank" rel="noopener noreferrer nofollow">'
        assert re.fullmatch(good, tag), tag


def test_addresses_of_pages_are_links_and_what_stands_after_them_is_not() -> None:
    page = linked("смотрите https://example.com/a?b=1&c=2, и (http://example.org).")
    assert re.findall(r'href="([^"]+)"', page) == [
        "https://example.com/a?b=1&amp;c=2",
        "http://example.org",
    ]


def test_an_address_that_begins_like_another_one_is_no_address() -> None:
    assert safe_url("https://vk.com@evil.example/") == ""
    assert safe_url(" https://evil.example/@durov ") == "https://evil.example/@durov"
    assert safe_url("//evil.example") == safe_url("javascript:alert(1)") == ""


def test_a_long_text_is_read_in_no_time() -> None:
    for piece in ("http://", "[id1|", "https://a@", "[club1|x] ", ".,;:!?)]}" * 3):
        assert linked(piece * 3000)
