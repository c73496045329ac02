"""Message text is escaped; only plain http(s) URLs become links."""

import re

import pytest

from sigma.web.cabinet.inbox.message_text import linkify, safe_url

HOSTILE_TEXTS = (
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


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_hostile_text_is_escaped(text: str) -> None:
    html = linkify(text)
    assert re.sub(r"</?a\b[^>]*>", "", html).count("<") == 0, html
    for tag in re.findall(r"<a\b[^>]*>", html):
        safe_tag = (
            r'<a href="https?://[^"<>@]+" target="_blank" rel="noopener noreferrer nofollow">'
        )
        assert re.fullmatch(safe_tag, tag), tag


def test_urls_become_links_without_trailing_punctuation() -> None:
    html = linkify("смотрите https://example.com/a?b=1&c=2, и (http://example.org).")
    assert re.findall(r'href="([^"]+)"', html) == [
        "https://example.com/a?b=1&amp;c=2",
        "http://example.org",
    ]


def test_url_with_user_info_is_not_a_link() -> None:
    assert safe_url("https://vk.com@evil.example/") == ""
    assert safe_url(" https://evil.example/@durov ") == "https://evil.example/@durov"
    assert safe_url("//evil.example") == safe_url("javascript:alert(1)") == ""


def test_long_text_is_processed_in_linear_time() -> None:
    for piece in ("http://", "[id1|", "https://a@", "[club1|x] ", ".,;:!?)]}" * 3):
        assert linkify(piece * 3000)
