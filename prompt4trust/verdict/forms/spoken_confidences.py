"""Confidences told in a sentence of their own, put as the label that they stand for: "How sure am I? 85%".

Only a number that ends its sentence is put, so that a range, a second thought or a doubt behind it leaves it unread.
"""

from __future__ import annotations

import re

from prompt4trust.verdict.words.expressions import expression

_SENTENCE = r"(?:^|(?<=[.!?;:] ))"
_STARTS = rf"(?:{_SENTENCE}|(?<=, ))"
_NUMBER = r"(?P<number>\d{1,3}(?:\.\d{1,3})?|\.\d{1,3})"
_PER_CENT = r" ?(?:%|per ?cent\b|(?:/|out of) ?(?:100|a hundred)\b)"
_ENDS = r"(?=\.?(?:\n|\Z)|[.;!] (?!(?:no|wait|actually|sorry|rather|or)\b)|\)[.\s]|,? (?:because|since|given)\b)"
_SAY = (
    r"(?:(?:I(?:['’]d| would) (?:say|go for|guess|put it at|estimate)|I say|about|around|roughly|approximately|maybe"
    r"|it is|it['’]s) ){0,2}"
)
_SURE = r"(?:sure|certain|confident)"
_ASKED = (
    r"(?:(?:and )?(?:if you (?:want|need|like|wish|ask)|were you to ask|should you ask)(?: me)?(?: for)?"
    r"(?: an?)?(?: number| figure)?(?: for)? |(?:and )?(?:as to|as for|regarding) )?"
)
_THIS = r"(?:(?:this|that|my|the) (?:final |chosen )?(?:answer|choice|diagnosis)|this|that|it)"
_FLAGS = re.IGNORECASE | re.MULTILINE
_FORMS = tuple(
    expression(pattern, _FLAGS)
    for pattern in (
        rf"(?:{_SENTENCE}|(?<=, )(?=and|if you|were you|should you)){_ASKED}(?:and )?how {_SURE}"
        rf"(?: I am| am I| are you)?(?: (?:of|about|in) {_THIS})?"
        rf"(?:, from (?:0|zero) to (?:100|a hundred))?\s?[?:,]\s?{_SAY}{_NUMBER}"
        rf"(?:{_PER_CENT}|(?P<top> ?(?:/|out of) ?(?:5|10)\b)|(?<=\b\d\d)){_ENDS}",
        rf"(?:{_STARTS}|(?<=, and )|(?<=and ))I(?:['’]d| would) bet {_NUMBER}{_PER_CENT} on (?:it|that|this){_ENDS}",
        rf"{_STARTS}(?:(?:my|the|self-assessed|estimated|overall) ){{0,2}}(?:probability|likelihood|chance) "
        r"(?:that (?:this|my|the) (?:answer|choice) is|of (?:this|my|the) (?:answer|choice) being)"
        rf" (?:right|correct|true)(?: is| ?[:=]) ?{_SAY}{_NUMBER}(?:{_PER_CENT})?{_ENDS}",
        rf"(?:{_STARTS}|(?<=, and ))if I (?:(?:had|have|were) to|must) (?:put|give|name|state|attach) (?:an? |one )?"
        r"(?:number|figure|per ?centage)(?: (?:on|to|for) (?:my (?:certainty|confidence)|how sure I am"
        rf"|(?:this|that|it|{_THIS})))?, (?:it would be |it['’]d be )?{_SAY}{_NUMBER}{_PER_CENT}{_ENDS}",
        rf"(?P<ahead>{_SENTENCE}(?:(?:so|then|thus|hence),? )?(?:(?:the|my) )?(?:final )?(?:answer|choice|pick"
        rf"|verdict"
        r"|selection)(?: is| ?:) [^.!?;\n]{1,60}[.!] )I(?:['’]d| would) (?:give|rate|put) (?:that|this|it)(?: at)?"
        rf" (?:an? )?{_NUMBER}{_PER_CENT}{_ENDS}",
        rf"(?:{_STARTS}|(?<=, but )|(?<=, and ))I(?: now|['’]ll| will| therefore)? "
        rf"(?:lower|raise|reduce|increase|set|put|keep|adjust) my confidence (?:down |up )?(?:to|at) "
        rf"{_NUMBER}(?:{_PER_CENT})?{_ENDS}",
        rf"{_STARTS}confidence first(?:, as (?:you )?(?:asked|requested|instructed))? ?[:,] ?"
        rf"{_NUMBER}(?:{_PER_CENT})?{_ENDS}",
        r"(?<=[:,] )(?P<number>0?\.\d{1,3}) (?:confidence|certainty)(?=[.)]?(?:\n|\Z))",
    )
)
_HINT = expression(
    r"how (?:sure|certain|confident)|\bbet\b|probability|likelihood|chance|my confidence|confidence first"
    r"|\d (?:conf|cert)|\bif i (?:had|have|were|must)\b|(?:['’]d| would) (?:give|rate|put)\b"
)
_IN_PER_CENT = expression(rf"{_PER_CENT}\Z", re.IGNORECASE)
# "If unsure, I lower my confidence to 30": a habit, not the confidence in this answer.
_SUPPOSED = expression(
    r"(?:^|[.!?;]\s)\W*(?:and |but )?(?:if(?! (?:you|I (?:had|have|must)|forced|pressed|asked)\b)|when(?:ever)?"
    r"|unless"
    r"|were it|had|should|in(?! (?:view|light|summary|sum|short|conclusion|total|the end|this|all|my|spite)\b))\b"
    r"[^.!?;\n]*, (?:and |but )?\Z",
    _FLAGS,
)
_CLAUSE = 120


def with_spoken_confidences(text: str) -> str:
    r"""Put confidences that are told in a sentence of their own as a line with the label.

    Args:
        text: Plain text, its numbers in digits.

    Returns:
        The text; a number behind which the sentence goes on, or another number comes, stays as it was.

    Example:
        >>> with_spoken_confidences("It is C. How sure am I? I'd say 85%.")
        'It is C. \nconfidence: 85%.'
    """
    if not _HINT.search(text.lower()):
        return text
    for form in _FORMS:
        text = form.sub(_said, text)
    return text


def _said(found: re.Match[str]) -> str:
    """Put the label; a number with no unit gets none, so that the scale decides what it is."""
    before = found.string[max(found.start() - _CLAUSE, 0) : found.start()]
    if before.endswith((", ", "and ", "but ")) and _SUPPOSED.search(before):
        return found[0]
    ahead, unit = found.groupdict().get("ahead") or "", "%" if _IN_PER_CENT.search(found[0]) else ""
    unit = found.groupdict().get("top") or unit
    return f"{ahead}\nconfidence: {found['number']}{unit}"
