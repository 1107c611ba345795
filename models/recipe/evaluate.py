"""The recipe's own measurements: what hints do, by family, by number of options, by wording."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from models.recipe.data.hint_wordings import Part
from models.recipe.data.hints import sample_hint
from models.recipe.data.rows import ODD
from models.recipe.data.strange_text import odd_text
from models.recipe.data.text import answer_prompt, lettered
from models.recipe.training.confidence import hint_family
from models.recipe.training.decode import greedy_replies
from prompt4trust.datasets.phantoms import PhantomQuestion, Scene, render, sample_question, sample_scene
from prompt4trust.datasets.phantoms.generator import split_rng
from prompt4trust.datasets.phantoms.questions import Wordings
from prompt4trust.metrics.intervals import metric_intervals
from prompt4trust.metrics.summary import METRICS
from prompt4trust.prompts import PromptTemplate
from prompt4trust.verdict import Verdict, parse_verdict

KINDS = ("none", "neutral", "encouraging", "cautious", "weighing", "fitting", "other", ODD)
_REPORTED = ("accuracy", "mean_confidence", "ece", "auroc")


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of one condition.

    Attributes:
        n: number of questions.
        valid_rate: share of replies that hold a verdict.
        metrics: name -> {"value", "low", "high"}, over all rows, with 95 % intervals.
        by_group: group -> accuracy.
    """

    n: int
    valid_rate: float
    metrics: dict[str, dict[str, float | None]]
    by_group: dict[str, float]

    def as_json(self) -> dict[str, Any]:
        """Render with four decimals."""
        rounded = {
            name: {key: None if value is None else round(value, 4) for key, value in interval.items()}
            for name, interval in self.metrics.items()
        }
        return {"n": self.n, "valid_rate": round(self.valid_rate, 4), **rounded, "accuracy_by_family": self.by_group}


@dataclass(frozen=True, slots=True)
class Exam:
    """Questions about pictures of one split, with the image tokens that the model computes from them."""

    scenes: Sequence[Scene]
    questions: Sequence[PhantomQuestion]
    features: Tensor

    def first(self, n: int) -> "Exam":
        """Return the first n questions."""
        return Exam(self.scenes[:n], self.questions[:n], self.features[:n])


def draw_exam(
    n: int,
    seed: int,
    split: str,
    features_of: Callable[[Any], Tensor],
    *,
    options: int = 4,
    wordings: Wordings = "train",
) -> Exam:
    """Draw an exam; with the defaults, the first n questions of the benchmark's split.

    Args:
        n: number of questions.
        seed: the benchmark's seed.
        split: one of the benchmark's splits.
        features_of: turns uint8 [n, 112, 112] into image tokens.
        options: options a question.
        wordings: "train", or "heldout" for wordings that training never uses.
    """
    scenes, questions = [], []
    for index in range(n):
        rng = split_rng(seed, split, index)
        scene = sample_scene(rng)
        scenes.append(scene)
        questions.append(sample_question(rng, scene, n_options=options, wordings=wordings))
    return Exam(scenes, questions, features_of(np.stack([render(scene) for scene in scenes])))


def measure(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    template: PromptTemplate,
    exam: Exam,
    hints: Sequence[str],
    device: str,
) -> Figures:
    """Ask every question of an exam with its hint and score the replies."""
    prompts = [
        answer_prompt(template, question.text, lettered(question.options), hint)
        for question, hint in zip(exam.questions, hints, strict=True)
    ]
    replies = greedy_replies(model, tokenizer, prompts, exam.features, device)
    right, stated, valid = [], [], []
    for reply, question in zip(replies, exam.questions, strict=True):
        letters = list(lettered(question.options))
        verdict = parse_verdict(reply, letters)
        valid.append(isinstance(verdict, Verdict))
        stated.append(verdict.confidence if isinstance(verdict, Verdict) else 0.0)
        right.append(isinstance(verdict, Verdict) and verdict.answer == letters[question.answer])
    intervals = metric_intervals(stated, right, {name: METRICS[name] for name in _REPORTED})
    families = sorted({question.family for question in exam.questions})
    groups = {
        family: round(
            float(np.mean([hit for hit, asked in zip(right, exam.questions, strict=True) if asked.family == family])), 4
        )
        for family in families
    }
    metrics = {name: interval.as_json() for name, interval in intervals.items()}
    return Figures(len(replies), float(np.mean(valid)), metrics, groups)


def draw_hints(exam: Exam, kind: str, part: Part, seed: int) -> list[str]:
    """Draw one hint of a kind for each question; ODD is text without meaning."""
    rng = random.Random(f"{seed} {kind} {part}")
    if kind == ODD:
        return [odd_text(rng, rng.randint(1, 12)) for _ in exam.questions]
    return [sample_hint(rng, hint_family(rng, kind, question.family), part) for question in exam.questions]


def table(results: dict[str, Figures]) -> str:
    """Render conditions as a Markdown table."""
    lines = ["| condition | n | accuracy | ECE | mean confidence | AUROC | valid |", "|---|---|---|---|---|---|---|"]
    for name, figures in results.items():
        cells = [_cell(figures.metrics[key]) for key in ("accuracy", "ece", "mean_confidence", "auroc")]
        lines.append(f"| {name} | {figures.n} | {' | '.join(cells)} | {figures.valid_rate:.3f} |")
    return "\n".join(lines)


def _cell(interval: dict[str, float | None]) -> str:
    value, low, high = (interval[key] for key in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return "-"
    return f"{value:.3f} ({low:.3f}-{high:.3f})"
