"""How the sandbox world is told to misbehave: one list of rules, one table of effects.

A rule says which effect happens, for which shop (or for all), to which operations, how many times
or how probably. `POST /control` takes effects by name, in any of these spellings:

    {"cut_answer": {"on": "create", "times": 1}}     the next create is done, its answer is lost
    {"delay_ms": 500, "shop": "100500"}              a plain value: always, for that shop only
    {"http_500_after": [{"on": "capture", "probability": 0.3}, {"on": "refund", "times": 2}]}
    {"cut_answer": null}                             the effect is taken away

What is posted replaces the earlier rules of the same effect in the same scope; the rest stays.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from sigma_sandbox.bank.cards import DECLINE_REASONS


class Effect(StrEnum):
    """Everything that can be told to go wrong (or to the clock)."""

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


@dataclass(frozen=True)
class Meaning:
    """One line of the table: the Russian explanation, the type of the value and its default."""

    text: str
    kind: type[int] | type[str] | type[bool] = bool
    default: Any = True
    on: str = "operation"


MEANINGS: dict[Effect, Meaning] = {
    Effect.DELAY_MS: Meaning("подождать столько миллисекунд перед работой", int, 1000),
    Effect.HTTP_429: Meaning("ответить 429, ничего не сделав"),
    Effect.HTTP_500_BEFORE: Meaning("ответить 500, ничего не сделав"),
    Effect.CUT_REQUEST: Meaning("оборвать соединение, ничего не сделав"),
    Effect.HTTP_500_AFTER: Meaning("сделать и ответить 500"),
    Effect.HTTP_202: Meaning("сделать и ответить 202 processing (retry_after, мс)", int, 1800),
    Effect.CUT_ANSWER: Meaning("сделать и оборвать соединение без ответа"),
    Effect.GARBAGE: Meaning("сделать и ответить 200 с HTML вместо JSON"),
    Effect.WRONG_AMOUNT: Meaning("назвать в ответе другую сумму", str, "1.00"),
    Effect.WRONG_CURRENCY: Meaning("назвать в ответе другую валюту", str, "USD"),
    Effect.NOTICES_OFF: Meaning("не посылать уведомления", on="event"),
    Effect.NOTICES_DUPLICATE: Meaning("послать уведомление столько раз сразу", int, 2, "event"),
    Effect.NOTICES_DELAY_MS: Meaning("послать уведомление позже", int, 1000, "event"),
    Effect.NOTICES_REORDER_MS: Meaning(
        "собирать уведомления столько миллисекунд и послать в обратном порядке", int, 500, "event"
    ),
    Effect.NOTICES_RETRY_MS: Meaning(
        "первый перерыв между повторами, дальше вдвое", int, 10_000, "event"
    ),
    Effect.DECLINE: Meaning("отклонить оплату с этой причиной", str, "general_decline", "pay"),
    Effect.REFUND_PENDING: Meaning(
        "возврат ждёт столько запросов GET (-1: пока не скажут), потом проходит", int, 2, "refund"
    ),
    Effect.REFUND_DECLINE: Meaning(
        "возврат отклоняется с этой причиной (после ожидания, если оно задано)",
        str,
        "insufficient_funds",
        "refund",
    ),
    Effect.CLOCK_OFFSET_S: Meaning("перевести часы банка, секунды", int, 0, "nothing"),
    Effect.MAIL_REFUSE: Meaning("отказать получателю: 550", on="recipient"),
    Effect.MAIL_BUSY: Meaning("временный отказ: 451", on="recipient"),
    Effect.MAIL_DELAY_MS: Meaning("принимать письмо медленно", int, 1000, "recipient"),
    Effect.VK_DELAY_MS: Meaning(
        "ВК: подождать столько миллисекунд перед работой", int, 1000, "method"
    ),
    Effect.VK_ERROR: Meaning(
        "ВК: ответить ошибкой с этим кодом, ничего не сделав", int, 10, "method"
    ),
    Effect.VK_HTTP_500: Meaning("ВК: ответить 500, ничего не сделав", on="method"),
    Effect.VK_CUT_REQUEST: Meaning("ВК: оборвать соединение, ничего не сделав", on="method"),
    Effect.VK_CUT_ANSWER: Meaning("ВК: сделать и оборвать соединение без ответа", on="method"),
    Effect.VK_MARKET_OPEN: Meaning("ВК: пустить ключ сообщества в market.*", on="method"),
    Effect.VK_EVENTS_OFF: Meaning("ВК: не посылать событие", on="event"),
    Effect.VK_EVENTS_DUPLICATE: Meaning("ВК: послать событие столько раз", int, 2, "event"),
    Effect.VK_EVENTS_DELAY_MS: Meaning("ВК: послать событие позже", int, 1000, "event"),
    Effect.VK_EVENTS_REORDER_MS: Meaning(
        "ВК: собирать события столько миллисекунд и послать в обратном порядке", int, 500, "event"
    ),
    Effect.VK_RETRY_MS: Meaning(
        "ВК: первый перерыв между повторами события вместо 10 секунд, остальные в той же мере",
        int,
        1000,
        "nothing",
    ),
    Effect.VK_LONGPOLL_FAILED: Meaning(
        "ВК: ответить на long poll отказом failed 1, 2 или 3", int, 1, "nothing"
    ),
    Effect.VK_CLOCK_OFFSET_S: Meaning("перевести часы ВК, секунды", int, 0, "nothing"),
}


class BadRule(ValueError):  # noqa: N818, it is an answer, not a fault
    """What was posted is not a rule; the text says what is wrong, for the caller."""


class Rule(msgspec.Struct, kw_only=True):
    """One effect in force. `times` counts down; `on` empty means any; `shop` None means all."""

    effect: Effect
    value: Any = None
    on: list[str] = []
    shop: str | None = None
    times: int | None = None
    probability: float = 1.0

    def fits(self, on: str, shop: str | None) -> bool:
        """Does the rule speak of this operation of this shop?"""
        return (not self.on or on in self.on) and self.shop in (None, shop)


class Control:
    """The rules in force. The shop's own rule wins over the general one of the same effect."""

    def __init__(self, seed: int = 1) -> None:
        self.rules: list[Rule] = []
        self._random = random.Random(seed)

    def take(self, effect: Effect, on: str = "", shop: str | None = None) -> Any:
        """The effect's value if it happens this time, else None. Counts the use."""
        for rule in self._of(effect, on, shop):
            if rule.probability < 1 and self._random.random() >= rule.probability:
                continue
            if rule.times is not None:
                rule.times -= 1
                if rule.times <= 0:
                    self.rules.remove(rule)
            return rule.value
        return None

    def peek(self, effect: Effect, shop: str | None = None) -> Any:
        """The value in force, without using it up; None when there is no such rule."""
        return next((rule.value for rule in self._of(effect, "", shop)), None)

    def set(self, body: dict[str, Any]) -> None:
        """Merge what was posted. Raises BadRule and then changes nothing."""
        shop = body.get("shop")
        if shop is not None and not isinstance(shop, str):
            raise BadRule("shop: a string is expected")
        fresh: dict[Effect, list[Rule]] = {}
        for name, said in body.items():
            if name in ("shop", "seed"):
                continue
            if name not in MEANINGS:
                raise BadRule(f"{name}: no such effect; known: {', '.join(MEANINGS)}")
            effect = Effect(name)
            fresh[effect] = list(_read(effect, said, shop))
        if "seed" in body:
            self._random = random.Random(body["seed"])
        kept = [r for r in self.rules if not (r.effect in fresh and r.shop == shop)]
        self.rules = kept + [rule for rules in fresh.values() for rule in rules]

    def reset(self, shop: str | None = None) -> None:
        """Forget every rule, or those of one shop."""
        self.rules = [r for r in self.rules if shop is not None and r.shop != shop]

    def _of(self, effect: Effect, on: str, shop: str | None) -> list[Rule]:
        fitting = [r for r in self.rules if r.effect == effect and r.fits(on, shop)]
        return sorted(fitting, key=lambda rule: rule.shop is None)


