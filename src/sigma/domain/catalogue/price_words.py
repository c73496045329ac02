"""Words of price lists, Russian and English: currencies, units, "from", "free", "on request"."""

import re

from sigma.domain.catalogue.service import MAX_PRICE_UNIT

# Currency code → its spellings. Longer spellings come first: «бел. руб» is not «руб». A code that
# Sigma does not support is listed too, so that 100 UAH are not read as 100 RUB.
_CURRENCIES = {
    "BYN": r"byn|br|бел(?:орусски[ехй]+)?\.?\s*руб(?:лей|ля|ль)?\.?",
    "RUB": r"₽|rub|rur|рублей|рубля|рубль|рубли|рублях|руб|р",
    "USD": r"\$|usd|доллар(?:а|ов|ы)?(?:\s+сша)?|дол(?:л)?|dollars?",
    "EUR": r"€|eur|евро|euros?",
    "KZT": r"₸|kzt|тенге|тнг|тг",
    "UZS": r"uzs|сум(?:ов)?|so['ʻ]?m",
    "AMD": r"֏|amd|драм(?:ов|а)?",
    "CNY": r"¥|cny|юан(?:ей|я|ь)|rmb",
    "UAH": r"₴|uah|грн|грив(?:ен|на|ны)",
    "GBP": r"£|gbp|фунт(?:ов|а)?",
    "KGS": r"kgs|сом(?:ов|а)?",
    "GEL": r"₾|gel|лари",
    "TRY": r"₺|try|лир(?:а|ы)?",
    "AZN": r"₼|azn|манат(?:ов|а)?",
    "MDL": r"mdl|ле[йяи]",
    "JPY": r"jpy|иен[аы]?|йен[аы]?",
    "PLN": r"pln|zł|злот(?:ых|ый)",
    "CZK": r"czk",
    "RSD": r"rsd|динар(?:ов|а)?",
    "HUF": r"huf|форинт(?:ов|а)?",
    "BGN": r"bgn",
    "RON": r"ron",
    "CHF": r"chf|франк(?:ов|а)?",
    "SEK": r"sek",
    "NOK": r"nok",
    "DKK": r"dkk",
    "CAD": r"cad",
    "AUD": r"aud",
    "NZD": r"nzd",
    "ILS": r"₪|ils|nis|шекел(?:ь|я|ей)",
    "AED": r"aed|дирхам(?:ов|а)?",
    "THB": r"฿|thb|бат(?:ов|а)?",
    "INR": r"₹|inr|рупи[йия]",
    "KRW": r"₩|krw",
    "VND": r"₫|vnd|донг(?:ов|а)?",
    "IDR": r"idr",
    "MNT": r"₮|mnt|тугрик(?:ов|а)?",
    "TJS": r"tjs|сомони",
    "TMT": r"tmt",
    "BTC": r"₿|btc",
    "USDT": r"usdt",
    "XXX": r"у\.\s?е|уе",  # «условные единицы»: no currency at all
}
_SIGNS = "₽$€₸֏¥₴£₾₺₼₪฿₹₩₫₮₿"  # a sign needs no space around it: «$50», «1500₽»
_CURRENCY = re.compile(
    "|".join(
        rf"(?P<{code}>[{''.join(c for c in names if c in _SIGNS) or '₠'}]"
        rf"|(?<![a-zа-я])(?:{names})(?![a-zа-я0-9])\.?)"
        for code, names in _CURRENCIES.items()
    ),
    re.IGNORECASE,
)

# Unit as Sigma writes it → its spellings in files.
_UNITS = {
    "час": r"ч|час(?:а|ов)?|hours?|hrs?|h",
    "мин": r"мин(?:ут[аыу]?)?|minutes?|mins?",
    "день": r"день|дн(?:я|ей)?|days?",
    "сутки": r"сут(?:ки|ок)?",
    "ночь": r"ноч[ьи]|nights?",
    "неделя": r"недел[яюи]|нед|weeks?",
    "месяц": r"месяц(?:а|ев)?|мес|months?|mo",
    "год": r"год|years?",
    "м²": r"м\s?2|м\^2|кв\.?\s*м(?:етр(?:а|ов)?)?|м\.?\s*кв|m\s?2|sq\.?\s*m",
    "м³": r"м\s?3|м\^3|куб\.?\s*м(?:етр(?:а|ов)?)?|м\.?\s*куб|m\s?3",
    "пог. м": r"пог(?:онный)?\.?\s*м(?:етр)?|п\.?\s*м|м\.?\s*п(?:ог)?|м/п",
    "м": r"метр(?:а|ов)?|м|m",
    "см": r"см|cm",
    "км": r"километр(?:а|ов)?|км|km",
    "кг": r"килограмм(?:а|ов)?|кг|kg",
    "г": r"грамм(?:а|ов)?|гр|г",
    "т": r"тонн[аыу]?|тн",
    "л": r"литр(?:а|ов)?|л",
    "мл": r"мл|ml",
    "шт": r"штук[аиу]?|шт|pieces?|pcs?|ед(?:иниц[аыу])?",
    "чел": r"человека?|чел|persons?|people|pax",
    "услуга": r"услуг[аиу]|усл|services?",
    "сеанс": r"сеанс(?:а|ов)?|sessions?",
    "процедура": r"процедур[аыу]?|проц",
    "занятие": r"заняти[еяй]|зан",
    "урок": r"урок(?:а|ов)?|lessons?",
    "визит": r"визит|visits?",
    "приём": r"при[её]м",
    "раз": r"раз",
    "зона": r"зон[аыу]",
    "зуб": r"зуб",
    "ноготь": r"ноготь|ногтя",
    "палец": r"палец|пальца",
    "смена": r"смен[аыу]",
    "комплект": r"комплект|компл|к-т|sets?",
    "пара": r"пар[аыу]",
    "страница": r"страниц[аыу]|стр|pages?",
    "слово": r"слово|слов|words?",
    "курс": r"курс",
    "заказ": r"заказ",
    "этаж": r"этаж",
    "точка": r"точк[аиу]",
}
_UNIT_BY_GROUP = {f"u{n}": unit for n, unit in enumerate(_UNITS)}
_KNOWN_UNIT = "|".join(f"(?P<u{n}>{names})" for n, names in enumerate(_UNITS.values()))
_ONE_UNIT = re.compile(rf"(?P<count>\d{{1,4}})?\s*(?:{_KNOWN_UNIT})\.?", re.IGNORECASE)
# «30 мин», «1,5 ч», «2 дня» are no prices, though «1500 час» may be one.
DURATION = re.compile(
    r"\d{1,3}\s*(?:мин(?:ут[аыу]?)?|min(?:ute)?s?)\.?"
    r"|\d{1,2}(?:[.,]\d)?\s*(?:ч|час(?:а|ов)?|h|hours?|hrs?|день|дн(?:я|ей)?|days?|сут(?:ки|ок)?"
    r"|нед(?:ел[яиь])?|недель|weeks?|мес(?:яц(?:а|ев)?)?|months?)\.?"
)
UNIT_MARK = r"(?:/|\bза\b|\bper\b|\bв(?=\s)|\bна(?=\s))\s*"  # what stands before a unit
_UNIT_IN_TEXT = re.compile(
    rf"(?:{UNIT_MARK})(?P<count>\d{{1,4}})?\s*(?:{_KNOWN_UNIT})(?![a-zа-я0-9])\.?", re.IGNORECASE
)

