"""Effects of guidance, of none, fixed hints, a policy's and fitting ones: `python -m models.radiology.guidance`.

The fixed hint is chosen on validation pictures, by mean reward; questions about the test pictures are asked with it and
with the others once.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from PIL import Image
from torch import Tensor

from models.radiology.data.hints import EVIDENCE, FAMILIES, draw_hint
from models.radiology.data.prompts import ANSWER_TEMPLATE, Row
from models.radiology.data.questions import Asked, of_split, read_questions
from models.radiology.results import difference
from models.radiology.training.batches import Encoder
from models.radiology.training.policy import hint_shares, write_hints
from models.radiology.training.replies import greedy_replies
from models.radiology.workshop import OPTION_ORDER
from models.staged_runs import begin_training
from prompt4trust.files import write_atomically
from prompt4trust.metrics import METRICS, Interval, summarize
from prompt4trust.metrics.intervals import metric_difference, sampled_metrics
from prompt4trust.prompts import load_template
from prompt4trust.rewards import log_score
from prompt4trust.verdict import Verdict, parse_verdict
from services.common.engine.model.loading import load_model
from services.common.engine.model.options import ModelOptions
from services.common.engine.parts.store import PartStore
from services.common.engine.vision.joined.loading import load_joined
from services.common.engine.vision.joined.modeling import JoinedForConditionalGeneration
from services.common.engine.vision.joined.training import picture_features, tokenizer_of
from services.common.registry.policy_template import read_policy_template

_SHOWN = ("accuracy", "mean_confidence", "ece", "auroc")


@dataclass(frozen=True, slots=True)
class Exam:
    """Questions about pictures that no training saw.

    Attributes:
        asked: The questions.
        views: Place of each one's picture in `features`.
        features: float32 [pictures, picture tokens, feature width].
    """

    asked: Sequence[Asked]
    views: Sequence[int]
    features: Tensor


@dataclass(frozen=True, slots=True)
class Bench:
    """The shipped downstream model in bfloat16, and what asks it.

    Attributes:
        model: The model.
        encoder: Encodes prompts.
        store: Where the frozen parts lie.
    """

    model: JoinedForConditionalGeneration
    encoder: Encoder
    store: PartStore

    def exam(self, asked: Sequence[Asked], data: Path) -> Exam:
        """Compute the features of questions' pictures, which lie in `images` of a folder of VQA-RAD."""
        names = sorted({each.picture for each in asked})
        pictures = []
        for name in names:
            with Image.open(data / "images" / name) as opened:
                pictures.append(opened.convert("RGB"))
        return Exam(asked, [names.index(each.picture) for each in asked], picture_features(self.model, pictures))

    def rows(self, exam: Exam, hints: Sequence[str]) -> list[Row]:
        """Lay out questions with a hint each."""
        return [Row(each, 0, view, hint) for each, view, hint in zip(exam.asked, exam.views, hints, strict=True)]

    def writer(self, policy: Path) -> Callable[[Sequence[Asked]], list[str]]:
        """Load a policy version, to write a hint for each question."""
        loaded = load_model(ModelOptions(policy, dtype="bfloat16", parts=self.store.root))
        loaded.network.set_attn_implementation("sdpa")
        template = read_policy_template(policy)
        return lambda asked: write_hints(loaded.network, loaded.tokenizer, template, asked)


