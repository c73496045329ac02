"""Where a way reaches a member: a VK page, a chat, a browser; and the code that links it."""

import re
from dataclasses import dataclass

from sigma.domain.notifications.kind import Way
from sigma.domain.time_units import MINUTE_US

LINK_CODE_TTL_US = 15 * MINUTE_US
LINK_CODE_LENGTH = 10
# Without letters and digits that look alike.
LINK_CODE_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # pragma: allowlist secret
MAX_ADDRESSES = 10  # of one member and way: old browsers give way to new ones
_CODE = re.compile(
    rf"(?<![a-z0-9])sigma-([{LINK_CODE_ALPHABET}]{{{LINK_CODE_LENGTH}}})(?![a-z0-9])"
)


@dataclass(frozen=True, slots=True)
class Address:
    """One address of a member by a way; e-mail needs none, it is the login.

    While a code waits to be written to the community or the bot, `code_hash` and
    `code_expires_at_us` are set and `address_encrypted` is empty; `code_encrypted` shows the code
    again when its page is reloaded. `address_hash` finds the same
    browser or page again. `name` is shown: a browser, a community, a bot. `connection_id`: the
    community, for VK.
    """

    id: str
    shop_id: str
    user_id: str
    way: Way
    created_at_us: int
    address_encrypted: str = ""
    address_hash: str = ""
    name: str = ""
    connection_id: str = ""
    code_hash: str = ""
    code_encrypted: str = ""
    code_expires_at_us: int = 0
    version: int = 0

    @property
    def is_linked(self) -> bool:
        """Whether notifications can be sent there."""
        return bool(self.address_encrypted)


def find_code(text: str) -> str:
    """Return the link code in a message without its prefix, "" without one."""
    found = _CODE.search(text.lower())
    return found[1] if found else ""


def code_text(code: str) -> str:
    """Return a link code as it is shown and written: with the prefix that makes it a code."""
    return f"sigma-{code}"
