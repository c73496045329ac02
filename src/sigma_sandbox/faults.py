"""Fault injection: the table of effects and the list of active rules.

A rule names an effect, the shop (or all shops), the operations it applies to, and either a number
of times or a probability. `POST /control` accepts effects by name, in any of these forms:

    {"cut_answer": {"on": "create", "times": 1}}     do the next create, then drop the connection
    {"delay_ms": 500, "shop": "100500"}              a plain value: always, for that shop only
    {"http_500_after": [{"on": "capture", "probability": 0.3}, {"on": "refund", "times": 2}]}
    {"cut_answer": null}                             remove the effect

Posted rules replace earlier rules of the same effect and the same shop; other rules stay.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

# `cancellation_details.reason` of a declined payment: the values of the effect `decline`.
DECLINE_REASONS = frozenset(
    [
        "3d_secure_failed",
        "call_issuer",
        "card_expired",
        "country_forbidden",
        "fraud_suspected",
        "general_decline",
        "identification_required",
        "insufficient_funds",
        "internal_timeout",
        "invalid_card_number",
        "invalid_csc",
        "issuer_unavailable",
        "payment_method_limit_exceeded",
        "payment_method_restricted",
        "permission_revoked",
    ]
)


class Effect(StrEnum):
    """All effects; the values are the names used in `/control` JSON."""

    DELAY_MS = "delay_ms"
    HTTP_429 = "http_429"
    HTTP_500_BEFORE = "http_500_before"
    CUT_REQUEST = "cut_request"
    HTTP_500_AFTER = "http_500_after"
    HTTP_202 = "http_202"
    CUT_ANSWER = "cut_answer"
    GARBAGE = "garbage"
    WRONG_AMOUNT = "wrong_amount"
    WRONG_CURRENCY = "wrong_currency"
    NO_INCOME = "no_income"
    NOTICES_OFF = "notices_off"
    NOTICES_DUPLICATE = "notices_duplicate"
    NOTICES_DELAY_MS = "notices_delay_ms"
    NOTICES_REORDER_MS = "notices_reorder_ms"
    NOTICES_RETRY_MS = "notices_retry_ms"
    DECLINE = "decline"
    REFUND_PENDING = "refund_pending"
    REFUND_DECLINE = "refund_decline"
    CLOCK_OFFSET_S = "clock_offset_s"
    MAIL_REFUSE = "mail_refuse"
    MAIL_BUSY = "mail_busy"
    MAIL_DELAY_MS = "mail_delay_ms"
    VK_DELAY_MS = "vk_delay_ms"
    VK_ERROR = "vk_error"
    VK_HTTP_500 = "vk_http_500"
    VK_CUT_REQUEST = "vk_cut_request"
    VK_CUT_ANSWER = "vk_cut_answer"
    VK_MARKET_OPEN = "vk_market_open"
    VK_EVENTS_OFF = "vk_events_off"
    VK_EVENTS_DUPLICATE = "vk_events_duplicate"
    VK_EVENTS_DELAY_MS = "vk_events_delay_ms"
    VK_EVENTS_REORDER_MS = "vk_events_reorder_ms"
    VK_RETRY_MS = "vk_retry_ms"
    VK_LONGPOLL_FAILED = "vk_longpoll_failed"
    VK_CLOCK_OFFSET_S = "vk_clock_offset_s"
    TELEGRAM_ERROR = "telegram_error"
    TELEGRAM_CUT_ANSWER = "telegram_cut_answer"


@dataclass(frozen=True)
class EffectInfo:
    """An effect for the page: Russian explanation, type and default of `value`, what `on` names."""

    description: str
    value_type: type[int] | type[str] | type[bool] = bool
    default_value: Any = True
    applies_to: str = "operation"


EFFECTS: dict[Effect, EffectInfo] = {
    Effect.DELAY_MS: EffectInfo("подождать столько миллисекунд перед работой", int, 1000),
    Effect.HTTP_429: EffectInfo("ответить 429, ничего не сделав"),
    Effect.HTTP_500_BEFORE: EffectInfo("ответить 500, ничего не сделав"),
    Effect.CUT_REQUEST: EffectInfo("оборвать соединение, ничего не сделав"),
    Effect.HTTP_500_AFTER: EffectInfo("сделать и ответить 500"),
    Effect.HTTP_202: EffectInfo("сделать и ответить 202 processing (retry_after, мс)", int, 1800),
    Effect.CUT_ANSWER: EffectInfo("сделать и оборвать соединение без ответа"),
    Effect.GARBAGE: EffectInfo("сделать и ответить 200 с HTML вместо JSON"),
    Effect.WRONG_AMOUNT: EffectInfo("назвать в ответе другую сумму", str, "1.00"),
    Effect.WRONG_CURRENCY: EffectInfo("назвать в ответе другую валюту", str, "USD"),
    Effect.NO_INCOME: EffectInfo("не называть в ответе income_amount (сумму без комиссии)"),
    Effect.NOTICES_OFF: EffectInfo("не посылать уведомления", applies_to="event"),
    Effect.NOTICES_DUPLICATE: EffectInfo("послать уведомление столько раз сразу", int, 2, "event"),
    Effect.NOTICES_DELAY_MS: EffectInfo("послать уведомление позже", int, 1000, "event"),
    Effect.NOTICES_REORDER_MS: EffectInfo(
        "собирать уведомления столько миллисекунд и послать в обратном порядке", int, 500, "event"
    ),
    Effect.NOTICES_RETRY_MS: EffectInfo(
        "первый перерыв между повторами, дальше вдвое", int, 10_000, "event"
    ),
    Effect.DECLINE: EffectInfo("отклонить оплату с этой причиной", str, "general_decline", "pay"),
    Effect.REFUND_PENDING: EffectInfo(
        "возврат ждёт столько запросов GET (-1: пока не скажут), потом проходит", int, 2, "refund"
    ),
    Effect.REFUND_DECLINE: EffectInfo(
        "возврат отклоняется с этой причиной (после ожидания, если оно задано)",
        str,
        "insufficient_funds",
        "refund",
    ),
    Effect.CLOCK_OFFSET_S: EffectInfo("перевести часы банка, секунды", int, 0, "nothing"),
    Effect.MAIL_REFUSE: EffectInfo("отказать получателю: 550", applies_to="recipient"),
    Effect.MAIL_BUSY: EffectInfo("временный отказ: 451", applies_to="recipient"),
    Effect.MAIL_DELAY_MS: EffectInfo("принимать письмо медленно", int, 1000, "recipient"),
    Effect.VK_DELAY_MS: EffectInfo(
        "ВК: подождать столько миллисекунд перед работой", int, 1000, "method"
    ),
    Effect.VK_ERROR: EffectInfo(
        "ВК: ответить ошибкой с этим кодом, ничего не сделав", int, 10, "method"
    ),
    Effect.VK_HTTP_500: EffectInfo("ВК: ответить 500, ничего не сделав", applies_to="method"),
    Effect.VK_CUT_REQUEST: EffectInfo(
        "ВК: оборвать соединение, ничего не сделав", applies_to="method"
    ),
    Effect.VK_CUT_ANSWER: EffectInfo(
        "ВК: сделать и оборвать соединение без ответа", applies_to="method"
    ),
    Effect.VK_MARKET_OPEN: EffectInfo(
        "ВК: пустить ключ сообщества в market.*", applies_to="method"
    ),
    Effect.VK_EVENTS_OFF: EffectInfo("ВК: не посылать событие", applies_to="event"),
    Effect.VK_EVENTS_DUPLICATE: EffectInfo("ВК: послать событие столько раз", int, 2, "event"),
    Effect.VK_EVENTS_DELAY_MS: EffectInfo("ВК: послать событие позже", int, 1000, "event"),
    Effect.VK_EVENTS_REORDER_MS: EffectInfo(
        "ВК: собирать события столько миллисекунд и послать в обратном порядке", int, 500, "event"
    ),
    Effect.VK_RETRY_MS: EffectInfo(
        "ВК: первый перерыв между повторами события вместо 10 секунд, остальные в той же мере",
        int,
        1000,
        "nothing",
    ),
    Effect.VK_LONGPOLL_FAILED: EffectInfo(
        "ВК: ответить на long poll отказом failed 1, 2 или 3", int, 1, "nothing"
    ),
    Effect.VK_CLOCK_OFFSET_S: EffectInfo("перевести часы ВК, секунды", int, 0, "nothing"),
    Effect.TELEGRAM_ERROR: EffectInfo(
        "Telegram: ответить ошибкой с этим кодом, ничего не сделав", int, 429, "method"
    ),
    Effect.TELEGRAM_CUT_ANSWER: EffectInfo(
        "Telegram: сделать и оборвать соединение без ответа", applies_to="method"
    ),
}


class InvalidRuleError(ValueError):
    """A posted rule is malformed. The message names the field and the expected value."""


class Rule(msgspec.Struct, kw_only=True):
    """An active effect, written as is in `/control` JSON.

    `on` empty: any operation. `shop` None: every shop. `times` None: no limit, else uses left.
    """

    effect: Effect
    value: Any = None
    on: list[str] = []
    shop: str | None = None
    times: int | None = None
    probability: float = 1.0

    def matches(self, operation: str, shop: str | None) -> bool:
        """Return whether the rule applies to this operation of this shop."""
        return (not self.on or operation in self.on) and self.shop in (None, shop)


class FaultRules:
    """The active rules, in memory only. A shop's own rule wins over a rule for all shops."""

    def __init__(self, seed: int = 1) -> None:
        self.rules: list[Rule] = []
        self._random = random.Random(seed)

    def consume(self, effect: Effect, operation: str = "", shop: str | None = None) -> Any:
        """Return the effect's value if it applies now, else None. Uses up one of `times`."""
        for rule in self._list_matching(effect, operation, shop):
            if rule.probability < 1 and self._random.random() >= rule.probability:
                continue
            if rule.times is not None:
                rule.times -= 1
                if rule.times <= 0:
                    self.rules.remove(rule)
            return rule.value
        return None

    def peek(self, effect: Effect, shop: str | None = None) -> Any:
        """Return the active value without counting a use, or None if there is no rule."""
        return next((rule.value for rule in self._list_matching(effect, "", shop)), None)

    def update(self, body: dict[str, Any]) -> None:
        """Merge a `POST /control` body; `seed` restarts the random generator.

        Raises InvalidRuleError when any part is invalid; then nothing is changed.
        """
        shop = body.get("shop")
        if shop is not None and not isinstance(shop, str):
            raise InvalidRuleError("shop: a string is expected")
        posted: dict[Effect, list[Rule]] = {}
        for name, raw in body.items():
            if name in ("shop", "seed"):
                continue
            if name not in EFFECTS:
                raise InvalidRuleError(f"{name}: no such effect; known: {', '.join(EFFECTS)}")
            effect = Effect(name)
            posted[effect] = list(_parse_rules(effect, raw, shop))
        if "seed" in body:
            self._random = random.Random(body["seed"])
        unchanged = [r for r in self.rules if not (r.effect in posted and r.shop == shop)]
        self.rules = unchanged + [rule for rules in posted.values() for rule in rules]

    def reset(self, shop: str | None = None) -> None:
        """Delete every rule, or with `shop` only the rules of that shop."""
        self.rules = [r for r in self.rules if shop is not None and r.shop != shop]

    def _list_matching(self, effect: Effect, operation: str, shop: str | None) -> list[Rule]:
        matching = [r for r in self.rules if r.effect == effect and r.matches(operation, shop)]
        return sorted(matching, key=lambda rule: rule.shop is None)


