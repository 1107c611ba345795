"""A model's own words of certainty in its reply: found and marked, so that nobody takes them for a measured confidence.

A reply may say "clearly" or "confidence 95" where of a hundred such answers thirty are right. Numbers of confidence are
left out; words are marked and stay, as they may be a finding's content ("possible fracture") and a sentence without
them may say something else. Every expression is bounded, so that it takes time linear in the text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, Literal

from prompt4trust.verdict.certainty.words import CUE, CUED_NUMBERS, LEVELS, OPINION, WORDS, lower_case
from prompt4trust.verdict.confidences import stated_confidences
from prompt4trust.verdict.even_text import EvenText
from prompt4trust.verdict.last.loose_confidences import loose_confidences
from prompt4trust.verdict.outcome import Verdict
from prompt4trust.verdict.parsing import parse_verdict
from prompt4trust.verdict.plain_text import without_thoughts
from prompt4trust.verdict.words.expressions import expression

LONGEST: Final = 20_000
"""Signs beyond which nobody reads an explanation."""
NUMBER_LEFT_OUT: Final = "[number left out]"
"""Stands where a model stated a number for its confidence."""
MARK: Final = "[unchecked: {}]"
"""Put around a model's own words of certainty."""


@dataclass(frozen=True, slots=True)
class SelfAssessment:
    """A place where a model says how sure it is.

    Attributes:
        start: Its place in the text.
        end: The place behind it.
        kind: "number" for a number of confidence; "words" for words, and for numbers that may be a finding's.
    """

    start: int
    end: int
    kind: Literal["number", "words"]


def self_assessments(text: str, options: Collection[str] = ()) -> list[SelfAssessment]:
    """List the places where a text says how sure it is.

    Args:
        text: Anything; full-width signs, Markdown, HTML, JSON and invisible characters are seen through.
        options: Letter -> text, so that a share right behind an option's text is found too; or the letters alone.

    Returns:
        The places in order; none overlaps another.

    Example:
        >>> [(each.kind, each.end) for each in self_assessments("Clearly B, confidence 85.")]
        [('words', 7), ('number', 24)]
    """
    even = EvenText.of(text)
    plain = even.lower
    numbers = {*_stated(even), *_beside_letters(plain)}
    doubtful = {*_in_cued_clauses(plain), *_behind_options(plain, options)}
    words = {found.span() for found in WORDS.finditer(plain)} | {found.span(1) for found in LEVELS.finditer(plain)}
    certain = list(_merged(numbers))
    marked = [part for span in _merged(doubtful | words) for part in _outside(*span, certain)]

    def placed(span: Span, kind: Literal["number", "words"]) -> SelfAssessment:
        return SelfAssessment(even.places[span[0]], even.places[span[1] - 1] + 1, kind)

    found = [*(placed(span, "number") for span in certain), *(placed(span, "words") for span in marked)]
    return sorted(found, key=lambda each: each.start)


def mark_self_assessments(text: str, options: Collection[str] = ()) -> str:
    """Leave out a model's numbers of confidence and mark its words of certainty; its thoughts are left out, too.

    Args:
        text: A model's reply.
        options: Letter -> text, or the letters alone.

    Returns:
        The text for a person who reads it beside a calibrated confidence.

    Example:
        >>> mark_self_assessments("This is clearly a mass. The answer is B with confidence 95.")
        'This is [unchecked: clearly] a mass. The answer is B with confidence [number left out].'
        >>> mark_self_assessments("Possible fracture, 50% displaced.")
        '[unchecked: Possible] fracture, 50% displaced.'
    """
    said = without_thoughts(text)
    text = text if said is None else said.strip() if said != text else text
    rest = "" if len(text) <= LONGEST else "\n[the rest is left out]"
    text = text[:LONGEST]
    parts: list[str] = []
    since = 0
    for each in self_assessments(text, options):
        found = text[each.start : each.end]
        parts += [text[since : each.start], NUMBER_LEFT_OUT if each.kind == "number" else MARK.format(found)]
        since = each.end
    shown = "".join([*parts, text[since:]])
    if _ANY_NUMBER.search(shown) and isinstance(parse_verdict(shown, options), Verdict):
        # In a form that only the parser knows: nothing is to be left that it, or a person, could take for a confidence.
        shown = _ANY_NUMBER.sub(NUMBER_LEFT_OUT, shown)
    return shown + rest


Span = tuple[int, int]

