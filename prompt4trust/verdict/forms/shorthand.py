"""Abbreviated labels and roundabout sentences of a verdict, put as the plain ones that they stand for.

"Ans: C, Conf: 84" and "there is an 84% chance that the answer is C" say what "answer: C, confidence: 84" says. They are
put so before anything is read, so that every doubt that is known of the plain forms holds for them, too.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from prompt4trust.verdict.forms.spoken_confidences import with_spoken_confidences
from prompt4trust.verdict.words.expressions import expression

_ARROW = r"(?: ?(?:->|=>|→) ?| ?[:=] ?)"
_PAIR = expression(
    r"(?:^|(?<=[.;] ))ans(?:wer)?\.? (?P<letter>(?-i:[A-Za-z]))[,;. ] ?conf(?:idence)?\.? "
    r"(?P<number>\d{1,3}(?:\.\d{1,2})? ?%?)(?=\.?(?:\n|\Z))",
    re.IGNORECASE | re.MULTILINE,
)
# Behind another word ("Prev. ans", "req. conf") they are somebody else's, or of something else.
_OPENS = (
    r"(?:^|(?<=[,;(|] )|(?<=[(|])|(?<=\bmy )|(?<=\bfinal )|(?<=\band )|(?<=\bwith )"
    r"|(?<!(?-i:[a-z])\. )(?<=[.!?] ))"
)
_LABELS = (
    (expression(rf"(?<![,;] ){_OPENS}ans\.?(?={_ARROW}\S)", re.IGNORECASE | re.MULTILINE), "Answer"),
    (expression(rf"{_OPENS}conf\.?(?={_ARROW}[\d.~])", re.IGNORECASE | re.MULTILINE), "Confidence"),
)
MISSPELT_CONFIDENCE = (
    r"(?:confiden[sz]e|confid[ai]nce|confidens|confidece|conifdence|confidencce|confiednce|confience"
    r"|confindence|confidnce"
    r"|cofidence|confedence)"
)
"""Pattern of the commonest misspellings of "confidence"."""
_MISSPELT = (
    (expression(r"\b(?:anwser|awnser|answr|anser|asnwer|ansewr|answear)(?=s?\b)", re.IGNORECASE), "answer"),
    (expression(rf"\b{MISSPELT_CONFIDENCE}\b", re.IGNORECASE), "confidence"),
    (expression(r"\bw(?:iht|tih|hit)(?= (?:an? )?confidence)", re.IGNORECASE), "with"),
)
# A call that some models write for a reply: final_answer(option="F", confidence=0.9).
_CALL = expression(
    r"^(?:print ?\()?(?:(?:final|submit|give|provide|return|report|select|choose)_)?(?:answer|option|respond"
    r"|submit)\("
    r" ?(?:(?:answer|option|choice|letter) ?[=:] ?)?[\"'“]?(?P<letter>[A-Za-z])[\"'”]? ?,"
    r" ?confidence(?:_score|_level)? ?[=:] ?(?P<number>\d{1,3}(?:\.\d{1,4})? ?%?|\.\d{1,4}) ?\)?\)$",
    re.IGNORECASE | re.MULTILINE,
)
# "=>" may be meant for "at least"; where the answer stands behind the same arrow, it parts a label from its value.
_ARROWS = expression(r"\b(answer|confidence)( ?=> ?)(?=\S)", re.IGNORECASE)
_STARTS = r"(?:^|(?<=[.!?] ))"
_ENDS = r"(?=[.!]?(?:\n|\Z)|[.!] )"
_LETTER = r"(?:option )?\(?(?P<letter>(?-i:[A-Z]))\)?"
# From a half on, since "a 16% chance that the answer is C" says that it is another.
_MORE_LIKELY = (
    r"(?:(?:100(?:\.0+)?|[5-9]\d(?:\.\d{1,2})?) ?(?:%|per ?cent\b)|0?\.[5-9]\d{0,3}(?![\d%])|1\.0{1,3}(?!\d))"
)
_CHANCE = r"(?:chance|probability|likelihood)"
_RIGHT = r"is (?:the )?(?:correct|right)(?: (?:answer|option|choice))?"
_FLAGS = re.IGNORECASE | re.MULTILINE
# Each is put only where it is the one of its kind: several are a distribution.
_SENTENCES = (
    (
        expression(
            rf"{_STARTS}there(?: is|['’]s) (?:about |roughly )?an? (?:about |roughly )?(?P<share>{_MORE_LIKELY})"
            rf" {_CHANCE} that (?:the (?:correct |right )?answer is {_LETTER}"
            rf"|{_LETTER.replace('letter', 'other')} {_RIGHT}){_ENDS}",
            _FLAGS,
        ),
        expression(rf"\b{_CHANCE} (?:that|of)\b", re.IGNORECASE),
    ),
    (
        expression(
            rf"{_STARTS}{_LETTER} {_RIGHT} with (?:an? )?(?:probability|likelihood)(?: of)? (?P<share>{_MORE_LIKELY})"
            rf"{_ENDS}",
            _FLAGS,
        ),
        expression(r"\b(?:probability|likelihood)\b", re.IGNORECASE),
    ),
    (
        expression(
            rf"{_STARTS}(?:the )?(?:probability|likelihood) that {_LETTER} {_RIGHT}(?: is| ?[:=])"
            rf" (?P<share>{_MORE_LIKELY}){_ENDS}",
            _FLAGS,
        ),
        expression(r"\b(?:probability|likelihood)\b", re.IGNORECASE),
    ),
)
# Another letter, or a denial, beside such a sentence.
_ELSE = expression(r"(?<![\w'’-])[B-HJ-Z](?![\w'’-])|[.!\n] ?(?:[Nn]o|[Nn]ot|[Ww]rong|[Ff]alse|[Ii]ncorrect|[Bb]ut)\b")
_SURE = r"(?:sure|confident|certain)"
_SURENESS = expression(
    rf"(?:{_STARTS}|(?<=\band ))I(?: am|['’]m) "
    rf"(?:(?P<much>fairly|quite|pretty|very|reasonably|rather|moderately|somewhat)"
    rf"|not (?:very|too|that|particularly|entirely|so)) {_SURE} ?[:(] ?(?P<share>\d{{1,3}}(?:\.\d{{1,2}})? ?%)\)?"
    rf"{_ENDS}",
    _FLAGS,
)
# A small letter in brackets behind the word: "option (b)".
_SMALL = expression(r"\b(?:option|choice|answer)(?: is)? \([a-z]\)(?!\w)", re.IGNORECASE)
_AFTER_ALL = expression(
    rf"{_STARTS}(?:(?:considering|weighing) (?:everything|all (?:of )?this|all the (?:findings|evidence))"
    rf"|all (?:things )?considered|everything considered|taking everything together), (?P<letter>(?-i:[A-Z]))[.:]"
    rf"(?= (?:\d{{1,3}} ?% (?:confiden(?:ce|t)|certain(?:ty)?|sure)|confidence:? \d{{1,3}} ?%?){_ENDS})",
    _FLAGS,
)
_BARE_YES = expression(r"\W{0,3}yes[,;] ?(\d{2}|100)[\s.!)_]{0,3}", re.IGNORECASE)


def in_full(text: str, texts: Collection[str] = ()) -> str:
    """Put a reply's abbreviations and roundabout sentences as the plain forms that are read.

    Args:
        text: Plain text.
        texts: The options' texts: "Yes, 77" is a verdict where yes and no are all.

    Returns:
        The text; a chance below a half, a distribution and a sureness that its number belies stay as they were.

    Example:
        >>> in_full("Ans: C, Conf: 84")
        'Answer: C, Confidence: 84'
        >>> in_full("There is an 84% chance that the answer is C.")
        'The answer is C with confidence 84%.'
    """
    if {each.strip(" .").lower() for each in texts} == {"yes", "no"} and (bare := _BARE_YES.fullmatch(text)):
        return f"Answer: yes\nConfidence: {bare[1]}"
    text = _PAIR.sub(_said_in_a_call, _CALL.sub(_said_in_a_call, text))
    for label, plain in (*_MISSPELT, *_LABELS):
        text = label.sub(plain, text)
    if len({found[1].lower() for found in _ARROWS.finditer(text)}) > 1:
        text = _ARROWS.sub(r"\1: ", text)
    for sentence, kind in _SENTENCES:
        found = sentence.search(text)
        if found and len(kind.findall(text)) == 1:
            said = found.groupdict()
            if _ELSE.search(text[: found.start()]) or _ELSE.search(text, found.end()):
                continue
            plain = f"The answer is {said['letter'] or said.get('other')} with confidence {found['share']}"
            text = text[: found.start()] + plain + text[found.end() :]
    text = _SMALL.sub(lambda found: found[0][:-2] + found[0][-2:].upper(), text)
    text = with_spoken_confidences(_SURENESS.sub(_said_of_sureness, text))
    return _AFTER_ALL.sub(r"The answer is \g<letter>.", text)


def _said_in_a_call(found: re.Match[str]) -> str:
    """Write a letter and a number as the lines of a verdict."""
    return f"Answer: {found['letter'].upper()}\nConfidence: {found['number']}"


def _said_of_sureness(found: re.Match[str]) -> str:
    """Write how sure somebody is as a confidence; a number that the words belie stays among them."""
    low = float(found["share"].rstrip(" %")) <= 50
    return found[0] if low == bool(found["much"]) else f"confidence: {found['share']}"
