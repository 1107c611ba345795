"""Lines that are nothing but an option and a number, put as the two lines that they stand for: "B, 88", "**A. Cyst**".

A line stands for a verdict where it is the one of its kind, and where it is the whole reply, opens it or ends it, or
has a label or the confidence's line under it; a line that is one of several ("A: 45", "B: 30") is a distribution's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from prompt4trust.verdict.claims.lone_letters import own_text, stands_alone
from prompt4trust.verdict.last.manners import is_doubted
from prompt4trust.verdict.words.expressions import expression

_NUMBER = r"(?P<number>(?:100|\d{2})(?:\.\d{1,2})?|0?\.\d{1,4}|1\.0{1,3})(?P<unit> ?(?:%|per ?cent\b)| ?/ ?100)?"
_LABEL = (
    r"(?:(?:so|thus|therefore|hence|in short)[:,]? )?(?:(?:my|the|final|predicted|chosen|selected|best"
    r"|overall) ){0,3}"
)
_NAMED = r"(?:answer|prediction|choice|pick|verdict|decision|selection|option|conclusion)"
_LETTER = r"(?P<letter>[A-Za-z])"
_BETWEEN = (
    r"(?:[)\].]{0,2}(?: ?[,;:|/–—@~]{1,2} ?| [=-]{1,2} | ?[{(](?:p ?= ?)?)"
    r"|[)\].]{1,2} | ?\()(?:(?:with )?(?:confidence|conf\.?|certainty)[:= ]{1,3})?"
)
_LEAD = expression(
    rf"[\W_]{{0,4}}(?P<label>{_LABEL}{_NAMED}(?: is)?[:= –—-]{{1,3}})?[(\[]?{_LETTER}(?![^\W_])", re.IGNORECASE
)
_PAIR = expression(
    rf"{_LEAD.pattern}"
    rf"{_BETWEEN}{_NUMBER}[\s.!)*_\"'\]}}]{{0,4}}",
    re.IGNORECASE,
)
# Where it is all that is said, a blank is enough between the two.
_WHOLE = expression(
    rf"(?:(?:answer|option|letter|choice) ?[,;/] ?(?:confidence|probability|certainty)[^\n]{{0,12}}\n)?"
    rf"[\W_]{{0,4}}{_LETTER}(?:{_BETWEEN}|[)\].]{{0,2}}[ \n]){_NUMBER}[\s.!)*_\"'\]}}]{{0,4}}",
    re.IGNORECASE,
)
# "B 12" is a vitamin, "T 10" a vertebra, "F 18" an isotope, "F/64" a patient.
_A_NAME = expression(r"\W*(?:[BDTLCS] ?1[0-2]?|C ?1[134]|N ?13|O ?15|F ?18|[FM] ?/ ?\d\d)\W*", re.IGNORECASE)
_OPTION = expression(
    r"(?P<ahead>[-*•–#>_ ]{0,4}(?:(?i:so|thus|therefore|hence|conclusion"
    r"|result)[:,] ?)?(?:(?i:option) )?)[(\[]?(?P<letter>[A-Z])(?![^\W_])[)\].:]{0,2} ?"
)
_SURE = expression(
    r"[-*•\W_]{0,4}(?:my |and )?(?:confidence|certainty)(?: (?:level|score"
    r"|rating))?(?: ?\([^()\n]{1,12}\))?(?: is| of)?[ :=–—-]{1,4}~?[\d.]+",
    re.IGNORECASE,
)
_BARE_NUMBER = expression(r"[\W_]{0,3}(?:\d{2,3}|0?\.\d{1,4}|100)(?: ?%| ?/ ?100)?[\W_]{0,3}")
_LEFT_OUT = expression(
    r"\b(?:rul\w+ out|exclu\w*|wrong|incorrect|distractors?|mimics?|next|other|rejected|eliminated|considered"
    r"|previous|worst|options?(?= ?:?$)"
    r"|differentials?|candidates?|alternatives?|choices(?= ?:?$)|^question|unlike|poor|bad|nor|typical of|example)\b",
    re.IGNORECASE,
)
# A line above that ends no sentence leads to the answer where it says so: "My verdict:", "This makes the answer".
_LEADS = expression(
    r"(?:.* )?(?:these|the) (?:\w+ )?(?:features|findings) (?:fit|match) best with"
    r"|based on the (?:visual )?(?:features|findings)(?: alone)?"
    r"|(?:(?:so|thus|therefore|hence|now|and|this (?:makes|gives)|here is|here['’]s|in (?:short|summary|conclusion)"
    r"|overall)[,:]? )?"
    r"(?:(?:my|the|our|final|short|one-line|best|single|overall|most|likely|selected|chosen|in|a)[ -])*"
    r"(?:answer|verdict|conclusion|response|result|output|decision|choice|pick|prediction|summary|diagnosis|impression"
    r"|assessment|selection|reply|short|in short|bottom line|line)(?: (?:and|with|line|is)(?: (?:my )?confidence)?"
    r"| to the question)?"
    r"|overall|so|thus|therefore|hence|in (?:short|summary|conclusion)",
    re.IGNORECASE,
)
_SENTENCE = expression(r"\W{0,4}[^\W\da-z_]")
_ENDS_IN_A_NUMBER = expression(r"\d ?%?\W*$", re.MULTILINE)
_MARKED_WRONG = expression(r"[👎❌✖✗✘☒🚫⛔🤷🤔🤡😂❓⚠]")
_MOST_LINES = 400
_LONGEST = 100
_SHORT = 3
_CAPITAL = expression(r"(?<![\w'’-])[A-Z](?![\w'’-])")


def with_short_lines(text: str, options: Mapping[str, str]) -> str:
    r"""Put the labels to the one line of a reply that is nothing but an option, with its confidence there or under it.

    Args:
        text: Plain text.
        options: Letter -> text. Where one's text is a number, the number beside a letter may be it, and stays.

    Returns:
        The text; a number needs two digits or a point, since of "B, 4" the scale is open.

    Example:
        >>> with_short_lines("b 70", {"A": "Cyst", "B": "Mass"})
        'Answer: B\nConfidence: 70'
        >>> with_short_lines("It is solid.\n**B: Mass**\nConfidence: 70", {"A": "Cyst", "B": "Mass"})
        'It is solid.\nAnswer: B\nConfidence: 70'
    """
    lines = [line for line in text.split("\n") if line.strip()]
    if not 0 < len(lines) <= _MOST_LINES or (len(lines) > 1 and "|" in text) or _MARKED_WRONG.search(text):
        return text
    if any(re.fullmatch(r"\W*[\d.,]+\W*", each) for each in options.values()):
        return _with_option(lines, options) or text
    if len(text) <= _LONGEST and not _A_NAME.fullmatch(text) and (whole := _WHOLE.fullmatch(text)):
        return _labelled(whole) if whole["letter"].upper() in options else text
    shortened = [_shortened(line, options, alone=len(lines) == 1) for line in lines]
    pairs = [place for place, line in enumerate(shortened) if _is_pair(line, options)]
    if pairs:
        return _with_pair(lines, shortened, pairs, options) or text
    return _with_option(lines, options) or text


def _with_pair(
    lines: Sequence[str], shortened: Sequence[str], pairs: Sequence[int], options: Mapping[str, str]
) -> str | None:
    """Put the labels to the one line of an option and a number; None where it is none of its kind, or no verdict's."""
    place = pairs[0]
    pair = _PAIR.fullmatch(shortened[place])
    if len(pairs) != 1 or pair is None:
        return None
    at_an_end = pair["letter"].isupper() and (
        _may_precede(shortened[1:], pair["letter"], options)
        if place == 0
        else place == len(lines) - 1 and _may_follow(shortened[place - 1])
    )
    if not pair["label"] and not at_an_end:
        return None
    return "\n".join([*lines[:place], _labelled(pair), *lines[place + 1 :]])


