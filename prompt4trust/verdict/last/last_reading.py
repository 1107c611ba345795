"""The last reading: a reply whose words no form knows has a verdict yet if all that it says comes to one letter.

The forms of `prompt4trust.verdict.reading` list the words of a verdict, and each new hand writes it in other ones. This
reading asks for less of the words and for more of the reply: one letter is chosen in whatever manner, no other is named
that the reply does not exclude, one number stands beside a word of confidence, and nothing anywhere doubts, supposes,
quotes, asks or corrects. It is looked for only where the forms read nothing, so it takes no verdict's place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from prompt4trust.verdict.claims.choices import chosen_letters
from prompt4trust.verdict.claims.letters import claimed_letters
from prompt4trust.verdict.claims.lone_letters import has_alternatives, own_text, stands_alone
from prompt4trust.verdict.claims.standing import is_meant
from prompt4trust.verdict.confidences import Scale, stated_confidences
from prompt4trust.verdict.doubts.withdrawals import is_withdrawn
from prompt4trust.verdict.last.loose_confidences import loose_confidences
from prompt4trust.verdict.last.manners import is_doubted, is_of_the_image, is_open, without_courtesies
from prompt4trust.verdict.outcome import Verdict
from prompt4trust.verdict.plain_text import has_words
from prompt4trust.verdict.words.expressions import expression

_LONGEST = 4_000
_MOST_CHOICES = 20
_SHORT = 3
_FEW = 4
_ENGLISH = expression(r"\b(?:the|is|of|with|and|my|I|it|at|option|answer|certainty)\b", re.IGNORECASE)
_SAYS_A_NUMBER = expression(r"\d|\b[A-Z]\b")
_MENTION = expression(r"(?<![A-Za-zÀ-ɏЀ-ӿ0-9'’-])[A-Z](?![A-Za-zÀ-ɏЀ-ӿ0-9])(?!['’-]\w)")
_SENTENCE_END = expression(r"[.!?;](?=\s|$)|\n")
_IN_SOMETHING_ELSE = expression(
    r" ?(?:that|in|of|about)\b(?! (?:this|it|that)(?: is (?:right|correct))?[.,;)\n]| (?:this|that|my"
    r"|the) (?:final )?"
    r"(?:answer|choice|pick|option|diagnosis))",
    re.IGNORECASE,
)
# Behind a choice stands its end, a reason or the confidence; any other word may take it back: "B as the next one".
_CHOICE_ENDS = expression(
    r"[)\]\"'”]{0,2}(?: ?\([^()\n]{1,60}\))?(?: here| it is(?=[.!,]))?(?:\s*(?:[.!;\n，]|$)|, (?:the|its?|this"
    r"|these|there)\b"
    r"|[ ,]{0,2}(?:\(|[–—-] "
    r"|(?:because|since|given"
    r"|due to|based on|with|and I|and my|at|parce|car|weil|denn|porque|poiché|perché|bo|потому|avec|con|com"
    r"|mit|med|cu"
    r"|met|z|s|με)\b|confiden|이며|이고|입니다|です|を|를|بثقة|信心|把握|置信))",
    re.IGNORECASE,
)
# Behind the number stand its end, or the answer that it is of.
_NUMBER_ENDS = expression(
    r"(?:です|である|입니다|이다| है)?[)\]\"'”]{0,2}(?:\s*(?:[.!;,\n]|$)| (?:on|in|of|about) (?:this|that|it"
    r"|(?:my|the) (?:answer"
    r"|choice|pick))\b|,? (?:because|since|given)\b)",
    re.IGNORECASE,
)
# A letter that is a grade or a name of something else is no choice, however it is repeated.
_OF_ANOTHER_LIST = expression(
    r"\b(?:grade|group|type|stage|slides?|series|panel|figure|class|category|vitamin|hepatitis|level|score)"
    r"(?: is)?:? \(?$",
    re.IGNORECASE,
)
_HEADED = expression(r":\s*\Z")
_ANSWER_HEADED = expression(r"(?:answer|choice|option|verdict|conclusion|impression|assessment)\W*\Z", re.IGNORECASE)
_CALLED_AN_OPTION = expression(r"(?:option|choice|answer) \(?$", re.IGNORECASE)
_JUDGED = expression(r" (?:is|was|fits?|seems|looks|has|would|could|may|might|comes)\b", re.IGNORECASE)
_BOX = expression(
    r"^[-*• ]{0,3}(?:\[(?P<box>[ xX✓✔]?)\]|(?P<sign>[☑☒✅☐⬜])) ?\(?(?P<letter>[A-Z])\)?(?P<rest>[^\n]*)\n?",
    re.MULTILINE,
)
_EXCLUDED = expression(
    r"exclu|ruled? out|ruling out|scratch|off the table|unlikely|against|\bnot\b|descart|escart|écart|gegen"
    r"|ausgeschl|ausschl|scart|uitgesl|исключ|wyklucz|vylouč|loại|排除",
    re.IGNORECASE,
)


def last_reading(text: str, options: Mapping[str, str], scale: Scale) -> Verdict | None:
    """Read a reply that no form fits by all that it says.

    Args:
        text: Plain text, which came to its end.
        options: Letter -> text; "" where it is not known.
        scale: What a bare number is.

    Returns:
        The verdict; None where anything in the reply speaks for another letter, another number or none.

    Example:
        >>> letters = dict.fromkeys("AB", "")
        >>> last_reading("It has a dural tail, so option B. Certainty of 80%.", letters, "per-cent")
        Verdict(answer='B', confidence=0.8)
        >>> last_reading("So option B, I guess. Confidence of 80%.", letters, "per-cent") is None
        True
    """
    if not options or len(text) > _LONGEST:
        return None
    said = _without_texts_of_letters(_with_ticked_box(without_courtesies(text), options), options)
    choices = list(chosen_letters(said, options))
    letters = {said[at].upper() for _, at in choices}
    if len(letters) != 1 or len(choices) > _MOST_CHOICES:
        return None
    letter = letters.pop()
    value = _one_confidence(said, letter, scale)
    since = min(start for start, _ in choices)
    if value is None or is_doubted(said, since) or is_withdrawn(said, since) or _has_a_remark(said):
        return None
    if any(claim.answer != letter or claim.alternatives or not claim.meant for claim in claimed_letters(said, options)):
        return None
    if not all(_stands(said, start, at, options) for start, at in choices):
        return None
    return Verdict(letter, value) if _excludes_others(said, letter, choices[0][0], options) else None


def _one_confidence(text: str, letter: str, scale: Scale) -> float | None:
    """Return the one confidence that a text states in whatever manner; None where there is none, or several."""
    stated = list(stated_confidences(text, scale))
    loose = list(loose_confidences(text))
    if any(not any(each.at <= other.end and other.at <= each.end for other in stated) for each in loose) and stated:
        return None
    found = stated or loose
    if len(found) != 1 or found[0].letter:
        return None
    sentence = _sentence(text, found[0].end - 1)
    start = _sentence_start(text, found[0].at)
    ahead = text[start : found[0].at]
    if not _NUMBER_ENDS.match(text, found[0].end) or (re.search(r"[,:]", ahead) and letter not in ahead):
        return None
    if _IN_SOMETHING_ELSE.match(text, found[0].end) or is_open(sentence) or is_of_the_image(sentence):
        return None
    return found[0].value


def _has_a_remark(text: str) -> bool:
    """Whether a reply of another language than English ends in a sentence of few words, which may be a joke's."""
    if _ENGLISH.search(text):
        return False
    *_, last = [each for each in _SENTENCE_END.split(text) if each.strip()]
    return len(last.split()) <= _FEW and not _SAYS_A_NUMBER.search(last)


