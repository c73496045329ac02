"""Texts of the card page and the 3-D Secure page in Russian and English."""

Texts = dict[str, str]

RU: Texts = {
    "banner": "Тестовый банк — деньги не списываются",
    "payment": "Оплата картой",
    "to": "Получатель",
    "shop": "Магазин № {id}",
    "number": "Номер карты",
    "expiry": "Действует до",
    "expiry_hint": "ММ/ГГ",
    "csc": "Код с обратной стороны",
    "csc_short": "CVC",
    "pay": "Оплатить {sum}",
    "lock": "Данные карты видит только банк",
    "cards": "Тестовые карты",
    "cards_hint": "Срок — любой будущий, код — любые три цифры.",
    "fill": "Подставить карту {number}",
    "ok_3ds": "Успешно, с кодом",
    "ok": "Успешно, без кода",
    "back": "Вернуться к продавцу",
    "other_lang": "English",
    "number_empty": "Введите номер карты — 16 цифр с лицевой стороны",
    "number_short": "Номер короче, чем нужно: на карте 16 цифр",
    "number_long": "Номер длиннее, чем нужно: на карте 16 цифр",
    "number_chars": "В номере карты только цифры",
    "number_wrong": "Проверьте номер: в нём ошибка в одной из цифр",
    "number_foreign": (
        "Это тестовый банк: он принимает только карты из списка ниже. Введённый номер не сохранён"
    ),
    "expiry_wrong": "Введите месяц и год, как на карте: например, 12/30",
    "expiry_past": "Срок этой карты прошёл. Проверьте дату или возьмите другую карту",
    "csc_wrong": "Три цифры с обратной стороны карты",
    "acs_title": "Подтверждение оплаты",
    "acs_bank": "Банк, выпустивший карту",
    "acs_text": "Введите код, который банк прислал вам в СМС",
    "acs_card": "Карта",
    "acs_sum": "Сумма",
    "acs_code": "Код из СМС",
    "acs_hint": "СМС не придёт, код для проверки: {code}",
    "acs_confirm": "Подтвердить",
    "acs_decline": "Отказаться",
    "acs_wrong": "Код не подошёл. {left}",
    "declined": "Оплата не прошла",
    "declined_note": "Деньги не списаны. У продавца можно начать оплату заново.",
    "paid": "Счёт оплачен",
    "paid_text": "Второй раз платить не нужно.",
    "held": "Деньги зарезервированы",
    "held_text": "Продавец подтвердит оплату, и они спишутся с карты.",
    "expired": "Время на оплату вышло",
    "expired_text": "На оплату даётся час. Начните оплату у продавца ещё раз.",
    "canceled": "Платёж отменён",
    "canceled_text": "Продавец отменил этот платёж, деньги не списаны.",
    "unknown": "Такого платежа нет",
    "unknown_text": "Проверьте ссылку или начните оплату у продавца ещё раз.",
}
EN: Texts = {
    "banner": "Test bank: no money is taken",
    "payment": "Pay by card",
    "to": "Paid to",
    "shop": "Shop no. {id}",
    "number": "Card number",
    "expiry": "Expiry date",
    "expiry_hint": "MM/YY",
    "csc": "Code on the back",
    "csc_short": "CVC",
    "pay": "Pay {sum}",
    "lock": "Only the bank sees your card",
    "cards": "Test cards",
    "cards_hint": "Any future date and any three digits will do.",
    "fill": "Use card {number}",
    "ok_3ds": "Paid, asks for a code",
    "ok": "Paid, no code",
    "back": "Back to the seller",
    "other_lang": "Русский",
    "number_empty": "Enter the 16 digits on the front of the card",
    "number_short": "Too short: a card number has 16 digits",
    "number_long": "Too long: a card number has 16 digits",
    "number_chars": "A card number has digits only",
    "number_wrong": "Check the number: one of its digits is wrong",
    "number_foreign": (
        "This is a test bank: it takes only the cards listed below. The number was not saved"
    ),
    "expiry_wrong": "Enter month and year as on the card, for example 12/30",
    "expiry_past": "This card has expired. Check the date or use another card",
    "csc_wrong": "Three digits on the back of the card",
    "acs_title": "Confirm your payment",
    "acs_bank": "The bank that issued the card",
    "acs_text": "Enter the code your bank sent you in a text message",
    "acs_card": "Card",
    "acs_sum": "Amount",
    "acs_code": "Code from the message",
    "acs_hint": "No message will come: the test code is {code}",
    "acs_confirm": "Confirm",
    "acs_decline": "Decline",
    "acs_wrong": "That is not the code. {left}",
    "declined": "The payment did not go through",
    "declined_note": "No money was taken. You can start again on the seller's page.",
    "paid": "Already paid",
    "paid_text": "There is nothing more to pay.",
    "held": "The money is on hold",
    "held_text": "It will be taken when the seller confirms the payment.",
    "expired": "The time to pay is over",
    "expired_text": "A payment stays open for an hour. Start again on the seller's page.",
    "canceled": "The payment is canceled",
    "canceled_text": "The seller canceled it. No money was taken.",
    "unknown": "There is no such payment",
    "unknown_text": "Check the link or start again on the seller's page.",
}
TEXTS = {"ru": RU, "en": EN}

