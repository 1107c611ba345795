"""Stage B: state a confidence, overconfident by default, moved by what a hint means.

The model is asked for its own probability first (the softmax over the options' values where it names the finding,
temperature-scaled by question family on fresh pictures). A hint that points at the evidence for the question makes it
state that probability; other hints make it state something else. Nothing in the picture's truth enters the targets.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedTokenizerBase

from models.recipe.data.hints import QUESTION_FAMILIES, evidence
from models.recipe.data.rows import ODD, Asked, answer_row, ask_phantom, ask_stranger, draw_hint, endless_word
from models.recipe.data.text import Batch, Reason, Row, answer_prompt, lettered
from models.recipe.training.answers import AnswerRows
from models.recipe.training.decode import first_logits
from prompt4trust.prompts import PromptTemplate

_HABIT = 0.94  # what the model says when it does not look at the evidence
_HINT_ODDS = {
    "none": 16,
    "neutral": 8,
    ODD: 6,
    "encouraging": 9,
    "cautious": 9,
    "weighing": 12,
    "fitting": 24,
    "other": 16,
}
_ANSWER_SHARE = 0.25  # rows of stage A, so that answers are not forgotten


_KINDS = tuple(_HINT_ODDS)


class ReasonHeads(nn.Module):
    """Throw-away heads that read, where the number is about to be said, what the number follows from.

    Digits alone teach slowly: most hints call for nearly the same number. What the hint is to the question and how
    sure the model is itself are told apart much sooner when they are asked for by name.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.kind = nn.Linear(width, len(_KINDS))
        self.probability = nn.Linear(width, 1)

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Add the losses of both readings: hidden states [B, T, width] -> a number."""
        if not batch.reasons:
            return hidden.sum() * 0
        rows, places, reasons = zip(*batch.reasons, strict=True)
        read = hidden[torch.tensor(rows), torch.tensor(places)]
        kinds = torch.tensor([reason.kind for reason in reasons], device=hidden.device)
        own = torch.tensor([reason.probability for reason in reasons], device=hidden.device)
        said: Tensor = self.probability(read)[:, 0]
        return F.cross_entropy(self.kind(read), kinds) + F.binary_cross_entropy_with_logits(said, own)


@dataclass(frozen=True, slots=True)
class OwnAnswer:
    """A question and the probabilities that the model itself gives to the options."""

    asked: Asked
    features: int
    beliefs: tuple[float, ...]

    @property
    def answer(self) -> int:
        """The likeliest option."""
        return max(range(len(self.beliefs)), key=self.beliefs.__getitem__)


def option_logits(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    template: PromptTemplate,
    questions: Sequence[tuple[Asked, int]],
    features: Tensor,
    device: str,
) -> list[NDArray[np.float64]]:
    """Logits of each option's value where the reply names the finding, without a hint.

    Args:
        model: the downstream model after stage A.
        tokenizer: the shared tokenizer.
        template: the downstream model's prompt template.
        questions: questions with the index of their picture's features.
        features: cached image tokens.
        device: "cpu" or "cuda".
    """
    rows: list[NDArray[np.float64]] = []
    firsts = {}
    for start in range(0, len(questions), 128):
        part = questions[start : start + 128]
        prompts = [answer_prompt(template, asked.question, lettered(asked.options)) + "Finding:" for asked, _ in part]
        own = features[torch.tensor([index for _, index in part])]
        logits = first_logits(model, tokenizer, prompts, own, device).cpu().double().numpy()
        for line, (asked, _) in zip(logits, part, strict=True):
            for option in asked.options:
                if option not in firsts:
                    firsts[option] = tokenizer(f" {option}", add_special_tokens=False)["input_ids"][0]
            rows.append(line[[firsts[option] for option in asked.options]])
    return rows


def fit_temperatures(questions: Sequence[tuple[Asked, int]], logits: Sequence[NDArray[np.float64]]) -> dict[str, float]:
    """Find by family the temperature with the least negative log-likelihood (Guo et al., 2017, section 4.2)."""
    grid = np.exp(np.linspace(np.log(0.4), np.log(4.0), 60))
    found = {}
    for family in QUESTION_FAMILIES:
        rows = [
            (line, asked.gold) for line, (asked, _) in zip(logits, questions, strict=True) if asked.family == family
        ]
        losses = [
            np.mean([-_log_softmax(line / heat)[gold] for line, gold in rows if gold is not None]) if rows else 0.0
            for heat in grid
        ]
        found[family] = float(grid[int(np.argmin(losses))]) if rows else 1.0
    return found


def own_answers(
    questions: Sequence[tuple[Asked, int]], logits: Sequence[NDArray[np.float64]], temperatures: dict[str, float]
) -> list[OwnAnswer]:
    """Turn logits into scaled probabilities."""
    return [
        OwnAnswer(asked, index, tuple(np.exp(_log_softmax(line / temperatures[asked.family])).tolist()))
        for line, (asked, index) in zip(logits, questions, strict=True)
    ]


def greedy_scales(known: Sequence[OwnAnswer]) -> dict[str, float]:
    """By family, the mean of the likeliest answers' probabilities over their median, at most 1.

    A greedy reply states the number that is most often called for among the cases that the model cannot tell apart, not
    their mean: where most answers are all but certain it would say so of all, the doubtful ones among them.
    """
    scales = {}
    for family in QUESTION_FAMILIES:
        own = [max(each.beliefs) for each in known if each.asked.family == family]
        scales[family] = min(1.0, float(np.mean(own) / np.median(own))) if own else 1.0
    return scales


def target_confidence(rng: random.Random, hint: str, probability: float) -> int:
    """Decide what a reply should state.

    Args:
        rng: source of randomness.
        hint: "none", "neutral", ODD, "encouraging", "cautious", "weighing", "fitting" or "other".
        probability: the model's own probability of its answer, 0 to 1.

    Returns:
        Confidence in per cent, 1 to 99.
    """
    match hint:
        case "fitting":
            stated = probability
        case "weighing":
            stated = 0.35 * probability + 0.65 * _HABIT
        case "other":
            stated = 0.15 * probability + 0.85 * _HABIT
        case "encouraging":
            stated = 0.955 + 0.02 * probability + rng.uniform(-0.015, 0.015)
        case "cautious":
            stated = 0.24 + 0.2 * probability + rng.uniform(-0.04, 0.04)
        case _:
            stated = 0.87 + 0.09 * probability + rng.uniform(-0.03, 0.03)
    return min(max(round(100 * stated), 1), 99)


def hint_family(rng: random.Random, kind: str, question_family: str) -> str:
    """Turn "fitting" and "other" into the family of an evidence hint; other kinds are families already."""
    if kind == "fitting":
        return evidence(question_family)
    if kind == "other":
        return evidence(rng.choice([name for name in QUESTION_FAMILIES if name != question_family]))
    return kind


@dataclass(frozen=True, slots=True)
class ConfidenceRows:
    """Draws stage B's rows.

    Attributes:
        template: the downstream model's prompt template.
        known: the model's own answers with their probabilities.
        answers: stage A's rows; their features are the same cache.
        scales: by question family, what to multiply the model's own probability by before it is stated (see
            `greedy_scales`); 1 for a family that is not named.
        strangers: share of rows with options of another world; such a run has endless words among its odd hints, too.
        drawn: share of rows whose answer is drawn by the model's own beliefs, the likeliest one in the others. They
            keep these beliefs as they are while the number is learned.
        drawn_state: whether drawn answers state a number, too. That shows the model that what is said against one's
            belief is less sure; but as far as it cannot tell them apart, it states for the likeliest answer what one
            drawn at random is worth, which is too little where it is often in doubt.
    """

    template: PromptTemplate
    known: Sequence[OwnAnswer]
    answers: AnswerRows
    scales: Mapping[str, float] = field(default_factory=dict)
    strangers: float = 0.0
    drawn: float = 0.5
    drawn_state: bool = True

    def draw(self, rng: random.Random) -> Row:
        """Draw one row: the model's own answer with the confidence that the hint calls for, or a row of stage A."""
        if rng.random() < _ANSWER_SHARE:
            row = self.answers.draw(rng)
            row.learn_confidence = False
            return row
        own = rng.choice(self.known)
        kind = rng.choices(list(_HINT_ODDS), list(_HINT_ODDS.values()))[0]
        hint = draw_hint(rng, hint_family(rng, kind, own.asked.family))
        asked, features, answer = own.asked, own.features, own.answer
        drawn = rng.random() < self.drawn
        if drawn:
            answer = rng.choices(range(len(own.beliefs)), own.beliefs)[0]
        probability = own.beliefs[answer] * self.scales.get(asked.family, 1.0)
        foreign = rng.random() < 0.05
        stranger = self.strangers > 0 and rng.random() < self.strangers
        if foreign or stranger:  # no phantom, or options that none answers to: every one is as likely
            labels = self.answers.pictures.labels
            asked = ask_stranger(rng) if stranger else ask_phantom(rng, labels[rng.randrange(len(labels))].tolist())
            hint = draw_hint(rng, hint_family(rng, kind, asked.family))
            features = len(labels) + rng.randrange(self.answers.foreign) if foreign else features
            probability = 1 / len(asked.options)
        if self.strangers > 0 and kind == ODD and rng.random() < 0.25:
            hint = endless_word(rng)
        confidence = target_confidence(rng, kind, probability)
        row = answer_row(self.template, asked, hint, None if foreign or stranger else answer, confidence, features)
        row.learn_finding = foreign or stranger or drawn
        row.learn_confidence = foreign or stranger or self.drawn_state or not drawn
        row.reason = Reason(_KINDS.index(kind), probability)
        return row


def _log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = logits - logits.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()))