def _with_option(lines: Sequence[str], options: Mapping[str, str]) -> str | None:
    """Put the labels to the one line of an option alone that has its confidence under it; None where there is none."""
    named = [place for place in range(len(lines) - 1) if _is_option(lines[place], options, lines[place + 1])]
    if len(named) != 1 or (named[0] and not _may_follow(lines[named[0] - 1], options)):
        return None
    place = named[0]
    letter = _OPTION.match(lines[place])
    below = lines[place + 1]
    below = below if _SURE.match(below) else f"Confidence: {below}"
    return "\n".join([*lines[:place], f"Answer: {letter['letter'] if letter else ''}", below, *lines[place + 2 :]])


def _labelled(pair: re.Match[str]) -> str:
    return f"Answer: {pair['letter'].upper()}\nConfidence: {pair['number']}{'%' if pair['unit'] else ''}"


def _shortened(line: str, options: Mapping[str, str], *, alone: bool) -> str:
    """Leave an option's own text behind its letter out of a short line; put its letter for it in a whole reply."""
    lead = _LEAD.match(line) if len(line) < _LONGEST else None
    own = own_text(line, lead.start("letter"), options) if lead else 0
    if lead and own:
        return line[: lead.end()] + line[lead.start("letter") + own :]
    flat = line.casefold()
    said = [letter for letter, text in options.items() if len(text) > 3 and flat.startswith(text.casefold())]
    if not alone or len(said) != 1 or len(line) >= _LONGEST:
        return line
    own_words = options[said[0]].casefold()
    nested = any(own_words in each.casefold() for letter, each in options.items() if letter != said[0])
    return line if nested else said[0] + line[len(own_words) :]


