"""Headers of price lists by meaning, in Russian and English.

A header gives candidates with scores; the table decides between columns that claim one meaning.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from sigma.domain.catalogue import price_words as words
from sigma.domain.catalogue.service import PriceKind

MAX_HEADER = 80  # characters; a longer cell is a sentence, not the name of a column


class Meaning(StrEnum):
    """What a column of a price list holds."""

    TITLE = "title"
    PRICE = "price"
    PRICE_MAX = "price_max"
    CURRENCY = "currency"
    UNIT = "unit"
    CATEGORY = "category"
    DESCRIPTION = "description"
    EXTERNAL_ID = "external_id"
    ID = "id"
    VISIBLE = "visible"
    EXPIRES_DAYS = "expires_days"


class LeftOut(StrEnum):
    """Why a column is not imported."""

    UNKNOWN = "unknown"  # no meaning that Sigma knows
    NO_FIELD = "no_field"  # stock, duration: a service has no such field
    PHOTO = "photo"  # pictures and links
    ROW_NUMBER = "row_number"
    OTHER_PRICE = "other_price"  # wholesale, old, discounted
    SECOND_PRICE = "second_price"  # the service has one price; another column gives it
    SECOND = "second"  # another column has this meaning
    SECOND_TABLE = "second_table"  # a table beside the first one, with the same headers
    REPEATED_CODE = "repeated_code"  # codes that repeat identify nothing
    BY_SELLER = "by_seller"  # the seller chose to leave it out


@dataclass(frozen=True, slots=True)
class HeaderGuess:
    """The best guess for one header. `score`: higher wins the meaning; 0 without a meaning.

    `currency`, `unit`, `kind`, `scale` are what a price header says about its prices; `scale` is
    1000 under «Цена, тыс. руб.» and 0.01 under «Цена, коп.».
    """

    meaning: Meaning | None
    score: int
    left_out: LeftOut = LeftOut.UNKNOWN
    currency: str = ""
    unit: str = ""
    kind: PriceKind = PriceKind.FIXED
    scale: Decimal = Decimal(1)


_PRICE_WORD = r"цен[аыуе]|стоимост|прайс|price|тариф|cost|rate|прейскурант|розниц|retail|fee|amount"
_OTHER_PRICE = (
    r"стар|без скид|зачеркн|опт|закуп|себестоим|скид|акци|закупк|входн|наценк|маржа|ндс|прибыл"
    r"|compare|\bold\b|wholesale|purchase|discount|\bsale\b|\bvat\b|margin|базов|предоплат|депозит"
)
# Searched in this order, the first match decides. A score of 0 leaves the column out; some
# rules count only in a header without a word for price: «Цена за единицу» is no unit.
_NO_PRICE_WORD = rf"^(?!.*(?:{_PRICE_WORD}))"
_NO_PRICE = r"^(?!.*(?:\bцен[аыуе]\b|стоимость|\bprice|\bcost\b))"  # «Цена за группу», «за фото»
_RULES: tuple[tuple[str, Meaning | None, int, LeftOut], ...] = (
    (
        (
            rf"{_NO_PRICE}.*(?:фото|изображени|картинк|видео|обложк|ссылк|^сайт"
            r"|image|photo|picture|\bimg\b|\burl\b|\blink|video|\bhref\b)"
        ),
        *(None, 0, LeftOut.PHOTO),
    ),
    (
        r"^(?:№|n|no|#|[№n#]? ?п ?/? ?п|n ?п ?/ ?п|номер(?: строки| по порядку)?|number|row)$",
        *(None, 0, LeftOut.ROW_NUMBER),
    ),
    (
        rf"(?:{_PRICE_WORD}).*(?:с ндс|включая ндс|с учетом ндс|вкл\w* ндс|(?:incl\w*|with) vat)",
        *(Meaning.PRICE, 11, LeftOut.SECOND_PRICE),
    ),
    (
        (
            rf"(?:{_OTHER_PRICE}).*(?:{_PRICE_WORD})|(?:{_PRICE_WORD}).*(?:{_OTHER_PRICE})"
            r"|^(?:скидк|акци|опт|закуп|себестоим|наценк|discount|sale|wholesale)"
            r"|\bндс\b|\bvat\b|\bналог|\btax\b|^маржа|^прибыл|^комисси|^предоплат|^депозит"
        ),
        *(None, 0, LeftOut.OTHER_PRICE),
    ),
    (
        (
            rf"{_NO_PRICE}.*(?:остат|колич|кол-во|кол во|наличи|склад|\bвес\b|объем|штрих"
            r"|stock|\bqty|quantity|barcode|\bean\b)"
        ),
        *(None, 0, LeftOut.NO_FIELD),
    ),
    (
        (
            r"\bкод\b|артикул|\bид\b|идентификатор|^номенклатурный номер"
            r"|\bsku\b|\bid\b|\buid\b|\bguid\b|\buuid\b|\bcode\b|\barticle\b"
        ),
        *(Meaning.EXTERNAL_ID, 9, LeftOut.SECOND),
    ),
    (
        r"срок (?:действия )?счет|дней счет|invoice (?:days|lifetime)",
        *(Meaning.EXPIRES_DAYS, 10, LeftOut.SECOND),
    ),
    (
        rf"^(?:валют|currency)|{_NO_PRICE_WORD}.*(?:валют|currency)",
        *(Meaning.CURRENCY, 10, LeftOut.SECOND),
    ),
    (
        rf"{_NO_PRICE_WORD}.*(?:\bед ?изм|единиц|\bед\b|\bизм|\bunits?\b|\bmeasure|\buom\b)",
        *(Meaning.UNIT, 10, LeftOut.SECOND),
    ),
    (
        (
            rf"{_NO_PRICE}.*(?:категор|групп|раздел|рубрик|направлени|родител|\bотдел"
            r"|category|\bgroup|section|parent|department)"
        ),
        *(Meaning.CATEGORY, 10, LeftOut.SECOND),
    ),
    (
        (
            r"описан|коммент|примечан|что входит|\bсостав\b|подробн|характерист|аннотац|пояснени"
            r"|descr|comment|\bnotes?\b|details"
        ),
        *(Meaning.DESCRIPTION, 10, LeftOut.SECOND),
    ),
    (
        r"видна|видим|показыва|отображ|активн|опубликов|\bvisible|\bactive|publish|enabled",
        *(Meaning.VISIBLE, 10, LeftOut.SECOND),
    ),
    (
        (
            rf"{_NO_PRICE_WORD}.*(?:длительн|продолжит|\bвремя|минут|\bсрок|сотрудник|\bдата"
            r"|duration|\btime\b|\bdate)"
        ),
        *(None, 0, LeftOut.NO_FIELD),
    ),
    (r"розничн|retail", Meaning.PRICE, 12, LeftOut.SECOND_PRICE),
    (r"\bцен[аыуе]|\bprice", Meaning.PRICE, 10, LeftOut.SECOND_PRICE),
    (r"стоимост|\bcost\b", Meaning.PRICE, 9, LeftOut.SECOND_PRICE),
    (r"^прайс(?: руб| р)?$|\brate\b|\bfee\b", Meaning.PRICE, 7, LeftOut.SECOND_PRICE),
    (r"^(?:тип|виды?)(?: услуг\w*| работ\w*)?$|^type", Meaning.TITLE, 4, LeftOut.SECOND),
    (
        r"наименован|назван|услуг|\btitle\b|\bname\b|\bservices?\b",
        *(Meaning.TITLE, 10, LeftOut.SECOND),
    ),
    (
        r"номенклатур|процедур|\bтовар|\bработ[аы]?\b|\bproducts?\b|treatment|procedure",
        *(Meaning.TITLE, 8, LeftOut.SECOND),
    ),
    (
        r"позици|перечень|программ|прайс лист|\bтариф|\bitems?\b",
        *(Meaning.TITLE, 5, LeftOut.SECOND),
    ),
    (
        r"^(?:сумма|оплата|итого|amount|total)\b",
        *(Meaning.PRICE, 4, LeftOut.SECOND_PRICE),
    ),
)
_PATTERNS = tuple(re.compile(rule[0]) for rule in _RULES)
_SCALES = (
    (re.compile(r"\b(?:тыс|тысяч\w*|т р|thousands?)\b"), Decimal(1000)),
    (re.compile(r"\b(?:млн|миллион\w*|millions?)\b"), Decimal(10**6)),
    (re.compile(r"^(?!.*\bруб).*\b(?:коп|копе\w+|cents?|kopecks?)\b"), Decimal("0.01")),
)
_FROM = re.compile(r"\b(?:от|from|min|мин|минимум|минимальная)\b")
_UP_TO = re.compile(r"\b(?:до|up to|to|max|макс|максимум|максимальная)\b")


def normalize_header(text: str) -> str:
    """Return a header for comparison: lower case, «ё» as «е», no punctuation but «№», «#», «/»."""
    folded = text.casefold().replace("ё", "е")
    return " ".join(re.sub(r"[^\w№#/\s-]|_", " ", folded).replace("-", " ").split())


