"""Words of invoice phrases in Russian and English: numbers, currencies, units, labels.

All words are in the comparison form of `tokens.Token.norm`: lower case, «е» for «ё».
"""

import re
from decimal import Decimal

# Word → (value, rank). Within one number the ranks fall: «двести» 3, «пятьдесят» 2, «пять» 1.
_UNITS = (
    "один одна одно одну одного одной one,два две двух two,три трех three,четыре четырех four,"
    "пять пяти five,шесть шести six,семь семи seven,восемь восьми eight,девять девяти nine"
)
_TEENS = (
    "десять десяти ten,одиннадцать одиннадцати eleven,двенадцать двенадцати twelve,"
    "тринадцать тринадцати thirteen,четырнадцать четырнадцати fourteen,"
    "пятнадцать пятнадцати fifteen,шестнадцать шестнадцати sixteen,"
    "семнадцать семнадцати seventeen,восемнадцать восемнадцати eighteen,"
    "девятнадцать девятнадцати nineteen"
)
_TENS = (
    "двадцать двадцати twenty,тридцать тридцати thirty,сорок сорока forty,"
    "пятьдесят пятидесяти fifty,шестьдесят шестидесяти sixty,семьдесят семидесяти seventy,"
    "восемьдесят восьмидесяти eighty,девяносто девяноста ninety"
)
_HUNDREDS = (
    "сто ста,двести двухсот,триста трехсот,четыреста четырехсот,пятьсот пятисот,"
    "шестьсот шестисот,семьсот семисот,восемьсот восьмисот,девятьсот девятисот"
)


def _numbers(table: str, first: int, step: int, rank: int) -> dict[str, tuple[Decimal, int]]:
    return {
        word: (Decimal(first + n * step), rank)
        for n, words in enumerate(table.split(","))
        for word in words.split()
    }


NUMBER_WORDS = (
    _numbers(_UNITS, 1, 1, 1)
    | _numbers(_TEENS, 10, 1, 1)
    | _numbers(_TENS, 20, 10, 2)
    | _numbers(_HUNDREDS, 100, 100, 3)
    | {"ноль": (Decimal(0), 1), "zero": (Decimal(0), 1)}
)
ONE_AND_A_HALF = {"полтора", "полторы", "полутора"}
PAIR = {"пара", "пару", "пары"}
# Slang and compounds that are a whole sum in one word.
WHOLE_SUMS = {
    **dict.fromkeys(("полтысячи", "полтыщи", "пятихатка", "пятихатку", "пятисотка"), Decimal(500)),
    **dict.fromkeys(("полмиллиона", "поллимона", "полляма"), Decimal(500_000)),
    **dict.fromkeys(("полтинник", "полтос"), Decimal(50)),
}

_SCALE_FORMS = (
    ("сотня сотни сотен сотню hundred", 100),
    ("к k т тыс тысяча тысячи тысяч тысячу тысяче тысячей тысячами", 1000),
    ("тыщ тыща тыщи тыщу тыр тыра тыры", 1000),
    ("косарь косаря косарей косаря штукарь thousand thousands grand", 1000),
    ("млн миллион миллиона миллионов миллиону лям ляма лямов кк kk million millions mln", 10**6),
    ("млрд миллиард миллиарда миллиардов billion billions", 10**9),
)
SCALES = {word: value for words, value in _SCALE_FORMS for word in words.split()}
# A scale word that may stand without a number: «тысяча за маникюр» is 1000.
SCALES_ALONE = {
    "сотня",
    "сотню",
    "тысяча",
    "тысячу",
    "тысяче",
    "тыща",
    "тыщу",
    "косарь",
    "миллион",
    "лям",
}
SCALE_IF_MONEY = {"штука", "штуки", "штук", "штуку"}  # «2 штуки рублей»; else they count things

