"""Letters that a reply claims within a sentence, without announcing an answer: "it shows a pneumothorax (option B)"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice

from prompt4trust.verdict.claims.claim import MOST_CLAIMS, Claim
from prompt4trust.verdict.claims.findings import (
    COMPARED,
    FLAGS,
    I_AM_SURE,
    I_THINK,
    SHOWN,
    SO,
    STARTS,
    WEAKENED,
    is_shown_otherwise,
    sentence_start,
)
from prompt4trust.verdict.claims.letters import STANDS
from prompt4trust.verdict.claims.lone_letters import has_alternatives, own_text, stands_alone
from prompt4trust.verdict.claims.standing import is_meant
from prompt4trust.verdict.plain_text import has_words
from prompt4trust.verdict.words.expressions import expression

_LETTER = r"[(\[\"“]?(?-i:([A-Z]))(?![^\W_])[)\]\"”]?"
_ENDS = r"(?=\s?(?:[.;]|,? ?(?:and |with )?(?:my )?confidence|\(|$)|,(?! or\b))"
# The verb behind the letter confirms it, so that it cannot be the beginning of a name.
_CONFIRMED = (
    expression(
        rf"(?:{STARTS}{SO}|\b(?:believe|think|conclude) (?:that )?)(?:option|choice) ?{_LETTER}"
        r" (?:(?:best fits|fits best|best matches|matches best|is the best fit)"
        r"(?=[.;,\n]|$| the (?:findings?|image|picture|appearance|description)\b)"
        r"|is (?:the )?(?:best|most (?:likely|consistent|appropriate|probable|plausible|fitting))"
        rf"{STANDS}(?! (?:if|when|unless|only|for)\b))",
        FLAGS,
    ),
    expression(
        rf"{STARTS}(?:option )?{_LETTER} is my (?:final )?(?:answer|choice|pick|selection)(?=[.;,\n]|$| with\b)",
        FLAGS,
    ),
    expression(
        rf"{STARTS}(?:I have "
        rf"|my )?(?:\d{{1,3}}% )?confidence that (?:option )?{_LETTER} is (?:the )?(?:correct|right|true|best)\b",
        FLAGS,
    ),
)
_CONCLUDED = expression(
    rf"(?:,|;)(?: (?:so|hence|thus|therefore|i\.e\.|that is,?|which is|leaving|making it)|(?= option)),? "
    rf"(?:it is |it['’]s )?(?:option )?{_LETTER}{_ENDS}",
    re.IGNORECASE,
)
_CONCLUSION = expression(
    r"^(?:the |my )?(?:final |overall )?(?:verdict|decision|conclusion|diagnosis|impression|pick|response|result"
    rf"|output|selection|choice|most likely)(?: is| ?[:=—–]| ->| -) ?(?:option )?{_LETTER}{_ENDS[:-1]}| [—–-])",
    FLAGS,
)
# "Impression: A. No effusion. B. ...": behind the point of a letter that is an answer comes nothing or its text.
_POINT_GOES_ON = expression(
    r"[)\]\"”]?(?:[.;,]| [—–-])(?!\s?(?:$|\n|,?(?:and |with |at )?(?:my |a )?(?:confidence|certainty|\d{1,3} ?%)"
    r"|I(?:['’]m| am) ))",
    re.IGNORECASE,
)
_POINTS = expression(r"(?:^|[.;,\n]\s?)[(]?[A-Z][.)]\s", re.MULTILINE)
_ANY_CASE = r"[(\[\"“]?([A-Za-z])(?![^\W_])[)\]\"”]?"
# A letter that the rest of the sentence leads to: what it says must not be another option's text.
_LED_TO = (
    expression(
        rf"\b(?:and|so) (?:that|this) is answer {_LETTER}(?: too| as well| here)?(?=[.;\n]|$)",
        FLAGS,
    ),
    expression(
        r"(?<!almost )(?<!nearly )(?<!nothing )\b(?:leads|brings|takes) (?:me|us) to (?:option )?"
        rf"{_LETTER}(?=\s?(?:[.;(]|$|,? ?(?:and |with )?(?:my )?confidence))",
        FLAGS,
    ),
    expression(
        r"\bI(?:['’]d| would|['’]ll| will)? (?:sign (?:this|it) out as|call (?:this|it)|diagnose|read (?:this|it) as"
        r"|commit to|settle on|opt for|decide on|go (?:with|for)) [^.;:\n()]{1,60}"
        rf" \((?:answer|option|choice) {_LETTER}\)(?=[.;\n]|$)",
        FLAGS,
    ),
)
# Where options' texts hold letters ("Structure B"), the letter may be one's name.
_BARE = expression(rf"(?:[,;] )?{SO}(?:that is|that['’]s|this is),? {_LETTER}{_ENDS}", FLAGS)
_LONE_LETTER = expression(r"(?<![\w'’-])[A-Z](?![\w'’-])")
_ONCE = expression(r"\b(?:thought|consider\w*|at first|initially|looks? like|distractor|tempting)\b", re.IGNORECASE)
# "The cell is B: Eosinophil", with the option's whole text, and nothing that makes it another's.
_CALLED = expression(
    rf"{STARTS}{SO}(?:the|this) (?:(?!second|most|usual|typical|common|normal|next|other|least|wrong|first|main"
    rf"|closest|nearest|last|third)\w+ ){{1,3}}is (?:option )?{_LETTER}(?=: )",
    FLAGS,
)
_LETTER_FORMS = (
    *_CONFIRMED,
    SHOWN,
    *_LED_TO,
    expression(rf"{STARTS}{SO}(?:that is|that['’]s|this is) {_LETTER}{_ENDS}", FLAGS),
    expression(
        rf"{STARTS}final(?: ?[:=—–]| -) ?(?:option )?{_LETTER}(?=(?:,? [^.;:!?\n]{{1,80}})?[.;,]?\s"
        r"(?:(?:and |with |at |my |a ){0,2}(?:confidence|certainty)\b|I(?:['’]m| am) |\d{1,3} ?%))",
        FLAGS,
    ),
    # As in: "So: E, 74%", "TL;DR: D, 78% confident".
    expression(
        rf"{STARTS}(?:so|thus|therefore|hence|tl;?dr|in short|bottom line|in summary|summary|verdict) ?[:,—–-] ?"
        rf"(?:option )?{_LETTER}(?=[,;.]? ?\(?(?:with )?\d{{1,3}}(?:\.\d+)? ?%)",
        FLAGS,
    ),
    expression(
        rf"\b(?:commit|choose|pick|decide|settle|name)\b[^.:;\n]{{0,24}}\bone(?: option| answer"
        rf"| letter)?: (?:option )?"
        rf"{_LETTER}{_ENDS}",
        FLAGS,
    ),
    expression(
        rf"{STARTS}(?:but |so |still,? )?if (?:I|you) (?:have|had|must|were)(?: to| me to)? (?:pick|choose"
        rf"|commit|name|answer|decide|give)\b"
        rf"[^.:;\n,]{{0,40}}, (?:it(?: is|['’]s| would be)|I(?:['’]d| would)? (?:say|pick|choose|go with"
        rf"|answer)|then) (?:option )?"
        rf"{_LETTER}{_ENDS}",
        FLAGS,
    ),
    _CALLED,
    expression(
        r"\b(?:is|are|looks?|appears?) (?:most |best )?(?:consistent|compatible|in keeping) with (?:option"
        r"|choice|answer)"
        rf" {_LETTER}(?=[.,;(]|$)",
        FLAGS,
    ),
    expression(
        r"\b(?:easy|clear|obvious|simple|straightforward): (?:option |answer )?"
        rf"{_LETTER}(?=\.\s(?:my )?confidence in (?:the|this|my) (?:final )?answer\b)",
        FLAGS,
    ),
    expression(
        rf"{STARTS}(?:so )?not (?:option )?[(]?(?-i:[A-Z])[)]? but (?:rather )?(?:option )?{_LETTER}{_ENDS}", FLAGS
    ),
    expression(
        rf"(?:{STARTS}|(?<=: ))answer (?:option )?{_ANY_CASE}(?=[.;,]\s?(?:(?:my )?confidence\b|I(?:['’]m| am) "
        r"(?:about |around |roughly )?\d{1,3} ?%))",
        FLAGS,
    ),
    expression(rf"{STARTS}{SO}{I_THINK}it(?: is|['’]s| must be| has to be) (?:option )?{_LETTER}{_ENDS}", FLAGS),
    # As in: "82% confident: B", "choose B", "that leaves B", "B is my answer".
    expression(
        rf"{STARTS}{SO}(?:{I_AM_SURE}:? (?:in )?|(?:choose|select|pick|go with) |(?:that|this"
        rf"|which) leaves (?:us with )?)"
        rf"(?:only )?(?:option )?{_LETTER}{_ENDS}",
        FLAGS,
    ),
    # As in: "the modality shown is MRI, so B"; what the sentence says must not be another option's text.
    _CONCLUDED,
    expression(
        r"\bI(?:'d|’d| would| am|'m|’m)? (?:lean(?:ing)? towards?|favou?r|vote for|settle on|conclude)"
        rf" (?:option )?{_LETTER}{_ENDS}",
        re.IGNORECASE,
    ),
    expression(
        rf"{STARTS}(?:final )?answer (?:option )?{_LETTER}(?=[.,]?\s?(?:(?:and |with )?(?:my )?confidence\b|$))",
        FLAGS,
    ),
    _CONCLUSION,
)


def claims_in_sentences(text: str, options: Mapping[str, str]) -> Iterator[Claim]:
    """List the letters that a plain text claims within its sentences: "it shows a pneumothorax (option B)".

    Args:
        text: Plain text.
        options: Letter -> text.

    Yields:
        The claims of letters that are options, those that do not stand among them.
    """
    found = {
        match.start(match.lastindex or 0): (form, match)
        for form in _LETTER_FORMS
        for match in islice(form.finditer(text), MOST_CLAIMS)
    }
    named = any(_LONE_LETTER.search(each) for each in options.values())
    for at, (form, match) in sorted(found.items(), key=lambda each: each[0]):
        start, letter = match.start(), text[at].upper()
        if letter in options and (form in _CONFIRMED or stands_alone(text, at)):
            meant = is_meant(text, start, at) and not COMPARED.search(text[sentence_start(text, start) : at])
            meant = meant and not (form in _LED_TO and _not_led_to(text, start, at))
            meant = meant and not (named and _BARE.match(text, start))
            meant = meant and not (form is _CALLED and not own_text(text, at, options))
            meant = meant and not (form is SHOWN and is_shown_otherwise(match, options))
            meant = meant and not (form is _CONCLUSION and _is_a_point(text, at, options))
            said = text[sentence_start(text, start) if form in (_CONCLUDED, *_LED_TO) else start : at].lower()
            others = any(_says(said, own) for other, own in options.items() if other != letter)
            yield Claim(start, at, at + 1, letter, others or has_alternatives(text, at, options), meant)


def _not_led_to(text: str, start: int, at: int) -> bool:
    """Whether a sentence that ends in a letter weakens what it says of it, or tells of an earlier thought."""
    said = text[sentence_start(text, start) : at]
    return bool(WEAKENED.search(said) or _ONCE.search(said))


def _is_a_point(text: str, at: int, options: Mapping[str, str]) -> bool:
    """Whether a letter behind "Impression:" is the number of a point and no answer."""
    own = own_text(text, at, options)
    goes_on = not own and _POINT_GOES_ON.match(text, at + 1) is not None
    return goes_on or _POINTS.search(text, at + 2, at + 1000) is not None


def _says(said: str, option: str) -> bool:
    return bool(option) and has_words(said, option.lower())