def is_named_price(header: str) -> bool:
    """Return whether a header has a word for price: «Оптовая цена», not «НДС»."""
    return (
        re.search(r"\bцен[аыуе]\b|стоимость|\bprice|\bcost\b", normalize_header(header)) is not None
    )


def guess_header(text: str) -> HeaderGuess:
    """Return the meaning of a header."""
    normalized = normalize_header(text)
    currencies = words.find_currencies(text)
    if not normalized and not currencies:
        return HeaderGuess(None, 0)
    if len(text) > MAX_HEADER:
        return HeaderGuess(None, 0)
    meaning, score, left_out = _find_rule(normalized)
    is_only_currency = bool(currencies) and not normalize_header(words.without_currencies(text))
    if meaning is None and is_only_currency:
        meaning, score, left_out = Meaning.PRICE, 6, LeftOut.SECOND_PRICE
    if meaning is None and re.fullmatch(r"от|до|min|max|from|to", normalized):
        meaning, score, left_out = Meaning.PRICE, 5, LeftOut.SECOND_PRICE
    if meaning is not Meaning.PRICE:
        # The values may show that the column has prices: «Бағасы (тг)».
        currency = currencies[0] if len(currencies) == 1 else ""
        return HeaderGuess(meaning, score, left_out, currency)
    is_from, is_up_to = bool(_FROM.search(normalized)), bool(_UP_TO.search(normalized))
    kind = PriceKind.FROM if is_from and not is_up_to else PriceKind.FIXED
    if is_up_to and not is_from:
        meaning, kind = Meaning.PRICE_MAX, PriceKind.RANGE
    currency = currencies[0] if len(currencies) == 1 else ""
    unit = words.find_unit(text)
    scale = next((factor for word, factor in _SCALES if word.search(normalized)), Decimal(1))
    return HeaderGuess(meaning, score, LeftOut.SECOND_PRICE, currency, unit, kind, scale)


def _find_rule(normalized: str) -> tuple[Meaning | None, int, LeftOut]:
    for pattern, (_, meaning, score, left_out) in zip(_PATTERNS, _RULES, strict=True):
        if pattern.search(normalized):
            return meaning, score, left_out
    return None, 0, LeftOut.UNKNOWN
