"""Words of days and times in invoice phrases, in the comparison form of tokens."""

import re

_WEEKDAY_FORMS = (
    "понедельник понедельника понедельнику monday",
    "вторник вторника вторнику tuesday",
    "среда среды среду среде wednesday",
    "четверг четверга четвергу thursday",
    "пятница пятницы пятницу пятнице friday",
    "суббота субботы субботу субботе saturday",
    "воскресенье воскресенья воскресенью воскресение sunday",
)
WEEKDAYS = {word: n for n, words in enumerate(_WEEKDAY_FORMS) for word in words.split()}
_WEEKDAY_SHORT_FORMS = ("пн mon", "вт tue", "ср wed", "чт thu", "пт fri", "сб sat", "вс sun")
WEEKDAY_SHORT = {word: n for n, words in enumerate(_WEEKDAY_SHORT_FORMS) for word in words.split()}
_MONTH_FORMS = (
    "января янв january jan",
    "февраля фев февр february feb",
    "марта мар march mar",
    "апреля апр april apr",
    "мая may",
    "июня июн june jun",
    "июля июл july jul",
    "августа авг august aug",
    "сентября сен сент september sep sept",
    "октября окт october oct",
    "ноября ноя нояб november nov",
    "декабря дек december dec",
)
MONTHS = {word: n for n, words in enumerate(_MONTH_FORMS, 1) for word in words.split()}
RELATIVE_DAYS = {
    **dict.fromkeys(("сегодня", "today", "сегодняшнего", "tonight"), 0),
    **dict.fromkeys(("завтра", "tomorrow", "завтрашнего", "tmrw"), 1),
    **dict.fromkeys(("послезавтра", "послезавтрашнего"), 2),
}
SPANS = {
    **dict.fromkeys(("день", "дня", "дней", "денек", "day", "days", "сутки", "суток"), 1),
    **dict.fromkeys(("неделю", "недели", "недель", "неделя", "week", "weeks"), 7),
    **dict.fromkeys(("месяц", "месяца", "месяцев", "month", "months"), 30),
}
DAY_PARTS = {
    *("утра", "дня", "вечера", "ночи", "утром", "днем", "вечером", "ночью", "morning", "evening"),
    "afternoon",
}
HOURS = {"полдень": 12, "полудню": 12, "полудня": 12, "noon": 12, "полночь": 0, "midnight": 0}
NEXT = {
    "следующий",
    "следующую",
    "следующего",
    "следующей",
    "следующее",
    "следующая",
    "next",
    "след",
}
THIS = {"этот", "эту", "этого", "этой", "ближайший", "ближайшую", "ближайшего", "ближайшей", "this"}
DEADLINE_WORDS = {"до", "by", "until", "till", "before", "срок", "дедлайн", "due"}
PAY_WORDS = {"оплата", "оплатить", "оплати", "оплатите", "оплату", "pay", "payment", "payable"}
VISIT_PREPOSITIONS = {"в", "во", "на", "к", "ко", "с", "со", "on", "at", "for"}
# What is sold by days: after one of these «на 3 дня» is the duration.
RENTED = re.compile(
    r"аренд\w*|прокат\w*|снять|сдача|бронь|брони\w+|прожив\w+|номер\w?$|тур\w?$|абонемент\w*"
    r"|доступ\w*|подписк\w*|интенсив\w*|курс\w?$|марафон\w*|ретрит\w*|поездк\w*|путевк\w*"
    r"|экскурси\w+|передержк\w+|хранени\w+|парковк\w+|меню|рацион\w*|питани\w+|лагер\w+"
    r"|rent\w*|hire|hotel|booking|course|trip|camp|access|subscription"
)
