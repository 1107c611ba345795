"""From probabilities to samples: letters are drawn, replies written, cut at stops and at the longest length."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from services.common.engine.interface import (
    Delta,
    FinishedSample,
    GenerationRequest,
    GenerationResult,
    TokenLogprob,
    Usage,
)
from services.downstream.contrastive.drawing import draw
from services.downstream.contrastive.forms import Form, WrittenReply, cut_in_pieces


@dataclass(frozen=True, slots=True)
class Written:
    """A sample in pieces.

    Attributes:
        pieces: Text of each.
        logprobs: Each piece with its log-probability and alternatives; empty where none were asked for.
        finish_reason: "stop" or "length".
    """

    pieces: tuple[str, ...]
    logprobs: tuple[TokenLogprob, ...]
    finish_reason: str


def write_samples(
    request: GenerationRequest, logits: Tensor, probabilities: Mapping[str, float], form: Form, allowed: Sequence[str]
) -> list[Written]:
    """Write a request's samples.

    Args:
        request: The request.
        logits: Scaled cosines of the options with the picture, float [options].
        probabilities: Letter -> its share of their softmax, in the options' order.
        form: The form of the replies.
        allowed: Letters that may be named; log-probabilities are those among them, as where tokens are held to a form.
    """
    letters = list(probabilities)
    kept = torch.tensor([letters.index(letter) for letter in allowed])
    logarithms = logits.double()[kept].log_softmax(dim=0)
    seed = request.sampling.seed
    seed = secrets.randbits(63) if seed is None else seed
    places = draw(logarithms, request.sampling, seed, request.n, request.penalties.min_p)
    scores = dict(zip(allowed, logarithms.tolist(), strict=True))
    written = {}
    for place in sorted(set(places)):
        reply = cut_in_pieces(form, allowed[place], probabilities[allowed[place]])
        written[place] = _cut(reply, request, scores, allowed[place])
    return [written[place] for place in places]


def _cut(reply: WrittenReply, request: GenerationRequest, scores: Mapping[str, float], letter: str) -> Written:
    pieces, reason = reply.pieces, "stop"
    longest = request.sampling.max_tokens
    if longest is not None and len(pieces) > longest:
        pieces, reason = pieces[:longest], "length"
    text = "".join(pieces)
    ends = [end for stop in request.stop if (end := text.find(stop)) >= 0]
    if ends:
        pieces, reason = _first(pieces, min(ends)), "stop"
    if request.logprobs is None:
        return Written(pieces, (), reason)
    logprobs = tuple(
        _logprob(piece, place == reply.letter_at, scores, letter, request.logprobs)
        for place, piece in enumerate(pieces)
    )
    return Written(pieces, logprobs, reason)


def _first(pieces: Sequence[str], length: int) -> tuple[str, ...]:
    kept: list[str] = []
    for piece in pieces:
        if length <= 0:
            break
        kept.append(piece[:length])
        length -= len(piece)
    return tuple(kept)


def _logprob(piece: str, is_letter: bool, scores: Mapping[str, float], letter: str, alternatives: int) -> TokenLogprob:
    if not is_letter:
        own = TokenLogprob(piece, piece.encode(), 0.0)
        return TokenLogprob(piece, piece.encode(), 0.0, (own,) if alternatives else ())
    around = piece.replace(letter, "{}") if letter in piece else "{}"
    every = [(around.format(each), score) for each, score in scores.items()]
    ranked = sorted(every, key=lambda pair: -pair[1])[:alternatives]
    top = tuple(TokenLogprob(text, text.encode(), min(score, 0.0)) for text, score in ranked)
    return TokenLogprob(piece, piece.encode(), min(scores[letter], 0.0), top)


class WrittenStream:
    """The deltas of samples that are written already.

    Args:
        samples: They, by index.
        prompt_tokens: Tokens of the prompt.
    """

    def __init__(self, samples: Sequence[Written], prompt_tokens: int) -> None:
        self._samples = samples
        self._prompt_tokens = prompt_tokens

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt's text."""
        return self._prompt_tokens

    async def __aiter__(self) -> AsyncIterator[Delta]:
        """Yield a delta a piece, sample by sample."""
        for index, sample in enumerate(self._samples):
            last = len(sample.pieces) - 1
            for place, piece in enumerate(sample.pieces):
                logprobs = sample.logprobs[place : place + 1]
                yield Delta(index, piece, logprobs, sample.finish_reason if place == last else None, place + 1)
            if last < 0:
                yield Delta(index, "", (), sample.finish_reason, 0)

    async def aclose(self) -> None:
        """Do nothing: nothing is left to withdraw."""


def result_of(samples: Sequence[Written], prompt_tokens: int) -> GenerationResult:
    """Put samples together as a result."""
    finished = tuple(
        FinishedSample(index, "".join(each.pieces), each.finish_reason, len(each.pieces), each.logprobs)
        for index, each in enumerate(samples)
    )
    return GenerationResult(finished, Usage(prompt_tokens, sum(each.completion_tokens for each in finished)))
