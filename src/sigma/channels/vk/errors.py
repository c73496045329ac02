"""What VK answers when it does not do a thing: come later, mend the key, or never.

Sources: dev.vk.ru/ru/reference/errors, VKCOM/vk-api-schema errors.json.
"""

import re

MAX_WORDS = 300
SECOND_S, SOON_S, FLOOD_S, QUOTA_S = 1.0, 5.0, 600.0, 3 * 3600.0

TOO_FAST, FLOOD, QUOTA = 6, 9, 29
UNKNOWN, INTERNAL, BUSY, SLOW = 1, 10, 32, 36
GROUP_KEY = 27
BAD_PHOTO = 129
NO_ANSWER = 0  # our own number: VK's words did not reach us

# Code → after how many seconds another try makes sense.
_LATER = {
    UNKNOWN: SOON_S,
    TOO_FAST: SECOND_S,
    FLOOD: FLOOD_S,
    INTERNAL: SOON_S,
    QUOTA: QUOTA_S,
    BUSY: SOON_S,
    SLOW: SOON_S,
    601: FLOOD_S,  # the same flood, weighed by what was done
    1105: FLOOD_S,  # too many sign-ins
}
# After these the thing may have been done although VK says that it failed.
_PERHAPS_DONE = {UNKNOWN, INTERNAL, BUSY, SLOW}
_PERSON = {
    5,  # the key is wrong or was taken back
    14,  # captcha
    17,  # the account must be confirmed
    24,  # the action must be confirmed
    25,
    28,  # the app's key is wrong
    41,
    42,  # this server's address is not allowed
    703,  # the account needs two-factor sign-in
    1117,  # the key is too old
    3300,  # captcha of another kind
    3301,
    3302,
    3303,
    3304,
    3609,  # the key must be exchanged
    11500,
}
_CONTROLS = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")


class VkError(Exception):
    """`words` are VK's own, for the owner's eyes: never for a log, so str() is only the code.

    `lost`: this or an earlier try may have been done although no good answer came.
    """

    def __init__(
        self, code: int, subcode: int | None = None, words: str = "", *, lost: bool = False
    ) -> None:
        super().__init__(f"vk {code}")
        self.code = code
        self.subcode = subcode
        self.words = _CONTROLS.sub(" ", words).strip()[:MAX_WORDS]
        self.lost = lost


class Later(VkError):  # noqa: N818 - it is what to do
    """Not now. `retry_after_s`: how long to wait before another try."""

    def __init__(
        self,
        code: int,
        subcode: int | None = None,
        words: str = "",
        *,
        lost: bool = False,
        retry_after_s: float = SOON_S,
    ) -> None:
        super().__init__(code, subcode, words, lost=lost)
        self.retry_after_s = retry_after_s


class NeedsPerson(VkError):  # noqa: N818 - it is what to do
    """The key, the account or this server's address must be mended by its owner."""


class Final(VkError):  # noqa: N818 - it is what to do
    """This call will never work as it is."""


def refusal(method: str, code: int, subcode: int | None = None, words: str = "") -> VkError:
    """VK's refusal of a method as one of the three kinds. A code nobody knows is final."""
    if code in _LATER:
        lost = code in _PERHAPS_DONE
        return Later(code, subcode, words, lost=lost, retry_after_s=_LATER[code])
    if code in _PERSON or (code == GROUP_KEY and method.startswith("messages.")):
        # A community's key writes messages, so where it may not, it is no community's key. Every
        # other 27 says that the method is not for communities, whatever key they have.
        return NeedsPerson(code, subcode, words)
    return Final(code, subcode, words)
