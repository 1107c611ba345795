"""Doubts about a number that is stated as a confidence: another's, in something else, not had, or not one number."""

from __future__ import annotations

import re

from prompt4trust.verdict.plain_text import last_sentence
from prompt4trust.verdict.words import Place, words_at
from prompt4trust.verdict.words.expressions import expression

_B = r"[^\S\n]"  # a blank of the same line
# Words right before "confidence" that make it one in something else than the answer.
_IN_SOMETHING_ELSE = expression(
    r"\b(?:quality|image|picture|technical|technique|segmentation|detection|localization|localisation|positioning|OCR"
    r"|annotation|measurement|registration|acquisition|laterality|second|alternative|runner-up"
    # One that is wished, asked for, another's or of many.
    r"|desired|wanted|intended|needed|necessary|required|hoped-for|ideal|target|reach|attain|need|goal"
    r"|threshold|cut-?off|baseline|minim\w+"
    r"|maxim\w+|expected|human|mean|median|average|typical|usual|default|historical)(?:['’]s)?:? $",
    re.IGNORECASE,
)
_SENTENCE_START = expression(r"[.!?;](?=\s)|\n|\banswer\b", re.IGNORECASE)
_ANOTHER = expression(rf"{words_at(Place.CONFIDENCE)}(?!.*\b(?:I|my)\b)", re.IGNORECASE)
# An earlier thought's: "at first I thought this was A, with confidence 70".
_ONCE_THOUGHT = expression(
    r"\b(?:(?:at first|initially|originally|to begin with|earlier),? I"
    r"|I (?:(?:had )?(?:at )?first|initially|originally))"
    r" (?:thought|believed|guessed|assumed|leaned|said|took)\b(?!.*\b(?:but|however|now|yet|then|until)\b)",
    re.IGNORECASE,
)
_NO_SINGLE_NUMBER = expression(
    rf"{_B}?[-–—~]\s?\d|[,×x]\d|{_B}?(?:%|percent)?(?:\s?(?:to|or|through|and|到|至|或)|{_B}?[-–—~])\s?\d|{_B}?/{_B}?\d"
    r"|e[-+]?\d"
    rf"|{_B}?(?:±|\+/?-)|\+|[½¼¾⅓⅔]|\s?(?:or|and) (?:more|less|higher|above|lower|below|over)\b"
    r"|以上|以下|以内|未満|超|多|成|折|分中|分之"
    r"|[- ]?(?:odd|something|plus)\b|,? ?(?:or )?(?:maybe|perhaps|possibly|rather|now) \d|\s?(?:→|->|=>)\s?\d"
    r"|[↑↓?]|:\d"
    rf"|{_B}?%?{_B}?\(?(?:if|unless|assuming)\b"
    rf"|{_B}?%?,?{_B}?\(?(?:unless|provided|as long as)\b|{_B}?\(\d ?=|{_B}?in{_B}?\d"
    rf"|{_B}?(?:[cm]m|ml|kg|HU|kV|years?|months?|weeks?|days?|hours?)\b"
    rf"|{_B}?/|{_B}?stars?\b|\.\d|(?:st|nd|rd|th)\b|{_B}?=|-?{_B}?point\b|{_B}?of\b|[^.\n\d]{{0,40}}\b(?:scale"
    rf"|likert)\b"
    r"|[^.\n\d]{0,12}\d{1,3}-point\b"
    # A comparison with another number, and a number in two pieces.
    rf"|{_B}?(?:percent(?:age)? points?|points?)\b"
    rf"|{_B}?(?:lower|higher|less|more|worse|better|above|below|greater|smaller|fewer)\b"
    rf"|{_B}{{1,3}}\d|(?<=\b0)\. \d"
    # A scale or an interval behind it, a sum, a measure, a bound.
    rf"|{_B}?\((?![01] ?(?:[-–—]|to) ?100\b)\d{{1,3}}{_B}?(?:[-–—]|to){_B}?\d"
    rf"|{_B}?%?{_B}?\(?(?:\d{{1,3}}{_B}?%{_B}?)?CI\b"
    rf"|{_B}?%?{_B}?(?:minus|plus|times|x|×|\*|\+|-){_B}?\.?\d|[- ]?(?:ms|bpm|Hz|kVp?|mAs|degrees?|°|slices?|images?"
    rf"|beats?)\b"
    rf"|[- ]years?\b|{_B}?%?,?{_B}?\(?(?:at (?:the )?(?:best|most|least|worst)|max\w*|min\w*|tops)\b"
    rf"|{_B}(?:mg|F|cases|patients|pixels)\b|{_B}?%?{_B}(?:stenosis|as (?:stated|given|claimed)|and (?:falling"
    rf"|rising|dropping))\b"
    rf"|{_B}?%?\.{_B}(?:No|Actually|Rather|Wait),? \d|{_B}?%?, (?:wrong|incorrect)\b",
    re.IGNORECASE,
)
# The sentence goes on to another number: "80 before, 40 now", "80% - no, 40%", "80 (was 90)".
_TO_ANOTHER = expression(
    r"\s?%?[^\n.!?\d]{0,50}?\b(?:no|vs|probably|actually|not|before|after|(?:down|up)graded|i\.e\.|that is|given|for"
    r"|was|from|to|dropping"
    r"|now"
    r"|then|initially|at first|or|but|minus|plus|falling|rising|lowered|reduced|raised|of the time)(?:\b"
    r"|(?<=\.))[^\n.!?\d]{0,50}?"
    r"(?<![\w.])\d{1,3}(?:\.\d+)?(?! ?(?:[cm]m|ml|kg|HU|years?|months?|weeks?|days?|hours?)\b|[^\W\d_])",
    re.IGNORECASE,
)
# A confidence that is not had: wished, on condition, or of another time.
_UNREAL = expression(
    r"^\W*with (?:contrast|(?:more|better|another|additional|further)\b(?! (?:confidence|certainty)))[^.;\n]{0,40},"
    r"|\b(?:wish|used to be|nowhere near|far from|could (?:be|have)|should be|might be|may be"
    r"|in (?:past|previous|other|earlier|similar|most|such) \w+)\b"
    r"|\bwith (?:an?|the|more|better|another|additional|contrast)\b.*(?:\bwould\b|['’]d\b)"
    r"|(?:\bwould (?:be|have)\b|['’]d (?:be|have)\b).*\b(?:with (?:an?|the|more|better|another|additional|contrast)"
    r"|had|if"
    r"|given|were|once|when|after|provided)\b",
    re.IGNORECASE,
)
# The confidence is one in the contrary: "80% sure that I am wrong", "20% confident that it is not B"; or in something
# else. What stands on the next line, such as that this is no medical advice, is not said of it.
_OF_THE_CONTRARY = expression(
    rf"{_B}?\(?(?:,? ?(?:that|this|it|I|my|the|there|in|of)\b(?! is not (?:an? )?(?:medical|professional"
    rf"|clinical|substitute))"
    rf"[^.\n;,]{{0,60}}?(?:{words_at(Place.SURE_THAT)}|n['’]t\b)"
    r"|(?:un(?:sure|certain)|doubt|uncertainty|not (?:option )?(?-i:[A-Z]))\b"
    r"|(?:in|of|about|regarding|for) (?:the )?(?:image|picture|film|scan|technical|technique|positioning"
    r"|quality|segmentation|measurement)(?:['’]s)?"
    r"(?: quality| positioning)?(?=[.,;\n)]|$)"
    r"|(?:in|of|about|regarding|for) (?:the |my |its )?(?:quality|sharpness|exposure|adequacy|resolution|acquisition"
    r"|positioning|technique|laterality|orientation|legibility|completeness) of\b"
    r"|that (?:the|this) (?:image|picture|film|scan|study|x-?ray|radiograph|photo\w*|slice|view|exam\w*|question)\b"
    r"(?! (?:shows?|demonstrates?|depicts?|reveals?|displays?)\b)"
    r"|[^.\n;,]{0,50}?\b(?:error|wrong|incorrect|mistaken)\b)",
    re.IGNORECASE,
)