_CURRENCY_PATTERNS = {
    "RUB": r"₽|р|rub|rur|руб|рэ|рубас\w{0,2}|рублев|рубл(?:ь|я|ей|и|ю|ями|ях|ем)|рублик\w*"
    r"|roubles?|rubles?|rubs|rbl",
    "USD": r"\$|usd|доллар\w{0,3}|долл?|дол|бакс\w{0,2}|зелен(?:ых|ыми)|dollars?|bucks?",
    "EUR": r"€|eur|евро|еврик\w{0,2}|euros?",
    "KZT": r"₸|kzt|тенге|тг|tenge",
    "BYN": r"byn|byr|br|белруб\w*|бр|бун",
    "UZS": r"uzs|сум(?:ов|а|ы)?|сум|сўм|so'm|soum",
    "AMD": r"֏|amd|драм(?:ов|а|ы)?|drams?",
    "CNY": r"¥|cny|rmb|юан(?:ь|я|ей|и)|yuan",
    "UAH": r"₴|uah|грн|грив(?:на|ны|ен|ну|нами)|hryvnias?",
    "GEL": r"₾|gel|лари",
    "KGS": r"kgs|сом(?:ов|а|ы)?",
    "AZN": r"₼|azn|манат(?:ов|а)?",
    "TRY": r"₺|try|лир(?:а|ы|у)?|lira",
    "GBP": r"£|gbp|фунт(?:ов|а)?|pounds?",
    "JPY": r"jpy|иен(?:а|ы)?|йен(?:а|ы)?|yen",
    "PLN": r"pln|злот(?:ых|ый|ого)|zł|zloty",
    "ILS": r"₪|ils|шекел(?:ь|я|ей)|shekels?",
    "AED": r"aed|дирхам(?:ов|а)?|dirhams?",
    "THB": r"฿|thb|бат(?:ов|а)?|baht",
    "KRW": r"₩|krw|вон",
    "INR": r"₹|inr|рупи(?:й|и|я)|rupees?",
    "CHF": r"chf|франк(?:ов|а)?|francs?",
    "CZK": r"czk|крон",
    "MDL": r"mdl|леев|лей|лея",
    "TJS": r"tjs|сомони",
    "TMT": r"tmt",
    "MNT": r"₮|mnt|тугрик(?:ов|а)?",
    "VND": r"₫|vnd|донг(?:ов|а)?",
    "RSD": r"rsd|рсд|динар(?:ов|а)?",
    "HUF": r"huf|форинт(?:ов|а)?",
    "BGN": r"bgn|левов",
    "SEK": r"sek",
    "NOK": r"nok",
    "DKK": r"dkk",
    "CAD": r"cad",
    "AUD": r"aud",
    "NZD": r"nzd",
    "HKD": r"hkd",
    "SGD": r"sgd",
    "RON": r"ron",
    "BRL": r"brl",
    "MXN": r"mxn",
    "ZAR": r"zar",
    "IDR": r"idr",
    "MYR": r"myr",
    "EGP": r"egp",
    "IRR": r"irr|туман(?:ов)",
    "SAR": r"sar",
    "ETH": r"eth|эфир(?:ов|а)",
    "BTC": r"₿|btc|биткоин\w*|bitcoins?",
    "USDT": r"usdt",
    "TON": r"тон?коин\w*|toncoins?",
    "XXX": r"уе|фантик\w*",
}
_CURRENCY = re.compile("|".join(f"(?P<{c}>{p})" for c, p in _CURRENCY_PATTERNS.items()))
_CURRENCY_ADJECTIVES = re.compile(
    r"(?P<BYN>белорус\w+|бел)|(?P<RUB>российск\w+|росс?|рос|russian)|(?P<USD>американск\w+|us)"
    r"|(?P<KZT>казах\w+)|(?P<UZS>узбек\w+)|(?P<AMD>армянск\w+)|(?P<CNY>китайск\w+)"
    r"|(?P<UAH>украинск\w+)|(?P<TRY>турецк\w+)|(?P<AUD>австралийск\w+)|(?P<CAD>канадск\w+)"
)
# Words before a number: too common as ordinary words to name a currency in this position.
_NOT_BEFORE_NUMBER = {
    *("р", "сум", "вон", "крон", "try", "лей", "br", "бр", "фунта", "сома", "бата", "сом", "сомы"),
    *("зеленых", "рублев", "sar", "ron", "cad", "aud", "eth"),
}


def currency_of(norm: str) -> str | None:
    """Return the currency code that a word or sign names, "XXX" for «у.е.», None for others."""
    match = _CURRENCY.fullmatch(norm)
    return match.lastgroup if match else None


