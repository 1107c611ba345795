"""Signs anywhere in a reply that it may not decide: the last reading, which knows no forms, asks for none of them."""

from __future__ import annotations

import re

from prompt4trust.verdict.words import Place, words_at
from prompt4trust.verdict.words.expressions import expression

_FLAGS = re.IGNORECASE | re.MULTILINE
# Who else may speak, what is an example or a draft, and what leaves the choice open, in whatever sentence.
_OTHERS = (
    r"reports?|readers?|residents?|students?|(?<!\bis )textbooks?(?! (?:case|appearance|presentation|picture))"
    r"|keys?|forums?|teachers?|examiners?|professors?"
    r"|experts?|committee"
    r"|consensus|majority|panel|guidelines?|literature|websites?|internet|authors?|users?|prompts?|captions?"
    r"|overlay|stamp"
    r"|stamped|printed|software|tools?|algorithm|chatgpt|gpt\S*|radiologists?|consultants?|attendings?"
    r"|nurses?|doctors?"
    r"|physicians?|friends?|he|she|they|someone|somebody|people|assistant|model|models"
    r"|informe|rapport|befund|referto|laudo|verslag|médico|médecin|arzt|medico|врач\w*|lekarz\w*|lékař\w*|läkare\w*"
    r"|étudiant\w*|estudiante\w*|student\w*|étudiante|collègue|kolleg\w+|colega|collega|радиолог\w*|заключени\w+"
)
_NOT_NOW = (
    r"previous\w*|prior|earlier|initial\w*|at first|first (?:pass|thought|guess|look|impression)|originally"
    r"|last (?:year|time|week|month)\w*|pending|undecided|still open|(?<=: )open|to be \w+ed|drafts?"
    r"|examples?|template|format|sample|placeholder|quot\w+|hypothe\w+|imagine|pretend|suppos\w+|assum\w+"
    r"|for instance"
    r"|ejemplo|exemple|esimerk\w+|beispiel|esempio|exemplo|voorbeeld|пример\w*|przykład\w*|například|exempel"
    r"|eksempel|contoh"
)
_UNDECIDED = (
    r"cannot|can ?not|unable|impossible|unsure|uncertain|undecided|not sure|torn|toss|tie|coin|either"
    r"|neither|both|tied"
    r"|between (?:option )?[A-Z]|depend\w*|if|unless|otherwise|whether|alternatively|likeliest|guess\w*"
    r"|refuse|decline"
    r"|hard to (?:say|tell)|difficult to|second (?:choice|best)|runner-up|one of (?:these|the)|none"
    r"|no answer|no option"
)
_TURNED = (
    r"actually|wait|scratch that|correction|corrected|sorry|oops|hmm+|hold on|reconsider\w*|retract\w*"
    r"|withdraw\w*|disregard"
    r"|ignore|forget|misread|mistake\w*|on second|on reflection|kidding|joke|wrong|incorrect|false|opposite|instead"
    r"|test|made up|random\w*|no,"
)
_ANYWHERE = expression(
    rf"(?<![\w-])(?:{_OTHERS}|{_NOT_NOW}|{_UNDECIDED}|{_TURNED})(?!\w)|n['’]t\b(?<=can.t)|\?"
    r"|例如|比如|示例|举例|格式|模板|报告|医生|学生|如果|假如|除非|无法|不能|不确定|抱歉|更正|不对|其实"
    r"|もし|場合|例えば|例:|わかりません|判断でき|訂正|만약|예:|예를|경우|수 없|정정|아니|아닙|إذا|لا يمكن|مثال"
    r"|यदि|अगर|उदाहरण",
    _FLAGS,
)
# Behind the choice, what may change it.
_BEHIND = expression(
    rf"{words_at(Place.BEHIND)}|\b(?:but|however|although|though|yet|except|then again|still|nonetheless"
    rf"|nevertheless|then (?:I|we)|odds|the (?:other|others|first|third|fourth|last|rest)(?= ?[.,;]|$))\b"
    r"|(?<!\w)(?:pero|aunque|sino|mais|aber|doch|ma|però|mas|porém|maar|toch|но|хотя|однако|ale|jednak|však"
    r"|men|mutta|dar"
    r"|însă|ama|fakat|nhưng|tapi|namun|αλλά)(?!\w)|但|不过|しかし|ただし|하지만|그러나|لكن|लेकिन",
    _FLAGS,
)
_OPEN = expression(
    r"(?<!\w)(?:not|no|never|nor|without|cannot|exclud\w*|excludes|ruled? out|rules out|against|unlikely"
    r"|doubt\w*|less|least"
    r"|except|or|maybe|perhaps|possibl\w+|probabl\w+ not|might|may|could|should|almost|wish|would have|would be"
    r"|second|alternative|differential|versus|vs|than|only if|half"
    r"|si|falls|wenn|se|als|indien|если|якщо|jeśli|gdyby|pokud|kdyby|om|hvis|jos|dacă|eğer|ise|nếu|jika|kalau"
    r"|non|nicht|kein\w*|pas|jamais|ne|n['’]est|não|nem|niet|geen|не|нет|ні|nie|ani|není|nebo|ikke|inte|ej"
    r"|ei|nu|değil|veya"
    r"|δεν|όχι|ή|αν|ίσως|nem|vagy|talán|ha|чи|або|може|не|không|bukan|tidak|atau|oder|ou|или|або|lub|albo"
    r"|eller|tai|sau|hoặc|quizás?|peut-être|vielleicht|forse|talvez"
    r"|misschien|возможно|может|może|chyba|možná|kanske|måske|ehkä|poate|belki|có lẽ|mungkin|acaso|quizá"
    r"|podría|pourrait"
    r"|könnte|potrebbe|poderia|mógłby"
    r")(?!\w)|n['’]t\b|\?|…|\.\.\."
    r"|(?-i:[A-Z])[かや나]|不|非|或|没|也许|可能|아니|아닙|않|없|거나|또는|아마|ない|ません|または|かもしれ|ليس"
    r"|غير|(?<!\w)أو(?!\w)"
    r"|ربما|नहीं|(?<!\w)या(?!\w)|शायद",
    re.IGNORECASE,
)
# What else than the answer a confidence may be in.
_OF_THE_IMAGE = expression(
    r"(?<!\w)(?:qualit\w+|calidad|qualidade|\w*qualität|kwaliteit|качеств\w*|якіст\w*|якост\w*|jakoś\w+"
    r"|kvalit\w+|images?"
    r"|pictures?|scans?|imagen|immagine|imagem|\w*bild\w*|beeld\w*|изображени\w+|снимк\w*|obraz\w*|snímk\w*|zdjęci\w+"
    r"|görüntü\w*|gambar|ảnh|εικόν\w*|kép\w*)(?!\w)|质量|品質|影像|图像|画像|画質|영상|이미지|جودة|صورة|الصورة|छवि",
    re.IGNORECASE,
)
_UNFINISHED = expression(
    r"(?:[,:;(\[–—-]|\.\.\.|…|(?<!\w)(?:the|a|an|and|or|but|with|of|to|in|is|because|since|as|for|at|my))\s*\Z",
    re.IGNORECASE,
)
# Words of courtesy, and the advice to ask a physician: they say nothing of the question.
_COURTESY = expression(
    r"^(?:dear|hi|hello|thank you|thanks|kind regards|best regards|regards|best wishes"
    r"|sincerely)\b[^\n.!?]{0,60}(?:[.!]|$)"
    r"|(?:^|(?<=[.!] ))(?:while|although|though) I(?: can ?not|(?: am|['’]m) (?:not able|unable) to| can['’]t)"
    r" (?:replace|provide|give|offer|make|diagnose)\b[^,.;!?\n]{0,80}, (?=\w)"
    r"|(?:^|(?<=[.!] ))(?=[^.!?\n]{0,200}(?:\bsubstitute\b|\bmedical advice\b|\bdisclaimer\b|\breviewed by\b"
    r"|\bconsult (?:a|your|with)\b))(?:please|note|this|it|disclaimer|always|i am|i['’]m"
    r"|my)\b[^.!?\n]{0,200}(?:[.!]|$)",
    _FLAGS,
)


def without_courtesies(text: str) -> str:
    """Take away salutations and the advice that a reply is no physician's, which may stand around any verdict.

    Example:
        >>> without_courtesies("Option B. This is not medical advice.")
        'Option B. '
    """
    return _COURTESY.sub("", text)


def is_doubted(text: str, since: int) -> bool:
    """Whether anything in a reply doubts, supposes, quotes, asks, corrects, or is unfinished.

    Args:
        text: Plain text.
        since: Place of its choice, behind which a "but" counts, too.
    """
    return any(
        found is not None for found in (_ANYWHERE.search(text), _BEHIND.search(text, since), _UNFINISHED.search(text))
    )


def is_open(sentence: str) -> bool:
    """Whether a sentence with a choice or a confidence denies, weighs, supposes or asks.

    Example:
        >>> is_open("I would say B or C."), is_open("Wybieram B.")
        (True, False)
    """
    return _OPEN.search(sentence) is not None


def is_of_the_image(sentence: str) -> bool:
    """Whether a sentence with a confidence names the image or its quality, in which it may be.

    Example:
        >>> is_of_the_image("Confidence in the image: 80%."), is_of_the_image("Confidence: 80%.")
        (True, False)
    """
    return _OF_THE_IMAGE.search(sentence) is not None