_PER_CENT = (
    r"(?:%(?:ige[mnrs]?\b|:n\b)?|‰|per ?cent\b|percent\b|-?Prozent(?:ige[mnrs]?)?\b|pour ?cent\b|por ciento\b"
    r"|-?pro[cs]ent\w{0,4}|-?процент\w{0,4}|パーセント|프로)"
)
_ALONE = r"(?<!\d[.,])(?<![\dA-Za-z_])"
_DIGITS = rf"{_ALONE}(?:[-+](?=\d))?(?:\d{{1,4}}(?:[.,]\d{{1,6}})?[½¼¾⅓⅔]?|\.\d{{1,6}})"
_TENS = r"(?:ten|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|(?:a |one )hundred|hundred)"
_UNITS = r"(?:one|two|three|four|five|six|seven|eight|nine)"
_IN_WORDS = rf"\b(?:(?:{_TENS}(?:[ -]{_UNITS})?|{_UNITS}) ?{_PER_CENT}|{_UNITS} (?:out of|in|times out of) ten\b)"
_ANY_NUMBER: Final = expression(
    rf"[\d½¼¾⅓⅔](?:[\d.,/½¼¾⅓⅔]{{0,12}}[\d½¼¾⅓⅔])?(?: ?[%％])?|\b(?:{_TENS}(?:[ -]{_UNITS})?|{_UNITS})\b", re.IGNORECASE
)
_CHINESE_SHARE = r"百分之[零〇一二两三四五六七八九十百点\d]{1,8}|[一二两三四五六七八九十\d]成(?![年人为像分])"
_TAIL = (
    rf"(?: ?{_PER_CENT})?(?: ?(?:[-–—~/:]|to|(?:times )?out of|of|或|到|至) ?\d{{1,3}}(?:[.,]\d{{1,4}})?"
    rf"(?: ?{_PER_CENT})?)?"
)
_NUMBER = lower_case(rf"(?:(?<!-)[<>≤≥≈~] ?)?{_DIGITS}{_TAIL}|{_IN_WORDS}|{_CHINESE_SHARE}|[★☆⭐]{{2,10}}")
_SHARE = lower_case(
    rf"(?:[<>≤≥≈~] ?)?{_DIGITS}(?: ?[-–—~/] ?\d{{1,3}})? ?{_PER_CENT}"
    rf"|{_DIGITS} ?(?:/|out of|times out of|of) ?(?:4|5|7|10|20|100)(?![\d/])"
    rf"|{_ALONE}(?:0?\.\d{{1,4}}|1\.0{{1,2}})(?!\d)"
    rf"|{_IN_WORDS}|{_CHINESE_SHARE}",
)
_SPOKEN = lower_case(rf"(?:{_TENS}(?:[ -]{_UNITS})?|{_UNITS})\b(?: out of ten\b)?")
_MEASURED = lower_case(r" ?(?:[mc]m|ml|mg|hu|kv|kg|years?|weeks?|months?|days?)\b|[-/]?year")
_CONTENT = lower_case(r" ?(?:of the|of his|of her|of its)\b| ([a-z]{4,})")
_GOES_ON = frozenset(
    {"given", "because", "since", "that", "with", "this", "likely", "probability", "probable", "chance", "certain"}
    | {"certainty", "sure", "confident", "confidence", "likelihood", "here", "when", "although", "though", "based"}
)
_CLAUSE_END = lower_case(r"[.!?;](?=\s|$)|\n")
_NEAR: Final = 70


def _stated(even: EvenText) -> Iterator[Span]:
    """Yield the numbers of what the verdict's parser takes for a confidence, and of a few looser forms."""
    plain = even.lower
    for stated in chain(stated_confidences(even.plain, "per-cent"), loose_confidences(even.plain)):
        # A little beyond its end, so that the rest of a range is not left behind.
        for number in _NUMBER.finditer(plain, stated.at, min(stated.end + 16, len(plain))):
            if number.start() < stated.end:
                yield number.start(), _end_of_range(plain, number.end())
    for form in CUED_NUMBERS:
        for cued in form.finditer(plain):
            at_once = _NUMBER.match(plain, cued.end()) or _SPOKEN.match(plain, cued.end())
            if at_once and not _MEASURED.match(plain, at_once.end()):
                yield at_once.start(), _end_of_range(plain, at_once.end())
    for number in _NUMBER.finditer(plain):
        if _SURE_BEHIND.match(plain, number.end()):
            yield number.span()


def _end_of_range(plain: str, end: int) -> int:
    """Place behind the numbers that a number is joined to: "70 and 80", "85 ± 10"."""
    joined = _JOINED.match(plain, end)
    return joined.end() if joined else end


