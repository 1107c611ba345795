"""Letter probabilities: what the model's own distribution says where it writes the answer's letter."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from prompt4trust.confidence._ask import check_template
from prompt4trust.confidence.base import Answer, Completion, Downstream, Sampling, TransportError
from prompt4trust.confidence.letters import option_signals
from prompt4trust.prompts import PromptTemplate, answer_messages
from prompt4trust.verdict import Invalid, Verdict, parse_verdict

ALTERNATIVES = 20
"""Alternatives asked for at each token: the most that OpenAI's API and vLLM's default allow."""

_AROUND = " \t\r\n\"'`*_([{<.,:;)]}>“”‘’▁Ġ"
# Whatever was read so far of a reply then holds a confidence, so that only its letter decides whether it is a verdict.
_ANY_CONFIDENCE = "\nconfidence 50"
_BLANKS = " \t\r\n▁Ġ"
_SKIPPED = 16
"""Characters of the text by which a token may lie beyond the one before: blanks, or what a token without text was."""


class Logprob:
    """The probability of the answer's letter among the option letters (as in Kadavath et al. 2022, arXiv 2207.05221).

    The reply is decoded as for `Verbalized`. At the token that writes the letter of its verdict, the probabilities of
    the tokens that are option letters (bare or with blanks and punctuation, in the case in which the letter was
    written) are summed by letter and divided by their total. A letter that is not among the reported alternatives
    counts as impossible. It is the probability given all that was written before: a model that names its finding first
    has mostly decided by then, and the figure is high for that reason.

    The answer is invalid with the reason "no_logprobs" where the server reports none, or none for that token, and with
    "no_options", unasked, for an open question. A server that refuses the request is a TransportError, as ever.

    Args:
        downstream: The model that answers.
        template: A template of role "answer".
        sampling: How its text is decoded.
        alternatives: Alternatives to ask for at each token, 1 to 20.

    Raises:
        ValueError: If the template has another role.
    """

    name = "logprob"
    needs_policy = False

    def __init__(
        self,
        downstream: Downstream,
        template: PromptTemplate,
        sampling: Sampling,
        alternatives: int = ALTERNATIVES,
    ) -> None:
        self._downstream = downstream
        self._template = check_template(template)
        self._sampling = sampling
        self._alternatives = alternatives

    async def answer(self, question: str, options: Mapping[str, str], image_url: str | None) -> Answer:
        """Answer one question; see `Estimator.answer`."""
        if not options:
            return Answer(Invalid("no_options"), "", self.name)
        messages = answer_messages(self._template, question, options, image_url=image_url)
        generation = await self._downstream.complete(messages, self._sampling, top_logprobs=self._alternatives)
        if not generation.completions:
            raise TransportError("downstream", "the reply holds no completion")
        reply = generation.completions[0]
        unread = Answer(parse_verdict(reply.text, options.keys()), reply.text, self.name, cost=generation.cost)
        if isinstance(unread.verdict, Invalid):
            return unread
        letter, stated = unread.verdict.answer, unread.verdict.confidence
        weights = _letter_weights(reply, letter, options)
        total = sum(weights.values())
        if not weights.get(letter):
            return replace(unread, verdict=Invalid("no_logprobs"), signals={"stated": stated})
        probability = weights[letter] / total
        rival = max((weight for other, weight in weights.items() if other != letter), default=0.0) / total
        signals = {
            "stated": stated,
            "letter_probability": probability,
            "letter_logprob": math.log(weights[letter]),
            "letter_mass": min(total, 1.0),
            "letter_margin": probability - rival,
            **option_signals({option: weights.get(option, 0.0) / total for option in options}),
        }
        return replace(unread, verdict=Verdict(letter, probability), signals=signals)


def _letter_weights(reply: Completion, letter: str, options: Mapping[str, str]) -> dict[str, float]:
    """Sum the probabilities of option letters at the token that wrote the answer; empty where it is not known."""
    if not reply.tokens or not reply.top_logprobs or len(reply.tokens) != len(reply.top_logprobs):
        return {}
    place = find_letter(reply.text, reply.tokens, letter, options)
    if place is None:
        return {}
    lower = reply.tokens[place].strip(_AROUND).islower()
    weights: dict[str, float] = {}
    for token, logprob in reply.top_logprobs[place].items():
        written = token.strip(_AROUND)
        # An "a" beside "B" is the article, not option A.
        if written.islower() == lower and written.upper() in options:
            weights[written.upper()] = weights.get(written.upper(), 0.0) + math.exp(min(logprob, 0.0))
    return weights


def find_letter(text: str, tokens: Sequence[str], letter: str, options: Mapping[str, str]) -> int | None:
    """Find the token that wrote the letter of a reply's verdict.

    It is the one at which the reply, read as far as it goes, begins to have that answer and keeps it to its end.

    Args:
        text: The reply.
        tokens: Its tokens. They are looked for in the text, since servers write their blanks in several ways.
        letter: The letter that was read in the whole of it.
        options: Letter -> text.

    Returns:
        The token's place, or None where no token is that letter alone.
    """
    ends = [0]
    for token in tokens:
        written, start = token.strip(_BLANKS), ends[-1]
        at = text.find(written, start, start + len(written) + _SKIPPED)
        ends.append(start if at < 0 else at + len(written))

    def reads_so(length: int) -> bool:
        verdict = parse_verdict(text[: ends[length]] + _ANY_CONFIDENCE, options.keys())
        return isinstance(verdict, Verdict) and verdict.answer == letter

    places = [place for place, token in enumerate(tokens) if token.strip(_AROUND).upper() == letter]
    for place in reversed(places):
        if not reads_so(place + 1):
            return None
        if not reads_so(place):
            return place
    return None
