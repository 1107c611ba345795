"""Words by which models say how sure they are, in the languages in which they answer."""

from __future__ import annotations

import re
from typing import Final

from prompt4trust.verdict.forms.shorthand import MISSPELT_CONFIDENCE
from prompt4trust.verdict.words.expressions import expression


def lower_case(pattern: str) -> re.Pattern[str]:
    """Compile a pattern for texts in lower case: far faster than one that ignores case."""
    return expression(pattern.lower())


_NOUNS = (
    r"confiden(?:ce|t)\b|certain(?:ty)?\b|(?:un)?sure\b|sureness\b|probabilit(?:y|ies)\b|likelihood\b|chances?\b|odds\b"
    rf"|certitude\b|conviction\b|likely\b|{MISSPELT_CONFIDENCE}\b"
)
_ABROAD = (
    r"置信度?|信心|把握|可信度|确信|确定性?|概率|可能性|信頼度|確信度?|確率|自信度?|확신도?|자신감|확률|신뢰도|Konfidenz|Sicherheit|sicher\b"
    r"|Wahrscheinlichkeit|confiance\b|certeza\b|confianza\b|probabilidad\b|probabilité\b|seguro\b|sûre?\b"
    r"|уверен\w{0,6}|достоверност\w{0,3}|вероятност\w{0,3}|ثقة|confidenza|fiducia|certezza|sicurezza|confiança"
    r"|segurança"
    r"|seguridad|certitude|zuversicht|vertrauen|gewissheit|zekerheid|vertrouwen|betrouwbaarheid|güven|pewnoś(?:cią|[cć]i?)|يقين|विश्वसनीयता|ufność"
    r"|ufności"
    r"|tin cậy|tự tin|chắc chắn|keyakinan|kepercayaan|säkerhet|konfidens|tilltro|विश्वास"
    r"|sikkerhe[dt]|varmuu(?:s|della)|luottamus|încredere|certitudine|siguranță"
    r"|jistot(?:ou|[ay])|spolehlivosti?|důvěr[ay]"
)
CUE: Final = rf"(?:\b(?:{_NOUNS})|{_ABROAD})"
"""Pattern of a word beside which a number is one of confidence."""

_NUMERAL = (
    r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
    r"|hundred"
    r"|a hundred)\b"
)
_GAP = r"[\s:=\"'“”‘’(\[\]|*_>–—,-]"
_ABOUT = (
    r"(?:about|approximately|approx\.?|around|roughly|nearly|almost|at least|at most|over|up to|only|just|a|an|大约|约)"
)
CUED_NUMBERS: Final = (
    # As in: my confidence in this answer would be rated as 85.
    lower_case(
        rf"(?:\b(?:confidence|{MISSPELT_CONFIDENCE}|certainty|likelihood|odds|chances)|置信度|信心|把握|可信度|확신|신뢰도|確信度|信頼度)"
        rf"(?:{_GAP}{{0,4}}(?:level|score|rating|value|percentage|percent|pct|estimate|is|was|of|at|as|would|be|rated"
        rf"|in|for|this|my|the"
        rf"|that|it|answer|diagnosis|choice|option|correct|right|high|low|moderate|medium|very|boxed|first|you|asked|requested|{_ABOUT}|水平|分数"
        rf"|为|是|有)"
        rf"){{0,12}}(?:{_GAP}|\.{{2,80}}){{0,6}}\s{{0,3}}(?=[\d.<>≥≤≈~★☆⭐百一二三四五六七八九十]|{_NUMERAL})",
    ),
    lower_case(
        rf"(?:{_ABROAD})(?:[은는は이가]|im\b|m\b)?(?: (?:von|van|de|del|di|da|em|på|av|zu|à|là|na|ist|is|est|es|è|é|är"
        rf"|er|on|este|e|dell|al|all|bei|liegt|beträgt|równą|je"
        rf"|jest|düzeyi|seviyesi"
        rf"|skoru|puanı|oranı)\b){{0,2}}(?: ?\(\d{{1,3}} ?[-–] ?\d{{1,3}} ?%?\))?[ :=(\[\"'’”%]{{0,4}}(?=\d)"
    ),
    lower_case(r"(?:^|\n|[,;|] ?)[\"' ]{0,3}(?:probability|score|prob|p)[\"' ]{0,2}[:=(][\"' ]{0,3}"),
    lower_case(r"\bconf\.?(?:[\"' ]{0,2}(?:->|=>|[:=(])[\"' ]{0,3}| (?=\d{1,3} ?%))"),
    lower_case(rf"\b(?:I am|I'm|I’m|I'd be|I would be)(?: {_ABOUT})? (?=\d{{1,3}} ?%)"),
)
"""Patterns behind which a number of confidence follows at once."""

