"""Answers that a plain text announces by an option's letter: "the answer is B", "Option B is correct"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice

from prompt4trust.verdict.claims.claim import MOST_CLAIMS, Claim
from prompt4trust.verdict.claims.lone_letters import has_alternatives, is_out_of_place, own_text, stands_alone
from prompt4trust.verdict.claims.standing import is_meant
from prompt4trust.verdict.words.expressions import expression

_GAP = r"""[\s_"'“”‘’«»:=(\[{]"""
_SURE = (
    r"(?:(?:most likely|likely|probably|clearly|therefore|thus|definitely|certainly|hence|indeed|best|then"
    r"|either|both)"
    r"\b,?)"
)
_OF_WHAT = (
    r"(?:[ _]++(?:choice|option|letter|to (?:this|the|your) question|and confidence|here|in this case"
    r"|for this (?:image|case|question|scan)))?+"
    r"(?:[ _]?\([^()\n]{0,30}\)(?= ?[:=]))?+"
)
# A key or a word that ends in it ("wrong_answer", "non-answer") is not the model's answer.
_WHOSE = (
    r"(?:(?<![A-Za-z])(?<![A-Za-z][_-])|(?<=\bfinal[_-])|(?<=\bmy[_-])|(?<=\bbest[_-])|(?<=\bchosen[_-])"
    r"|(?<=\bselected[_-])|(?<=\bpredicted[_-]))"
)
CUE = (
    rf"{_WHOSE}answer{_OF_WHAT}(?:[\s_\"'“”‘’«»]++(?:is|has to be|must be|would be|should be|may be|might be"
    rf"|could(?: also)? be"
    rf"|can be)(?=[\s_\"'“”‘’«»:=(\[{{])"
    rf"|[\s_\"'“”‘’«»]*+(?:->|=>|→|[:=–—]|- ))[\s_\"'“”‘’«»:=(\[{{]*+(?:{_SURE}{_GAP}*+)?+"
)
_ORDINAL = r"(?:the (?:(?:first|second|third|fourth|fifth|sixth|last|\d(?:st|nd|rd|th)) )?)?"
_OPTION = rf"(?:{_ORDINAL}(?:option|choice|letter)\b{_GAP}*+)?+"
_LETTER = r"(?=(?-i:([A-Za-z])))"
_CAPITAL = r"(?=(?-i:([A-Z])))"
# The letter is looked at and not consumed: it may begin the next "answer is".
_FORMS = (
    expression(rf"{CUE}(?:(?:the\s++)?{CUE})?+{_OPTION}{_LETTER}", re.IGNORECASE),
    expression(
        r"\b(?:(?:correct|right|best|selected|chosen|final|preferred|my|most (?:appropriate|fitting|suitable))"
        r" (?:option|choice|letter|selection|pick|guess)(?: here)?"
        rf"|(?:^|(?<=^[-•–] )(?!option))(?:(?:my|final|the) ){{0,2}}(?:choice|option|guess|selection"
        rf"|prediction))(?: is| would be| ?[:=]){_GAP}*+"
        rf"{_OPTION}{_CAPITAL}",
        re.IGNORECASE | re.MULTILINE,
    ),
    expression(
        r"\bI(?:'d|’d| would|'ll|’ll| will|'m| am)?(?: going to)? (?:choose|select|pick|go(?:ing)? with|say|answer"
        r"|opt for)\b"
        rf"{_GAP}*+{_OPTION}{_CAPITAL}",
        re.IGNORECASE,
    ),
    expression(rf"\banswer (?:stays|remains|is still) (?:at )?{_GAP}*+{_OPTION}{_CAPITAL}", re.IGNORECASE),
    expression(rf"(?:答案|(?<![不别勿未候可备挑待])选)(?:选项|应该|应|可能|择|选|为|是|[:=\s(])*+{_CAPITAL}"),
    expression(rf"选项(?:应该)?(?:是|为|:){_GAP}*+{_CAPITAL}"),
)
STANDS = (
    r"(?: (?:answer|option|choice|fit|match|diagnosis|one))?(?=\s?(?:[.:!(]|;(?! no\b)|,(?! (?:but only|if|unless"
    r"|when|only|provided)\b)"
    r"|$)| [—–-] | (?:because|since|given|with(?! (?:option )?\(?(?-i:[A-Z])\b)|as|and|based|here|due|confidence"
    r"|considering|for this)\b)"
)
"""Pattern of what may stand behind "option B is correct": an end or a reason, and no more ("correct only in part")."""
# The letter comes first, and the verb confirms it.
_CONFIRMED = expression(
    r"(?:\b(?:option|choice|answer) ?|^|(?<=[.;!,] ))\(?(?-i:([A-Z]))\)?(?: ?\([^()\n]{0,80}\))? is (?:clearly )?"
    rf"(?:the )?(?:most likely |most appropriate )?(?:correct|right|best){STANDS}|选项 ?(?-i:([A-Z])) ?(?:是"
    r"|为)?(?:正确|对)",
    re.IGNORECASE | re.MULTILINE,
)

_HEDGING = expression(r"\b(?:may|might|could|can)(?: also)? be\b", re.IGNORECASE)


def claimed_letters(text: str, options: Mapping[str, str]) -> Iterator[Claim]:
    """List the letters that a plain text claims as its answer, options or not, in order.

    Args:
        text: Plain text.
        options: Letter -> text; "" where it is not known.

    Yields:
        The claims, those that do not stand among them; the first `MOST_CLAIMS` and one more at most.
    """
    found = [(match.start(), match.start(1)) for form in _FORMS for match in form.finditer(text)]
    found += [(match.start(), match.start(1) if match[1] else match.start(2)) for match in _CONFIRMED.finditer(text)]
    confirmed = {match.start(1) if match[1] else match.start(2) for match in _CONFIRMED.finditer(text)}
    starts: dict[int, int] = {}
    for start, at in found:
        starts[at] = min(start, starts.get(at, start))
    for at, start in sorted(starts.items())[: MOST_CLAIMS + 1]:
        own = own_text(text, at, options)
        if not (at in confirmed or own or stands_alone(text, at)):
            continue
        hedged = _HEDGING.search(text, start, at) is not None
        several = hedged or has_alternatives(text, at, options) or is_out_of_place(text, start, at, options)
        yield Claim(start, at, at + 1, text[at].upper(), several, is_meant(text, start, at))


def has_too_many(text: str) -> bool:
    """Whether a text announces more answers than any reply does."""
    return any(sum(1 for _ in islice(form.finditer(text), MOST_CLAIMS + 1)) > MOST_CLAIMS for form in _FORMS)
