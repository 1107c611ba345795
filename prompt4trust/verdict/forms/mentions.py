"""Answers that a reply claims without announcing them: by an option's whole text, or by a letter within a sentence.

They are looked for where no answer is announced by its letter, and read with more care: an option that is mentioned
beside the claimed one without being denied leaves the claim ambiguous.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from itertools import islice

from prompt4trust.verdict.answers import (
    CUE,
    MOST_CLAIMS,
    STANDS,
    Claim,
    has_alternatives,
    is_meant,
    own_text,
    stands_alone,
)
from prompt4trust.verdict.plain_text import has_words

_STARTS = r"(?:^|(?<=[.;:!] ))"
_SO = r"(?:(?:so|hence|thus|therefore|overall|rather|instead|most likely|likely|probably|clearly)\b,? )?"
_LETTER = r"[(\[\"“]?(?-i:([A-Z]))(?![^\W_])[)\]\"”]?"
_ENDS = r"(?=\s?(?:[.;]|,? ?(?:and |with )?(?:my )?confidence|\(|$)|,(?! or\b))"
_FLAGS = re.IGNORECASE | re.MULTILINE
_SHOWS = (
    r"(?:shows?|demonstrates?|reveals?|is|are|suggests?|indicates?|represents?|supports?|favou?rs?|consistent with"
    r"|compatible with|points? to|fits?|matches|depicts?|displays?|confirms?)"
)
# The verb behind the letter confirms it, so that it cannot be the beginning of a name.
_CONFIRMED = (
    re.compile(
        rf"(?:{_STARTS}{_SO}|\b(?:believe|think|conclude) (?:that )?)(?:option|choice) ?{_LETTER}"
        r" (?:(?:best fits|fits best|best matches|matches best|is the best fit)"
        r"(?=[.;,\n]|$| the (?:findings?|image|picture|appearance|description)\b)"
        r"|is (?:the )?(?:best|most (?:likely|consistent|appropriate|probable|plausible|fitting))"
        rf"{STANDS}(?! (?:if|when|unless|only|for)\b))",
        _FLAGS,
    ),
    re.compile(
        rf"{_STARTS}(?:option )?{_LETTER} is my (?:final )?(?:answer|choice|pick|selection)(?=[.;,\n]|$| with\b)",
        _FLAGS,
    ),
    re.compile(
        rf"{_STARTS}(?:I have "
        rf"|my )?(?:\d{{1,3}}% )?confidence that (?:option )?{_LETTER} is (?:the )?(?:correct|right|true|best)\b",
        _FLAGS,
    ),
)
_I_AM_SURE = r"(?:I(?: am|['’]m) )?(?:about |around |roughly |approximately )?\d{1,3}% (?:confident|sure|certain)"
_I_THINK = rf"(?:(?:I (?:believe|think|conclude|would say)|I['’]d say|{_I_AM_SURE})(?: that)? )?"
_CONCLUDED = re.compile(
    rf"(?:,|;)(?: (?:so|hence|thus|therefore|i\.e\.|that is,?|which is|leaving|making it)|(?= option)),? "
    rf"(?:it is |it['’]s )?(?:option )?{_LETTER}{_ENDS}",
    re.IGNORECASE,
)
# As in: the image shows a pneumothorax (option B). Between the verb and the option's text stand its article and words
# that only describe it; any other ("resolution of", "everything but") may deny it.
_SHOWN = re.compile(
    rf"\b{_SHOWS} (?:an? |the )?(?P<said>[^.;:\n()]{{1,80}}?) ?\((?:option|choice|answer):? (?-i:([A-Z]))\)",
    re.IGNORECASE,
)
_DESCRIBING = (
    r"(?:(?:right|left|upper|lower|middle|mid|lobe|lobar|lung|zone|basal|basilar|bibasal|bilateral|unilateral|apical|small"
    r"|large|moderate|massive|subtle|dense|focal|patchy|diffuse|extensive|classic|typical|clear|definite|probable|likely"
    r"|acute|chronic|mild|severe|marked|obvious|new|perihilar|retrocardiac|(?:right|left)-sided)[ ,]+){0,5}"
    r"(?:(?:findings|features|signs|evidence|appearances?) of (?:an? |the )?)?"
)
_DESCRIBED = re.compile(_DESCRIBING, re.IGNORECASE)
_WEAKENED = re.compile(
    r"\b(?:too|hardly|barely|scarcely|rarely|seldom|fail\w*|prior|previous\w*|old|earlier|former\w*|last|history|heal\w*"
    r"|treated|resol\w+|absent|absence|if|unless|only|instead|other|another|but|however|atypical|against|ago|since"
    r"|untrained|not)\b|n['’]t\b",
    re.IGNORECASE,
)
_CONCLUSION = re.compile(
    r"^(?:the |my )?(?:final |overall )?(?:verdict|decision|conclusion|diagnosis|impression|pick|response|result"
    rf"|output|selection|choice|most likely)(?: is| ?[:=—–]| ->| -) ?(?:option )?{_LETTER}{_ENDS[:-1]}| [—–-])",
    _FLAGS,
)
# "Impression: A. No effusion. B. ...": behind the point of a letter that is an answer comes nothing or its text.
_POINT_GOES_ON = re.compile(
    r"[)\]\"”]?(?:[.;,]| [—–-])(?!\s?(?:$|\n|,?(?:and |with |at )?(?:my |a )?(?:confidence|certainty|\d{1,3} ?%)"
    r"|I(?:['’]m| am) ))",
    re.IGNORECASE,
)
_POINTS = re.compile(r"(?:^|[.;,\n]\s?)[(]?[A-Z][.)]\s", re.MULTILINE)
_LETTER_FORMS = (
    *_CONFIRMED,
    _SHOWN,
    re.compile(rf"{_STARTS}{_SO}{_I_THINK}it(?: is|['’]s| must be| has to be) (?:option )?{_LETTER}{_ENDS}", _FLAGS),
    # As in: "82% confident: B", "choose B", "that leaves B", "B is my answer".
    re.compile(
        rf"{_STARTS}{_SO}(?:{_I_AM_SURE}:? (?:in )?|(?:choose|select|pick|go with) |(?:that|this"
        rf"|which) leaves (?:us with )?)"
        rf"(?:only )?(?:option )?{_LETTER}{_ENDS}",
        _FLAGS,
    ),
    # As in: "the modality shown is MRI, so B"; what the sentence says must not be another option's text.
    _CONCLUDED,
    re.compile(
        r"\bI(?:'d|’d| would| am|'m|’m)? (?:lean(?:ing)? towards?|favou?r|vote for|settle on|conclude)"
        rf" (?:option )?{_LETTER}{_ENDS}",
        re.IGNORECASE,
    ),
    re.compile(
        rf"{_STARTS}(?:final )?answer (?:option )?{_LETTER}(?=[.,]?\s?(?:(?:and |with )?(?:my )?confidence\b|$))",
        _FLAGS,
    ),
    _CONCLUSION,
)
_COMPARED = re.compile(
    r"\b(?:unlike|exclud\w+|excluding|than|instead of|except|against|versus|vs|mimic\w*|resembl\w+|similar|differ\w*"
    r"|contrast|compar\w+|no|without|absen\w+|neither|nor|less|exclusion)\b",
    re.IGNORECASE,
)
_SENTENCE_START = re.compile(r"(?<!\b[ei]\.[ge])[.!?;](?=\s)|\n")
_BEFORE = 160


def claims_in_sentences(text: str, options: Mapping[str, str]) -> Iterator[Claim]:
    """List the letters that a plain text claims within its sentences: "it shows a pneumothorax (option B)".

    Args:
        text: Plain text.
        options: Letter -> text.

    Yields:
        The claims of letters that are options, those that do not stand among them.
    """
    found = {
        match.start(match.lastindex or 0): match.start()
        for form in _LETTER_FORMS
        for match in islice(form.finditer(text), MOST_CLAIMS)
    }
    for at, start in sorted(found.items()):
        confirmed = any(form.match(text, start) for form in _CONFIRMED)
        if text[at] in options and (confirmed or stands_alone(text, at)):
            meant = is_meant(text, start, at) and not _COMPARED.search(text[_sentence_start(text, start) : at])
            meant = (
                meant and not _is_shown_otherwise(text, start, options) and not _is_a_point(text, start, at, options)
            )
            concluded = _CONCLUDED.match(text, start) is not None
            said = text[_sentence_start(text, start) if concluded else start : at].lower()
            others = any(_says(said, own) for letter, own in options.items() if letter != text[at])
            yield Claim(start, at, at + 1, text[at], others or has_alternatives(text, at, options), meant)


def _is_shown_otherwise(text: str, start: int, options: Mapping[str, str]) -> bool:
    """Whether a letter stands behind more than the finding shown: "shows resolution of consolidation (option C)"."""
    shown = _SHOWN.match(text, start)
    if shown is None:
        return False
    own = " ".join(options.get(shown[2], "").split()).strip(" .").lower()
    said = shown["said"].lower().strip()
    described = _DESCRIBED.match(said)
    rest = said[described.end() :] if described and not said.startswith(own) else said
    as_said = rest == own if own else re.fullmatch(r"[\w-]+(?: [\w-]+)?", rest) is not None
    end = _SENTENCE_START.search(text, shown.end(), shown.end() + _BEFORE)
    behind = text[shown.end() : end.start() if end else shown.end() + _BEFORE]
    ahead = text[_sentence_start(text, start) : start]
    return not as_said or _WEAKENED.search(ahead) is not None or _WEAKENED.search(behind) is not None


def _is_a_point(text: str, start: int, at: int, options: Mapping[str, str]) -> bool:
    """Whether a letter behind "Impression:" is the number of a point and no answer."""
    if _CONCLUSION.match(text, start) is None:
        return False
    own = own_text(text, at, options)
    goes_on = not own and _POINT_GOES_ON.match(text, at + 1) is not None
    return goes_on or _POINTS.search(text, at + 2, at + 1000) is not None


def _says(said: str, option: str) -> bool:
    return bool(option) and has_words(said, option.lower())


def _sentence_start(text: str, at: int) -> int:
    since = max(at - _BEFORE, 0)
    *_, began = [since, *(found.end() for found in _SENTENCE_START.finditer(text, since, at))]
    return began


# --- By an option's text ----------------------------------------------------------------------------------------------

_ARTICLE = r"(?:an? |the )?"
_KINDS = (
    r"(?:finding|diagnosis|impression|conclusion|abnormality|pathology|interpretation|verdict|prediction|choice"
    r"|option)"
)
_OF_KIND = (
    r"(?:(?:main|primary|key|principal|final|overall|correct|best|(?:most )?likely|most probable|radiological) ){0,2}"
)
# What may stand behind a text that is claimed: the sentence's end, its letter or a confidence; no word that goes on.
_TEXT_ENDS = (
    r"(?=\s?(?:[.;]|$|\n| ?[-–—=]{1,2}>? ?(?:option )?(?-i:[A-Z])(?![^\W_])|[(\[](?:option )?[A-Za-z][)\]]"
    r"|[([](?:with |about |~)?(?:confidence|certainty|\d)"
    r"|,? ?(?:and |at |with )?(?:an? |my )?(?:confidence|certainty|\d)|,? (?:and )?I(?:['’]d|['’]m| am| would)\b"
    r"|[,—–-]{1,2} ?(?:confidence|certainty|about|\d)))"
)
# A reply that begins with a text ("Right. Let me look") means it as its answer where a confidence is next.
_SURE_NEXT = (
    r"(?=\s?(?:[(\[](?:option )?[A-Za-z][)\]]|[-–—=]{1,2}>? ?(?:option )?(?-i:[A-Z])(?![^\W_])|[.,;:(—–\n-]| with\b)"
    r"[\s.,;:(—–-]{0,3}"
    r"(?:(?:and|at|with|about|my|a|I['’]d say|I am|I['’]m) ){0,3}(?:confidence|certainty|\d))"
)
_OWN_LETTER = re.compile(
    r"\s?(?:[(\[](?:option )?(?=[A-Z][)\]])|[-–—=]{1,2}>? ?(?:option )?(?=(?-i:[A-Z])(?![^\W_])))([A-Z])[)\]]?",
    re.IGNORECASE,
)
_DENIED_BEFORE = re.compile(
    r"\b(?:no|not|without|unlike|exclud\w+|rul\w+ out|rather than|than|instead of|absence of|neither|nor|over|against"
    r"|doubt|unlikely|negative for|free of|argues? against)\b[^.;\n]{0,60}$|n['’]t\b[^.;\n]{0,60}$",
    re.IGNORECASE,
)
_DENIED_BEHIND = re.compile(
    r"[^.;,\n]{0,30}?(?:\b(?:ruled out|unlikely|less likely|excluded|absent|not|incorrect|wrong|improbable"
    r"|implausible)\b|n['’]t\b)",
    re.IGNORECASE,
)
# What a question may ask of a picture, where an option's text tells it.
_PROPERTY = (
    r"(?:(?:imaging )?modality|location|side|laterality|plane|organ|region|position|category)(?: (?:shown|used"
    r"|here))?"
)
_LESION = (
    r"(?:lesion|abnormality|opacity|finding|mass|nodule|lucency|density|fracture|infiltrate|consolidation|effusion"
    r"|tumou?r)"
)
_AS_WORDS = frozenset({"yes", "no", "true", "false", "both", "neither", "none"})


def claims_by_text(text: str, options: Mapping[str, str]) -> Iterator[Claim]:
    """List the options that a plain text claims by their whole texts: "the main finding is consolidation".

    Args:
        text: Plain text.
        options: Letter -> text. Where one's text is no word or is not known, none is read; where it is part of
            another's, only a whole answer is ("Answer: no fracture"), and no mention within a sentence.

    Yields:
        The claims, those that do not stand among them.
    """
    letters = _letters_by_text(options)
    if not letters:
        return
    said = rf"(?P<said>{'|'.join(map(re.escape, sorted(letters, key=len, reverse=True)))}){_TEXT_ENDS}"
    whole = (
        rf"{CUE}(?:the )?{said}",  # "a" could be the letter of another option
        rf"\A\W{{0,3}}{said}{_SURE_NEXT}",
        rf"\b{_SHOWS} {_ARTICLE}{said}(?= ?[(\[](?:option )?[A-Za-z][)\]])",
    )
    within = (
        rf"{_STARTS}(?:the |my )?{_OF_KIND}{_KINDS}(?: is| would be| ?[:=—–]) (?:{_SO}){_ARTICLE}{said}",
        rf"{_STARTS}(?:the |this )?{_PROPERTY}(?: is| ?[:=—–]) (?:{_SO}){_ARTICLE}{said}",
        rf"{_STARTS}(?:the|this) {_LESION} (?:lies|is|is (?:located|situated|seen|present)) (?:in|at"
        rf"|within) {_ARTICLE}{said}",
        rf"{_STARTS}{_SO}{_I_THINK}(?:it|this)(?: is|['’]s| must be) {_SO}{_ARTICLE}{said}",
        rf"\b{_SHOWS} {_ARTICLE}{_DESCRIBING}{said}(?= ?[(\[](?:option )?[A-Za-z][)\]])",
        rf"{_STARTS}{_ARTICLE}(?P<said>{'|'.join(map(re.escape, letters))}) is (?:clearly |therefore )?(?:the|my)"
        rf" (?:(?:correct|best|right|final|most likely) ){{0,2}}(?:answer|diagnosis|choice|option){_TEXT_ENDS}",
    )
    forms = whole if _are_nested(letters) else (*whole, *within)
    flat = text.replace("İ", "I")
    found = [each for form in forms for each in islice(re.finditer(form, flat, _FLAGS), MOST_CLAIMS)]
    if not found:
        return
    mentions: dict[str, set[bool]] = {option: set() for option in letters}
    for mention in islice(_mentions(flat, letters), MOST_CLAIMS):
        mentions[mention[0].lower()].add(_is_denied(flat, mention))
    for each in found:
        at, end = each.span("said")
        said = flat[at:end].lower()
        own = _OWN_LETTER.match(flat, end)
        several = own is not None and own[1].upper() != letters[said]
        several = several or any(False in mentions[option] for option in letters if option != said)
        ahead = flat[_sentence_start(flat, at) : at]
        compared = (
            _COMPARED.search(ahead) or _WEAKENED.search(ahead) or _is_shown_otherwise(flat, each.start(), options)
        )
        meant = is_meant(flat, each.start(), at) and not compared and True not in mentions[said]
        meant = meant and not _is_taken_back(flat, own.end() if own else end)
        yield Claim(each.start(), at, own.end() if own else end, letters[said], several, meant)


_SURE_IS_NEXT = re.compile(r"\b(?:confiden\w*|certain\w*|sure)\b|\d ?%", re.IGNORECASE)
# Between a text and its confidence, sentences of another's finding or none.
_TAKEN_BACK = re.compile(
    r"\b(?:status|absent|absence|exclu\w+|none|negative|reject\w*|dismiss\w*|ruled out|unlikely|denied|false|incorrect"
    r"|wrong|untrue|old|previous\w*|prior|referr\w+|outdated|withdrawn)\b|\b(?:no|not)(?=\s*(?:[.,;!:)]|$))"
    r"|(?:^|[.;:!(]\s?)not\b|\b(?:it|this|that) (?:was|were|has been|had|is (?:not|no))\b|n['’]t\b|\bdoubt\w*"
    r"|(?:^|[.;:!(]\s?)(?:but|or|if|unless|hardly|never|questionable|cleared|resolved|gone|historical|probability|low)\b"
    r"|\bnot (?:seen|present|visible|shown|found|supported|confirmed|here|likely)\b",
    re.IGNORECASE | re.MULTILINE,
)
# Behind the confidence, a word of its own: "Excluded." or "Status: ruled out".
_TAKEN_BACK_LATER = re.compile(
    r"(?:^|[.;:!]\s)(?:excluded|absent|rejected|ruled out|none|no|not seen|negative|wrong|incorrect|false|resolved)"
    r"(?=\s?(?:[.;!,\n]|$))|\b(?:status|present) ?:",
    re.IGNORECASE | re.MULTILINE,
)
_SURE_OF_ELSE = re.compile(
    r"(?:confiden\w*|certain\w*|sure)\b[^.\n]{0,30}\d ?%?,? that (?!(?:this|it|that|the answer|my answer)"
    r"(?: is|['’]s) (?:correct|right|true)\b)",
    re.IGNORECASE,
)


def _is_taken_back(text: str, end: int) -> bool:
    """Whether what stands between a claimed text and its confidence, or behind that, takes the text back."""
    sure = _SURE_IS_NEXT.search(text, end, end + _BEFORE)
    until = sure.start() if sure else end + _BEFORE
    if _TAKEN_BACK.search(text, end, min(until, len(text))):
        return True
    if sure and _TAKEN_BACK_LATER.search(text, sure.end(), sure.end() + 2 * _BEFORE):
        return True
    return sure is not None and _SURE_OF_ELSE.match(text, sure.start()) is not None


def _letters_by_text(options: Mapping[str, str]) -> dict[str, str]:
    """Option's text in lower case -> its letter; nothing where two are alike, or one is no word."""
    texts = {" ".join(text.split()).strip(" .").lower(): letter for letter, text in options.items()}
    if len(texts) < len(options) or not all(re.search(r"[^\W\d_]{2}", text) for text in texts):
        return {}
    return texts


def _are_nested(texts: Collection[str]) -> bool:
    """Whether one option's text is part of another's, so that a mention of it may be one of the other."""
    return any(one != other and has_words(other, one) for one in texts for other in texts)


def _mentions(text: str, options: Collection[str]) -> Iterator[re.Match[str]]:
    """Yield where options' texts stand, the longest at a place; words of any sentence ("no") where one begins so."""
    longest_first = sorted(options, key=len, reverse=True)
    each = "|".join(f"{_STARTS if option in _AS_WORDS else ''}{re.escape(option)}" for option in longest_first)
    return re.finditer(rf"(?<!\w)(?:{each})(?!\w)", text, _FLAGS)


def _is_denied(text: str, mention: re.Match[str]) -> bool:
    before = text[_sentence_start(text, mention.start()) : mention.start()]
    return bool(_DENIED_BEFORE.search(before) or _DENIED_BEHIND.match(text, mention.end()))
