"""Confidences that a plain text states, by the scale that it or the template declares."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Literal

from prompt4trust.verdict.doubts.numbers import is_anothers, is_no_single_number, is_of_the_contrary, is_unreal
from prompt4trust.verdict.words.expressions import expression

Scale = Literal["per-cent", "probability"]
"""Meaning of a bare number: per cent (1 is .01), or a probability (1 is certainty)."""

_GAP = r"""[\s_"'“”‘’«»:=(\[{]"""
_B = r"[^\S\n]"  # a blank of the same line
_NUMBER = r"(-?(?:\d++(?:\.\d++)?+|\.\d++))"
_UNIT = r"(\s?(?:%|per ?cent(?![a-z])))?+"
_ABOUT = r"(?:maybe|perhaps|about|approximately|approx\.?|around|roughly|nearly|estimated at|~|≈|ca\.)"
_THING = r"(?:answer|diagnosis|choice|prediction|assessment|selection|finding|conclusion|response|judge?ment)"
_PAREN_SCALE = (
    r"(?:\s?\(\s?(?:(?:on )?(?:a )?scale (?:of |from )?)?(?:in |out of )?"
    r"(?:(\d{1,3}) ?(?:[-–—]|to) ?(\d{1,3})(?: ?%)?|%|per ?cent|(\d{1,3}))\s?\)(?! ?(?:[.,;)]|$)))?+"
)
_BOUND = r"(at least|at most|over|above|more than|less than|below|under|up to|between|>=?|<=?|≥|≤)"
# "Uncertainty", "overconfidence", a lack of confidence, what is left to 1 and what is asked for are none.
_NEGATED = (
    r"(?<!un)(?<!over)(?<!under)(?<!non)(?<!non-)(?<!\bno )(?<!lack of )(?<!loss of )(?<!1 - )(?<!1 – )(?<!1 − )(?<!1-)"
    r"(?<!inverse )(?<!classification )(?<!prior )(?<!previous )(?<!required )(?<!minimum )(?<!maximum )(?<!average )"
)
_CUED = expression(
    rf"{_NEGATED}(?:confidence|certainty|(?:^|(?<=[,;] ))(?:probability|likelihood)"
    r"(?: (?:(?:of being )?(?:correct|right)|of correctness))?(?= ?[:=(]))"
    r"(?: (?:level|score|rating|value|percentage|estimate))?+"
    rf"(?: (?:in|of|for|about) (?:(?:this|my|the|that|your) (?:final |chosen )?{_THING}"
    r"|(?:this|that|it)(?= ?[=:]| is\b)))?+"
    r"(?: (?:after (?:that|this) (?:fix|correction|check)|now)(?= ?[=:]))?+"
    rf"(?: that (?:this|it|(?:my|the) (?:{_THING}|guess)) is (?:correct|right|true))?+"
    r"(?: that (?:option )?\(?(?-i:([A-Z]))\)? is (?:the )?(?:correct|right|true|best)(?: (?:answer|option"
    r"|choice))?)?+"
    r"(?: (?:in|for) (?:option )?\(?(?-i:([A-Z]))\b\)?)?+"
    rf"{_PAREN_SCALE}(?:{_GAP}|->|→)++"
    rf"(?:(?:is|of|at|would be|as)\b{_GAP}*+(?:an? )?+)?+(?:{_ABOUT}{_GAP}*+)?+(?:{_BOUND}{_GAP}*+)?+"
    rf"(?:(?:(?:very|moderately|fairly|quite|rather) )?"
    rf"(?:high|low|moderate|medium) ?\((?=[^()]{{1,8}}\)))?+(?:[-–—≈~]\s++)?+{_NUMBER}{_UNIT}",
    re.IGNORECASE | re.MULTILINE,
)
_CHINESE = expression(
    r"(?<![不非无没缺])(?<!没有)(?<!缺乏)(?:置信度|置信水平|信心|把握|可信度|确信度)()()(?:水平|分数|指数|为|是|约|大约|有|[:=\s])*+"
    rf"(?:\((\d{{1,3}})[-–—](\d{{1,3}})()%?\)(?:[:=\s]|为|是)*+)?+(?:{_BOUND})?+{_NUMBER}{_UNIT}"
)
_SAID = expression(
    rf"(?<![\d.,/])(?<!\d ){_NUMBER} ?(?:%|per ?cent) ?(?:(?:confiden(?:t|ce)|certain(?:ty)?|sure)\b"
    rf"|的?(?:把握|信心|置信|确信))"
    r"(?! (?:interval|limit|bound|region|band))"
    r"(?:(?: (?:in|for|of|about|that)(?: (?:the answer is|it is|it['’]s|this is))?| (?:the answer is|it is|it['’]s"
    r"|this is))"
    r" (?:option )?\(?(?-i:([A-HJ-Z]))\b)?",
    re.IGNORECASE,
)
_UNSAID = expression(
    r"(?:\bnot|n['’]t|\bno|\bnever|\bthan|\bleast|\bmost|\bover|\bunder|\babove|\bbelow|\bup to|\bto"
    r"|\band|\bor|\bbetween"
    r"|[<>≥≤]|[\d%] ?[~–—-]) ?(?:a |be |quite |even )?$",
    re.IGNORECASE,
)
_SHORT = expression(r"[\s)\]}.,:;–—(\[-]{0,5}" + _NUMBER + r"\s?%(?=\s?(?:[)\]]|$|\.?(?:\n|$)))")
_BEHIND_A_TEXT = expression(r"\s?[)\]]?\s?[(\[,;:–—-]\s?(?=\d)")
_BARE_SHORT = expression(r"[\s)\]}.,:;–—(-]{0,5}" + _NUMBER + r"(?=\s?(?:\)|$|\.?(?:\n|$)))")

_FRACTION = expression(r"\s?\(?(?:/|out of|of)\s?(\d++)(?![\d/]|\.\d| ?%)", re.IGNORECASE)
_TOPS = frozenset({1, 4, 5, 7, 10, 20, 100})
_ON_A_SCALE = expression(
    r",?\s?\(?(?:on )?(?:the |a )?scale (?:of |from )?(\d{1,3}) ?(?:[-–—]|to) ?(\d{1,3})\)?", re.IGNORECASE
)
_SCALE_BEFORE = expression(r"scale (?:of |from )?(\d{1,3}) ?(?:[-–—]|to) ?(\d{1,3})", re.IGNORECASE)
_SOME_SCALE = expression(
    r"\b(?:on|in|by|with|using) (?:an? |the |this |that |my |your |some )?(?:[\w-]{1,12} )?scale\b"
    r"|\bscale ?(?:of|from|to|[:=(]? ?\d)|\blikert\b|\d-point\b",
    re.IGNORECASE,
)
_ATTACHED = expression(
    r"\s?(?:chance|likelihood|probability) (?:it is|it['’]s|of|for|that it is) (?:option )?\(?(?-i:([A-HJ-Z]))\b"
    r"|\s?(?:\((?:this is )?(?:the )?(?:confidence |probability ))?(?:for|in|about|that) (?:option )?\(?"
    r"(?-i:([A-HJ-Z]))\b|\s?\((?:option )?(?-i:([A-Z]))\)",
    re.IGNORECASE,
)
# The published form, whose number is taken as it is, clipped.
_PUBLISHED = expression(r"confidence\s++\d{1,3}(?!\d)", re.IGNORECASE)


MOST_STATED = 300
"""Confidences of one form beyond which a text is no reply to anything."""


@dataclass(frozen=True, slots=True)
class Stated:
    """One place where a text states a confidence.

    Attributes:
        at: Place of the words that announce it.
        end: Place behind its number, its unit and its scale.
        value: The confidence in [0, 1]; None where it is no single number on a known scale.
        letter: The option that it is said of; None where none is named.
        unit: Whether the number was followed by its unit or its scale, so that nothing more of it can come.
    """

    at: int
    end: int
    value: float | None
    letter: str | None = None
    unit: bool = False


def stated_confidences(text: str, scale: Scale) -> Iterator[Stated]:
    """List the confidences that a plain text states, in order.

    Args:
        text: Plain text.
        scale: What a bare number is.

    Yields:
        Each, with None for its value where a range, a bound or an unknown scale leaves doubt.
    """
    forms = (islice(form.finditer(text), MOST_STATED + 1) for form in (_CUED, _CHINESE))
    cued = (match for match in chain.from_iterable(forms) if not is_anothers(text, match.start()))
    found = [_cued(text, match, scale) for match in cued]
    taken = {(stated.at, stated.end) for stated in found}
    for match in islice(_SAID.finditer(text), MOST_STATED + 1):
        if any(at <= match.start() < end for at, end in taken) or is_anothers(text, match.start()):
            continue
        before = text[max(match.start() - 24, 0) : match.start()]
        denied = _UNSAID.search(before) or is_unreal(text, match) or is_of_the_contrary(text, match.end())
        value = None if denied else _per_cent(float(match[1]))
        found.append(Stated(match.start(), match.end(), value, match[2], unit=True))
    yield from sorted(found, key=lambda stated: stated.at)


def short_confidence(
    text: str, end: int, scale: Scale, *, own: int, announced: bool, texts: Collection[str] = ()
) -> Stated | None:
    """Read the number right behind an answer: "B (85%)", "B: Right lung (85%)".

    Args:
        text: Plain text.
        end: Place behind the answer.
        scale: What a bare number is.
        own: Place behind the option's own text, where that follows the letter; else 0. A per cent that only a blank
            parts from a text belongs to the text ("stenosis 50%").
        announced: Whether "answer and confidence" was written ahead, so that the number needs no per cent sign.
        texts: The options' texts, one of which the number may belong to.

    Returns:
        What is stated; None where no number ends the line.
    """
    apart = _BEHIND_A_TEXT.match(text, own) if own else None
    match = _SHORT.match(text, end) or (_SHORT.match(text, apart.end()) if apart else None)
    if match:
        stated = Stated(match.start(1), match.end(), _per_cent(float(match[1])), unit=True)
        return None if _is_in_a_text(match[1], texts) else stated
    match = _BARE_SHORT.match(text, end) if announced else None
    return None if match is None else Stated(match.start(1), match.end(), _value(match[1], percent=False, scale=scale))


def _is_in_a_text(number: str, texts: Collection[str]) -> bool:
    """Whether a number beside a letter is one of an option's text: "D: 85%" where that is the text of one."""
    return any(number in _DIGITS.findall(each) for each in texts)


def is_crossed(text: str, end: int) -> bool:
    """Whether a sign behind a number, in its line, says that it is wrong or a joke."""
    return _CROSSED.match(text, end) is not None


_CROSSED = expression(r"[^\n]{0,40}[❌✖✗✘☒🚫⛔👎🤔🤡😂]")
_DIGITS = expression(r"\d+(?:\.\d+)?")


def _cued(text: str, match: re.Match[str], scale: Scale) -> Stated:
    of, letter, low, high, only, bound, number, unit = match.groups()
    letter = of or letter
    end = match.end()
    top = _top(low, high) if high else int(only) if only else None
    fraction = _FRACTION.match(text, end)
    behind = fraction or _ON_A_SCALE.match(text, end)
    if behind and not (unit and fraction):
        own = int(behind[1]) if fraction else _top(behind[1], behind[2])
        if top is not None and own != top:
            bound = "two scales"
        top, end = own if own in _TOPS else 0, behind.end()
    elif top is None and not unit:
        before = text[max(match.start() - 120, 0) : match.start()]
        ahead = [*_SCALE_BEFORE.finditer(before)]
        if ahead:
            top = _top(ahead[-1][1], ahead[-1][2])
        elif _SOME_SCALE.search(before):
            bound = "unknown scale"
    attached = _ATTACHED.match(text, end)
    if attached:
        letter = attached[1] or attached[2] or attached[3]
    value = None
    if top is None and float(number) > 100 and _PUBLISHED.match(text, match.start()):
        number = "100"
    open_scale = text[end : end + 1] == "分" and float(number) <= 10
    doubtful = is_unreal(text, match) or is_no_single_number(text, end) or is_of_the_contrary(text, end)
    if not (bound or open_scale or doubtful):
        value = _value(number, percent=bool(unit), scale=scale) if top is None else _scaled(number, top, bool(unit))
    return Stated(match.start(), end, value, letter or None, unit=bool(unit) or bool(behind))


def _top(low: str, high: str) -> int:
    """Return the scale's upper end; 0, on which nothing can be read, where it does not begin at 0 or 1."""
    return int(high) if int(low) in (0, 1) else 0


def _value(number: str, *, percent: bool, scale: Scale) -> float | None:
    value = float(number)
    if percent:
        return _per_cent(value)
    if scale == "probability":
        return value if 0 <= value <= 1 else None
    return value if "." in number and 0 <= value <= 1 else _per_cent(value)


def _scaled(number: str, top: int, percent: bool) -> float | None:
    """Read a number on a declared scale from 0 or 1 to top."""
    value = float(number)
    if percent:
        return _per_cent(value) if top in (1, 100) else None
    if top == 100 and "." in number and value <= 1:
        return None
    return value / top if top > 0 and 0 <= value <= top else None


def _per_cent(value: float) -> float | None:
    """Share that per cents are; None where no share is that large or below 0."""
    return value / 100 if 0 <= value <= 100 else None