def currency_before_number(norm: str) -> str | None:
    """Return the currency of a word or sign that stands before its number: "$25", «евро 25»."""
    return None if norm in _NOT_BEFORE_NUMBER else currency_of(norm)


def currency_of_adjective(norm: str) -> str | None:
    """Return the currency of an adjective before its noun: «белорусских (рублей)» is BYN."""
    match = _CURRENCY_ADJECTIVES.fullmatch(norm)
    return match.lastgroup if match else None


KOPECKS = re.compile(r"коп|копе\w{2,3}|цент(?:ов|а)?|cents?|к")

# A number with one of these is a measure, however large it is.
HARD_UNITS = re.compile(
    r"мин|м|см|мм|км|кг|г|гр|грамм\w{0,2}|мл|л|литр\w{0,2}|метр\w{0,2}|ч|сек|секунд\w?|м2|м²|кв"
    r"|размер\w{0,2}|р-р|мес|сут\w{0,3}|процент\w{0,3}|градус\w{0,3}|лет|гг|тонн\w?|соток|сотки|сотка"
    r"|h|hrs?|mins?|sec|cm|mm|km|kg|g|ml|l|m|ft|inch|inches|gb|гб|mb|мб|тб|°|%|‰|''|\"|′|″"
)
# Units of time: a number with one is a measure if the word agrees with it («2500 день» does not).
TIME_UNITS = {
    **dict.fromkeys(("минута", "час", "день", "неделя", "месяц", "год", "minute", "hour"), 1),
    **dict.fromkeys(("минуту", "неделю", "day", "week", "month", "year"), 1),
    **dict.fromkeys(("минуты", "часа", "дня", "недели", "месяца", "года"), 2),
    **dict.fromkeys(("минут", "часов", "дней", "недель", "месяцев"), 5),
    **dict.fromkeys(("minutes", "hours", "days", "weeks", "months", "years"), 5),
    **dict.fromkeys(("часик", "часика", "денек", "денька"), 1),
}
# Things that services are counted in. A number from 50 with one can still be the sum: «2500 фото».
COUNTED = re.compile(
    r"шт|штук\w?|раза?|сеанс\w{0,2}|занят\w{2,3}|урок\w{0,2}|визит\w{0,2}|посещен\w{1,2}"
    r"|процедур\w?|человек\w?|чел|персон\w?|гост\w{1,2}|дет\w{1,3}|ребен\w+|комнат\w?|ногт\w{1,2}"
    r"|пальч?\w{1,3}|зон\w?|фото|фотограф\w{1,2}|кадр\w{0,2}|страниц\w?|стр|лист\w{0,2}"
    r"|знак\w{0,2}|символ\w{0,2}|слов\w?|пар\w?|порци\w{1,2}|трениров\w{2,3}|консультац\w{1,2}"
    r"|встреч\w?|модул\w{1,2}|слайд\w{0,2}|пост\w{0,2}|ролик\w{0,2}|сторис|мест\w?|рук\w?|ног\w?"
    r"|упаков\w{2,3}|короб\w{2,3}|букет\w{0,2}|роз\w?|шар\w{0,3}|слой|сло[яе]в?|точ\w{2,3}"
    r"|участ\w{2,3}|блюд\w?|комплект\w{0,2}|набор\w{0,2}|вещ\w{1,2}|окон|окна|этаж\w{0,2}"
    r"|мастер\w{0,2}|класс\w{0,2}|лекци\w{1,2}|вебинар\w{0,2}|разбор\w{0,2}|образ\w{0,2}"
    r"|pcs?|pieces?|sessions?|lessons?|visits?|times|people|persons?|guests?|photos?|pages?"
    r"|classes|words|hands|rooms?|kids|items?|calls?|meetings?"
)
COMPOUND_UNITS = re.compile(
    r"мин|час|дн|сут|недел|меся|процент|грам|литр|метр|лет|этаж|мест|кратн|рублев|балл|слой|слойн"
    r"|min|hour|day|week|month|year|page|step|course"
)
# The number after one of these names something: «размер 42», «№ 5».
HARD_LABELS = {
    *("№", "#", "no", "n°", "размер", "размера", "размеру", "р-р", "арт", "артикул", "инн", "огрн"),
    *("масштаб", "тон", "тона", "оттенок", "оттенка", "цвет", "цвета"),
    *("возраст", "версия", "версии", "size", "код", "iphone", "айфон", "id", "огрнип", "кпп"),
    *(
        "рост",
        "вес",
        "снилс",
        "паспорт",
        "бик",
        "квартира",
        "подъезд",
        "уровень",
        "ступень",
        "level",
        "age",
    ),
}
SOFT_LABELS = {
    *("номер", "кабинет", "каб", "кв", "дом", "д", "корпус", "корп", "стр", "строение", "этаж"),
    *("курс", "группа", "группе", "класс", "модуль", "билет", "заказ", "заказу", "договор"),
    *("договору", "счет", "счету", "день", "урок", "занятие", "сеанс", "этап", "часть", "блок"),
    *("тариф", "зал", "офис", "глава", "том", "пункт", "вариант", "тип", "room", "order", "part"),
    *("телефон", "тел", "карта", "карты", "карту", "серия", "выпуск", "сезон", "тема", "кабинете"),
}
# What these number is seldom over a hundred: in «кв 12 300 р» the sum can be 300.
NUMBERED = {
    *("кв", "квартира", "дом", "д", "корпус", "корп", "стр", "строение", "этаж", "офис", "room"),
    *("кабинет", "кабинете", "каб", "заказ", "заказу", "order", "договор", "договору", "глава"),
    *("том", "пункт", "вариант", "тел", "телефон", "подъезд", "группа", "группе", "part"),
    *("к", "ко", "в", "во", "с", "до", "at", "till", "until"),
}
# With these «т» means tonnes, «к» rooms.
TONNES = re.compile(
    r"груз\w{0,3}|груза|кран\w?|камаз\w?|самосвал\w?|газел\w+|щебен\w*|щебн\w+|пес(?:ок|ка)"
    r"|перевоз\w+|вывоз\w?|манипулятор\w?|эвакуатор\w?|уголь|угля|цемент\w?|зерн\w+|домкрат\w?"
)
ROOMS = re.compile(r"квартир\w*|кв|дом\w?|студи\w|комнат\w?|апартамент\w*")
STREETS = {
    *("ул", "улица", "улице", "пр", "пр-т", "пр-кт", "проспект", "проспекте", "пер", "переулок"),
    *("ш", "шоссе", "наб", "набережная", "бульвар", "б-р", "площадь", "пл", "проезд", "street"),
    *("st", "адрес", "адресу", "мкр", "микрорайон"),
}
TOTALS = {"итого", "всего", "total", "=", "итог", "итоге", "сумме", "вместе"}
# Words that say that the next number is the sum.
PRICE_LABELS = {
    *("цена", "цене", "ценой", "цену", "стоимость", "стоимостью", "стоит", "сумма", "сумму"),
    *("суммой", "оплате", "обойдется", "выйдет", "будет", "вас", "тебя", "price", "costs", "cost"),
    *("amount", "за", "стоить", "прайс", "for"),
}
APPROXIMATE = {
    *("больше", "более", "свыше", "выше", "меньше", "менее", "дороже", "дешевле", "максимум"),
    *("макс", "over", "under"),
    *("около", "примерно", "приблизительно", "почти", "порядка", "~", "≈", "от", "about"),
    *("approximately", "around", "from", "где-то", "минимум", "ориентировочно"),
}
LIMITS = {"до", "<", ">", "≤", "≥", "±"}  # right before a sum
DISCOUNTS = re.compile(
    r"скидк\w+|скид\w*|минус|промокод\w*|купон\w*|бонус\w{0,3}|кешб[эе]к\w*|discount|off|minus|кэшб[эе]к"
)
PARTS = re.compile(
    r"предоплат\w+|предоплач\w+|аванс\w*|задат\w+|остат\w+|доплат\w+|долг\w{0,2}|рассрочк\w+"
    r"|половин\w|внес\w+|залог\w{0,2}|deposit|prepayment|advance|paid|оплачен\w{0,2}|частями"
)
ALTERNATIVES = {"или", "либо", "or", "вместо", "было", "раньше", "instead", "был", "была", "из"}
MULTIPLY = {"х", "x", "×", "*"}
EACH = {"по", "@", "each", "at"}
VIDEO = re.compile(r"виде\w*|video|съ?[её]м\w*|монит\w*|телеви\w*|экран\w*|ролик\w*|uhd|формат\w*")