def _parse_rules(effect: Effect, raw: Any, shop: str | None) -> Iterable[Rule]:
    """Parse one effect: null or false (no rule), true, a value, an object, or a list of these."""
    if raw is None or raw is False:
        return
    if isinstance(raw, list):
        for item in raw:
            yield from _parse_rules(effect, item, shop)
        return
    info = EFFECTS[effect]
    fields: dict[str, Any] = dict(raw) if isinstance(raw, dict) else {}
    if not isinstance(raw, dict) and raw is not True:
        fields = {"value": raw}
    unknown = fields.keys() - {"value", "on", "times", "probability"}
    if unknown:
        raise InvalidRuleError(f"{effect}: unknown field {min(unknown)}")
    value = fields.get("value", info.default_value)
    if type(value) is not info.value_type:
        raise InvalidRuleError(f"{effect}.value: {info.value_type.__name__} is expected")
    if effect is Effect.DECLINE and value not in DECLINE_REASONS:
        raise InvalidRuleError(f"decline.value: one of {', '.join(sorted(DECLINE_REASONS))}")
    if effect is Effect.VK_LONGPOLL_FAILED and value not in (1, 2, 3):
        raise InvalidRuleError("vk_longpoll_failed.value: 1, 2 or 3")
    on = fields.get("on", [])
    rule = {"effect": effect, "value": value, "on": [on] if isinstance(on, str) else on}
    rule |= {"shop": shop, "times": fields.get("times")}
    rule["probability"] = fields.get("probability", 1.0)
    try:
        yield msgspec.convert(rule, Rule)
    except msgspec.ValidationError as error:
        raise InvalidRuleError(f"{effect}: {error}") from error