def is_anothers(text: str, at: int) -> bool:
    """Whether the sentence that leads to a confidence says it of somebody or something else.

    Args:
        text: Plain text.
        at: Place of the words that announce the confidence.
    """
    before = text[max(at - 80, 0) : at]
    if _IN_SOMETHING_ELSE.search(before):
        return True
    ahead = last_sentence(before, _SENTENCE_START)
    return _ANOTHER.search(ahead) is not None or _ONCE_THOUGHT.search(ahead) is not None


def is_unreal(text: str, match: re.Match[str]) -> bool:
    """Whether the sentence around a confidence tells of one that is not had.

    Args:
        text: Plain text.
        match: Where the confidence is stated.
    """
    before = text[max(match.start() - 80, 0) : match.start()]
    ahead = last_sentence(before, _SENTENCE_START)
    end = _SENTENCE_START.search(text, match.end(), match.end() + 60)
    return bool(_UNREAL.search(ahead + text[match.start() : end.start() if end else match.end() + 60]))


def is_of_the_contrary(text: str, end: int) -> bool:
    """Whether the words behind a number make it a confidence in the contrary, or in something else.

    Args:
        text: Plain text.
        end: Place behind the number and its unit.
    """
    return _OF_THE_CONTRARY.match(text, end) is not None


def is_no_single_number(text: str, end: int) -> bool:
    """Whether a number is an end of a range, a bound or a part of another, or its sentence goes on to another number.

    Args:
        text: Plain text.
        end: Place behind the number and its unit.
    """
    return bool(_TO_ANOTHER.match(text, end) or _NO_SINGLE_NUMBER.match(text, end))
