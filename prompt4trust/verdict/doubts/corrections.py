"""Sentences behind a verdict that turn to another option.

A correction ("P.S. I meant D") is seldom announced as an answer, so it is looked for by itself: by words that turn,
with another option in the same sentence, and by a sentence that is another option's letter and little else.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from prompt4trust.verdict.claims.lone_letters import stands_alone
from prompt4trust.verdict.words import Place, words_at
from prompt4trust.verdict.words.expressions import expression

_SENTENCE = expression(r"(?:[^.!?;\n]|\.(?=\S))++")
_MOST_SENTENCES = 400
_LONG = 5
_SHORT = 3  # letters of an option's text that may be a word of any sentence: "no", "yes"
_LETTER = expression(r"(?<![\w'’/-])[A-Z](?![\w'’/-])")
_TURNS = expression(rf"{words_at(Place.TURNS)}|^no\s?[,–—-]", re.IGNORECASE)
_TURNED = expression(
    rf"\W*(?:{words_at(Place.TURNS)}|no\b)\W{{1,3}}(?:it(?: is|['’]s) )?(\w{{1,{_SHORT}}})\b", re.IGNORECASE
)
_SAYS_SHORT = expression(rf" (?:that )?(?:(?:it|the answer)(?: is|['’]s) )?[\"“'‘]?(\w{{1,{_SHORT}}})\b", re.IGNORECASE)
_NOT_THAT = expression(r"\W*not (?:option )?\(?(?-i:[A-Z])(?![\w'’-])", re.IGNORECASE)
_BETTER = expression(
    r"\b(?:better|best|more (?:likely|appropriate|plausible|probable|fitting|consistent)|most (?:likely|appropriate)"
    r"|(?:is|be|was|seems) (?:the )?(?:correct|right))\b",
    re.IGNORECASE,
)
_AGAINST = expression(
    rf"^(?:had|were|should)\b|{words_at(Place.KEEPS)}|n['’]t\b|\bno (?:sign|evidence|sug|fea|find|ind)", re.IGNORECASE
)

# Whatever the sentence denies besides: "looking again, I see consolidation, not effusion".
_LOOKS_AGAIN = expression(
    r"\b(?:look(?:ing)? again|on (?:a |the )?(?:second|closer) (?:look|reading|glance|view|inspection))\b",
    re.IGNORECASE,
)
# Another option that is no less likely leaves none; and one that another person is told to have said may be taken on.
_EQUALLY = expression(
    r"(?<!not )\b(?:equally (?:likely|well|good|plausible|possible|probable)|just as (?:well|likely|plausible"
    r"|good|probable|possible)"
    r"|(?:may|might|could) (?:as )?well be|I agree|(?:says?|said|claims?|thinks?|believes?) (?:that )?it(?: is"
    r"|['’]s)|(?:key|label|caption|textbook) (?:says|states|gives|is))\b",
    re.IGNORECASE,
)
# A later choice, however unsure: "I now think it is C, but I have no idea how confident to be".
_NOW_THINKS = expression(
    r"\b(?:I(?: am|['’]m|['’]d| would)? now|now,? I(?: am|['’]m|['’]d| would)?|I have (?:now )?come to) "
    r"(?:think\w*|believ\w+|say|lean\w*|cho+se|favou?r|pick|prefer|tend\w*|go(?:ing)?|suspect|vote|answer)\b"
    r"|\b(?:thinking (?:it over|about (?:it|this) (?:again|more))|on (?:reflection|second thoughts?|balance"
    r"|reconsideration)|in hindsight|looking back|having looked again),? "
    r"(?:it(?: is|['’]s|(?: may| might| could| must)? be| looks| seems)|I(?:['’]m|['’]d| am| would)? "
    r"(?:think|believe|say|lean\w*|choose|favou?r|pick|prefer|tend|go(?:ing)?|suspect|vote|answer)\b)",
    re.IGNORECASE,
)
_NOT_THE_OTHER = expression(
    r"\b(?:not(?! (?:be )?(?:option )?\(?(?-i:[A-Z])\)?,? but\b)|never"
    r"|less|un\w+|wrong|exclud\w*|rul\w+ out|against|instead of|rather than|over)\b|n['’]t\b",
    re.IGNORECASE,
)
_AT_ONCE = expression(
    r"[\s)\]\"'”]{0,3}(?:[❌✗✘☒🚫]|(?:→|->|=>|>)\s?[(\[]?[A-Z](?![^\W_])|[,(–—-]? ?(?:then|no,|sorry,|or rather|rather"
    r"|i meant|i mean"
    r"|make (?:that|it)),?\s[^.\n]{0,12}?[(\[]?(?-i:[A-Z])(?![^\W_]))",
    re.IGNORECASE,
)
# In a list of fields.
_MARKED_WRONG = expression(
    r"^(?:[-•–] )?(?:verdict|status|result|assessment|judge?ment|evaluation|check|correct|valid|verified) ?: ?"
    r"(?:wrong|incorrect|false|rejected|not?|invalid|excluded|ruled out|unlikely|failed|withdrawn|retracted)\b",
    re.IGNORECASE | re.MULTILINE,
)
_VERB = expression(r" (?:it is|is|was|seems?|fits|cannot|can|does|looks|appears|should|must|would|may|might|could)\b")
# What the confidence is in: "80% confident this is consolidation".
_OF_WHAT = expression(
    r",? ?(?:that |in |of |about |for )?(?:(?:it|this|the [a-z]+|there)(?:['’]s| is) )?[^.!?;\n,]{0,80}"
)
_NOT_IT = expression(
    r"\b(?:cannot be (?:right|correct|true)|can['’]t be (?:right|correct)|(?:is|was|seems|looks) (?:wrong|incorrect"
    r"|inconsistent|excluded"
    r"|unlikely|implausible|ruled out|false|not)|(?:does not|doesn['’]t) (?:fit|match|hold)|isn['’]t (?:right"
    r"|correct))\b",
    re.IGNORECASE,
)


def is_taken_back(text: str, answer: str, since: int, behind: int, options: Mapping[str, str]) -> bool:
    """Whether a reply takes its verdict back.

    Args:
        text: Plain text.
        answer: The letter that was claimed.
        since: Place behind the letter.
        behind: Place behind the verdict, its confidence too.
        options: Letter -> text.

    Returns:
        True where a sentence behind denies the answer, or turns to another option.

    Example:
        >>> is_taken_back("Answer: B. Confidence: 85. P.S. I meant D.", "B", 9, 25, {"B": "Mass", "D": "Cyst"})
        True
    """
    if _AT_ONCE.match(text, since) or _MARKED_WRONG.search(text, since):
        return True
    on = _OF_WHAT.match(text, behind)
    if on and not _AGAINST.search(on[0]):
        flat = on[0].lower()
        if _others_named(flat, answer, options) and not _names_itself(flat, answer, options):
            return True
    return any(_turns(sentence, answer, options) for sentence in _sentences(text, behind))


def _others_named(flat: str, answer: str, options: Mapping[str, str]) -> set[str]:
    """Find the other options whose text a text in lower case holds."""
    return {
        letter for letter, said in options.items() if letter != answer and len(said) > _SHORT and said.lower() in flat
    }


def _others_by_a_word(flat: str, answer: str, options: Mapping[str, str]) -> set[str]:
    """Find the other options of whose text a text in lower case holds a long word that the answer's lacks."""
    own = options.get(answer, "").lower()
    return {
        letter
        for letter, said in options.items()
        if any(len(word) > _LONG and word not in own and word in flat for word in said.lower().split())
    }