def _is_pair(line: str, options: Mapping[str, str]) -> bool:
    pair = _PAIR.fullmatch(line) if len(line) < _LONGEST else None
    return pair is not None and pair["letter"].upper() in options and not _A_NAME.fullmatch(line)


def _is_option(line: str, options: Mapping[str, str], below: str) -> bool:
    """Whether a line is an option alone, by letter and text or by a concluding letter, above a confidence."""
    option = _OPTION.match(line)
    if option is None or option["letter"] not in options:
        return False
    at = option.start("letter")
    end = at + own_text(line, at, options)
    by_text = end > at and not line[end:].strip(" .*!_)")
    concluded = re.search(r"\w", option["ahead"]) is not None and not line[option.end() :].strip(" .*!_)")
    return (by_text or concluded) and (_SURE.match(below) or _BARE_NUMBER.fullmatch(below)) is not None


def _may_follow(above: str, options: Mapping[str, str] | None = None) -> bool:
    """Whether the line above an option's lets it be the answer: no other option, no denial, and nobody else's."""
    said = above.strip().rstrip(":").rstrip()
    listed = _OPTION.match(above) if options else None
    if options and listed and listed["letter"] in options and listed[0].strip("-*• ")[1:]:
        return False
    if re.search(r"(?<!\be\.g)(?<!\bz\.B)(?<!\bex)(?<!\bej)[.!]\W{0,2}$", said) and not above.rstrip().endswith(":"):
        return True
    *_, last = ["", *re.split(r"(?<=[.!?]) |, (?:but|however,?) ", said)]
    return not last or _LEADS.fullmatch(last.strip(" #*_-–—,")) is not None


def _may_precede(below: Sequence[str], letter: str, options: Mapping[str, str]) -> bool:
    """Whether lines under a reply's first line leave it its verdict: sentences that doubt nothing and name no other."""
    if not below:
        return True
    rest = "\n".join(below)
    flat = rest.casefold()
    others = {each: text.casefold() for each, text in options.items() if each != letter}
    return not (
        not _SENTENCE.match(rest)
        or is_doubted(rest, 0)
        or _ENDS_IN_A_NUMBER.search(rest)
        or flat.split()[0].strip(".,:;!") in others.values()
        or any(len(text) > _SHORT and text in flat for text in others.values())
        or any(found[0] in others and stands_alone(rest, found.start()) for found in _CAPITAL.finditer(rest))
    )
