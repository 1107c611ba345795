"""Choices of an option's letter in whatever words: looser than what announces an answer, and read only as the last.

They hold a word that chooses or concludes, in any of the languages known, and the letter at once behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from prompt4trust.verdict.claims.lone_letters import own_text, stands_alone
from prompt4trust.verdict.words.expressions import expression

_NOUN = (
    r"(?:option|choice|answer|letter|vote|pick|selection|selected|chosen|verdict|decision|conclusion|winner"
    r"|best (?:fit|match)|respuesta|opci[oó]n|r[ée]ponse|choix"
    r"|antwort|lösung|auswahl|risposta|opzione|scelta|resposta|op[çc][ãa]o|escolha|antwoord|keuze|optie"
    r"|ответ|вариант|варіант"
    r"|выбор|відповідь|odpowied[źz]|opcj[aęi]|odpověď|možnost|svaret|svar|vastaus|vastaukseni|vaihtoehto|răspunsul"
    r"|varianta|cevap|yanıt|đáp án|câu trả lời|phương án|jawaban(?:nya)?|(?:pilihan|jawaban) saya|pilihan"
    r"|válasz(?:om)?|απάντησή? ?μου|απάντηση"
    r"|정답|답변|답|答え|回答|解答|正解|答案|选项|選項|الإجابة|الجواب|الخيار|उत्तर|विकल्प)"
)
# What may stand ahead of it, since any other word may deny it: "wrong answer", "first answer", "the student's answer".
_ITS = (
    r"[•*#– -]{0,4}(?:I(?:['’]d| would) say )?(?:(?:my|the|final|chosen|selected|correct|best|right|la|mi"
    r"|final|correcta|le|ma|mon|bonne|die|meine"
    r"|richtige|korrekte|mia|corretta|a|minha|het|mijn|juiste|мой|правильный|верный|moja|poprawna|prawidłowa"
    r"|moje|správná"
    r"|mitt|mit|rätt|det|rätta|riktige|rigtige|oikea|doğru|मेरा|सही|正しい|正确|最终|最終|최종|我的|私の|제"
    r"|저의) ?){0,3}"
)
_I = r"I(?:['’]d|['’]ll|['’]m| would| will| am| have)?"
_SO = r"(?:therefore|thus|hence|so|then|finally|now|accordingly|consequently)"
_CHOOSE = (
    rf"(?:{_I}(?: {_SO})? (?:go(?:ing)? (?:with|for)|settl(?:e|ing) (?:on|for)|choos(?:e|ing)|pick(?:ing)?"
    rf"|select(?:ing)?"
    r"|opt(?:ing)? for|vot(?:e|ing)(?: for)?|answer(?:ing)?|conclude(?: that it is)?)"
    r"|my (?:vote|choice|money) (?:goes to|is on|falls on)"
    r"|elijo|escojo|selecciono|marco|opto p(?:or|ela|elo|er)|me (?:quedo con|decanto por|inclino por)"
    r"|je (?:choisis|retiens|sélectionne|opte pour|vote pour|coche)|ich (?:wähle|nehme|stimme für)|wähle ich"
    r"|scelgo|seleziono|escolho|fico com|seleciono|assinalo|ik kies|kies ik|выбираю|обираю|wybieram|zaznaczam|volím"
    r"|jag väljer|väljer jag|jeg v[æe]lger|v[æe]lger jeg|valitsen|aleg|(?:tôi )?chọn|saya (?:memilih|pilih)"
    r"|επιλέγω|stawiam|голосую|cevabım|seçimim|我选择?|我選擇?|أختار)"
)
_SO_THAT = (
    r"(?:so|thus|therefore|hence|consequently|accordingly|in conclusion|in summary|to conclude|overall"
    r"|by elimination|by exclusion|=>|->|⇒|→|∴|donc"
    r"|par conséquent|daher|somit|folglich|deshalb|por (?:lo )?tanto|portanto|quindi|pertanto|dus|daarom|dlatego|więc"
    r"|поэтому|следовательно|значит|därför|derfor|siksi|așadar|proto|tedy|dolayısıyla|vì vậy|do đó|jadi"
    r"|因此|所以|综上|よって|したがって|따라서|لذلك|इसलिए)"
)
# Behind it may stand the words with which Korean and Japanese say "is", and no other sign of a word: "B형".
_LETTER = (
    r"[(\[\"“]{0,2}(?-i:([A-Z]))(?!(?!이며|이고|입니다|이다|です|である|を ?選|[를을] ?(?:선택|고르))[^\W_]|['’/&+-]\w)"
)
# Between a verb that chooses and the letter: another noun makes the letter its own ("I select slice B").
_BETWEEN = (
    rf"(?:{_NOUN}|{_SO}|the|la|el|le|il|die|de|het|a|o|donc|also|daher|deshalb|dus|quindi|portanto|por tanto"
    rf"|więc|proto"
    r"|derfor|därför|правильный|for|für|para|per|por|voor|na|за|pentru|την|litera|letra|lettre|buchstabe[n]?"
    r"|varianta|możliwość|možnost|alternativet?)"
)
_LINK = r"(?:it|this|that|we|is|was|must|be|it['’]s|the|most|best|final|my|correct|right)"
_FLAGS = re.IGNORECASE | re.MULTILINE
# As it is said, at the beginning of a sentence: "Going with B here", "Has to be B".
_CASUALLY = (
    rf"(?:{_I} (?:(?:have|had|got) to )?|(?:it|this|that)(?:['’]s|['’]ll)? )?(?:be |just )?(?:going with"
    rf"|gonna (?:go with|say)|tak(?:e|ing)"
    r"|call(?:ing)? (?:it|this|that)|bet(?:ting)? on|say(?:ing)?|stick(?:ing)? with|lock(?:ing)? in"
    r"|goes?(?: with| for)?|(?:has|got|have) to be"
    r"|must be|gotta be|can only be|looks like|(?:most |very )?(?:likely|probably)|definitely|clearly|surely"
    r"|obviously"
    r"|my money(?:['’]s| is) on)"
)
_CHOICES = tuple(
    expression(pattern, _FLAGS)
    for pattern in (
        rf"(?:^|(?<=[.!] ))(?:(?:{_SO_THAT}|ok(?:ay)?|yeah|yep|yes|alright|well|and"
        rf"|hmm),? )?{_CASUALLY}:? (?:option )?{_LETTER}",
        rf"^{_LETTER} it is(?=[.!,])",
        rf"(?<!\w){_CHOOSE},? ?(?:{_BETWEEN} ){{0,3}}:? ?{_LETTER}",
        rf"(?<!\w){_SO_THAT}[:,]? ?(?:{_LINK} ){{0,4}}(?:{_NOUN} )?(?:is )?:? ?{_LETTER}",
        rf"\b(?:this|that|it|which)(?: {_SO}| clearly| best)? (?:corresponds to|matches|fits|means|gives"
        rf"|equals|makes it"
        rf"|agrees with) (?:the )?{_NOUN}:? ?{_LETTER}",
        rf"(?:^|(?<=[.!;,] )|\b(?:and|so|thus|hence|therefore|consequently|accordingly) ){_ITS}{_NOUN}"
        rf"(?: {_I}(?: {_SO})? (?:select|choose|pick|give|go with|take|settle on))?(?:[은는이가は]|(?: here)?)? ?"
        rf"(?:is|es|est|ist|lautet|è|é|jest|je|är|er|on|este|là|adalah|هي|هو|是|为|為|{_SO}|[:=—–-]|->|→)"
        rf"[ :]{{0,2}}(?:(?:is|{_SO}|for|to|donc|daher|logo),? )?(?:{_NOUN}:? )?{_LETTER}",
        rf"(?:^|(?<=[.!,] )){_ITS}{_NOUN}[은는は] ?{_LETTER}",
        r"(?-i:([A-Z])) ?(?:を ?(?:選びます|選択します|選ぶ)|[를을] ?(?:선택|고르)(?:합니다|하겠습니다"
        r"|겠습니다))(?=[.,\n]|$)",
        r"^(?:(?:my|the|chosen|selected|final) )?(?:option|choice|letter|selection)(?: letter)? ?: ?\(([a-z])\)\.?$",
        r"^\W{0,6}(?-i:([A-Z]))\W{0,4}$(?!\n+(?-i:[a-z]))",
    )
)
# Behind a letter, what belongs to no name that it begins: a verb of Korean or Japanese, a word of Arabic.
_OF_ANOTHER_SCRIPT = expression(r"[\u3040-\u30ff\uac00-\ud7af]| [\u0600-\u06ff]")


def chosen_letters(text: str, options: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    """List where a plain text chooses an option's letter, in the loose manner of the last reading.

    Args:
        text: Plain text.
        options: Letter -> text.

    Yields:
        The place of the words that choose, and the letter's; of one letter perhaps several.
    """
    for form in _CHOICES:
        for found in form.finditer(text):
            at = found.start(1)
            alone = stands_alone(text, at) or own_text(text, at, options) or _OF_ANOTHER_SCRIPT.match(text, at + 1)
            if alone and found[1].upper() in options:
                yield found.start(), at
