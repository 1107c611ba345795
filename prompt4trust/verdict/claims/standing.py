"""Whether the sentence around a claim lets it stand, or doubts, denies, supposes it or makes it somebody else's."""

from __future__ import annotations

import re

from prompt4trust.verdict.claims.headings import SAY, is_disowned
from prompt4trust.verdict.plain_text import last_sentence
from prompt4trust.verdict.words import Place, words_at
from prompt4trust.verdict.words.expressions import expression

_BEFORE = 200
# The points of "e.g." and "i.e." end no sentence.
_SENTENCE_START = expression(
    rf"(?<!\b[ei]\.[ge])(?<!\beg)[.!?;](?=\s)|\n|{words_at(Place.OPENS)}|但是?|不过", re.IGNORECASE
)
_NOT_MEANT = expression(
    rf"{words_at(Place.AHEAD)}|n['’]t\b|^\W*(?:had|were|should)\b|\be\.g\.|\beg\.?,? "
    r"|\bif\b(?! (?:I (?:had|have|must|were)|forced|pressed))"
    rf"|{words_at(Place.SPEAKER)}[^.\n]{{0,80}}\b{SAY}\w*"
    r"|\b(?:image|picture|film|scan|overlay)\b[^.\n]{0,40}\b(?:says|reads|states|claims)\b"
    rf"|\b(?:asked|told|instructed|supposed|order\w*|want\w*|forced|required|made)\b[^.\n]{{0,20}} to {SAY}"
    rf"|\b(?:(?<!as an )(?:AI|GPT\S*|ChatGPT|Bard|Claude|Gemini|Llama|algorithm|software|system"
    rf"|network))\b[^.\n]{{0,40}}\b{SAY}\w*"
    r"|\b(?:AI|GPT\S*|algorithm|software|system|network) answer\w*"
    r"|\b(?:answer|solution|marking|textbook) (?:keys?|sheets?)\b"
    r"|\b(?:one|many|few|some|most)(?: \w+)? (?:might|could|would|may)\b"
    rf"|(?<!\boptions )(?<!\bchoices ){words_at(Place.LABEL)} ?$|\bopposite of (?:the )?$"
    rf"|\bwho\b[^.\n]{{0,20}}\b{SAY}|(?:\w['’]s|s['’]|\b(?:your|his|her|their)) (?:final |own |correct |best )?$"
    r"|[❌✗✘☒🚫]|(?:错误|不正确|排除|否定)的?$|怀疑|不是|不认为|并非|如果|假如|假设|是否|例如|比如|您问|你问|您说|你说|不能|无法|不确定",
    re.IGNORECASE,
)
_UNDER_AN_EXAMPLE = expression(
    r"\b(?:examples?|e\.g\.|for instance|sample(?! (?:shows?|suggests?|was|is))|placeholder)\b[^\n]{0,40}:\n"
    r"[^.\n]{0,24}$",
    re.IGNORECASE,
)
# "B (wrong)", "B - MRI (incorrect)"; and not "B, not A".
_REFUSED = expression(
    r"[)\]]?(?:,? which I (?:doubt|reject)\b| as (?:the |an? )?(?:distractor|mimic|foil|decoy|wrong|worst|least|next"
    r"|second)\b| in (?:the (?:answer )?key\b|\d+ (?:out )?of \d))|"
    r"[^\n]{0,60}?[❌✖✗✘☒🚫⛔👎🤔🤡❓]|"
    r"[^.;,!?\n(\[]{0,40}?[)\]\"'”]?\s?[-–—,:(\[]{1,2}\s?(?:(?:this|that|it|which) )?(?:(?:is"
    r"|was) )?(?:clearly |probably |likely )?"
    r"(?:wrong|incorrect|false|rejected|excluded|ruled out|mistaken|unlikely|a distractor|not (?:correct|right"
    r"|sure|true|likely))\b",
    re.IGNORECASE,
)
# "C, unless the film is rotated, then B": an answer on condition is none.
_ON_CONDITION = expression(
    r"[^.;!?\n]{0,100}?\b(?:unless|provided|except (?:if|when|where)|only (?:if|when)|(?:as|so) long as"
    r"|depending on|or,? if)\b"
    r"|[)\]]? (?:for|in) an? (?:\w+ )?(?:child|boy|girl|adult|man|woman|patient|baby|infant|smoker)\b"
    r"|[^.;!?\n]{0,80}?[,;.] ?(?:unless\b|(?:or )?(?:else|otherwise),? (?:option )?\(?(?-i:[A-Z])(?![^\W_]))"
    r"|[^.;!?\n]{0,80}?\bwhen\b[^.;!?\n]{1,60}? (?-i:[A-Z]) (?:when|if)\b"
    r"|[)\]\"'”]?(?:\s?\([^()\n]{0,80}\))?,? \(?(?:if\b(?! (?:I|you|we|forced|pressed|any)\b)|assuming\b)",
    re.IGNORECASE,
)
_SENTENCE_END = expression(r"[.!?](?=\s|$)|\n|[!?]")
# "... with confidence 95 is what you want": the whole sentence is spoken of, not spoken.
_SPOKEN_OF = expression(
    r"\d ?%?[,)]? (?:is|was|would|should|were|might|can ?not|could)\b"
    r"|\d ?%?, (?:or so |as |at least )?(?:you|he|she|they|(?:the|your|my) \w+|according)\b"
    rf"(?: {SAY}\w*| to\b)"
    r"|\d ?%?, (?:says?|said|claims?|writes?|wrote|insists?) (?!I\b)",
    re.IGNORECASE,
)


def is_meant(text: str, start: int, at: int) -> bool:
    """Whether the sentence around a claim lets it stand.

    Args:
        text: Plain text.
        start: Place of the words that announce the answer.
        at: Place of the answer.

    Returns:
        False where it is doubted, denied, supposed, asked, reported of others, or an example or draft.
    """
    before = text[max(start - _BEFORE, 0) : start]
    if (
        _NOT_MEANT.search(last_sentence(before, _SENTENCE_START))
        or _UNDER_AN_EXAMPLE.search(before)
        or is_disowned(text, before, at)
        or _REFUSED.match(text, at + 1)
    ):
        return False
    if _ON_CONDITION.match(text, at + 1):
        return False
    end = _SENTENCE_END.search(text, at + 1, at + 1 + _BEFORE)
    sentence = text[at : end.start() if end else at + _BEFORE]
    return (end is None or end[0] != "?") and not _SPOKEN_OF.search(sentence)
