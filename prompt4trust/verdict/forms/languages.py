"""Labels of other languages put in English, so that one reader of answers and confidences is enough.

Only what leaves no doubt is put: a label with its colon or a whole short phrase at the beginning of a sentence, and of
confidences one with a single number behind it. What negates ("la respuesta no es", "Unsicherheit", "incertitude") is
none of the words below, stays as it was, and is then no answer and no confidence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from prompt4trust.verdict.words.expressions import expression


@dataclass(frozen=True, slots=True)
class _Language:
    """Words of one language, as patterns.

    Attributes:
        answer: What announces an answer.
        sure: What announces a confidence.
        equals: "is"; "" where no sentence is read.
        joins: What stands before and behind the confidence's name in "with a confidence of"; none where it is not read.
        states: Clauses that state a number, which is written N.
    """

    answer: str
    sure: str
    equals: str = ""
    joins: tuple[str, str] | None = None
    states: tuple[str, ...] = ()


_LANGUAGES: Final = (
    _Language(  # Spanish
        r"(?:la |mi )?(?:respuesta|opci[oó]n|elecci[oó]n)(?: (?:final|correcta|elegida|seleccionada))?",
        r"(?:(?:nivel|grado|porcentaje) de )?(?:confianza|certeza|seguridad)",
        r"es|sería",
        (r"con (?:una? |el )?", r" (?:de un |de una |del |de |al )?"),
        (r"estoy (?:un |al )?N (?:segur[oa]|convencid[oa])", r"estoy segur[oa] (?:al|en un) N"),
    ),
    _Language(  # French
        r"(?:(?:la |ma )?(?:(?:bonne|juste) )?(?:r[ée]ponse|choix)(?: (?:finale?|correcte|retenue|choisie))?"
        r"|(?:l['’]|mon )?option (?:finale|correcte|retenue|choisie))",
        r"(?:(?:niveau|degré|taux|score|indice) de )?(?:confiance|certitude)",
        r"est(?: donc| alors)?|serait",
        (r"avec (?:une? )?", r" (?:de |d['’]|à )?"),
        (r"(?:je|j['’]en) suis (?:sûre?|certaine?) à N", r"je suis à N (?:sûre?|certaine?)"),
    ),
    _Language(  # German
        r"(?:die |meine )?(?:(?:richtige|korrekte|endgültige|finale|beste) )?(?:antwort|lösung|auswahl|endantwort)",
        r"(?:konfidenz(?:wert|niveau|grad)?|sicherheit(?:sgrad)?|zuversicht|vertrauen(?:sgrad|sniveau)?|gewissheit)",
        r"ist|lautet|wäre",
        (r"mit (?:einer |einem )?", r" (?:von |zu )?"),
        (r"ich bin (?:mir )?(?:dessen )?zu N sicher",),
    ),
    _Language(  # Italian
        r"(?:la )?(?:mia )?(?:risposta|opzione|scelta)(?: (?:finale|corretta|esatta))?",
        r"(?:(?:livello|grado|punteggio) di )?(?:confidenza|fiducia|certezza|sicurezza)",
        r"è|sarebbe",
        (r"con (?:una |un )?", r" (?:del |dell['’]|di |al |all['’])?"),
        (r"(?:sono )?(?:sicur[oa]|cert[oa]) (?:al |all['’])N",),
    ),
    _Language(  # Portuguese
        r"(?:a )?(?:minha )?(?:resposta|op[çc][ãa]o|escolha)(?: (?:final|correta|certa|escolhida))?"
        r"|(?:a )?alternativa (?:final|correta|certa|escolhida)"
        r"|alternativa(?= ?: ?[^\n]{1,80}\n[^\n]{0,12}confiança)",  # in Spanish and Italian, a second choice
        r"(?:(?:nível|grau|índice) de )?(?:confian[çc]a|certeza)",
        r"é|seria",
        (r"com (?:uma? )?", r" (?:de |em )?"),
        (r"(?:estou|tenho) N (?:segur[oa]|cert[oa]|de certeza)",),
    ),
    _Language(  # Dutch
        r"(?:het |mijn )?(?:(?:juiste|definitieve|beste) )?(?:antwoord|eindantwoord|keuze)",
        r"(?:zekerheid(?:sniveau)?|vertrouwen(?:sniveau)?|betrouwbaarheid)",
        r"is",
        (r"met (?:een )?", r" (?:van )?"),
        (r"ik ben (?:er )?N zeker",),
    ),
    _Language(  # Russian
        r"(?:(?:правильный|верный|мой|итоговый|окончательный) )?(?:ответ|вариант|выбор)",
        r"(?:(?:уровень|степень) )?(?:уверенност(?:ью|[ьи])|достоверност(?:ью|[ьи]))",
        r"-|—|–",
        (r"с ", r"ю (?:в )?"),
        (r"(?:я )?уверена? на N",),
    ),
    _Language(r"(?:最終)?(?:回答|解答|答え|正解|結論)", r"(?:確信度|信頼度|自信度|自信の程度|確信|自信)"),  # Japanese
    _Language(r"(?:최종 ?)?(?:정답|답변|답)", r"(?:확신도|신뢰도|자신감|확신 수준|확신)"),  # Korean
    _Language(r"(?:最终)?(?:回答|选择|结论)", r"(?:置信水平|确信度)"),  # Chinese, beside what is read as it is
    _Language(  # Arabic
        r"(?:الإجابة|الجواب)(?: (?:الصحيحة|النهائية|الصحيح|النهائي))?",
        r"(?:(?:مستوى|درجة|نسبة) )?(?:الثقة|اليقين)",
        r"هي|هو",
    ),
    _Language(r"(?:doğru )?(?:cevap|yanıt)", r"güven(?: düzeyi| seviyesi| oranı| skoru| puanı)?"),  # Turkish
    _Language(  # Polish
        r"(?:(?:poprawna|prawidłowa|właściwa|moja|ostateczna) )?odpowiedź",
        r"(?:poziom )?(?:pewność|pewności(?:ą)?|ufność|ufności)",
        r"to(?: jest)?|jest to|jest",
        (r"z ", r" (?:równą )?(?=\d{1,3}(?:,\d)? ?%)"),  # without a per cent it says "surely"
    ),
    _Language(  # Vietnamese
        r"(?:đáp án|câu trả lời|trả lời)(?: (?:đúng|cuối cùng|của tôi))?",
        r"(?:mức )?độ (?:tin cậy|tự tin|chắc chắn)",
        r"là",
        (r"với ", r" (?:là )?"),
    ),
    _Language(  # Czech
        r"(?:(?:správná|moje|konečná) )?odpověď",
        r"(?:míra |úroveň )?(?:jistot(?:ou|[ay])|spolehlivosti?|důvěr[ay])",
        r"je",
        (r"s ", r" (?=\d{1,3}(?:,\d)? ?%)"),  # as in Polish
    ),
    _Language(
        r"jawaban(?:nya)?(?: akhir| yang benar)?", r"(?:tingkat )?(?:keyakinan|kepercayaan)", r"adalah"
    ),  # Indonesian
    _Language(  # Swedish, Danish and Norwegian
        r"(?:(?:rätt|mitt|det rätta|mit|det rigtige|det riktige) )?(?:slutt?)?svar(?:et)?(?: mitt)?",
        r"(?:(?:säkerhet|sikkerhe[dt]|konfidens)(?:s?(?:grad|nivå|niveau))?|tilltro)",
        r"är|er",
        (r"med (?:en )?", r" (?:på |av )?"),
        (r"jag är N säker", r"jeg er N sikker"),
    ),
    _Language(  # Finnish
        r"(?:(?:oikea|lopullinen) )?vastau(?:s|kseni)",
        r"(?:varmuus|varmuudella|luottamus)",
        r"on",
        (r"", r" "),
    ),
    _Language(  # Romanian
        r"răspuns(?:ul)?(?: meu)?(?: (?:final|corect))?",
        r"(?:(?:nivel(?:ul)?|grad(?:ul)?) de )?(?:încredere(?:a)?|certitudine|siguranță)",
        r"este|e",
        (r"cu (?:o |un )?", r" (?:de )?"),
        (r"sunt N (?:sigură?|convinsă?)",),
    ),
    _Language(r"(?:(?:सही|अंतिम|मेरा) )?उत्तर", r"(?:आत्मविश्वास|विश्वसनीयता|विश्वास)(?: स्तर)?"),  # Hindi
)

_FLAGS: Final = re.IGNORECASE | re.MULTILINE
_ANY_ANSWER = "|".join(each.answer for each in _LANGUAGES)
_ANY_SURE = "|".join(each.sure for each in _LANGUAGES)
_EQUALS = "|".join(each.equals for each in _LANGUAGES if each.equals)
# One of these is in every label above; in lower case, it is looked for far faster than the labels are.
_HINT = expression(
    r"respuest|opci[oó]n|elecci|confian|certez|segurid|segur[oa]|r[ée]pons|chois|choix|elijo|wähle|escolho|scelgo"
    r"|kies|option|certitud|certain|sûr|antwort|lösung"
    r"|auswahl|konfidenz|sicher|zuversicht|vertrauen|gewiss|rispost|opzion|scelta|confidenz|fiducia|sicur"
    r"|cert[oa]|respost"
    r"|op[çc][ãa]o|escolha|alternativa|antwoord|keuze|zeker|vertrouwen|betrouwbaar|cevap|yanıt|güven|odpowied|pewnoś|ufno"
    r"|vastau|varmuu|luottamu|valits|sikker|vælg|velg|väljer|răspuns|încreder|siguran|aleg|escojo|quedo|fico"
    r"|odpověď|jistot|spolehliv|důvěr|đáp|câu|trả|độ|jawaban|keyakin|keperca|svar|säkerhet|konfidens|tilltro|[\u0400-\uffff]"
)
_PER_CENT = expression(
    # With the endings that a noun behind it asks for: "69 procents säkerhet", "mit 70-prozentiger Sicherheit".
    r"(?<=\d)(?: ?(?:٪|%:n|prozent|por ?ciento|pour ?cents?|per ?cento|por ?cento|procents?|prosents?|prosentin"
    r"|процент(?:ов|а)?|パーセント|퍼센트)|[ -]?(?:(?:prozent|%)ige[mnrs]?|procents|prosents|procentig"
    r"|procentową|procentní|процентн(?:ой|ою|ая)))"
    r"(?![^\W_])",
    re.IGNORECASE,
)
_SIGN_FIRST = expression(r"(?<![\w%])% ?(\d{1,3}(?:[.,]\d{1,2})?)(?![\d%]| ?%)")  # as Turkish writes it
_ABOUT = r"(?:(?:circa|ca\.|etwa|rund|environ|около|約|약|aproximadamente|~|≈) ?)?"
# One number and not a range, a bound or a share of others: "80 bis 90", "5段階中4", "80% o más".
_VALUE = (
    rf"{_ABOUT}(?P<number>\d{{1,3}})(?:[.,٫](?P<tenths>\d{{1,2}}))?(?![\d.,٫]?\d)"
    r"(?: ?(?:/|von|de|sur|su|из|van|sobre|em|na|dari) ?(?P<top>\d{1,3})(?!\d))?(?P<unit> ?%)?"
    r"(?:(?<=%)|(?= ?(?:[.,;)|]|$|です|である|입니다)))"
    r"(?! ?%?[,;]? ?(?:[^\W\d_]{1,12}|[-–—~±/]|\+/?-) ?\d)"
    r"(?! ?%? ?\((?:que|qu['’]|dass|daß|che|dat|что|falls|wenn|si|se|если|не|no|non|nicht)(?![^\W_]))"
    r"(?! ?%? ?(?:では|じゃ|以上|以下|未満|超|이상|이하|미만|초과|oder|o más|ou plus|или|ou|o)(?![A-Za-z]))"
)
# Behind the whole statement: its end, a reason, or the answer; "sure that it is not B" goes on otherwise.
_GOES_ON = (
    r"(?:que|qu['’]|dass|daß|che|dat|что|de que|mich|pero|aber|mais|ma|mas|но|falls|wenn|si|se|если|ce n|non?|не|nicht"
    r"|att?|inte|ikke|men|hvis|om|että|ei|mutta|jos|că|dar|nu|dacă)"
)
_STATED = (
    r"(?= ?(?:[.;)|\]/·]|$|[(（—–-](?! ?\d)|です|である|だ|입니다)"
    rf"|,? (?:porque|ya que|parce|car|weil|denn|da|perché|poiché|pois|omdat|want|потому|так как)(?![^\W_])"
    rf"|,(?! ?{_GOES_ON}(?![^\W_])))"
)
# Ahead of the answer, more is said with a confidence than the answer: "... 95 % ist C auszuschließen".
_WITH = (
    r"(?= ?(?:[.;)|]|$|\n)|,? (?:porque|ya que|parce|car|weil|denn|da|perché|poiché|pois|omdat|want|потому|так как)"
    rf"(?![^\W_])|,? (?:{_ANY_ANSWER})(?![^\W_]))"
)
_BEGINS = r"^[-•·– ]{0,4}(?:\d[.)] )?"
_ANSWER_LABEL = expression(
    rf"(?P<before>{_BEGINS}|[.;|] )(?:{_ANY_ANSWER})(?: ?\([^()\n]{{1,24}}\))?(?: ?[:=]| [—–-] )", _FLAGS
)
_IN_MY_VIEW = (
    r"(?:secondo me|a mio (?:parere|avviso)|à mon avis|selon moi|en mi opinión|na minha opinião|naar mijn mening"
    r"|moim zdaniem|enligt mig|по моему мнению|по-моему|theo tôi|podle mě|por (?:lo )?tanto|portanto|pertanto|quindi"
    r"|donc|dus|por (?:isso|eso)|perciò|dunque|par conséquent|daher|deshalb|somit|folglich|daarom|därför|derfor|siksi"
    r"|prin urmare|așadar|de aceea),?"
)
# "è la D", "es la opción C": what may stand between the verb and a letter.
_ARTICLE = (
    r"(?:(?:la|el|le|il|die|de|het|a|o) |l['’])?(?:(?:opción|option|opção|opzione|optie|lettre|letra|lettera|letter"
    r"|buchstaben?|antwort|antwoord|вариант|możliwość|možnost|alternativ(?:et|a)?|varianta|litera"
    r"|vaihtoehto) )?(?=[(\"“]?(?-i:[A-Z])(?![^\W_]))"
)
_CHOOSES = expression(
    rf"(?P<before>{_BEGINS}|[.!] )(?:{_IN_MY_VIEW} )?(?:je (?:choisis|retiens)(?: donc)?|elijo|escojo|me quedo con"
    r"|(?:ich wähle|wähle ich)(?: daher| also)?|(?:ich entscheide mich|entscheide ich mich)(?: daher| also)? für"
    r"|escolho|fico com|scelgo|(?:ik kies|kies ik)(?: dus)?(?: voor)?|jag väljer|väljer jag|jeg v[æe]lger"
    rf"|v[æe]lger jeg|valitsen|aleg|(?:я )?выбираю) {_ARTICLE}",
    _FLAGS,
)
# Behind a connective the verb comes before the answer: "daher ist meine Antwort B".
_INVERTED = expression(
    rf"(?P<before>{_BEGINS}|[.!] )(?:daher|deshalb|somit|folglich|also|daarom|dus|därför|derfor)"
    rf" (?:ist|lautet|is|är|er) (?:{_ANY_ANSWER}) {_ARTICLE}",
    _FLAGS,
)
_ANSWER_SENTENCES = tuple(
    expression(
        rf"(?P<before>{_BEGINS}|[.!] )(?:{_IN_MY_VIEW} )?(?:{each.answer}) (?:{each.equals}) (?:{_ARTICLE})?", _FLAGS
    )
    for each in _LANGUAGES
    if each.equals
)
# Where the verb stands last, a negation would stand there, too: "Bです" and not "Bではない".
_VERB_LAST = expression(
    r"(?P<before>^|[.!,] )(?:(?:最終)?(?:回答|解答|答え|正解)は ?(?:選択肢 ?)?"
    r"|(?:최종 ?)?(?:정답|답변|답)[은는] ?(?:선택지 ?)?)[(\"“]?(?P<letter>(?-i:[A-Z]))[)\"”]? ?"
    r"(?:(?:です|である|だ|입니다|이다)(?=[.,\n]|$)|(?=, ?(?:確信度|信頼度|自信度|확신도|신뢰도)))"
    r"|(?P<chosen>^|[.!] |, ?)(?P<choice>(?-i:[A-Z])) ?を ?(?:選びます|選択します|選ぶ|選択する)(?=[.,\n]|$)"
    r"|(?P<said>^|[.!] )(?:(?:सही|अंतिम|मेरा) )?उत्तर (?:विकल्प )?\(?(?P<named>(?-i:[A-Z]))\)? है(?=[.,\n]|$)",
    _FLAGS,
)
_CONFIDENCE = tuple(
    expression(pattern, _FLAGS)
    for pattern in (
        rf"(?P<before>{_BEGINS}|[.,;(|·/] ?|[—–-] )(?:(?:und|et|y|e|en|och|og|ja|și) )?"
        rf"(?:(?:(?:la|le|die|il|o|a) )?(?:(?:meine|ma|mi|mia|minha|mijn|min|моя) )?|و)?(?:{_ANY_SURE})"
        rf"(?P<scale> ?\(\d{{1,3}} ?[-–] ?\d{{1,3}} ?%?\))?"
        rf"(?: ?[:=] ?| ?[は은는—] ?|(?<=度) ?(?=\d{{1,3}} ?%です)| (?:(?:{_EQUALS}) )?"
        rf"(?:de |del |dell['’]|di |al |all['’]|von |beträgt |(?:liegt )?bei "
        rf"|van |på |d['’])?){_VALUE}{_STATED}",
        *(
            rf"(?<![^\W_])(?P<before>){each.joins[0]}(?:{each.sure}){each.joins[1]}{_VALUE}{_WITH}"
            for each in _LANGUAGES
            if each.joins
        ),
        *(
            rf"(?<![^\W_])(?P<before>){each.joins[0]}{_VALUE}(?<=%) (?:de |di |d['’]|op )?(?:{each.sure})"
            rf"(?![^\W_]){_WITH}"
            for each in _LANGUAGES
            if each.joins
        ),
        *(
            rf"(?P<before>^|[.,;(] )(?:(?:und|et|y|e|en|и) )?{state.replace('N', _VALUE)}(?![^\W_]){_STATED}"
            for each in _LANGUAGES
            for state in each.states
        ),
    )
)
# What makes a list's item or a table's column of a word, and no choice.
_EACH_OPTION = expression(r"opción|choix|opzione|opção|вариант|alternativa", re.IGNORECASE)
_DENIED = expression(r"(?<![^\W_])(?:no|non|nicht|pas|não|не|niet|not|inte|ikke|ei|nu)[ ,]*$", re.IGNORECASE)
_WHOLE_ANSWER = expression(_ANY_ANSWER, re.IGNORECASE)
_WHOLE_SURE = expression(rf"(?:{_ANY_SURE})(?: ?\([^()\n]{{1,24}}\))?", re.IGNORECASE)


def in_english(text: str) -> str:
    """Put the labels of answers and confidences of other languages in English.

    Args:
        text: Plain text.

    Returns:
        The text with "Answer:", "The answer is" and "confidence: 80%" in the labels' place, decimal commas there as
        points; the rest as it was.

    Example:
        >>> in_english("Réponse : C, confiance : 72,5 %")
        'Answer: C, confidence: 72.5%'
        >>> in_english("La respuesta no es C. Incertidumbre: 20 %")
        'La respuesta no es C. Incertidumbre: 20 %'
    """
    if not _HINT.search(text.lower()):
        return text
    text = _PER_CENT.sub("%", _SIGN_FIRST.sub(r"\1%", text))
    text = _VERB_LAST.sub(_announced, text)
    text = _ANSWER_LABEL.sub(r"\g<before>Answer:", text)
    for sentence in (_CHOOSES, _INVERTED, *_ANSWER_SENTENCES):
        text = sentence.sub(r"\g<before>The answer is ", text)
    for form in _CONFIDENCE:
        text = form.sub(_stated, text)
    return text


def is_answer_label(word: str) -> bool:
    """Whether a word, such as a table's heading, announces an answer in another language; "option" alone does not."""
    return _WHOLE_ANSWER.fullmatch(word) is not None and not _EACH_OPTION.fullmatch(word)


def is_confidence_label(word: str) -> bool:
    """Whether a word, such as a table's heading, announces a confidence in another language."""
    return _WHOLE_SURE.fullmatch(word) is not None


def _announced(found: re.Match[str]) -> str:
    before = next(found[name] for name in ("before", "chosen", "said") if found[name] is not None)
    return f"{before}The answer is {found['letter'] or found['choice'] or found['named']}"


def _stated(found: re.Match[str]) -> str:
    if _DENIED.search(found.string, max(found.start() - 12, 0), found.start()):
        return found[0]
    groups = found.groupdict()
    tenths, top, unit = (groups[name] for name in ("tenths", "top", "unit"))
    value = (
        groups["number"] + (f".{tenths}" if tenths else "") + (f" out of {top}" if top else "") + ("%" if unit else "")
    )
    return f"{groups['before']}confidence{groups.get('scale') or ''}: {value}"