def _read(effect: Effect, said: Any, shop: str | None) -> Iterable[Rule]:
    """One effect as it may be written: null or false, true, a value, an object, or a list."""
    if said is None or said is False:
        return
    if isinstance(said, list):
        for one in said:
            yield from _read(effect, one, shop)
        return
    meaning = MEANINGS[effect]
    fields: dict[str, Any] = dict(said) if isinstance(said, dict) else {}
    if not isinstance(said, dict) and said is not True:
        fields = {"value": said}
    unknown = fields.keys() - {"value", "on", "times", "probability"}
    if unknown:
        raise BadRule(f"{effect}: unknown field {min(unknown)}")
    value = fields.get("value", meaning.default)
    if type(value) is not meaning.kind:
        raise BadRule(f"{effect}.value: {meaning.kind.__name__} is expected")
    if effect is Effect.DECLINE and value not in DECLINE_REASONS:
        raise BadRule(f"decline.value: one of {', '.join(sorted(DECLINE_REASONS))}")
    if effect is Effect.VK_LONGPOLL_FAILED and value not in (1, 2, 3):
        raise BadRule("vk_longpoll_failed.value: 1, 2 or 3")
    on = fields.get("on", [])
    rule = {"effect": effect, "value": value, "on": [on] if isinstance(on, str) else on}
    rule |= {"shop": shop, "times": fields.get("times")}
    rule["probability"] = fields.get("probability", 1.0)
    try:
        yield msgspec.convert(rule, Rule)
    except msgspec.ValidationError as error:
        raise BadRule(f"{effect}: {error}") from error