_JOINED = lower_case(
    rf"(?: ?(?:[-–—~/±]|\+/?-|to|and|or|bis|到|至|或) ?\d{{1,4}}(?:[.,]\d{{1,4}})?(?![\d.]?\d){_TAIL}){{1,3}}"
)
_SURE_BEHIND = lower_case(
    rf"[\s)\]\"'’”-]{{0,3}}(?:of |in |的|points? of |de |di |d['’]|op )?{CUE}(?! (?:interval|limit|bound|band|region))"
)
_BY_LETTER = lower_case(r"(?<![\w'’-])(?:[a-z]|yes)(?:[);\[\].:,|–—=(\s\"'“”’-]|->|→|是|为){1,6}(?=[\d.<>≈~])")
_OWN_LINE = lower_case(r"[\s)\]|.\"'}]{0,6}(?:$|\n)")


def _beside_letters(plain: str) -> Iterator[Span]:
    """Yield the shares that stand behind a letter or yes, as "B (85%)", or make up a line with it, as "B, 85"."""
    for letter in _BY_LETTER.finditer(plain):
        number = _NUMBER.match(plain, letter.end())
        if number is None:
            continue
        alone = plain[max(letter.start() - 12, 0) : letter.start()].strip(" \"'(|[:")
        begins = not alone or alone.endswith(("\n", ".", "answer", "guess", "is"))
        ends = _OWN_LINE.match(plain, number.end()) is not None
        share = _SHARE.match(plain, number.start())
        if (share and not _is_content(plain, share.end())) or (begins and ends):
            yield number.span()


def _in_cued_clauses(plain: str) -> Iterator[Span]:
    """Yield the shares in clauses that speak of certainty or opinion, whether or not they belong to it."""
    table_until = -1
    for start, end in _clauses(plain):
        clause = plain[start:end]
        cues = [cue.span() for form in (_CUE, OPINION) for cue in form.finditer(clause)]
        if cues and "|" in clause and start >= table_until:
            table_until = _table_end(plain, end)
        in_table = start < table_until and "|" in clause
        if not cues and not in_table:
            continue
        for share in _SHARE.finditer(plain, start, end):
            at, behind = share.start() - start, share.end() - start
            near = in_table or any(at - cue[1] <= _NEAR and cue[0] - behind <= _NEAR for cue in cues)
            if near and not _is_content(plain, share.end()):
                yield share.span()
        if in_table:
            yield from (number.span() for number in _NUMBER.finditer(plain, start, end))


def _behind_options(plain: str, options: Collection[str]) -> Iterator[Span]:
    texts = options.values() if isinstance(options, Mapping) else ()
    for option in (str(text).strip().lower() for text in texts):
        at = plain.find(option) if option else -1
        while at >= 0:
            end = at + len(option)
            gap = _BEFORE_SHARE.match(plain, end)
            share = _SHARE.match(plain, gap.end()) if gap else None
            if share and not _is_content(plain, share.end()):
                yield share.span()
            at = plain.find(option, end)


_BEFORE_SHARE = lower_case(r"[\s:=(\[|,–—\"-]{1,6}")
_CUE = lower_case(CUE)


def _is_content(plain: str, end: int) -> bool:
    """Whether a noun behind a share takes it: "70% stenosis", "50% of the lung"."""
    behind = _CONTENT.match(plain, end)
    return bool(_MEASURED.match(plain, end)) or (behind is not None and (behind[1] or "of") not in _GOES_ON)


def _clauses(plain: str) -> Iterator[Span]:
    since = 0
    for found in _CLAUSE_END.finditer(plain):
        yield since, found.end()
        since = found.end()
    yield since, len(plain)


def _table_end(plain: str, at: int) -> int:
    """Place behind the lines with a bar that follow a place."""
    while at < len(plain):
        end = plain.find("\n", at)
        end = len(plain) if end < 0 else end + 1
        if "|" not in plain[at:end]:
            break
        at = end
    return at


def _merged(spans: Collection[Span]) -> Iterator[Span]:
    """Yield spans in order, those that overlap as one."""
    last: Span | None = None
    for start, end in sorted(spans):
        if last is not None and start < last[1]:
            last = (last[0], max(last[1], end))
            continue
        if last is not None:
            yield last
        last = (start, end)
    if last is not None:
        yield last


def _outside(start: int, end: int, taken: Sequence[Span]) -> Iterator[Span]:
    """Yield the parts of a span that none of the spans, which are in order, covers."""
    for begin, behind in taken[max(bisect_right(taken, (start, start)) - 1, 0) :]:
        if begin >= end:
            break
        if begin > start:
            yield start, begin
        start = max(start, behind)
    if start < end:
        yield start, end
