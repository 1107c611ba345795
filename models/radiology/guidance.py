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
import typer

from models.radiology.bench import Exam, open_bench
from models.radiology.data.hints import EVIDENCE, draw_hint, fixed_hints
from models.radiology.data.questions import Asked, of_split, read_questions
from models.radiology.results import difference
from models.radiology.training.policy import hint_shares
from models.radiology.workshop import OPTION_ORDER
from models.staged_runs import begin_training
from prompt4trust.files import write_atomically
from prompt4trust.metrics import METRICS, Interval, confident_error_count, summarize
from prompt4trust.metrics.intervals import metric_difference, sampled_metrics
from prompt4trust.rewards import log_score
from prompt4trust.verdict import Verdict, parse_verdict
from services.common.engine.parts.store import PartStore

_SHOWN = ("accuracy", "mean_confidence", "ece", "auroc")


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
    """Give n, replies without a verdict, metrics with 95 % intervals by picture, the stated spread and mean reward.

    `confident_errors` counts the wrong ones that state 0.9 or more.
    """
    metrics = summarize(found.stated, found.right, clusters=pictures, metrics={name: METRICS[name] for name in _SHOWN})
    told: dict[str, Any] = {"n": len(pictures), "pictures": len(set(pictures))}
    told["without_verdict"] = found.without_verdict
    for name in _SHOWN:
        told[name] = rounded(metrics["all"][name])
    return {
        **told,
        "confident_errors": confident_error_count(found.stated, found.right),
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
        "ece": rounded(metric_difference(mine, theirs)),
    }


def rounded(interval: Interval) -> dict[str, float | None]:
    """Write an interval to four digits."""
    return {key: None if value is None else round(value, 4) for key, value in interval.as_json().items()}


def measured(
    ask: Callable[[Exam, Sequence[str]], Outcome],
    validation: Exam,
    test: Exam,
    policies: Mapping[str, Callable[[Sequence[Asked]], Sequence[str]]],
    log: Callable[[str], None],
    fitting: bool = True,
) -> dict[str, Any]:
    """Choose the fixed hint on validation, and ask the test questions with each kind of hints.

    Args:
        ask: Lets the downstream model reply to an exam with a hint each.
        validation: Questions that choose.
        test: Questions that are asked once.
        policies: Name -> writes hints.
        log: Takes lines of progress.
        fitting: Whether hints that fit are asked, too: each is another one, so that no reply is known before.

    Returns:
        The fixed hint and what each gave on validation; of the test questions figures by kind of hints, of the fixed
        hint and of each policy what they change against every other kind, and what each policy's hints are about.
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
    }
    if fitting:
        hints["fitting"] = [draw_hint(EVIDENCE[each.kind], "train", rng) for each in test.asked]
    pictures = [each.picture for each in test.asked]
    found = {}
    for name, own in hints.items():
        found[name] = ask(test, own)
        log(f"{name}: {np.mean(found[name].right):.3f} right, {np.mean(found[name].stated):.3f} stated")
    against = {
        name: {other: compare(found[name], found[other], pictures) for other in found if other != name}
        for name in ("best fixed hint", *policies)
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
    fitting: Annotated[bool, typer.Option(help="Ask the test questions with hints that fit, too.")] = True,
    book: Annotated[Path | None, typer.Option(help="File of replies that were given already; grows.")] = None,
    out: Annotated[Path, typer.Option(help="File that the figures are written into.")] = Path("guidance.json"),
) -> None:
    """Measure in float32, greedily, without a service; write the figures as JSON."""
    log = begin_training()
    bench = open_bench(shipped, PartStore(parts, log), log, book)
    everything = read_questions(data, OPTION_ORDER)
    of_validation = of_split(everything, "validation")
    chosen = random.Random("gate").sample(of_validation, min(validation, len(of_validation)))

    def ask(exam: Exam, hints: Sequence[str]) -> Outcome:
        return outcome([reply.text for reply in bench.greedy(exam, hints)], exam.asked)

    writers = {path.name: bench.writer(path) for path in policy}
    first, last = bench.exam(chosen, data), bench.exam(of_split(everything, "test"), data)
    write_atomically(out, json.dumps(measured(ask, first, last, writers, log, fitting), indent=2) + "\n")


if __name__ == "__main__":
    typer.run(main)
