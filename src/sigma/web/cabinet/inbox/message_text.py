"""Untrusted text of messages as safe HTML: URLs and VK's links become links, mentions names."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from markupsafe import Markup, escape

from sigma.domain.messaging.message import TextLink

_LINK = re.compile(r"https?://[^\s<>\"'«»]+", re.IGNORECASE)
_MENTION = re.compile(r"\[(?:id|club|public)\d+\|([^\]\n]{1,200})\]")
_TRAILING_PUNCTUATION = ".,;:!?)]}"
_EXTERNAL_LINK = Markup(
    '<a href="{0}" target="_blank" rel="noopener noreferrer nofollow">{1}</a>{2}'
)
_HOST = Markup(' <small class="link-host">({0})</small>')


def safe_url(url: str) -> str:
    """Return the URL if it is http(s), else "". The URL is untrusted: it comes from a client."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return ""
    # Refuse user info: https://vk.com@evil.example/ is a page of evil.example.
    is_safe = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
    return url.strip() if is_safe else ""


def without_mentions(text: str) -> str:
    """Return a text with VK's mentions, [id1|Name], replaced by their names."""
    return _MENTION.sub(r"\1", text)


def linkify(text: str, links: Sequence[TextLink] = ()) -> Markup:
    """Return an untrusted text as HTML: escaped, URLs as links, VK mentions as names.

    `links`: links that the sender put under parts of the text, in order; such a link also shows the
    host that it leads to, because its text may pretend another one.
    """
    parts, end = [], 0
    for link in links:
        if not end <= link.start < link.end <= len(text) or not (url := safe_url(link.url)):
            continue
        parts.append(_linkify_plain(text[end : link.start]))
        label = without_mentions(text[link.start : link.end])
        host = urlsplit(url).hostname or ""
        is_same = safe_url(label) == url
        parts.append(_EXTERNAL_LINK.format(url, label, "" if is_same else _HOST.format(host)))
        end = link.end
    parts.append(_linkify_plain(text[end:]))
    return Markup("").join(parts)


def _linkify_plain(text: str) -> Markup:
    text = without_mentions(text)
    parts, end = [], 0
    for match in _LINK.finditer(text):
        url = match[0].rstrip(_TRAILING_PUNCTUATION)
        if not safe_url(url):
            continue
        parts += [escape(text[end : match.start()]), _EXTERNAL_LINK.format(url, url, "")]
        end = match.start() + len(url)
    parts.append(escape(text[end:]))
    return Markup("").join(parts)
