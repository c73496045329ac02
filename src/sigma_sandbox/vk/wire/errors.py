"""VK API errors: codes, VK's texts, and the error envelope (sent with HTTP status 200).

Source: errors.json of https://github.com/VKCOM/vk-api-schema and https://dev.vk.com.
"""

from sigma_sandbox.vk.world.models import Json

ERROR_TEXTS = {
    1: "Unknown error occurred",
    3: "Unknown method passed",
    5: "User authorization failed: invalid access_token (4).",
    6: "Too many requests per second",
    7: "Permission to perform this action is denied",
    8: "Invalid request",
    9: "Flood control",
    10: "Internal server error",
    14: "Captcha needed",
    15: "Access denied",
    17: "Validation required: please open redirect_uri in browser",
    18: "User was deleted or banned",
    20: "Permission to perform this action is denied for non-standalone applications",
    23: "This method was disabled",
    24: "Confirmation required",
    27: "Group authorization failed: method is unavailable with group auth.",
    28: "Application authorization failed: method is unavailable with app auth.",
    29: "Rate limit reached",
    30: "This profile is private",
    42: "IP address is not allowed",
    100: "One of the parameters specified was missing or invalid",
    103: "Out of limits",
    104: "Not found",
    113: "Invalid user id",
    125: "Invalid group id",
    203: "Access to group denied",
    205: "Access denied",
    703: "Action needs two-factor authentication",
    900: "Can't send messages for users from blacklist",
    901: "Can't send messages for users without permission",
    902: "Can't send messages to this user due to their privacy settings",
    909: "Can't edit this message, because it's too old",
    910: "Can't send this message, because it's too big",
    911: "Keyboard format is invalid",
    912: "This is a chat bot feature, change this status in settings",
    913: "Too many forwarded messages",
    914: "Message is too long",
    917: "You don't have access to this chat",
    920: "Can't edit this kind of message",
    936: "Contact not found",
    950: "Can't send message, reply timed out",
    1117: "Access token has expired",
    1260: "Invalid screen name",
    1402: "Album not found",
    1403: "Item not found",
    1405: "Too many items in market",
    1409: "Extended market not enabled",
    1421: "Item name is too long",
    1431: "Market was already enabled",
    1432: "Market was already disabled",
    1436: "Order not found",
    1438: "Market not enabled",
    1456: "Invalid order status",
    1525: "Market is disabled",
    1526: "Market services are disabled",
    2000: "Callback API server limit reached",
    3609: "Token extension required",
}


class VkApiError(Exception):
    """An API error: VK's code, an optional subcode, VK's text with an optional detail."""

    def __init__(self, code: int, detail: str | None = None, subcode: int | None = None) -> None:
        text = ERROR_TEXTS.get(code, "Unknown error occurred")
        super().__init__(f"{text}: {detail}" if detail else text)
        self.code = code
        self.subcode = subcode


def invalid_param(detail: str) -> VkApiError:
    """Return error 100; `detail` names the parameter and what is wrong with it."""
    return VkApiError(100, detail)


def error_json(error: VkApiError, params: dict[str, str], method: str) -> Json:
    """Return the error envelope. It repeats the parameters, except the access key."""
    request_params = {"method": method} | {k: v for k, v in params.items() if k != "access_token"}
    body: Json = {"error_code": error.code}
    if error.subcode is not None:
        body["error_subcode"] = error.subcode
    body["error_msg"] = str(error)
    body["request_params"] = [{"key": key, "value": value} for key, value in request_params.items()]
    if error.code == 14:
        body |= {"captcha_sid": "239633676097", "captcha_img": "https://api.vk.ru/captcha.php"}
    if error.code == 17:
        body["redirect_uri"] = "https://m.vk.ru/login?act=validate"
    return {"error": body}
