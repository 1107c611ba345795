"""Options that a reply claims by their whole texts: "the main finding is consolidation".

They are looked for where no letter is claimed, and read with more care: an option that is mentioned beside the claimed
one without being denied leaves the claim ambiguous.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from itertools import islice

from prompt4trust.verdict.claims.claim import MOST_CLAIMS, Claim
from prompt4trust.verdict.claims.findings import (
    COMPARED,
    DESCRIBING,
    FLAGS,
    I_THINK,
    SHOWN,
    SHOWS,
    SO,
    STARTS,
    WEAKENED,
    is_shown_otherwise,
    sentence_start,
)
from prompt4trust.verdict.claims.letters import CUE
from prompt4trust.verdict.claims.standing import is_meant
from prompt4trust.verdict.plain_text import has_words
from prompt4trust.verdict.words import Place, words_at
from prompt4trust.verdict.words.expressions import expression

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
    r"(?![-–/]\d)(?=\s?(?:[.;]|$|\n| ?[-–—=]{1,2}>? ?(?:option )?(?-i:[A-Z])(?![^\W_])|[(\[](?:option )?[A-Za-z][)\]]"
    r"|[([](?:with |about |~)?(?:confidence|certainty|\d)"
    r"|,? ?(?:and |at |with )?(?:an? |my )?(?:confidence|certainty|\d)|,? (?:and )?I(?:['’]d|['’]m| am| would)\b"
    r"|[,—–-]{1,2} ?(?:confidence|certainty|about|\d)))"
)
# A reply that begins with a text ("Right. Let me look") means it as its answer where a confidence is next.
_SURE_NEXT = (
    r"(?![-–/]\d)(?=\s?(?:[(\[](?:option )?[A-Za-z][)\]]|[-–—=]{1,2}>? ?(?:option )?(?-i:[A-Z])(?![^\W_])"
    r"|[.,;:(—–\n-]| with\b)[\s.,;:(—–-]{0,3}"
    r"(?:(?:and|at|with|about|my|a|I['’]d say|I am|I['’]m) ){0,3}(?:confidence|certainty|\d))"
)
_OWN_LETTER = expression(
    r"\s?(?:[(\[](?:option )?(?=[A-Z][)\]])|[-–—=]{1,2}>? ?(?:option )?(?=(?-i:[A-Z])(?![^\W_])))([A-Z])[)\]]?",
    re.IGNORECASE,
)
_DENIED_BEFORE = expression(rf"(?:{words_at(Place.BEFORE_TEXT)}|n['’]t\b)[^.;\n]{{0,60}}$", re.IGNORECASE)
_DENIED_BEHIND = expression(rf"[^.;,\n]{{0,30}}?(?:{words_at(Place.BEHIND_TEXT)}|n['’]t\b)", re.IGNORECASE)
# "My gut said effusion, but ...": an earlier thought that the sentence gives up.
_ONCE = expression(
    r"\b(?:my (?:gut|first (?:thought|guess|impression|instinct))(?: feeling)? (?:said|was)"
    r"|(?:I (?:first|initially)|at first,? I|initially,? I) (?:thought|said|leaned|guessed|considered)"
    r"(?: of| to(?:wards?)?)?)"
    r"(?: (?:this|it) was)? (?:an? |the )?$",
    re.IGNORECASE,
)
_BUT = expression(r"[^.;!?\n]{0,40}[,;] ?but\b", re.IGNORECASE)
# What a question may ask of a picture, where an option's text tells it.
_PROPERTY = (
    r"(?:(?:imaging )?modality|location|side|laterality|plane|organ|region|position|category)(?: (?:shown|used"
    r"|here))?"
)
_LESION = (
    r"(?:lesion|abnormality|opacity|finding|mass|nodule|lucency|density|fracture|infiltrate|consolidation|effusion"
    r"|tumou?r)"
)
_NEAR = 160
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
        rf"\b{SHOWS} {_ARTICLE}{said}(?= ?[(\[](?:option )?[A-Za-z][)\]])",
        rf"{STARTS}{SO}(?:the |my )?final (?:choice|pick|selection|verdict|decision)(?: is| ?[:=—–]) (?:the )?{said}",
    )
    within = (
        rf"{STARTS}(?:the |my )?{_OF_KIND}{_KINDS}(?: is| would be| ?[:=—–]) (?:{SO}){_ARTICLE}{said}",
        rf"{STARTS}(?:the |this )?{_PROPERTY}(?: is| ?[:=—–]) (?:{SO}){_ARTICLE}{said}",
        rf"{STARTS}(?:the|this) {_LESION} (?:is|seems to be|appears to be|looks like"
        rf"|represents) (?:{SO}){_ARTICLE}{said}",
        rf"{STARTS}(?:the|this) {_LESION} (?:lies|is|is (?:located|situated|seen|present)) (?:in|at"
        rf"|within) {_ARTICLE}{said}",
        rf"{STARTS}{SO}{I_THINK}(?:it|this)(?: is|['’]s| must be) {SO}{_ARTICLE}{said}",
        rf"{STARTS}{SO}I(?:['’]d| would) (?:call|label|diagnose) (?:this|it)(?: as)? {_ARTICLE}{said}",
        rf"{STARTS}{SO}{_ARTICLE}(?P<said>{'|'.join(map(re.escape, letters))}) it is(?=[.!]\s(?:my )?confidence\b)",
        rf"\b{SHOWS} {_ARTICLE}{DESCRIBING}{said}(?= ?[(\[](?:option )?[A-Za-z][)\]])",
        rf"{STARTS}{_ARTICLE}(?P<said>{'|'.join(map(re.escape, letters))}) is (?:clearly |therefore )?(?:the|my)"
        rf" (?:(?:correct|best|right|final|most likely) ){{0,2}}(?:answer|diagnosis|choice|option){_TEXT_ENDS}",
    )
    forms = whole if _are_nested(letters) else (*whole, *within)
    flat = text.replace("İ", "I")
    found = [each for form in forms for each in islice(re.finditer(form, flat, FLAGS), MOST_CLAIMS)]
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
        ahead = flat[sentence_start(flat, at) : at]
        shown = SHOWN.match(flat, each.start())
        compared = COMPARED.search(ahead) or WEAKENED.search(ahead) or (shown and is_shown_otherwise(shown, options))
        meant = is_meant(flat, each.start(), at) and not compared and True not in mentions[said]
        meant = meant and not _is_taken_back(flat, own.end() if own else end)
        yield Claim(each.start(), at, own.end() if own else end, letters[said], several, meant)


_SURE_IS_NEXT = expression(r"\b(?:confiden\w*|certain\w*|sure)\b|\d ?%", re.IGNORECASE)
# Between a text and its confidence, sentences of another's finding or none.
_TAKEN_BACK = expression(
    rf"{words_at(Place.UP_TO_CONFIDENCE)}|\b(?:no|not)(?=\s*(?:[.,;!:)]|$))"
    r"|(?:^|[.;:!(]\s?)not\b|\b(?:it|this|that) (?:was|were|has been|had|is (?:not|no))\b|n['’]t\b"
    r"|(?:^|[.;:!(]\s?)(?:but|or|if|unless|hardly|never|questionable|cleared|resolved|gone|historical"
    r"|probability|low)\b"
    r"|\bat first\b|, but (?:is|was|on|it)\b"
    r"|\bnot (?:seen|present|visible|shown|found|supported|confirmed|here|likely)\b",
    re.IGNORECASE | re.MULTILINE,
)
# Behind the confidence, a word of its own: "Excluded." or "Status: ruled out".
_TAKEN_BACK_LATER = expression(
    r"(?:^|[.;:!]\s)(?:excluded|absent|rejected|ruled out|none|no|not seen|negative|wrong|incorrect|false|resolved)"
    r"(?=\s?(?:[.;!,\n]|$))|\b(?:status|present) ?:",
    re.IGNORECASE | re.MULTILINE,
)
_SURE_OF_ELSE = expression(
    r"(?:confiden\w*|certain\w*|sure)\b[^.\n]{0,30}\d ?%?,? that (?!(?:this|it|that|the answer|my answer)"
    r"(?: is|['’]s) (?:correct|right|true)\b)",
    re.IGNORECASE,
)


def _is_taken_back(text: str, end: int) -> bool:
    """Whether what stands between a claimed text and its confidence, or behind that, takes the text back."""
    sure = _SURE_IS_NEXT.search(text, end, end + _NEAR)
    until = sure.start() if sure else end + _NEAR
    if _TAKEN_BACK.search(text, end, min(until, len(text))):
        return True
    if sure and _TAKEN_BACK_LATER.search(text, sure.end(), sure.end() + 2 * _NEAR):
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
    each = "|".join(f"{STARTS if option in _AS_WORDS else ''}{re.escape(option)}" for option in longest_first)
    return re.finditer(rf"(?<!\w)(?:{each})(?!\w)", text, FLAGS)


def _is_denied(text: str, mention: re.Match[str]) -> bool:
    before = text[sentence_start(text, mention.start()) : mention.start()]
    if _ONCE.search(before) and _BUT.match(text, mention.end()):
        return True
    return bool(_DENIED_BEFORE.search(before) or _DENIED_BEHIND.match(text, mention.end()))
