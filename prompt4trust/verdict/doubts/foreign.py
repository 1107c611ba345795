"""Words of other languages that take a verdict back, suppose it or make it an example.

The reader of sentences knows such words in English alone. A reply whose labels were put in English, or are Chinese, is
therefore looked through for the commonest of its own language, and for another option's letter, before it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from prompt4trust.verdict.words.expressions import expression

_FLAGS: Final = re.IGNORECASE | re.MULTILINE
_LABEL = expression(
    r"answer(?: is\b| ?[:=])|^\W{0,3}(?:option|choice|guess) ?[:=]|答案|(?<![不别勿未候可备挑待])选", _FLAGS
)
# Ahead of the answer: examples, templates, and answers of others.
_EXAMPLE = expression(
    r"(?<![^\W_])(?:format[ou]?|ejemplo|plantilla|exemple|gabarito?|beispiel|vorlage|muster|esempio|exemplo|voorbeeld"
    r"|sjabloon|пример\w*|формат\w*|образец|шаблон|örnek|przykład\w*|ví dụ|contoh|exempel|mall"
    r"|například|šablona|vzor|studenti?|podle lékaře"
    r"|eksemp\w+|skabelon|esimerk\w+|malli|opiskelija\w*|exemplu|șablon"
    r"|उदाहरण|مثال|estudiantes?"
    r"|étudiante?s?|student\w*|studente|estudantes?|студент\w*|example|template"
    r"|(?:seg[uú]n|selon|laut|gemäß|secondo|segundo|volgens|согласно) (?:(?:el|le|la|il|o|a|de[mnr]|het) )?(?:informe"
    r"|rapport|befund|referto|laudo|verslag|заключени\w+|médic[oa]|médecin|arzt|medico|arts|врач\w*)"
    r"|(?:lectore?s|leitore?s|lettor[ei]|lecteurs?|leser|lezers?|residentes?|médecins?|médicos?|arzt) ?:)(?![^\W_])"
    r"|[他她]说|医生[说:]"
    r"|示例|举例|例如|比如|格式|模板|参考|标准|学生|他人|^例|例 ?:|記入例|書式|예시|예 ?:|학생|형식",
    _FLAGS,
)
# Where a sentence begins so behind the answer, it is corrected.
_TURN = expression(
    r"(?:^|(?<=[.!?;:,] )|(?<=[—–-] ))\W{0,3}(?:correcci[oó]n|perd[oó]n|mejor dicho|espera\w*|no[,.]|non[,.]"
    r"|rectific\w+|me equivo\w+|en realidad|disculp\w+|lo siento|más bien|de hecho|retiro|pardon|plutôt"
    r"|en fait"
    r"|je me suis tromp\w+|je me trompe|correction|désolée?|à la réflexion|attend\w*|en réalité"
    r"|finalement|korrektur|doch|nein|eher|moment"
    r"|warte|entschuldigung|verzeihung|tatsächlich|ich (?:habe )?(?:mich )?(?:ge)?irr\w*|irrtum|berichtigung|vielmehr"
    r"|sorry|anzi|correzione|scus\w+|aspett\w+|in realtà|mi (?:sono )?sbagli\w+|ripensandoci|rettific\w+|piuttosto"
    r"|aliás|correção|desculp\w+|não[,.]|na verdade|melhor dizendo|ou melhor|me enganei|enganei|retific\w+|correctie"
    r"|nee|wacht|eigenlijk|toch|ik vergis\w*|bij nader inzien|нет|исправ\w+|точнее|вернее|извин\w*|прост\w+|поправка"
    r"|на самом деле|я ошиб\w+|подожд\w+|скорее|düzeltme|hayır|aslında|korekta|poprawka|nie[,.]|przepraszam|właściwie"
    r"|raczej|sửa lại|đính chính|xin lỗi|thực ra|không[,.]|koreksi|maaf|bukan|sebenarnya|tidak[,.]|rättelse|nej"
    r"|förlåt"
    r"|oprava|omlouvám|vlastně|ne[,.]|promiňte|spíše"
    r"|egentlige?n?|snarare|snarere|nei|rettelse|unn?skyld|undskyld|beklager|faktisk|vent|ei[,.]|korjaus|anteeksi"
    r"|itse asiassa|pikemminkin|nu[,.]|corecție|corectez|scuze|de fapt|mai degrabă"
    r"|सुधार|नहीं|क्षमा|تصحيح|لا[,.،]|عذر|في الواقع)(?![^\W_])"
    r"|訂正|いや[,、]|やはり|すみません|失礼|間違|修正|いいえ|実は|待って|정정|아니[,.]|아니요|수정|죄송|잘못|사실은"
    r"|更正|抱歉|不对|纠正|等等|实际上|我错了|改为|应该是",
    _FLAGS,
)
# In the answer's own sentence: a condition, a "but", a denial, or that it is a draft.
_IN_ITS_SENTENCE = expression(
    r"(?<![^\W_])(?:(?<!\. )(?:si|(?<!que )(?<!donde )(?<!onde )(?<!pues )se)|a menos que|salvo que|falls|wenn"
    r"|sofern|sonst|indien|als|mits|если|eğer|ise|jeśli|jeżeli|gdyby|nếu"
    r"|jika|kalau|bila|om|यदि|अगर|إذا|لو|pero|aunque|sino|salvo|excepto|mais|sauf|aber|außer|ma|mas|porém|maar"
    r"|tenzij|но"
    r"|кроме|хотя|ama|fakat|ale"
    r"|hvis|dersom|jos|mutta|paitsi|dacă|dar|însă"
    r"|pokud|jestli(?:že)?|kdyby|nebo|nhưng|tapi|namun|men|descartad\w|exclue?s?|écartée?|ausgeschlossen|esclus\w"
    r"|исключ\w+)(?![^\W_])"
    r"|(?<![^\W_])(?:provisoire|provisional|vorläufig|borrador|entwurf|brouillon|bozza|rascunho|provvisori[ao]"
    r"|voorlopig"
    r"|предварительн\w+|черновик)(?![^\W_])|暂定|初步|草稿|仮の|임시"
    r"|如果|假如|若|除非|但|不过|排除|場合|なら|もし|ただし|しかし|경우|만약|라면|하지만|그러나",
    _FLAGS,
)
# Anywhere behind the answer: that it is wrong, or is to be forgotten.
_WRONG = expression(
    r"(?<![^\W_])(?:falsch\w*|inkorrekt\w*|incorre[ct]\w*|fals[oae]|faux|fausses?|err[óo]ne\w*|equivocad\w|erroné\w*"
    r"|sbagliat\w|scorrett\w|errad\w|onjuist|fout|неверн\w*|неправильн\w*|ошибочн\w*|yanlış|błędn\w*|salah"
    r"|felaktig\w*"
    r"|feil\w*|forkert\w*|väär\w*|virheell\w*|greșit\w*|incorect\w*"
    r"|špatn\w*|chybn\w*|nesprávn\w*|mýlím"
    r"|गलत|خاط\w*|خطأ|mentira|está mal|olvid\w+|ignor\w+|oubli(?:ez|e|er)|vergiss\w*|vergessen|dimentic\w+"
    r"|esque[cç]\w+"
    r"|vergeet|забуд\w+)(?![^\W_])|错|不正确|收回|撤回|誤り|不正解|撤回|오답|틀렸|틀린|취소",
    _FLAGS,
)
_SURE_OF_THE_CONTRARY = expression(
    r"(?:把握|信心|肯定|确信)[^.,\n]{0,8}(?:不|错|排除)|(?:图像|影像|图片|质量)[^.,\n]{0,6}(?:置信度|信心)"
)
_SENTENCE_END = expression(r"(?<!\b[A-Z])[.!?](?=\s|$)|\n")
# "A opacidade": an article and no option's letter, unless a verb is next.
_LETTER = expression(
    r"(?<![A-Za-zÀ-ɏЀ-ӿ0-9'’-])(?:[B-DF-HJ-NP-XZ]|[AEIOY](?! (?!(?:es|est|ist|is|è|é|sería|seria|serait|könnte|podría"
    r"|poderia|pourrait|oder|ou|o|or|und|et|e|y|of|lub|veya)(?![^\W_]))[^\W\d_]{2,}))(?![A-Za-zÀ-ɏЀ-ӿ0-9])(?!['’-]\w)"
)

# A short sentence behind a verdict that denies, or in which the speaker speaks, is seldom about what is seen, and
# nobody can list all that may be said in it.
_REMARKS = expression(
    r"(?<![^\W_])(?:no(?! (?:hay|se (?:ve|observa|aprecia)))|ni|nunca"
    r"|tampoco|nada|me|yo|mi|he|ne|n['’]\w+|pas|rien|je|j['’]\w+|moi|ich|mir|mich|nicht|kein\w*"
    r"|nie|não|nem|eu|meu|minha|non|io|ho|niente|ik|niet|geen|mij|я|мне|не|нет|ja|mnie|ikke|jeg|bare|inte|jag|ei|arva\w+"
    r"|değil|ben|không|tôi|saya|tidak|bukan|hanya|εγώ|δεν)(?![^\W_])|我|不|没|未|例|私|ない|ません|자신|않|없|못|예시",
    _FLAGS,
)
_SENTENCE = expression(r"[^.!?\n]+")
_FEW = 7
_FEW_SIGNS = 16


def _short_sentences(text: str, since: int) -> Iterator[str]:
    """Yield the sentences of few words behind a verdict's number that hold none."""
    number = _DIGIT.search(text, since)
    for found in _SENTENCE.finditer(text, number.end() if number else len(text)):
        said = found[0].strip()
        few = len(said) <= _FEW_SIGNS if _UNSPACED.search(said) else len(said.split()) <= _FEW
        if few and not _DIGIT.search(said):
            yield said


