"""Parts of sentences that tell a finding or an opinion: "it shows a small effusion", "I think that"."""

from __future__ import annotations

import re
from collections.abc import Mapping

from prompt4trust.verdict.words import Place, words_at
from prompt4trust.verdict.words.expressions import expression

STARTS = r"(?:^|(?<=[.;:!] ))"
"""Pattern of the beginning of a sentence or a clause."""
SO = r"(?:(?:so|hence|thus|therefore|overall|rather|instead|most likely|likely|probably|clearly)\b,? )?"
"""Pattern of a word that concludes."""
FLAGS = re.IGNORECASE | re.MULTILINE
SHOWS = (
    r"(?:shows?|(?:appears|seems) to be|looks like|demonstrates?|reveals?|is|are|suggests?|indicates?"
    r"|represents?|supports?|favou?rs?|consistent with"
    r"|compatible with|points? to|fits?|matches|depicts?|displays?|confirms?)"
)
"""Pattern of a verb that shows a finding."""
I_AM_SURE = r"(?:I(?: am|['’]m) )?(?:about |around |roughly |approximately )?\d{1,3}% (?:confident|sure|certain)"
I_THINK = rf"(?:(?:I (?:believe|think|conclude|would say)|I['’]d say|{I_AM_SURE})(?: that)? )?"
# As in: the image shows a pneumothorax (option B). Between the verb and the option's text stand its article and words
# that only describe it; any other ("resolution of", "everything but") may deny it.
SHOWN = expression(
    rf"\b{SHOWS} (?:an? |the )?(?P<said>[^.;:\n()]{{1,80}}?) ?\((?:option|choice|answer):? (?-i:([A-Z]))\)",
    re.IGNORECASE,
)
DESCRIBING = (
    r"(?:(?:right|left|upper|lower|middle|mid|lobe|lobar|lung|zone|basal|basilar|bibasal|bilateral|unilateral"
    r"|apical|small"
    r"|large|moderate|massive|subtle|dense|focal|patchy|diffuse|extensive|classic|typical|clear|definite"
    r"|probable|likely"
    r"|acute|chronic|mild|severe|marked|obvious|new|perihilar|retrocardiac|(?:right|left)-sided)[ ,]+){0,5}"
    r"(?:(?:findings|features|signs|evidence|appearances?) of (?:an? |the )?)?"
)
_DESCRIBED = expression(DESCRIBING, re.IGNORECASE)
WEAKENED = expression(rf"{words_at(Place.SHOWN)}|n['’]t\b", re.IGNORECASE)
"""Words of a sentence that shows a finding, and that make it none of now."""
COMPARED = expression(words_at(Place.COMPARED), re.IGNORECASE)
"""Words that compare, or leave out, what a sentence goes on to name."""
_SENTENCE_START = expression(r"(?<!\b[ei]\.[ge])[.!?;](?=\s)|\n")
_BEFORE = 160


def is_shown_otherwise(shown: re.Match[str], options: Mapping[str, str]) -> bool:
    """Whether a letter stands behind more than the finding shown: "shows resolution of consolidation (option C)".

    Args:
        shown: Where `SHOWN` stands in a plain text.
        options: Letter -> text.
    """
    text = shown.string
    own = " ".join(options.get(shown[2], "").split()).strip(" .").lower()
    said = shown["said"].lower().strip()
    described = _DESCRIBED.match(said)
    rest = said[described.end() :] if described and not said.startswith(own) else said
    as_said = rest == own if own else re.fullmatch(r"[\w-]+(?: [\w-]+)?", rest) is not None
    end = _SENTENCE_START.search(text, shown.end(), shown.end() + _BEFORE)
    behind = text[shown.end() : end.start() if end else shown.end() + _BEFORE]
    ahead = text[sentence_start(text, shown.start()) : shown.start()]
    return not as_said or WEAKENED.search(ahead) is not None or WEAKENED.search(behind) is not None


def sentence_start(text: str, at: int) -> int:
    """Find where the sentence around a place begins, or what is near enough."""
    since = max(at - _BEFORE, 0)
    *_, began = [since, *(found.end() for found in _SENTENCE_START.finditer(text, since, at))]
    return began
