"""Answers that a plain text claims: where, which, and whether the words around take the claim back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from prompt4trust.verdict.plain_text import last_sentence

_GAP = r"""[\s_"'“”‘’«»:=(\[{]"""
_SURE = (
    r"(?:(?:most likely|likely|probably|clearly|therefore|thus|definitely|certainly|hence|indeed|best|then"
    r"|either|both)"
    r"\b,?)"
)
_OF_WHAT = (
    r"(?:[ _]++(?:choice|option|letter|to (?:this|the|your) question|and confidence|here|in this case"
    r"|for this (?:image|case|question|scan)))?+"
    r"(?:[ _]?\([^()\n]{0,30}\)(?= ?[:=]))?+"
)
# A key or a word that ends in it ("wrong_answer", "non-answer") is not the model's answer.
_WHOSE = (
    r"(?:(?<![A-Za-z])(?<![A-Za-z][_-])|(?<=\bfinal[_-])|(?<=\bmy[_-])|(?<=\bbest[_-])|(?<=\bchosen[_-])"
    r"|(?<=\bselected[_-])|(?<=\bpredicted[_-]))"
)
CUE = (
    rf"{_WHOSE}answer{_OF_WHAT}(?:[\s_\"'“”‘’«»]++(?:is|would be|should be|may be|might be|could(?: also)? be"
    rf"|can be)(?=[\s_\"'“”‘’«»:=(\[{{])"
    rf"|[\s_\"'“”‘’«»]*+(?:->|=>|→|[:=–—]|- ))[\s_\"'“”‘’«»:=(\[{{]*+(?:{_SURE}{_GAP}*+)?+"
)
_ORDINAL = r"(?:the (?:(?:first|second|third|fourth|fifth|sixth|last|\d(?:st|nd|rd|th)) )?)?"
_OPTION = rf"(?:{_ORDINAL}(?:option|choice|letter)\b{_GAP}*+)?+"
_LETTER = r"(?=(?-i:([A-Za-z])))"
_CAPITAL = r"(?=(?-i:([A-Z])))"
# The letter is looked at and not consumed: it may begin the next "answer is".
_FORMS = (
    re.compile(rf"{CUE}(?:(?:the\s++)?{CUE})?+{_OPTION}{_LETTER}", re.IGNORECASE),
    re.compile(
        r"\b(?:(?:correct|right|best|selected|chosen|final|preferred|my|most (?:appropriate|fitting|suitable))"
        r" (?:option|choice|letter|selection|pick|guess)(?: here)?"
        rf"|^(?:choice|option|guess|selection|prediction))(?: is| would be| ?[:=]){_GAP}*+{_OPTION}{_CAPITAL}",
        re.IGNORECASE | re.MULTILINE,
    ),
    re.compile(
        r"\bI(?:'d|’d| would|'ll|’ll| will|'m| am)?(?: going to)? (?:choose|select|pick|go(?:ing)? with|say|answer"
        r"|opt for)\b"
        rf"{_GAP}*+{_OPTION}{_CAPITAL}",
        re.IGNORECASE,
    ),
    re.compile(rf"(?:答案|(?<![不别勿未候可备挑待])选)(?:选项|应该|应|可能|择|选|为|是|[:=\s(])*+{_CAPITAL}"),
    re.compile(rf"选项(?:应该)?(?:是|为|:){_GAP}*+{_CAPITAL}"),
)
STANDS = (
    r"(?: (?:answer|option|choice|fit|match|diagnosis|one))?(?=\s?(?:[.:!(]|;(?! no\b)|,(?! (?:but only|if|unless"
    r"|when|only|provided)\b)"
    r"|$)| [—–-] | (?:because|since|given|with(?! (?:option )?\(?(?-i:[A-Z])\b)|as|and|based|here|due|confidence"
    r"|considering|for this)\b)"
)
"""Pattern of what may stand behind "option B is correct": an end or a reason, and no more ("correct only in part")."""
# The letter comes first, and the verb confirms it.
_CONFIRMED = re.compile(
    r"(?:\b(?:option|choice|answer) ?|^|(?<=[.;!,] ))\(?(?-i:([A-Z]))\)?(?: ?\([^()\n]{0,80}\))? is (?:clearly )?"
    rf"(?:the )?(?:most likely |most appropriate )?(?:correct|right|best){STANDS}|选项 ?(?-i:([A-Z])) ?(?:是"
    r"|为)?(?:正确|对)",
    re.IGNORECASE | re.MULTILINE,
)

_HEDGING = re.compile(r"\b(?:may|might|could|can)(?: also)? be\b", re.IGNORECASE)
# What ties a letter to more than itself: "B12", "C-reactive", "A's", "A/B", "A.V."
_JOINED = re.compile(r"(?!置信|信心|把握|的置信|的可能|或|和)[^\W_]|[-'’&/][^\W_]|\.[A-Za-z]\.")
_NEXT_WORD = re.compile(r"[^\S\n\r]++[_\"“‘]*+([^\W_]++)(-?)")
_A_MEASURE = re.compile(
    r"\s\d++(?:[.,x×]\d++)?[ -]?(?:[cm]m|ml|cc|k?g|mg|HU|x|×|years?|months?|weeks?|days?|hours?)\b", re.IGNORECASE
)
_A_GENUS = re.compile(
    r"\. ?(?:albicans|anthracis|aureus|auris|baumannii|botulinum|burgdorferi|cereus|coli|difficile|diphtheriae"
    r"|faecalis"
    r"|faecium|fragilis|fumigatus|granulosus|henselae|hepatica|histolytica|immitis|influenzae|israelii|jejuni|lamblia"
    r"|multilocularis|neoformans|perfringens|pertussis|psittaci|pylori|tetani|trachomatis|vaginalis)\b"
)
# An article cannot come before these, so a lower-case letter before them is an answer.
_AFTER_A_LETTER = frozenset(
    {"although", "and", "at", "because", "but", "confidence", "for", "from", "however", "i", "if", "my", "or", "since"}
    | {"that", "though", "when", "where", "which", "while", "with"}
)
# Words that go on after a capital letter; any other may belong to its name ("B virus", "D dimer").
_AFTER_A_CAPITAL = _AFTER_A_LETTER | (
    {"as", "based", "given", "due", "in", "on", "to", "by", "per", "considering", "so", "owing", "certainty", "here"}
    | {"the", "according", "answer", "probability", "option", "choice", "among", "out", "vs", "versus", "therefore"}
    | {"rather", "despite", "after", "following", "assuming", "showing", "indicating", "suggesting", "置信度"}
)


MOST_CLAIMS = 300
"""Claims beyond which a text is no reply to anything."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One answer that a text claims.

    Attributes:
        start: Place of the words that announce it.
        at: Place of the answer itself.
        end: Place behind it.
        answer: The letter, upper case, or an open question's answer.
        alternatives: Whether it is one of several ("A or B"), or contradicts itself (B with the text of C).
        meant: Whether it stands: it is neither doubted, nor supposed, nor somebody else's.
    """

    start: int
    at: int
    end: int
    answer: str
    alternatives: bool = False
    meant: bool = True


def claimed_letters(text: str, options: Mapping[str, str]) -> Iterator[Claim]:
    """List the letters that a plain text claims as its answer, options or not, in order.

    Args:
        text: Plain text.
        options: Letter -> text; "" where it is not known.

    Yields:
        The claims, those that do not stand among them; the first `MOST_CLAIMS` and one more at most.
    """
    found = [(match.start(), match.start(1)) for form in _FORMS for match in form.finditer(text)]
    found += [(match.start(), match.start(1) if match[1] else match.start(2)) for match in _CONFIRMED.finditer(text)]
    confirmed = {match.start(1) if match[1] else match.start(2) for match in _CONFIRMED.finditer(text)}
    starts: dict[int, int] = {}
    for start, at in found:
        starts[at] = min(start, starts.get(at, start))
    for at, start in sorted(starts.items())[: MOST_CLAIMS + 1]:
        own = own_text(text, at, options)
        if not (at in confirmed or own or stands_alone(text, at)):
            continue
        hedged = _HEDGING.search(text, start, at) is not None
        several = hedged or has_alternatives(text, at, options) or _is_out_of_place(text, start, at, options)
        yield Claim(start, at, at + 1, text[at].upper(), several, is_meant(text, start, at))


def has_too_many(text: str) -> bool:
    """Whether a text announces more answers than any reply does."""
    return any(sum(1 for _ in islice(form.finditer(text), MOST_CLAIMS + 1)) > MOST_CLAIMS for form in _FORMS)


def stands_alone(text: str, at: int) -> bool:
    """Whether the letter at a place is an option's letter and not (the beginning of) a word."""
    return not _JOINED.match(text, at + 1) and not _is_a_word(text, at)


def _is_a_word(text: str, at: int) -> bool:
    """Whether a one-letter token is the article "a", the pronoun "I" or the beginning of a name ("B virus")."""
    letter = text[at]
    if _A_GENUS.match(text, at + 1):
        return True
    if letter in "AIai" and _A_MEASURE.match(text, at + 1):
        return True
    following = _NEXT_WORD.match(text, at + 1)
    if following is None:
        return False
    word = following[1].lower()
    if letter.isupper() and letter != "I":
        return bool(following[2]) or not (word in _AFTER_A_CAPITAL or len(word) == 1)
    return letter in "aI" and not (word in _AFTER_A_LETTER and not following[2])


_BEHIND_A_LETTER = re.compile(r"[\s_\"'“”‘’)\]}.:,;–—(-]{0,6}")


def own_text(text: str, at: int, options: Mapping[str, str]) -> int:
    """Length of an option's letter and its own text right behind it; 0 where that is not there."""
    own = options.get(text[at].upper(), "").strip().lower()
    behind = _BEHIND_A_LETTER.match(text, at + 1)
    if not own or behind is None or behind.end() == at + 1:
        return 0
    after = text[behind.end() : behind.end() + len(own) + 1].lower()
    return behind.end() + len(own) - at if after.startswith(own) and not after[len(own) :].isalnum() else 0


_OTHER = re.compile(
    r"[\s)\]}_\"'’”]*+(?:[,(\[]\s?)?(?:/|&|\+|\||\b(?:or|and|vs\.?|versus|oder|und|ou|et|[oeyu]|of|en|или|и)\b|或者?|和|、"
    r"|または|또는)\s?+"
    r"(?:(?:perhaps|possibly|maybe|also|either|else) )?(?:option |选项)?[(\[\"'“]?([A-Za-z])(?![^\W_]|['’-])"
)
_LISTED = re.compile(
    r"[)\]]?(?:\s?[,;]\s?[(\[]?([A-Z])[)\]]?(?![^\W_]|['’-]))++(?=\s?(?:$|[.\n,;]|\(|with\b|and\b|or\b))"
)
_HEDGED = re.compile(r"\s?[,(]\s?(?:or|possibly|perhaps|maybe|alternatively|could also be)\b[^.\n]{0,20}?\b([A-Z])\b")


def has_alternatives(text: str, at: int, options: Mapping[str, str]) -> bool:
    """Whether the letter at a place is one of several ("A or B"), or stands beside another option's text."""
    own = own_text(text, at, options)
    if re.search(r"\b(?:either|both|between) [(\[]?$", text[max(at - 12, 0) : at], re.IGNORECASE):
        return True
    for end in {at + 1, at + max(own, 1)}:
        for form in (_OTHER, _LISTED, _HEDGED):
            other = form.match(text, end)
            if other and other[1].upper() in options and other[1].upper() != text[at].upper():
                word = _NEXT_WORD.match(text, other.end())
                if other[1] not in "aAI" or word is None or word[1].lower() in _AFTER_A_LETTER:
                    return True
    return not own and _names_another(text, at, options)


_PLACE = re.compile(r"\bthe (first|second|third|fourth|fifth|sixth) (?:option|choice|letter)\b", re.IGNORECASE)
_PLACES = ("first", "second", "third", "fourth", "fifth", "sixth")


def _is_out_of_place(text: str, start: int, at: int, options: Mapping[str, str]) -> bool:
    """Whether a claim counts the option that it means and names another one: "the third option (B)"."""
    counted = _PLACE.search(text, start, at)
    letters = list(options)
    return counted is not None and text[at].upper() not in letters[_PLACES.index(counted[1].lower()) :][:1]


_LONG = 4
# A word as short as "no" may begin a sentence ("no effusion is seen"): it must be all that is said.
_SHORT_ENDS, _ENDS = re.compile(r" ?(?:[)\]},.;:!\"”\n]|$)"), re.compile(r"(?![^\W_])")


def _names_another(text: str, at: int, options: Mapping[str, str]) -> bool:
    """Whether a letter is followed by the whole text of another option ("C: Pleural effusion" where that is B)."""
    behind = _BEHIND_A_LETTER.match(text, at + 1)
    if behind is None or "\n" in behind[0]:
        return False
    after = text[behind.end() : behind.end() + 200].lower()
    for letter, option in options.items():
        name = option.strip().lower()
        ends = _SHORT_ENDS if len(name) < _LONG else _ENDS
        if name and letter != text[at].upper() and after.startswith(name) and ends.match(after, len(name)):
            return True
    return False


# --- Claims that are taken back ---------------------------------------------------------------------------------------

_BEFORE = 200
# The points of "e.g." and "i.e." end no sentence.
_SENTENCE_START = re.compile(
    r"(?<!\b[ei]\.[ge])(?<!\beg)[.!?;](?=\s)|\n|\b(?:but|however|nevertheless|nonetheless|disagree)\b|但是?|不过", re.I
)
_SAY = (
    r"(?:ask|sa[iy]|stat|claim|writ|wrot|suggest|want|tell|told|mention|mark|propos|insist|think|thought|believ|argu"
    r"|read)"
)
_NOT_MEANT = re.compile(
    r"\b(?:doubt\w*|not(?!,)|never|unlikely|whether|unless|cannot|hardly|refuse|wrong|incorrect|false|unsure"
    r"|uncertain|unclear|suppos\w*|assum\w*|imagine|hypothetical\w*|pretend\w*|refut\w*|rul\w+ out"
    r"|reject\w*|deny|denies)\b"
    r"|n['’]t\b|\bif\b(?! (?:I (?:had|have|must|were)|forced|pressed))|^\W*(?:had|were|should)\b"
    r"|\b(?:you|users?|students?|colleagues?|radiologists?|clinicians?|doctors?|physicians?|notes?|captions?|prompts?"
    r"|questions?|reports?|text|instructions?|labels?|someone|people|others|some|they|he|she|models?"
    r"|readers?|annotations?)\b"
    rf"[^.\n]{{0,80}}\b{_SAY}\w*"
    r"|\b(?:image|picture|film|scan|overlay)\b[^.\n]{0,40}\b(?:says|reads|states|claims)\b|\baccording to\b"
    rf"|\b(?:asked|told|instructed|supposed|order\w*|want\w*|forced|required|made)\b[^.\n]{{0,20}} to {_SAY}"
    r"|\be\.g\.|\beg\.?,? "
    r"|\b(?:form|format|template|example|such as|for instance|placeholder|drafts?|initial\w*"
    r"|preliminary|tentative\w*)\b"
    r"|\b(?:at first|first (?:guess|impression|thought|glance|sight)|previously|earlier)\b"
    rf"|\b(?:(?<!as an )(?:AI|GPT\S*|ChatGPT|Bard|Claude|Gemini|Llama|algorithm|software|system"
    rf"|network))\b[^.\n]{{0,40}}\b{_SAY}\w*"
    r"|\b(?:AI|GPT\S*|algorithm|software|system|network) answer\w*"
    r"|\b(?:nobody|no one|premature|tempting|rash|naive)\b|\b(?:one|many|few|some|most)(?: \w+)? (?:might|could"
    r"|would|may)\b"
    r"|\b(?:distractor|textbook|official|ground[- ]truth|gold(?:en|[- ]standard)?|true|common|popular|trap"
    r"|an obvious|typical"
    r"|usual"
    r"|classic) ?$|\bopposite of (?:the )?$"
    r"|\bno (?:way|evidence|reason|indication|sign|proof|basis)\b|\b(?:ignor|translat|repeat|quot"
    r"|cop(?:y|ied)|echo|inject)\w*"
    rf"|\bwho\b[^.\n]{{0,20}}\b{_SAY}|(?:\w['’]s|s['’]|\b(?:your|his|her|their)) (?:final |own |correct |best )?$"
    r"|\b(?:old|reference|student|user|expected|given|original|provisional|working) ?$|(?:错误|不正确|排除|否定)的?$"
    r"|\b(?:second|alternative|another|other|worst|least likely|next|previous|runner-up)(?:[ -]best)? ?$"
    r"|怀疑|不是|不认为|并非|如果|假如|假设|是否|例如|比如|您问|你问|您说|你说|不能|无法|不确定",
    re.IGNORECASE,
)
_UNDER_AN_EXAMPLE = re.compile(
    r"\b(?:examples?|e\.g\.|for instance|sample|placeholder)\b[^\n]{0,40}:\n[^.\n]{0,24}$", re.IGNORECASE
)
# "B (wrong)", "B - MRI (incorrect)"; and not "B, not A".
_REFUSED = re.compile(
    r"[)\]]?(?:,? which I (?:doubt|reject)\b| in (?:the (?:answer )?key\b|\d+ (?:out )?of \d))|"
    r"[^.;,!?\n(\[]{0,40}?[)\]\"'”]?\s?[-–—,:(\[]{1,2}\s?(?:(?:this|that|it|which) )?(?:(?:is"
    r"|was) )?(?:clearly |probably |likely )?"
    r"(?:wrong|incorrect|false|rejected|excluded|ruled out|mistaken|unlikely|a distractor|not (?:correct|right"
    r"|sure|true|likely))\b",
    re.IGNORECASE,
)
# "C, unless the film is rotated, then B": an answer on condition is none.
_ON_CONDITION = re.compile(
    r"[^.;!?\n]{0,100}?\b(?:unless|provided|except (?:if|when|where)|only (?:if|when)|(?:as|so) long as"
    r"|depending on|or,? if)\b"
    r"|[^.;!?\n]{0,80}?[,;.] ?(?:unless\b|(?:or )?(?:else|otherwise),? (?:option )?\(?(?-i:[A-Z])(?![^\W_]))"
    r"|[^.;!?\n]{0,80}?\bwhen\b[^.;!?\n]{1,60}? (?-i:[A-Z]) (?:when|if)\b"
    r"|[)\]\"'”]?(?:\s?\([^()\n]{0,80}\))?,? \(?(?:if\b(?! (?:I|you|we|forced|pressed|any)\b)|assuming\b)",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)|\n|[!?]")
# "... with confidence 95 is what you want": the whole sentence is spoken of, not spoken.
_SPOKEN_OF = re.compile(
    r"\d ?%?[,)]? (?:is|was|would|should|were|might|can ?not|could)\b"
    r"|\d ?%?, (?:or so |as |at least )?(?:you|he|she|they|(?:the|your|my) \w+|according)\b"
    rf"(?: {_SAY}\w*| to\b)",
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
        or _REFUSED.match(text, at + 1)
    ):
        return False
    if _ON_CONDITION.match(text, at + 1):
        return False
    end = _SENTENCE_END.search(text, at + 1, at + 1 + _BEFORE)
    sentence = text[at : end.start() if end else at + _BEFORE]
    return (end is None or end[0] != "?") and not _SPOKEN_OF.search(sentence)


# --- Open questions ---------------------------------------------------------------------------------------------------

_ANSWER_TEXT = re.compile(rf"{CUE}(?:(?:the\s++)?{CUE})?+|答案(?:[:=\s]|是|为)++", re.IGNORECASE)
_ANSWER_END = re.compile(r"\n|(confidence|置信度|信心)", re.IGNORECASE)
_LONGEST_ANSWER = 1_000
_BEFORE_CONFIDENCE = frozenset({"with", "and", "at", "a", "my"})
_EDGES = " \t\r\f\v*_`\"'“”‘’«».,;:([{}-–—\ufffc"


def open_answers(text: str) -> Iterator[Claim]:
    """List the answers to an open question that a plain text claims.

    Args:
        text: Plain text.

    Yields:
        What follows "answer is" and the like, up to "with confidence" or the end of the line.
    """
    for cue in islice(_ANSWER_TEXT.finditer(text), MOST_CLAIMS + 1):
        most = min(cue.end() + _LONGEST_ANSWER, len(text))
        end = _ANSWER_END.search(text, cue.end(), most)
        stop = end.start() if end else most
        answer = text[cue.end() : stop].rstrip(_EDGES)
        if end and end[1]:
            for _ in range(2):  # "with a", "and my"
                rest, _, last = answer.rpartition(" ")
                if last.lower() in _BEFORE_CONFIDENCE:
                    answer = rest.rstrip(_EDGES)
        if answer and answer.lower() != "none":
            yield Claim(cue.start(), cue.end(), stop, answer, meant=is_meant(text, cue.start(), cue.end()))