FREE_WORDS = re.compile(
    r"бесплатн[а-я]*|безвозмездно|даром|(?:в )?подар[а-я]+|free(?: of charge)?|gratis|комплимент"
)
AGREEMENT_WORDS = re.compile(
    r"(?:цена |стоимость |price )?"
    r"(?:(?:по |на )?договор[а-я]*|дог|(?:по |под )?запрос[а-я]*|(?:по )?согласовани[а-я]*"
    r"|согласовывается|(?:по )?уточн[а-я]*(?: .{0,40})?|(?:по )?(?:телефон|звонк)[а-я]*"
    r"|(?:по)?звон[а-я]*|индивидуальн[а-я]*(?: .{0,40})?|рассч?[а-я]*(?: .{0,40})?|расчет[а-я]*"
    r"|(?:зависит|завис) .{1,40}|(?:после|по|на) (?:осмотр|консультаци|замер|факт)[а-я]*"
    r"|(?:по )?смет[а-я]*|нет|не указан[а-я]*|on request|(?:by )?agreement|negotiable|ask|call"
    r"|(?:please )?contact(?: us)?|upon request|individual(?:ly)?|tbd|tba|n/?a|varies|quote)"
    r"[.!]?"
)
FROM_WORDS = (
    r"от|с|from|мин(?:имум|\.)?|min(?:imum|\.)?|начиная с|starting (?:at|from)|не менее|>=?|≥"
)
APPROXIMATE_WORDS = r"~|≈|около|примерно|приблизительно|ок\.|прим\.|about|approx\.?|ca\.?"
UP_TO_WORDS = r"до|не более|не выше|макс(?:имум|\.)?|up to|max(?:imum|\.)?|<=?|≤"
FROM_SUFFIXES = r"\+|и (?:выше|более|больше|дороже)|(?:and|or) (?:up|more|above)"
THOUSANDS = re.compile(
    r"(?<=\d)\s*(?:(?P<k>тысяч[аи]?|тыс\.?|т\.\s?(?=р)|т(?=\.?\s?р)|к|k)|(?P<m>миллион(?:а|ов)?|млн\.?))"
    r"(?![a-zа-я]{2})(?:(?=[рp](?![a-zа-я]))|(?![a-zа-я]))",
    re.IGNORECASE,
)


def find_currencies(text: str) -> tuple[str, ...]:
    """Return the codes of the currencies named in a text, each once, in order; also unsupported."""
    return tuple(dict.fromkeys(str(match.lastgroup) for match in _CURRENCY.finditer(text)))


def without_currencies(text: str) -> str:
    """Return the text with each currency replaced by a space."""
    return _CURRENCY.sub(" ", text)


def normalize_unit(text: str) -> str:
    """Return a unit as Sigma writes it («кв.м» → «м²»); an unknown one is only trimmed."""
    bare = text.replace("²", "2").replace("³", "3").strip(" ./()")
    match = _ONE_UNIT.fullmatch(bare)
    return _unit_text(match) if match else text.strip(" /()")[:MAX_PRICE_UNIT]


def is_known_unit(text: str) -> bool:
    """Return whether the whole text is a unit that Sigma knows."""
    return bool(_ONE_UNIT.fullmatch(text.replace("²", "2").replace("³", "3").strip(" ./()")))


def find_unit(text: str) -> str:
    """Return the first known unit after «/», «за», "per" in a text, or ""."""
    match = _UNIT_IN_TEXT.search(text.replace("²", "2").replace("³", "3"))
    return _unit_text(match) if match else ""


def split_units(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the text without its known units, and the units, each once."""
    units = tuple(dict.fromkeys(_unit_text(match) for match in _UNIT_IN_TEXT.finditer(text)))
    return _UNIT_IN_TEXT.sub(" ", text), units


def _unit_text(match: re.Match[str]) -> str:
    group = next(name for name in _UNIT_BY_GROUP if match[name] is not None)
    unit, count = _UNIT_BY_GROUP[group], match["count"]
    return f"{int(count)} {unit}" if count and int(count) > 1 else unit
