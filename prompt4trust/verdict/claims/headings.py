"""Headings that make the verdict under them another's or none: "The user wrote:", "Do not answer like this:".

A heading of the model's own ("Imaging findings the radiologist reads:") is spared: only one that is a speaker and a
verb of saying, or says itself that what follows is wrong, old or an example, takes its verdict away.
"""

from __future__ import annotations

import re

from prompt4trust.verdict.words import Place, words_at
from prompt4trust.verdict.words.expressions import expression

SAY = (
    r"(?:ask|sa[iy]|stat|claim|writ|wrot|suggest|want|tell|told|mention|mark|propos|insist|think|thought|believ|argu"
    r"|read)"
)
"""Pattern of how a verb of saying begins."""

_REPLIES = rf"(?:{SAY}|repl|respon|answer)"
# The last sentence of the line above the verdict; another label ("Confidence: 80") may stand between.
_HEADING = expression(
    r"(?:^|[\n.!?;])(?P<heading>[^\n.!?;]*):\n(?:[^\n:]{1,30}: [^\n]{1,40}\n)?[^.\n]{0,60}$", re.IGNORECASE
)
_SPEAKER = expression(
    r"\W*(?:(?:and|so|then|suppose|say|in|from|according to|as per|per|(?:here is |this is )?(?:what|how)|quoting) )?"
    r"(?:(?:an?|the|another|one|two|my|your|our|his|her|some|any|other|most)\b ?)?"
    r"(?:(?!(?:the|an?|my|this|I)\b)[\w-]+ ){0,2}?"
    rf"(?!(?<=\bmy )(?:report|note)s?\b)(?<!\bthis )(?:{words_at(Place.HEADING)}|\bAI\b)(?:['’]s)?"
    rf"(?:(?!\b(?:(?-i:I)|my)\b)[^.,;\n]){{0,60}}\b{_REPLIES}\w*",
    re.IGNORECASE,
)
_NOT_THIS = expression(
    r"\b(?:previous|earlier|old|original|other|another) (?:answer|draft|reply|response|verdict|version|model)"
    r"(?!\w* (?:option|choice))"
    r"|\b(?:look|looks|reads?) like\b(?=.{0,12}$)|\bin the form\b"
    r"|\b(?:(?:wrong|incorrect)(?! (?:options|choices)\b)|false(?! (?:positive|negative|lumen|aneurysm))|suppos\w+"
    r"|imagine|hypothetical\w*|for instance|example|sample(?= (?:output|answer|reply|response|verdict|format|of)\b|$)"
    r"|template|placeholder|draft|quot(?!ient)\w+)\b"
    r"|(?:\b(?:not|never)|n['’]t)\b(?: (?:to|my|the|an?|your|our|his|her|be|as|correct|right|own)\b){0,3} "
    rf"(?:{_REPLIES}|output|verdict|format|like this)",
    re.IGNORECASE,
)
_FIRST = expression(
    r"\b(?:first|initial) (?:answer|draft|reply|response|verdict|version)(?!\w* (?:option|choice))", re.IGNORECASE
)
_ANOTHER = expression(r"\b(?:answer|verdict|diagnosis|choice)\b(?: is| ?[:=])", re.IGNORECASE)
# "As that is not easy to answer, I reason as follows".
_OWN_CLAUSE = expression(
    rf"(?:,|\b(?:so|and|but|hence|thus|therefore))(?: \w+)? (?:(?-i:I)(?: \w+)? (?:{_REPLIES}|reason|conclu|cho"
    rf"|go)\w*"
    r"|my (?:final |own )?(?:answer|reply|response|verdict|conclusion|choice))[^,]{0,20}\Z",
    re.IGNORECASE,
)


def is_disowned(text: str, before: str, at: int) -> bool:
    r"""Whether the heading above a claim makes it another's, or none.

    Args:
        text: Plain text.
        before: What of it stands ahead of the claim, as far as that is looked at.
        at: Place of the answer in the text.

    Returns:
        True under such a heading; a "first answer" is disowned only where another answer follows.

    Example:
        >>> is_disowned("The user wrote:\nAnswer: B", "The user wrote:\n", 24)
        True
    """
    found = _HEADING.search(before)
    if found is None or _OWN_CLAUSE.search(found["heading"]):
        return False
    heading = found["heading"]
    if _FIRST.search(heading) and _ANOTHER.search(text, at + 1):
        return True
    return bool(_SPEAKER.match(heading) or _NOT_THIS.search(heading))
