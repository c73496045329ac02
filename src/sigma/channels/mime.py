"""Build a MIME message whose headers are decoded to exactly the composed texts.

Headers are encoded here and not by the `email` package: its folding (Python 3.11) drops spaces
between encoded words, and its parser would decode a subject that only looks like an encoded word.
Sources: RFC 5322 (message), RFC 2047 (encoded words), RFC 6532 (UTF-8 addresses).
"""

import base64
import re
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

from sigma.domain.billing.mail import Attachment
from sigma.texts.graphemes import graphemes, well_formed

MAX_LINE = 76  # characters of a line with an encoded word (RFC 2047, 2)
MAX_ENCODED_WORD = 75  # characters, with its delimiters
_PREFIX, _SUFFIX = "=?utf-8?b?", "?="
_CONTROL_CHARS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# Single spaces between words only: mail programs may collapse runs of spaces in a plain header.
_PLAIN = re.compile(r"[!-~]+( [!-~]+)*")
ADDRESS = re.compile(r"[^\s@<>\"(),:;\\\[\]\x00-\x1f\x7f]+@[^\s@<>\"(),:;\\\[\]\x00-\x1f\x7f]+")
# Headers are stored as encoded and never folded again; text parts are encoded to ASCII below.
_POLICY = SMTP.clone(refold_source="none")


def build_message(
    *,
    sender: str,
    sender_name: str,
    to: str,
    reply_to: str,
    subject: str,
    message_id: str,
    text: str,
    html: str,
    attachments: tuple[Attachment, ...] = (),
    unsubscribe_url: str = "",
) -> EmailMessage:
    """Return a message whose `as_bytes()` has CRLF line ends and is ASCII, except for addresses.

    Addresses have ASCII hosts (see `ascii_host`) and are not checked here. Control characters in
    header values become spaces, so that no value can start another header.
    """
    utf8 = not (to + sender).isascii()
    email = EmailMessage(policy=_POLICY.clone(utf8=utf8))
    email.set_raw("Subject", encode_text(replace_controls(subject), first_line_used=9))
    email.set_raw("From", encode_mailbox(sender, replace_controls(sender_name)))
    email.set_raw("To", encode_mailbox(to))
    # A UTF-8 address in Reply-To alone is left out: it would require SMTPUTF8 of every relay.
    if reply_to and (utf8 or reply_to.isascii()):
        email.set_raw("Reply-To", encode_mailbox(reply_to))
    email.set_raw("Message-ID", _ascii_message_id(replace_controls(message_id)))
    email.set_raw("Date", formatdate())
    email.set_raw("Auto-Submitted", "auto-generated")
    if unsubscribe_url:  # RFC 2369 and RFC 8058; the mail server's DKIM must cover both headers
        email.set_raw("List-Unsubscribe", f"<{replace_controls(unsubscribe_url)}>")
        email.set_raw("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
    email.set_content(well_formed(text), cte="base64")
    if html:
        email.add_alternative(well_formed(html), subtype="html", cte="base64")
    for file in attachments:
        main, _, sub = file.media_type.partition("/")
        name = well_formed(replace_controls(file.name))
        email.add_attachment(file.data, maintype=main, subtype=sub, filename=name)
    return email


def encode_text(text: str, *, first_line_used: int) -> str:
    """Return an unstructured header value, folded at 76 characters.

    Short plain ASCII stays as it is. Any other text becomes UTF-8 encoded words, which are split
    between user-perceived characters and contain all spaces, so folding loses none.
    `first_line_used`: length of the header's name with ": ".
    """
    text = well_formed(text)
    is_plain = _PLAIN.fullmatch(text) and "=?" not in text
    if not text or (is_plain and len(text) + first_line_used <= MAX_LINE):
        return text
    return "\r\n ".join(_encoded_words(text, MAX_LINE - first_line_used))


def encode_mailbox(address: str, display_name: str = "") -> str:
    """Return "name <address>" for an address header of at most ten characters, folded."""
    if not display_name:
        return address
    name = well_formed(display_name)
    if _PLAIN.fullmatch(name) and not re.search(r'["\\]|=\?', name) and len(name) <= 60:
        encoded = f'"{name}"'
    else:
        encoded = "\r\n ".join(_encoded_words(name, MAX_LINE - 10))
    space = " " if len(encoded.rpartition("\n")[2] + address) < MAX_LINE - 12 else "\r\n "
    return f"{encoded}{space}<{address}>"


def _encoded_words(text: str, first_word_length: int) -> list[str]:
    """Split a text into encoded words; the first one is at most `first_word_length` long."""
    words: list[str] = []
    chunk = b""
    for part in graphemes(text):
        length = MAX_ENCODED_WORD if words else min(MAX_ENCODED_WORD, first_word_length)
        capacity = (length - len(_PREFIX) - len(_SUFFIX)) // 4 * 3  # bytes of UTF-8
        for piece in _pieces(part, capacity):
            if chunk and len(chunk) + len(piece) > capacity:
                words.append(_encoded_word(chunk))
                chunk = b""
            chunk += piece
    return [*words, _encoded_word(chunk)]


def _pieces(grapheme: str, capacity: int) -> list[bytes]:
    """Return a grapheme as UTF-8 bytes, by code points if it is longer than an encoded word."""
    encoded = grapheme.encode()
    return [encoded] if len(encoded) <= capacity else [char.encode() for char in grapheme]


def _encoded_word(chunk: bytes) -> str:
    return f"{_PREFIX}{base64.b64encode(chunk).decode()}{_SUFFIX}"


def replace_controls(text: str) -> str:
    """Replace each run of control characters and line separators by one space; strip spaces."""
    return _CONTROL_CHARS.sub(" ", text).strip(" ")


def ascii_host(address: str) -> str:
    """Return the address with its host in IDNA form. Raises ValueError if it is not an address."""
    if not ADDRESS.fullmatch(address) or well_formed(address) != address:
        raise ValueError(address)
    name, _, host = address.rpartition("@")
    return address if host.isascii() else f"{name}@{host.encode('idna').decode()}"


def _ascii_message_id(message_id: str) -> str:
    """Return a Message-ID with an ASCII host, also when the server's own host is Cyrillic."""
    left, separator, host = message_id.rstrip(">").rpartition("@")
    if host.isascii():
        return message_id
    return f"{left}{separator}{host.encode('idna').decode()}>"