def open_bench(shipped: Path, store: PartStore) -> Bench:
    """Load the downstream model of a directory."""
    model = load_joined(shipped, store, dtype=torch.bfloat16)
    config: Any = model.config
    tokenizer = tokenizer_of(model, store)
    tokenizer.chat_template = (shipped / "chat_template.jinja").read_text(encoding="utf-8")
    return Bench(model, Encoder(tokenizer, load_template(ANSWER_TEMPLATE), config), store)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Replies to an exam under one kind of hints: what was stated, and what is right.

    Attributes:
        stated: Confidence of each, 0 without a verdict.
        right: Whether each is right.
        rewards: The policy's reward of each.
        without_verdict: How many replies have none: wrong with confidence 0, they look perfectly calibrated.
    """

    stated: Sequence[float]
    right: Sequence[bool]
    rewards: Sequence[float]
    without_verdict: int = 0


def outcome(replies: Sequence[str], asked: Sequence[Asked]) -> Outcome:
    """Score replies; one without a verdict is wrong with confidence 0.

    Example:
        >>> asked = [Asked("1", "p", "test", "head", "presence", "Is it?", ("Yes", "No"), 0)] * 2
        >>> found = outcome(["The answer is A with confidence 90.", "?"], asked)
        >>> found.right, found.stated, found.without_verdict
        ([True, False], [0.9, 0.0], 1)
    """
    stated, right, rewards, without = [], [], [], 0
    for reply, each in zip(replies, asked, strict=True):
        letters = list(each.lettered)
        verdict = parse_verdict(reply, letters)
        without += not isinstance(verdict, Verdict)
        stated.append(verdict.confidence if isinstance(verdict, Verdict) else 0.0)
        right.append(isinstance(verdict, Verdict) and verdict.answer == letters[each.gold])
        rewards.append(log_score(verdict, letters[each.gold]))
    return Outcome(stated, right, rewards, without)


def figures(found: Outcome, pictures: Sequence[str]) -> dict[str, Any]:
    """Give n, replies without a verdict, metrics with 95 % intervals by picture, the stated spread and mean reward."""
    metrics = summarize(found.stated, found.right, clusters=pictures, metrics={name: METRICS[name] for name in _SHOWN})
    told: dict[str, Any] = {"n": len(pictures), "pictures": len(set(pictures))}
    told["without_verdict"] = found.without_verdict
    for name in _SHOWN:
        told[name] = _rounded(metrics["all"][name])
    return {
        **told,
        "spread": round(float(np.std(found.stated)), 4),
        "reward": difference(np.array(found.rewards), pictures),
    }


def compare(own: Outcome, other: Outcome, pictures: Sequence[str]) -> dict[str, Any]:
    """Compare on the same questions: `own` less `other` in reward, accuracy and ECE, with 95 % intervals by picture.

    Resampling adds noise to every bin of an ECE: that interval is put together by `metric_difference`, which reckons
    with it, and may have no ends (None).
    """
    mine, theirs = (
        sampled_metrics(each.stated, each.right, {"ece": METRICS["ece"]}, clusters=pictures)["ece"]
        for each in (own, other)
    )
    right = np.array(own.right, dtype=float) - np.array(other.right, dtype=float)
    return {
        "reward": difference(np.array(own.rewards) - np.array(other.rewards), pictures),
        "accuracy": difference(right, pictures),
        "ece": _rounded(metric_difference(mine, theirs)),
    }


def _rounded(interval: Interval) -> dict[str, float | None]:
    return {key: None if value is None else round(value, 4) for key, value in interval.as_json().items()}


def fixed_hints() -> list[str]:
    """List one hint of each family, two of those about no evidence: what may be said to every question."""
    rng = random.Random("fixed hints")
    return [draw_hint(family, "train", rng) for family in (*FAMILIES, "neutral", "cautious")]


def measured(
    ask: Callable[[Exam, Sequence[str]], Outcome],
    validation: Exam,
    test: Exam,
    policies: Mapping[str, Callable[[Sequence[Asked]], Sequence[str]]],
    log: Callable[[str], None],
) -> dict[str, Any]:
    """Choose the fixed hint on validation, and ask the test questions with each kind of hints.

    Args:
        ask: Lets the downstream model reply to an exam with a hint each.
        validation: Questions that choose.
        test: Questions that are asked once.
        policies: Name -> writes hints.
        log: Takes lines of progress.

    Returns:
        The fixed hint and what each gave on validation; of the test questions figures by kind of hints, and of each
        policy what its hints are about and what they change against every other kind.
    """
    tried = {}
    for hint in fixed_hints():
        tried[hint] = round(float(np.mean(ask(validation, [hint] * len(validation.asked)).rewards)), 4)
        log(f"fixed {tried[hint]} {hint}")
    fixed = max(tried, key=lambda hint: tried[hint])
    written = {name: write(test.asked) for name, write in policies.items()}
    rng = random.Random("fitting")
    hints = {
        "none": [""] * len(test.asked),
        "best fixed hint": [fixed] * len(test.asked),
        **written,
        "fitting": [draw_hint(EVIDENCE[each.kind], "train", rng) for each in test.asked],
    }
    pictures = [each.picture for each in test.asked]
    found = {}
    for name, own in hints.items():
        found[name] = ask(test, own)
        log(f"{name}: {np.mean(found[name].right):.3f} right, {np.mean(found[name].stated):.3f} stated")
    against = {
        name: {other: compare(found[name], found[other], pictures) for other in found if other != name}
        for name in policies
    }
    return {
        "fixed": {"chosen": fixed, "validation_n": len(validation.asked), "mean_rewards": tried},
        "test": {name: figures(each, pictures) for name, each in found.items()},
        "against": against,
        "hints": {name: hint_shares(test.asked, each) for name, each in written.items()},
    }


def main(
    data: Annotated[Path, typer.Option(help="Folder of VQA-RAD.")],
    shipped: Annotated[Path, typer.Option(help="The downstream model's directory.")],
    policy: Annotated[list[Path], typer.Option(help="A policy version's directory; may be repeated.")],
    parts: Annotated[Path, typer.Option(help="Where the frozen parts lie.")],
    validation: Annotated[int, typer.Option(min=20, help="Validation questions that choose the fixed hint.")] = 140,
    out: Annotated[Path, typer.Option(help="File that the figures are written into.")] = Path("guidance.json"),
) -> None:
    """Measure in bfloat16, greedily, without a service; write the figures as JSON."""
    log = begin_training()
    bench = open_bench(shipped, PartStore(parts))
    everything = read_questions(data, OPTION_ORDER)
    of_validation = of_split(everything, "validation")
    chosen = random.Random("gate").sample(of_validation, min(validation, len(of_validation)))

    def ask(exam: Exam, hints: Sequence[str]) -> Outcome:
        return outcome(greedy_replies(bench.model, bench.encoder, bench.rows(exam, hints), exam.features), exam.asked)

    writers = {path.name: bench.writer(path) for path in policy}
    first, last = bench.exam(chosen, data), bench.exam(of_split(everything, "test"), data)
    write_atomically(out, json.dumps(measured(ask, first, last, writers, log), indent=2) + "\n")


if __name__ == "__main__":
    typer.run(main)