# (Russian, English) texts by `cancellation_details.reason`: what happened and what to do.
DECLINE_TEXTS: dict[str, tuple[str, str]] = {
    "3d_secure_failed": (
        "Оплата не подтверждена кодом. Попробуйте ещё раз или возьмите другую карту.",
        "The payment was not confirmed with a code. Try again or use another card.",
    ),
    "call_issuer": (
        "Банк отклонил оплату и просит связаться с ним. Позвоните ему или возьмите другую карту.",
        "Your bank declined and asks you to get in touch. Call it or use another card.",
    ),
    "card_expired": (
        "Срок действия карты прошёл. Возьмите другую карту.",
        "The card has expired. Use another card.",
    ),
    "fraud_suspected": (
        "Платёж показался банку подозрительным. Возьмите другую карту.",
        "The payment looked suspicious to the bank. Use another card.",
    ),
    "general_decline": (
        "Банк отклонил оплату без объяснения. Спросите свой банк или возьмите другую карту.",
        "The bank declined and gave no reason. Ask your bank or use another card.",
    ),
    "insufficient_funds": (
        "На карте не хватает денег. Пополните её или возьмите другую карту.",
        "There is not enough money on the card. Top it up or use another card.",
    ),
    "invalid_card_number": (
        "Банк не узнал номер карты. Проверьте его или возьмите другую карту.",
        "The bank does not know this card number. Check it or use another card.",
    ),
    "invalid_csc": (
        "Код с обратной стороны карты не подошёл. Введите его ещё раз.",
        "The code on the back is wrong. Enter it again.",
    ),
    "issuer_unavailable": (
        "Банк, выпустивший карту, не отвечает. Попробуйте позже или возьмите другую карту.",
        "The bank that issued the card does not answer. Try later or use another card.",
    ),
    "payment_method_limit_exceeded": (
        "По карте исчерпан лимит платежей. Измените лимит в банке или возьмите другую карту.",
        "The card's limit is used up. Raise it at your bank or use another card.",
    ),
    "payment_method_restricted": (
        "Операции по карте запрещены. Свяжитесь с банком или возьмите другую карту.",
        "Payments with this card are blocked. Ask your bank or use another card.",
    ),
    "country_forbidden": (
        "Картой этой страны заплатить нельзя. Возьмите карту другого банка.",
        "Cards of this country are not accepted. Use a card of another bank.",
    ),
    "internal_timeout": (
        "Банк не успел ответить. Попробуйте ещё раз.",
        "The bank did not answer in time. Try again.",
    ),
    "identification_required": (
        "Банку нужно подтвердить вашу личность. Возьмите другую карту.",
        "The bank needs to identify you. Use another card.",
    ),
    "permission_revoked": (
        "Разрешение на списания отозвано. Заплатите картой заново.",
        "The permission to charge was withdrawn. Pay by card again.",
    ),
}


def decline_text(code: str, lang: str) -> str:
    """Return the text for a cancellation reason; unknown reasons get the general text."""
    return DECLINE_TEXTS.get(code, DECLINE_TEXTS["general_decline"])[lang == "en"]


def attempts_left(count: int, lang: str) -> str:
    """Return the text about remaining code attempts. `count` must be 1 or 2."""
    if lang == "en":
        return f"{count} {'try' if count == 1 else 'tries'} left."
    return "Осталась 1 попытка." if count == 1 else f"Осталось {count} попытки."
