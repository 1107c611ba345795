"""Letters with which a reply begins, before any word that would announce them: "B, I'm 95 % sure"."""

from __future__ import annotations

import re
from collections.abc import Mapping

from prompt4trust.verdict.claims.claim import Claim
from prompt4trust.verdict.claims.lone_letters import begins_a_measure, has_alternatives, own_text
from prompt4trust.verdict.claims.standing import is_meant
from prompt4trust.verdict.words.expressions import expression

_COURTESY = (
    r"(?:(?:(?:most |very )?(?:likely|probably)|definitely|clearly|certainly|almost certainly"
    r"|surely),?:? (?=[(\[]?(?-i:[A-Z])\b))?+"
    r"(?:(?:certainly|sure|of course|okay|ok|alright|understood|absolutely)[.!,:]\s)?+"
    r"(?:here (?:you go|it is|is my answer|is the answer)[.!:]\s)?+"
)
# In lower case, within brackets or with a sign behind it: "(f), 77% sure".
_LETTER = r"(?-i:[A-Z]|(?<=\()[a-z](?=\))|a(?=\) )|[b-hj-z](?=[).,:;\n]| [(–—-]))"
_LEAD = expression(
    rf"{_COURTESY}[\s(\[\"'“_]*+(?P<option>(?:option"
    rf"|choice) )?(?:\()?(?P<letter>{_LETTER})(?![^\W_])[\s)\]\"'”_.:,;–—(\[-]*+",
    re.IGNORECASE,
)
_LISTING = expression(r"^[ (\[]*+[A-Za-z](?: ?[.):]|[)\]]?$)", re.MULTILINE)
# The first row of a distribution is no answer: "A (15%), B (85%)".
_WITH_A_NUMBER = expression(rf"(?<![^\W_])({_LETTER})[)\].]?\s?[(\[:=,–—-]?\s?(?:with )?(?:confidence )?~?\d")
_ANOTHER_OPTION = expression(r"\b(?:option|choice) \(?[A-Z]\b", re.IGNORECASE)
# "A CT would be better": the letter is an article, and its text goes on.
_TEXT_GOES_ON = expression(r" ?[^\W\d_]")
_LINE_GOES_ON = expression(r"(?!(?i:confiden|certain|because|since|my|with|and|at|i\b))(?-i:[a-z])")
_CLOSES = expression(r" ?(?:with|at|and|confiden|certain|I\b|my\b)", re.IGNORECASE)
_AFTER_LEAD = expression(
    r"(?:I(?:['’]d| would) (?:put|say|rate|estimate|give) |I(?:['’]m| am) |(?:about|around|roughly) |with |at "
    r"|my |and |a )*+"
    r"(?:(?:though|although|because|since|given|as|due)\b[^.;!?\n]{1,160}\b(?=\d{1,3} ?% ?(?:confiden|sure"
    r"|certain)|confiden\w+ )|confiden|certain|\d++(?:\.\d++)? ?(?:%|percent|confiden)|置信|信心)",
    re.I,
)


def leading_letter(text: str, options: Mapping[str, str]) -> Claim | None:
    """Read the letter with which a reply begins, alone or with its option's text.

    Args:
        text: Plain text that claims no answer in words.
        options: Letter -> text.

    Returns:
        The claim; None where the reply begins otherwise, or lists several options.
    """
    lead = _LEAD.match(text)
    if lead is None or lead["letter"].upper() not in options or len(_LISTING.findall(text)) > 1:
        return None
    letter, at = lead["letter"].upper(), lead.start("letter")
    if any(each[1].upper() in options and each[1].upper() != letter for each in _WITH_A_NUMBER.finditer(text, at)):
        return None
    if begins_a_measure(text, at):
        return None
    if lead["option"] and _ANOTHER_OPTION.search(text, at):
        return None
    own = own_text(text, at, options)
    line = text[at + 1 : lead.end()]
    article = letter == "A" and line == " "
    if own and (lead["option"] or article) and _goes_on(text, at + own):
        return None
    if not own and "\n" in line and _LINE_GOES_ON.match(text, lead.end()):
        return None
    if not own and "\n" not in line and lead.end() < len(text) and not _AFTER_LEAD.match(text, lead.end()):
        return None
    return Claim(0, at, at + 1, letter, has_alternatives(text, at, options), is_meant(text, 0, at))


def _goes_on(text: str, at: int) -> bool:
    """Whether a sentence goes on with words of its own behind an option's text."""
    return _TEXT_GOES_ON.match(text, at) is not None and _CLOSES.match(text, at) is None
