"""Samples of one question, and what each method makes of as many of them as a budget of calls has room for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.confidence.answer_runs import SAMPLING, TEMPLATE
from prompt4trust.estimators import AvgConf, AvgConfAll, Consistency, EntropySpread, Meaning
from prompt4trust.estimators._samples import (
    Draws,
    GuidedSamplingEstimator,
    Sampler,
    Samples,
    SamplingEstimator,
    alike,
)
from prompt4trust.estimators._stopping import is_decided, looks
from prompt4trust.evaluation import Prediction
from prompt4trust.evaluation.predictions import CostRecord
from prompt4trust.models import Cost, Downstream, Guidance, Policy, Sampling
from prompt4trust.picture_files import data_url
from prompt4trust.prompts import load_template
from prompt4trust.questions import Question

DRAWN = Draws()
"""All samples of a question; a smaller budget has the first of them."""
DECODING = Sampling(DRAWN.temperature, DRAWN.top_p, DRAWN.top_k, SAMPLING.max_tokens)
"""Of these samples, as sampling estimators ask for them."""
PLAIN: Mapping[str, type[SamplingEstimator]] = {
    kind.name: kind for kind in (Consistency, AvgConf, AvgConfAll, EntropySpread, Meaning)
}
"""Methods of samples without guidance."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """All samples of one question.

    Attributes:
        question: The question.
        samples: Replies in the order in which they were drawn.
        guidance: The guidance that all were drawn with; None where there was none.
    """

    question: Question
    samples: Samples
    guidance: Guidance | None

    def first(self, count: int) -> Samples:
        """Take the first samples, as a request for so many gives them: none depends on how many come after it."""
        spent = self.samples.cost
        left = len(self.samples.verdicts) - count
        return replace(
            self.samples,
            texts=self.samples.texts[:count],
            verdicts=self.samples.verdicts[:count],
            cost=Cost(calls=spent.calls - left, seconds=spent.seconds),
        )


async def draw(question: Question, downstream: Downstream, policy: Policy | None) -> Drawn:
    """Draw a question's samples.

    Args:
        question: The question.
        downstream: The model that answers.
        policy: The model that writes the guidance that all are drawn with; None to draw without.

    Raises:
        TransportError: If a model could not be asked.
    """
    sampler = Sampler(downstream, load_template(TEMPLATE), SAMPLING, DRAWN)
    guidance = await policy.guide(question.text, question.options) if policy else None
    url = data_url(question.image) if question.image else None
    return Drawn(question, await sampler.draw(question.text, question.options, url, guidance), guidance)


def judged(
    kind: type[SamplingEstimator],
    drawn: Sequence[Drawn],
    count: int,
    downstream: Downstream,
    policy: Policy,
    *,
    error: float | None = None,
) -> list[Prediction]:
    """Answer by a sampling method from the first samples; no model is asked.

    Args:
        kind: The method.
        drawn: All samples of each question, with guidance where the method has it.
        count: Samples that it is to have.
        downstream: The model that was asked.
        policy: The model that wrote guidance.
        error: Of stopping as soon as the vote among so many is decided (see `Draws`); None for all of them.
    """
    template = load_template(TEMPLATE)
    method = (
        kind(downstream, policy, template, SAMPLING)
        if issubclass(kind, GuidedSamplingEstimator)
        else kind(downstream, template, SAMPLING)
    )
    return [
        Prediction.of(each.question, method.judge(each.first(_needed(each, count, error)), each.guidance))
        for each in drawn
    ]


def _needed(each: Drawn, count: int, error: float | None) -> int:
    """Count the samples at which the vote is decided."""
    for look in looks(count, error) if error is not None else ():
        if is_decided((group for group in each.first(look.drawn).groups() if group is not None), look):
            return look.drawn
    return count


def with_agreement(method: str, rows: Sequence[Prediction], drawn: Sequence[Drawn], count: int) -> list[Prediction]:
    """Put beside answers, as the signal agreement, the share of the first samples that give the same one.

    Args:
        method: Name of the row.
        rows: The answers; of one without a verdict there is no signal.
        drawn: Samples of the same questions, in the same order.
        count: Samples taken of each. A sample without a verdict agrees with nobody.
    """

    def joined(row: Prediction, each: Drawn) -> Prediction:
        samples = each.first(count)
        calls = row.cost.calls + len(samples.verdicts)
        update: dict[str, object] = {"estimator": method, "cost": CostRecord(calls=calls, seconds=row.cost.seconds)}
        if row.answer is not None:
            same = sum(alike(sample.answer, row.answer, samples.options) for sample in samples.valid)
            update["signals"] = {**row.signals, "agreement": same / count}
        return row.model_copy(update=update)

    return [joined(row, each) for row, each in zip(rows, drawn, strict=True)]


def shortened(material: Path, count: int) -> Path:
    """Write what other packages score with the first samples alone, beside the file that has them all."""
    short = material.with_name(f"{material.stem}-first-{count}.jsonl")
    lines = []
    for line in material.read_text(encoding="utf-8").splitlines():
        each = json.loads(line)
        left = len(each["samples"]) - count
        lines.append({**each, "samples": each["samples"][:count], "calls": each["calls"] - left})
    text = "".join(json.dumps(line) + "\n" for line in lines)
    if not short.exists() or short.read_text(encoding="utf-8") != text:
        short.write_text(text, encoding="utf-8")
    return short