def _stands(text: str, start: int, at: int, options: Mapping[str, str]) -> bool:
    """Whether a choice is meant, alone in its sentence, and named with no other option's text."""
    sentence = _sentence(text, at)
    said = sentence.casefold()
    own = options[text[at].upper()].casefold()
    ends = at + (own_text(text, at, options) or 1)
    others = (each.casefold() for letter, each in options.items() if each and letter != text[at].upper())
    return not (
        is_open(sentence)
        or not (_CHOICE_ENDS.match(text, ends) or _CHOICE_ENDS.match(text, at + 1))
        or (start == _sentence_start(text, at) and _is_under_a_label(text, start))
        or ":" in text[_sentence_start(text, start) : start]
        or has_alternatives(text, at, options)
        or not is_meant(text, start, at)
        or any(has_words(said, other) and other not in own for other in others)
    )


def _excludes_others(text: str, letter: str, at: int, options: Mapping[str, str]) -> bool:
    """Whether a text names other options' letters only ahead of its choice, and to exclude them."""
    mentions = list(_MENTION.finditer(text))
    flat = text[at:].casefold()
    own = options[letter].casefold()
    if any(len(each) > _SHORT and each not in own and each in flat for each in map(str.casefold, options.values())):
        return False
    if any(_OF_ANOTHER_LIST.search(text[max(found.start() - 20, 0) : found.start()]) for found in mentions):
        return False
    return all(
        found.start() < at and _EXCLUDED.search(_sentence(text, found.start())) is not None
        for found in mentions
        if found[0] != letter and found[0] in options and not _is_a_word(text, found.start())
    )


def _is_under_a_label(text: str, start: int) -> bool:
    """Whether the line above a choice is a label, and not one of an answer: "Series:"."""
    above = text[max(start - 60, 0) : start].rstrip()
    return _HEADED.search(above) is not None and not _ANSWER_HEADED.search(above.rstrip(": "))


def _is_a_word(text: str, at: int) -> bool:
    """Whether an A or an I is the article or the pronoun; another letter counts even where it begins a name."""
    return (
        text[at] in "AI"
        and text[at + 1 : at + 2] == " "
        and not stands_alone(text, at)
        and not _JUDGED.match(text, at + 1)
        and not _CALLED_AN_OPTION.search(text[max(at - 10, 0) : at])
    )


def _sentence(text: str, at: int) -> str:
    """Sentence around a place, of at most 300 signs to either side."""
    end = _SENTENCE_END.search(text, at, at + 300)
    return text[_sentence_start(text, at) : end.end() if end else at + 300]


def _sentence_start(text: str, at: int) -> int:
    since = max(at - 300, 0)
    *_, start = [since, *(found.end() for found in _SENTENCE_END.finditer(text, since, at))]
    return start


def _without_texts_of_letters(text: str, options: Mapping[str, str]) -> str:
    """Take away options' texts that hold a letter of their own ("Lesion A"), which is no option's."""
    for each in options.values():
        if _MENTION.search(each) and len(each) > 1:
            text = text.replace(each, "it")
    return text


def _with_ticked_box(text: str, options: Mapping[str, str]) -> str:
    """Put boxes beside all options, one of them ticked, as the choice of that one."""
    boxes = list(_BOX.finditer(text))
    ticked = [each["letter"] for each in boxes if (each["box"] or each["sign"] or "☐").strip(" ☐⬜")]
    as_asked = all(
        each["rest"].strip(" .:)-–—").casefold() in ("", options.get(each["letter"], "").strip(" .").casefold())
        for each in boxes
    )
    if len(ticked) != 1 or not as_asked or sorted(each["letter"] for each in boxes) != sorted(options):
        return text
    return text[: boxes[0].start()] + f"My choice: {ticked[0]}.\n" + _BOX.sub("", text[boxes[0].start() :])