OPINION: Final = lower_case(
    r"\b(?:I(?:'d|’d| would)? (?:say|put|give|rate|estimate|bet|assign|guess)|(?:I|my) (?:rate|rating|estimate|score)"
    r"|if I (?:(?:had|have|were) to|must) \w{3,6} (?:an? |one )?(?:number|figure|per ?centage)"
    r"|rated?|my guess|my bet)\b|我(?:认为|估计|觉得)|fifty-fifty",
)
"""Words by which a clause gives an opinion, whose shares are then its confidence."""

_MUCH = (
    r"(?:(?:most|very|highly|quite|fairly|rather|pretty|more|less|extremely|almost|nearly|not|reasonably|absolutely"
    r"|totally"
    r"|completely|entirely|so|too|far from|somewhat|equally) ){0,3}"
)
_BOOSTERS = (
    r"clearly|definite(?:ly)?|definitive(?:ly)?|certainly|assuredly|undoubtedly|indubitably|doubtless(?:ly)?|surely"
    r"|unquestionabl[ey]|unequivocal(?:ly)?|unmistakabl[ey]|indisputabl[ey]|undeniabl[ey]|incontrovertibl[ey]"
    r"|obvious(?:ly)?"
    r"|evidently|plainly|absolutely|conclusive(?:ly)?|of course|for (?:sure|certain)|without (?:question|fail)|must be"
    r"|no (?:\w{1,12} )?doubts?|(?:without|beyond) (?:a |any |all |the )?(?:\w{1,12} ){0,3}doubts?|impossible"
    r"|guaranteed?|(?:is|was|it's) (?:clear|evident)(?= that)|rest assured|trust me"
)
_HEDGES = (
    r"(?:un)?likely|(?:im)?probabl[ey]|possib(?:ly|le)|perhaps|maybe|presumabl[ey]|presumed|apparently|conceivabl[ey]"
    r"|(?:im)?plausibl[ey]|(?:may|might|could)(?= (?:also )?(?:be|have|represent|indicate|suggest|reflect|show)\b)"
    r"|I (?:\w{1,10} ){0,2}(?:think|believe|suspect|guess|suppose|doubt|assume)|in my (?:opinion|view)"
    r"|appears? to be|seems?(?: to be)?|fifty-fifty|50[/-]50|coin (?:toss|flip)|(?:just |only )?a guess"
    r"|doubtful|I doubt"
)
_LEVEL = (
    r"(?:high|low|moderate|medium|full|complete|great|total|utmost|strong|limited|little|absolute|good|fair|poor"
    r"|maximum)"
)
_STATES = (
    r"(?<!make )(?<!making )(?<!be )(?:un)?sure(?! to\b)|confident(?:ly)?|convinced|(?<!\ba )(?:un)?certain"
    r"(?! (?!this\b|is\b|was\b|as\b|its\b)[a-z]{1,20}s\b)|uncertaint(?:y|ies)|certitude"
    r"|(?:I am|I'm|I’m)(?: \w{1,12})? positive"
    rf"|{_LEVEL} (?:\w{{1,12}} )?(?:confidence|certainty|probability|likelihood|degree of (?:confidence|certainty))"
    r"|(?:with|absolute|complete|total) certainty"
)
LEVELS: Final = lower_case(
    rf"\b(?:confidence|certainty)\b[^.;!?\n]{{0,30}}?(?:\b(?:is|as|be|remains)\b|[:=\"]) ?[\" ]{{0,3}}"
    rf"((?:very |fairly |quite |not )?{_LEVEL})\b",
)
"""A level of confidence that a sentence states: "Confidence: high"."""
_CHINESE = (
    r"显然|肯定|必定|必然|毫无疑问|无疑|绝对|一定是|大概率|[很极最非]?[常有]?可能(?!性)|也许|或许|大概|似乎|应该是|我(?:确信|相信|认为|觉得)"
    r"|[不非很十][常分]?确定|确定无疑|[很没]?有把握|明确无误|置信度[很较]?[高低]|明らかに|確実に|間違いなく|おそらく|たぶん"
    r"|かもしれ|분명히|확실히|아마"
)
_EUROPEAN = (
    r"zweifellos|eindeutig|offensichtlich|sicherlich|wahrscheinlich|vermutlich|möglicherweise|vielleicht|certainement"
    r"|sans (?:aucun )?doute|clairement|évidemment|probablement|peut-être|claramente|sin (?:ninguna )?duda"
    r"|definitivamente|ciertamente|probablemente|posiblemente|quizás?|seguramente|несомненно|очевидно|точно|вероятно"
    r"|возможно"
)
WORDS: Final = lower_case(rf"\b{_MUCH}(?:{_BOOSTERS}|{_HEDGES}|{_STATES}|{_EUROPEAN})\b|{_CHINESE}")
"""Boosters ("clearly"), hedges ("possibly") and words of a state ("I am sure")."""
