"""The model's own beliefs: its probabilities of the options, scaled on pictures that it was not trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.radiology.data.prompts import LEAD, Row
from models.radiology.data.questions import Asked
from models.radiology.training.batches import Encoder
from services.common.engine.vision.joined.modeling import JoinedForConditionalGeneration

Floats = npt.NDArray[np.float64]
_GRID = np.exp(np.linspace(np.log(0.5), np.log(4.0), 80))
_PULL = 8.0
"""How strongly a kind's temperature is drawn to the common one: as much as a shift by a factor e costs in nats."""


@dataclass(frozen=True, slots=True)
class OwnAnswer:
    """A question about a view, and the probabilities that the model gives to its options."""

    asked: Asked
    view: int
    beliefs: tuple[float, ...]

    @property
    def answer(self) -> int:
        """Place of the likeliest option."""
        return max(range(len(self.beliefs)), key=self.beliefs.__getitem__)


@torch.no_grad()
def option_logits(
    model: JoinedForConditionalGeneration,
    encoder: Encoder,
    questions: Sequence[tuple[Asked, int]],
    features: Tensor,
    *,
    batch: int = 48,
) -> list[Floats]:
    """Compute the logits of the options' first tokens where the reply names the finding.

    Args:
        model: The model.
        encoder: Encodes prompts.
        questions: Questions, each with the place of its view.
        features: Cached features of all views.
        batch: Questions at a time.

    Returns:
        For each question the logits of its options. Options that begin alike share theirs.
    """
    lead: list[int] = encoder.tokenizer(LEAD, add_special_tokens=False)["input_ids"]
    prompts = [encoder.prompt(Row(asked, 0, view)) + lead for asked, view in questions]
    order = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
    found: dict[int, Floats] = {}
    for start in range(0, len(order), batch):
        places = order[start : start + batch]
        length = max(len(prompts[place]) for place in places)
        ids = torch.full((len(places), length), int(encoder.tokenizer.pad_token_id or 0))
        for row, place in enumerate(places):
            ids[row, : len(prompts[place])] = torch.tensor(prompts[place])
        embedded = model.get_input_embeddings()(ids)
        seen = features[[questions[place][1] for place in places]].float()
        embedded = model.placed(embedded, ids, seen)
        hidden = model.get_decoder()(inputs_embeds=embedded, use_cache=False).last_hidden_state
        last = hidden[torch.arange(len(places)), torch.tensor([len(prompts[place]) - 1 for place in places])]
        logits = model.get_output_embeddings()(last).double().numpy()
        for line, place in zip(logits, places, strict=True):
            found[place] = line[[_first(encoder, option) for option in questions[place][0].options]]
    return [found[place] for place in range(len(prompts))]


def fit_temperatures(questions: Sequence[Asked], logits: Sequence[Floats]) -> dict[str, float]:
    """Fit a temperature for each kind of question, drawn to a common one (Guo et al. 2017, section 4.2).

    With a dozen questions of a kind a temperature of its own runs to its limit, and a number that follows it says
    nothing; so a kind departs from the common one only as far as its questions pay for it.

    Args:
        questions: Of pictures that the model was not trained on.
        logits: Of their options.

    Returns:
        Kind -> temperature; "" -> the common one, for kinds that are not there.
    """
    common = float(_GRID[int(np.argmin([_loss(questions, logits, heat) for heat in _GRID]))])
    found = {"": common}
    for kind in sorted({each.kind for each in questions}):
        own = [(each, line) for each, line in zip(questions, logits, strict=True) if each.kind == kind]
        asked, lines = [each for each, _ in own], [line for _, line in own]
        costs = [_loss(asked, lines, heat) + _PULL * np.log(heat / common) ** 2 for heat in _GRID]
        found[kind] = float(_GRID[int(np.argmin(costs))])
    return found


def own_answers(
    questions: Sequence[tuple[Asked, int]], logits: Sequence[Floats], temperatures: Mapping[str, float]
) -> list[OwnAnswer]:
    """Turn logits into scaled probabilities."""
    return [
        OwnAnswer(
            asked, view, tuple(np.exp(_log_softmax(line / temperatures.get(asked.kind, temperatures[""]))).tolist())
        )
        for line, (asked, view) in zip(logits, questions, strict=True)
    ]


def _first(encoder: Encoder, option: str) -> int:
    tokens: list[int] = encoder.tokenizer(f" {option}", add_special_tokens=False)["input_ids"]
    return tokens[0]


def _loss(questions: Sequence[Asked], logits: Sequence[Floats], heat: float) -> float:
    return float(sum(-_log_softmax(line / heat)[each.gold] for each, line in zip(questions, logits, strict=True)))


def _log_softmax(logits: Floats) -> Floats:
    shifted = logits - logits.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()))
