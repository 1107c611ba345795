"""Sentences of other languages than English in which the speaker takes a verdict back, guessed, jokes, or sees nothing.

Like the English ones, they name what is given up: that somebody does not see *the picture* counts, that he sees no
effusion does not.
"""

from __future__ import annotations

import re

from prompt4trust.verdict.words.expressions import expression

_GERMAN = (
    r"(?:ziehe|nehme) (?:ich )?(?:das|dies\w*|meine|es)\b[^.\n]{0,40}\bzurück"
    r"|kann (?:ich )?(?:das|dies|es|die Frage|mich|hier)\b[^.\n]{0,40}\bnicht (?:\w+ )?(?:entscheiden"
    r"|beurteilen|beantworten|festlegen|sagen)"
    r"|anders überlegt|meine Meinung geändert|(?:nur |bloß )?geraten|(?:kein\w*|nicht das) (?:Bild|Foto|Aufnahme)"
    r"|weiß (?:ich )?(?:es |das )?(?:\w+ )?nicht|stimmt (?:\w+ ){0,2}nicht|(?:nicht|un) ?sicher|ignorier\w+"
    r"|Scherz|Witz|ausgedacht|erfunden|Unsinn|Quatsch"
)
_SPANISH = (
    r"retiro (?:lo|mi|esa|o que|a minha|minha|essa)\b|me (?:retracto|desdigo)"
    r"|no (?:puedo|se puede|es posible)(?: \w+){0,2} (?:decidir|responder|determinar|juzgar|contestar|elegir)"
    r"|no (?:lo )?sé|no tengo (?:ni )?idea|no (?:veo|puedo ver|hay|tengo|recib\w+) (?:ninguna |la |una )?"
    r"(?:imagen|foto)"
    r"|no estoy segur[oa]|descarto (?:mi|esta|esa|lo)|cambi(?:é|ado|o) de (?:opinión|idea|parecer)|inventad\w"
    r"|broma|bromeo|al azar|adivin\w+"
)
_FRENCH = (
    r"je (?:retire|reviens sur|me rétracte)\b|(?:je ne (?:peux|saurais)|on ne peut|impossible)(?: pas)?(?: de"
    r"| d['’])? ?(?:\w+ ){0,2}(?:trancher|décider|répondre|juger|déterminer|conclure)"
    r"|n['’]en (?:sais|ai)|ne (?:le )?sais (?:pas|rien)|changé d['’](?:avis|idée|opinion)|au hasard|plaisante\w*|blague"
    r"|(?:pas|aucune?) (?:d['’]|l['’]|de |la )?(?:image|photo|radio)|(?:tenez|tiens|tenir) (?:pas |plus )?compte"
    r"|pas (?:du tout )?(?:sûre?|certaine?)|inventée?s?|devinée?s?"
)
_ITALIAN = (
    r"ritiro (?:la|quanto|ciò|tutto)\b|non (?:posso|riesco a|è possibile|si può) (?:\w+ )?(?:decidere"
    r"|rispondere|determinare|giudicare|scegliere)"
    r"|non (?:lo |ne )?so|cambiato (?:idea|opinione)|non (?:vedo|c['’]è|ho|riesco a vedere) (?:nessuna |alcuna |l['’]"
    r"|un['’])?immagin\w|non (?:ne )?sono (?:\w+ )?sicur[oa]|scherz\w+|a caso|inventat[oa]"
)
_PORTUGUESE = (
    r"não (?:posso|consigo|é possível|dá para) (?:\w+ )?(?:decidir|responder|determinar|julgar|escolher)"
    r"|não (?:o )?sei|mud(?:ei|ou) de (?:ideia|opinião)|não (?:vejo|há|tenho|recebi|consigo ver) (?:nenhuma |a |uma )?"
    r"(?:imagem|foto)|não (?:estou|tenho) (?:certeza|cert[oa])|desconsider\w+|brincadeira|brincando|chute|chutei"
    r"|inventei"
)
_OTHERS = (
    r"отзываю|не могу (?:\w+ )?(?:решить|ответить|определить|судить|выбрать)|шучу|шутка|не знаю|наугад|угад\w+"
    r"|передумал\w*|не вижу (?:изображени\w+|снимк\w+|картинк\w+)"
    r"|grapje|gegokt|weet (?:ik )?(?:het )?niet|van gedachten veranderd|geen (?:foto|afbeelding|beeld)"
    r"|cofam|żart\w*|nie wiem|zgad\w+|zmieni\w+ zdanie|nie widzę (?:obrazu|zdjęcia)"
)
_UNSPACED = (
    r"作废|(?:无法|不能|难以)(?:作出|做出|给出|进行)?(?:判断|确定|回答|决定|选择|定论|结论)|改变?(?:了)?主意|不知道|我不(?:太|很)?(?:清楚|确定)"
    r"|(?:看不到|看不见|没有|没看到|没收到)(?:任何)?(?:图|影像|照片)|忽略(?:以上|上述|前面|这|我)|猜的|[瞎乱]猜|随便[选猜说]|玩笑|[瞎乱]?编的"
    r"|取り消し|判断(?:でき|は困難|がつか)|決められ|答えられ|[わ分]かりません|[わ分]からない|考え直|考えが変わ|画像[がは][^。.\n]{0,6}見え"
    r"|冗談|当てずっぽう|無視して|適当に"
    r"|철회|(?:판단|결정|답)할 수 없|모르겠|(?:생각|마음|의견)[이을] ?바[뀌꾸꿨]"
    r"|(?:이미지|영상|사진)[이가은는을를]? ?(?:\S{1,4} )?(?:보이지|볼 수 없|없)"
    r"|농담|찍었|무시하|추측일"
    r"|لا أستطيع (?:تحديد|الإجابة|الحكم)|أسحب|वापस ले|निर्णय नहीं"
)
_GIVEN_UP = expression(
    rf"(?<!\w)(?:{_GERMAN}|{_SPANISH}|{_FRENCH}|{_ITALIAN}|{_PORTUGUESE}|{_OTHERS})(?!\w)|{_UNSPACED}", re.IGNORECASE
)


def is_given_up(sentence: str) -> bool:
    """Whether a sentence of another language than English takes back, refuses or makes a joke of what was said.

    Example:
        >>> is_given_up("No lo sé."), is_given_up("No veo derrame.")
        (True, False)
    """
    return _GIVEN_UP.search(sentence) is not None