_UNSPACED = expression(r"[\u3040-\u9fff]")
_DIGIT = expression(r"\d")
_SHORT = 3  # letters of an option's text that may be part of any word


def is_left_open(text: str, options: Mapping[str, str], *, translated: bool) -> bool:
    r"""Whether words of another language than English may take back, suppose or change what a text claims.

    Args:
        text: Plain text, its labels in English.
        options: Letter -> text.
        translated: Whether labels of other languages were put in English. Chinese is read as it is, and looked
            through here as well.

    Returns:
        True where another option's letter or text follows the answer, or a word of doubt stands where it would
        change the verdict; False for a text that is neither translated nor Chinese.

    Example:
        >>> is_left_open("Answer: B\nconfidence: 80\nKorrektur: C", dict.fromkeys("ABC", ""), translated=True)
        True
    """
    labels = list(_LABEL.finditer(text)) if translated or "答案" in text or "选" in text else []
    if not labels:
        return False
    label = labels[0] if translated else labels[-1]
    if _EXAMPLE.search(text, max(label.start() - 80, 0), label.end()) or _TURN.search(text, label.end()):
        return True
    if _WRONG.search(text, label.end()) or not all(_LETTER.search(text, at.end(), at.end() + 24) for at in labels[1:]):
        return True
    end = _SENTENCE_END.search(text, label.end())
    if _IN_ITS_SENTENCE.search(text, label.end(), end.start() if end else len(text)):
        return True
    letters = {found[0] for found in _LETTER.finditer(text, label.end()) if found[0] in options}
    if len(letters) > 1 or _SURE_OF_THE_CONTRARY.search(text):
        return True
    if any(_REMARKS.search(sentence) for sentence in _short_sentences(text, label.end())):
        return True
    own = " ".join(options[letter] for letter in letters).casefold()
    flat = text[label.end() :].casefold()
    others = {each.casefold() for letter, each in options.items() if letter not in letters}
    return bool(letters) and any(len(each) > _SHORT and each not in own and each in flat for each in others)
