"""Probabilities of a reply's letter, or of its open answer, from a server's log-probabilities."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence

from prompt4trust.estimators._words import words_agree
from prompt4trust.estimators.option_signals import option_signals
from prompt4trust.models import Completion
from prompt4trust.verdict import answers_in

ALTERNATIVES = 20
"""Alternatives asked for at each token: the most that OpenAI's API and vLLM's default allow."""

_AROUND = " \t\r\n\"'`*_([{<.,:;)]}>“”‘’▁Ġ"
_BLANKS = " \t\r\n▁Ġ"
_SKIPPED = 16
"""Characters of the text by which a token may lie beyond the one before: blanks, or what a token without text was."""
_TAIL = 40
"""Characters by which an answer may be longer as it is written than as it is read: markup, blanks."""
_TRIES = 16
"""Places tried one by one before they are tried by halves."""


def letter_signals(reply: Completion, letter: str, options: Mapping[str, str]) -> dict[str, float]:
    """Compute the probability of a reply's letter, and related signals.

    At the token that wrote the letter, the probabilities of the tokens that are option letters (bare or with blanks and
    punctuation, in the case in which the letter was written) are summed by letter. A letter that is not among the
    reported alternatives counts as impossible.

    Args:
        reply: The reply with its tokens and their alternatives.
        letter: The letter of its verdict.
        options: Letter -> text.

    Returns:
        letter_probability: the letter's share of all option letters there; letter_logprob: its natural log-probability
        among all tokens; letter_mass: the option letters' probability together; letter_margin: its lead on the next;
        reply_probability: the probability of the whole reply up to and with that token, in [0, 1] (the sequence's
        likelihood: what the model decided before it came to the letter counts); words_agree: whether what the reply
        says before the letter is that option, 1, or another finding, 0 (`prompt4trust.estimators._words.words_agree`);
        reply_support: reply_probability, at most an even share of all options where that is another finding, since the
        probability is then another answer's; and a probability for each option: what the letters share at that token,
        as far as it was probable that the model came there, and an even share of the rest, since nobody knows what it
        would have answered after other words. Empty where the server reported none, or none for that token.
    """
    if not reply.tokens or not reply.top_logprobs or len(reply.tokens) != len(reply.top_logprobs):
        return {}
    place = find_letter(reply.text, reply.tokens, letter, options)
    if place is None:
        return {}
    weights = _weights(reply.tokens[place], reply.top_logprobs[place], options)
    total = sum(weights.values())
    if not weights.get(letter):
        return {}
    probability = weights[letter] / total
    rival = max((weight for other, weight in weights.items() if other != letter), default=0.0) / total
    before = _probability(reply.tokens[:place], reply.top_logprobs[:place])
    with_it = _probability(reply.tokens[: place + 1], reply.top_logprobs[: place + 1])
    came_there = 1.0 if before is None else before
    agrees = words_agree(reply.text[: _ends(reply.text, reply.tokens)[place]], letter, options)
    most = 1.0 if agrees else 1 / len(options)
    return {
        "letter_probability": probability,
        "letter_logprob": math.log(weights[letter]),
        "letter_mass": min(total, 1.0),
        "letter_margin": probability - rival,
        **({} if with_it is None else {"reply_probability": with_it, "reply_support": min(with_it, most)}),
        "words_agree": agrees,
        **option_signals(
            {
                option: came_there * weights.get(option, 0.0) / total + (1 - came_there) / len(options)
                for option in options
            }
        ),
    }


def _probability(tokens: Sequence[str], likely: Sequence[Mapping[str, float]]) -> float | None:
    """Multiply the probabilities of the tokens that were written; None where the server left one out."""
    logprobs = [alternatives.get(token) for token, alternatives in zip(tokens, likely, strict=True)]
    known = [logprob for logprob in logprobs if logprob is not None]
    return math.exp(min(sum(known), 0.0)) if len(known) == len(logprobs) else None


def _weights(token: str, likely: Mapping[str, float], options: Mapping[str, str]) -> dict[str, float]:
    """Sum the probabilities of option letters at a token."""
    lower = token.strip(_AROUND).islower()
    weights: dict[str, float] = {}
    for other, logprob in likely.items():
        written = other.strip(_AROUND)
        # An "a" beside "B" is the article, not option A.
        if written.islower() == lower and written.upper() in options:
            weights[written.upper()] = weights.get(written.upper(), 0.0) + math.exp(min(logprob, 0.0))
    return weights


def find_letter(text: str, tokens: Sequence[str], letter: str, options: Mapping[str, str]) -> int | None:
    """Find the token that wrote the letter of a reply's verdict.

    It is the one at which the reply, read as far as it goes, begins to have that letter as its answer and keeps it to
    its end. Letters alone are read, since a reply may say the option's text before ("Finding: Round. The answer is A"),
    and the answer by that text is no token's probability.

    Args:
        text: The reply.
        tokens: Its tokens. They are looked for in the text, since servers write their blanks in several ways.
        letter: The letter that was read in the whole of it.
        options: Letter -> text.

    Returns:
        The token's place, or None where no token is that letter alone.
    """
    ends = _ends(text, tokens)

    def reads_so(length: int) -> bool:
        return letter in answers_in(text[: ends[length]], options.keys())

    places = [place for place, token in enumerate(tokens) if token.strip(_AROUND).upper() == letter]
    found = _first(places[::-1], lambda place: not (reads_so(place + 1) and reads_so(place)))
    return found if found is not None and reads_so(found + 1) else None


def text_probability(reply: Completion, said: str) -> float | None:
    """Compute the probability of an open reply up to its answer's end, in [0, 1].

    The end is that of the first token up to which the reply, read as far as it goes, has that answer, and behind which
    no word goes on: the answer's text may stand before it, too, or within another word ("no" in "cannot"). A JSON
    object that is not at its end is read as if it were, so that escaped signs count as what they stand for.

    Args:
        reply: The reply with its tokens and their alternatives.
        said: The answer that was read in the whole of it.

    Returns:
        The product over all tokens up to the answer's last one; None where no beginning of the reply reads so, or the
        server did not report all of these tokens.

    Example:
        >>> tokens = ["I cannot tell. ", "Answer:", " no", " with confidence 60"]
        >>> likely = [{token: math.log(0.5)} for token in tokens]
        >>> round(text_probability(Completion("".join(tokens), "stop", likely, tokens), "no"), 3)
        0.125
    """
    if not reply.tokens or not reply.top_logprobs or len(reply.tokens) != len(reply.top_logprobs):
        return None
    text, wanted, squeezed = reply.text, said.strip(_AROUND), _squeezed(said)
    ends = _ends(text, reply.tokens)

    def may_end(end: int) -> bool:
        written = text[max(end - _TAIL - len(said), 0) : end]
        return "\\" in text or (not _goes_on(text, end) and _squeezed(written).endswith(squeezed))

    def reads_so(place: int) -> bool:
        found = (answer.strip(_AROUND) for each in _complete(text[: ends[place]]) for answer in answers_in(each, ()))
        return wanted in found

    place = _first([place for place, end in enumerate(ends) if may_end(end)], reads_so)
    return None if place is None else _probability(reply.tokens[:place], reply.top_logprobs[:place])


def open_signals(reply: Completion, said: str) -> dict[str, float]:
    """Compute the signals of log-probabilities of an open reply.

    Args:
        reply: The reply with its tokens and their alternatives.
        said: The answer that was read in it.

    Returns:
        reply_probability: the probability of the whole reply up to its answer's end, in [0, 1] (`text_probability`).
        Empty where that is not known.

    Example:
        >>> tokens = ["The answer is", " a cyst", " with confidence 60"]
        >>> likely = [{token: math.log(0.5)} for token in tokens]
        >>> open_signals(Completion("".join(tokens), "stop", likely, tokens), "a cyst")
        {'reply_probability': 0.25}
    """
    probability = text_probability(reply, said)
    return {} if probability is None else {"reply_probability": probability}


def _first(places: Sequence[int], holds: Callable[[int], bool]) -> int | None:
    """Find the first place at which something holds that takes time to find out.

    The first `_TRIES` places are tried one by one. Behind them it is taken to hold on from where it begins to, and that
    place is found by halves: a reply of hundreds of possible ends is read some two dozen times.
    """
    for place in places[:_TRIES]:
        if holds(place):
            return place
    low, high = _TRIES - 1, len(places) - 1
    if high <= low or not holds(places[high]):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(places[middle]) else (middle, high)
    return places[high]


def _goes_on(text: str, end: int) -> bool:
    """Whether a place lies within a word; of scripts without blanks none does."""
    around = text[max(end - 1, 0) : end + 1]
    return len(around) == 2 and all(sign.isalnum() and unicodedata.category(sign) != "Lo" for sign in around)


def _squeezed(text: str) -> str:
    """Take the letters and digits of a text, in one width and case."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).casefold()))


def _complete(text: str) -> Iterator[str]:
    """Give the beginning of a reply, and where it holds an answer's JSON, what it would be were that at its end."""
    yield text
    if '"answer"' in text.lower():
        yield from (f'{text}"}}', f"{text}}}", f"{text.rpartition(',')[0]}}}")


def _ends(text: str, tokens: Sequence[str]) -> list[int]:
    """Find where each token ends in a text, 0 before the first: one more than there are tokens."""
    ends = [0]
    for token in tokens:
        written, start = token.strip(_BLANKS), ends[-1]
        at = text.find(written, start, start + len(written) + _SKIPPED)
        ends.append(start if at < 0 else at + len(written))
    return ends
