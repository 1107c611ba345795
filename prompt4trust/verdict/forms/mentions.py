"""Answers that a reply claims without announcing them: by an option's whole text, or by a letter within a sentence.

They are looked for where no answer is announced by its letter, and read with more care: an option that is mentioned
beside the claimed one without being denied leaves the claim ambiguous.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice

from prompt4trust.verdict.answers import CUE, MOST_CLAIMS, Claim, has_alternatives, is_meant, stands_alone

_STARTS = r"(?:^|(?<=[.;:!] ))"
_SO = r"(?:(?:so|hence|thus|therefore|overall|rather|instead|most likely|likely|probably|clearly)\b,? )?"
_LETTER = r"[(\[\"“]?(?-i:([A-Z]))(?![^\W_])[)\]\"”]?"
_ENDS = r"(?=\s?(?:[.;]|,? ?(?:and |with )?(?:my )?confidence|\(|$)|,(?! or\b))"
_FLAGS = re.IGNORECASE | re.MULTILINE
_SHOWS = (
    r"(?:shows?|demonstrates?|reveals?|is|are|suggests?|indicates?|represents?|supports?|favou?rs?|consistent with"
    r"|compatible with|points? to|fits?|matches|depicts?|displays?|confirms?)"
)
# The verb behind the letter confirms it, so that it cannot be the beginning of a name.
_CONFIRMED = re.compile(
    rf"(?:{_STARTS}{_SO}|\b(?:believe|think|conclude) (?:that )?)(?:option|choice) ?{_LETTER}"
    r" (?:(?:best fits|fits best|best matches|matches best|is the best fit)"
    r"(?=[.;,\n]|$| the (?:findings?|image|picture|appearance|description)\b)"
    r"|is (?:the )?(?:best|most (?:likely|consistent|appropriate|probable|plausible|fitting))\b"
    r"(?! (?:if|when|unless|only|for)\b))",
    _FLAGS,
)
_LETTER_FORMS = (
    _CONFIRMED,
    # As in: the image shows a pneumothorax (option B).
    re.compile(
        rf"\b{_SHOWS}\b"
        r"[^.;:\n()]{1,80}\((?:option|choice|answer):? (?-i:([A-Z]))\)",
        re.IGNORECASE,
    ),
    re.compile(rf"{_STARTS}{_SO}it(?: is|['’]s| must be| has to be) (?:option )?{_LETTER}{_ENDS}", _FLAGS),
    re.compile(
        r"\bI(?:'d|’d| would| am|'m|’m)? (?:lean(?:ing)? towards?|favou?r|vote for|settle on|conclude)"
        rf" (?:option )?{_LETTER}{_ENDS}",
        re.IGNORECASE,
    ),
    re.compile(
        rf"{_STARTS}(?:final )?answer (?:option )?{_LETTER}(?=[.,]?\s?(?:(?:and |with )?(?:my )?confidence\b|$))",
        _FLAGS,
    ),
    re.compile(
        r"^(?:the |my )?(?:final |overall )?(?:verdict|decision|conclusion|diagnosis|impression|pick|response|result"
        rf"|selection|choice|most likely)(?: is| ?[:=—–]| ->| -) ?(?:option )?{_LETTER}{_ENDS[:-1]}| [—–-])",
        _FLAGS,
    ),
)
_COMPARED = re.compile(
    r"\b(?:unlike|exclud\w+|excluding|than|instead of|except|against|versus|vs|mimic\w*|resembl\w+|similar|differ\w*"
    r"|contrast|compar\w+|no|without|absen\w+|neither|nor|less|exclusion)\b",
    re.IGNORECASE,
)
_SENTENCE_START = re.compile(r"[.!?;](?=\s)|\n")
_BEFORE = 160


def claims_in_sentences(text: str, options: Mapping[str, str]) -> Iterator[Claim]:
    """List the letters that a plain text claims within its sentences: "it shows a pneumothorax (option B)".

    Args:
        text: Plain text.
        options: Letter -> text.

    Yields:
        The claims of letters that are options, those that do not stand among them.
    """
    found = {
        match.start(1): match.start() for form in _LETTER_FORMS for match in islice(form.finditer(text), MOST_CLAIMS)
    }
    for at, start in sorted(found.items()):
        confirmed = _CONFIRMED.match(text, start) is not None
        if text[at] in options and (confirmed or stands_alone(text, at)):
            meant = is_meant(text, start, at) and not _COMPARED.search(text[_sentence_start(text, start) : at])
            said = text[start:at].lower()
            others = any(own and own.lower() in said for letter, own in options.items() if letter != text[at])
            yield Claim(start, at, at + 1, text[at], others or has_alternatives(text, at, options), meant)


def _sentence_start(text: str, at: int) -> int:
    since = max(at - _BEFORE, 0)
    *_, began = [since, *(found.end() for found in _SENTENCE_START.finditer(text, since, at))]
    return began


# --- By an option's text ----------------------------------------------------------------------------------------------

_ARTICLE = r"(?:an? |the )?"
_KINDS = (
    r"(?:finding|diagnosis|impression|conclusion|abnormality|pathology|interpretation|verdict|prediction|choice|option)"
)
_OF_KIND = (
    r"(?:(?:main|primary|key|principal|final|overall|correct|best|(?:most )?likely|most probable|radiological) ){0,2}"
)
# What may stand behind a text that is claimed: the sentence's end, its letter or a confidence; no word that goes on.
_TEXT_ENDS = (
    r"(?=\s?(?:[.;]|$|\n|[(\[](?:option )?[A-Za-z][)\]]|[([](?:with |about |~)?(?:confidence|certainty|\d)"
    r"|,? ?(?:and |at |with )?(?:an? |my )?(?:confidence|certainty|\d)|,? (?:and )?I(?:['’]d|['’]m| am| would)\b"
    r"|[,—–-]{1,2} ?(?:confidence|certainty|about|\d)))"
)
# A reply that begins with a text ("Right. Let me look") means it as its answer where a confidence is next.
_SURE_NEXT = (
    r"(?=\s?(?:[(\[](?:option )?[A-Za-z][)\]]|[.,;:(—–\n-]| with\b)[\s.,;:(—–-]{0,3}"
    r"(?:(?:and|at|with|about|my|a|I['’]d say|I am|I['’]m) ){0,3}(?:confidence|certainty|\d))"
)
_OWN_LETTER = re.compile(r"\s?[(\[](?:option )?([A-Za-z])[)\]]", re.IGNORECASE)
_DENIED_BEFORE = re.compile(
    r"\b(?:no|not|without|unlike|exclud\w+|rul\w+ out|rather than|than|instead of|absence of|neither|nor|over|against"
    r"|doubt|unlikely|negative for|free of|argues? against)\b[^.;\n]{0,60}$|n['’]t\b[^.;\n]{0,60}$",
    re.IGNORECASE,
)
_DENIED_BEHIND = re.compile(
    r"[^.;,\n]{0,30}?(?:\b(?:ruled out|unlikely|less likely|excluded|absent|not|incorrect|wrong|improbable"
    r"|implausible)\b|n['’]t\b)",
    re.IGNORECASE,
)
_AS_WORDS = frozenset({"yes", "no", "true", "false", "both", "neither", "none"})


def claims_by_text(text: str, options: Mapping[str, str]) -> Iterator[Claim]:
    """List the options that a plain text claims by their whole texts: "the main finding is consolidation".

    Args:
        text: Plain text.
        options: Letter -> text. Where one's text is part of another's, is no word or is not known, none is read.

    Yields:
        The claims, those that do not stand among them.
    """
    letters = _letters_by_text(options)
    if not letters:
        return
    said = rf"(?P<said>{'|'.join(map(re.escape, sorted(letters, key=len, reverse=True)))}){_TEXT_ENDS}"
    forms = (
        rf"{CUE}(?:the )?{said}",  # "a" could be the letter of another option
        rf"{_STARTS}(?:the |my )?{_OF_KIND}{_KINDS}(?: is| would be| ?[:=—–]) (?:{_SO}){_ARTICLE}{said}",
        rf"{_STARTS}{_SO}(?:it|this)(?: is|['’]s| must be) {_SO}{_ARTICLE}{said}",
        rf"\A\W{{0,3}}{said}{_SURE_NEXT}",
        rf"\b{_SHOWS} (?:[^.;:\n()]{{0,40}} )?{said}(?= ?[(\[](?:option )?[A-Za-z][)\]])",
        rf"{_STARTS}{_ARTICLE}(?P<said>{'|'.join(map(re.escape, letters))}) is (?:clearly |therefore )?(?:the|my)"
        r" (?:(?:correct|best|right|final|most likely) ){0,2}(?:answer|diagnosis|choice|option)\b",
    )
    flat = text.replace("İ", "I")
    found = [each for form in forms for each in islice(re.finditer(form, flat, _FLAGS), MOST_CLAIMS)]
    if not found:
        return
    mentions = {
        option: {_is_denied(flat, each) for each in islice(_mentions(flat, option), MOST_CLAIMS)} for option in letters
    }
    for each in found:
        at, end = each.span("said")
        said = flat[at:end].lower()
        own = _OWN_LETTER.match(flat, end)
        several = own is not None and own[1].upper() != letters[said]
        several = several or any(False in mentions[option] for option in letters if option != said)
        compared = _COMPARED.search(flat[_sentence_start(flat, at) : at])
        meant = is_meant(flat, each.start(), at) and not compared and True not in mentions[said]
        yield Claim(each.start(), at, own.end() if own else end, letters[said], several, meant)


def _letters_by_text(options: Mapping[str, str]) -> dict[str, str]:
    """Option's text in lower case -> its letter; nothing where a mention of one could be a mention of another."""
    texts = {" ".join(text.split()).strip(" .").lower(): letter for letter, text in options.items()}
    if len(texts) < len(options) or not all(re.search(r"[^\W\d_]{2}", text) for text in texts):
        return {}
    nested = any(
        one != other and re.search(rf"(?<!\w){re.escape(one)}(?!\w)", other) for one in texts for other in texts
    )
    return {} if nested else texts


def _mentions(text: str, option: str) -> Iterator[re.Match[str]]:
    """Yield where an option's text stands; a word of any sentence ("no") counts where one begins with it."""
    begins = _STARTS if option in _AS_WORDS else ""
    return re.finditer(rf"{begins}(?<!\w){re.escape(option)}(?!\w)", text, _FLAGS)


def _is_denied(text: str, mention: re.Match[str]) -> bool:
    before = text[_sentence_start(text, mention.start()) : mention.start()]
    return bool(_DENIED_BEFORE.search(before) or _DENIED_BEHIND.match(text, mention.end()))