def _names_itself(flat: str, answer: str, options: Mapping[str, str]) -> bool:
    """Whether a text in lower case holds the answer's own text."""
    own = options.get(answer, "").lower()
    return len(own) > _SHORT and own in flat


def _names_short(sentence: str, answer: str, options: Mapping[str, str]) -> bool:
    """Whether a sentence turns to another option's text that is too short to be looked for anywhere: "Update: yes"."""
    by_now = _NOW_THINKS.search(sentence)
    turned = _TURNED.match(sentence) or (_SAYS_SHORT.match(sentence, by_now.end()) if by_now else None)
    return turned is not None and any(
        turned[1].lower() == text.lower() for letter, text in options.items() if letter != answer
    )


_LISTED = expression(r"^[ (\[]*+([A-Z]) ?[.):] ?(?=[^\s])", re.MULTILINE)


def _sentences(text: str, since: int) -> Iterator[str]:
    """Yield the sentences behind a verdict, without the letters of a list of all options."""
    rest = text[since:]
    if len(set(_LISTED.findall(rest))) > 1:
        rest = _LISTED.sub("", rest)
    for count, sentence in enumerate(_SENTENCE.finditer(rest)):
        if count == _MOST_SENTENCES:
            return
        yield sentence[0].strip()


def _turns(sentence: str, answer: str, options: Mapping[str, str]) -> bool:
    if "~~" in sentence or _names_short(sentence, answer, options):
        return True
    letters = {
        found[0]
        for found in _LETTER.finditer(sentence)
        if stands_alone(sentence, found.start()) or _VERB.match(sentence, found.end())
    }
    if answer in letters and (_NOT_IT.search(sentence) or _NOT_THAT.match(sentence)):
        return True
    flat = sentence.lower()
    others = {letter for letter in letters if letter in options and letter != answer}
    named = _others_named(flat, answer, options)
    if (others | named) and _EQUALLY.search(sentence):
        return True
    if (others | named | _others_by_a_word(flat, answer, options)) and _LOOKS_AGAIN.search(sentence):
        return True
    if (others | named) and _now_thinks(sentence, others, [options[letter] for letter in named]):
        return True
    besides = sentence
    for letter in named:
        besides = re.sub(re.escape(options[letter]), "", besides, flags=re.IGNORECASE)
    if not others | named or _AGAINST.search(besides):
        return False
    # One that is announced ("Answer: C") is a claim, and of two the first or the last stands.
    if others and "answer" not in flat and len(re.findall(r"\w+", sentence)) <= 3 and answer not in letters:
        return True
    if _names_itself(flat, answer, options):
        return False
    return bool(_TURNS.search(sentence) or (_BETTER.search(sentence) and answer not in letters))


def _now_thinks(sentence: str, letters: Collection[str], texts: Collection[str]) -> bool:
    """Whether a sentence chooses another option by now; one that leaves it out ("I now think it is not C") does not."""
    chosen = _NOW_THINKS.search(sentence)
    if chosen is None:
        return False
    flat = sentence.lower()
    places = [found.start() for found in _LETTER.finditer(sentence, chosen.end()) if found[0] in letters]
    places += [at for at in (flat.find(text.lower(), chosen.end()) for text in texts) if at >= 0]
    return (
        bool(places)
        and not _NOT_THE_OTHER.search(sentence, chosen.end(), min(places))
        and not _NOT_IT.match(sentence, min(places) + 2)
    )
