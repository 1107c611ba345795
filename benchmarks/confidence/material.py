"""Replies for other packages to score: texts, log-probabilities and samples of the same server, as JSON lines."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.confidence.answer_runs import SAMPLING, TEMPLATE, side_by_side
from prompt4trust.datasets import Dataset
from prompt4trust.estimators._samples import derived_seed
from prompt4trust.estimators._tokens import ALTERNATIVES
from prompt4trust.estimators.single_reply import first_completion
from prompt4trust.models import Completion, Cost, Downstream, Policy, Sampling
from prompt4trust.picture_files import data_url
from prompt4trust.prompts import answer_messages, load_template
from prompt4trust.questions import Question

DECODING = replace(SAMPLING, temperature=0.7)
"""Of the samples that other packages compare: their own defaults are temperatures of 0.7 and 1."""


async def write_material(
    dataset: Dataset,
    guided: bool,
    samples: int,
    out: Path,
    downstream: Downstream,
    policy: Policy,
    concurrency: int,
    decoding: Sampling = DECODING,
) -> None:
    """Write what other packages score; questions that the file holds already are not asked again.

    Args:
        dataset: The questions.
        guided: Whether the model is asked with guidance.
        samples: Samples beside the greedy reply; 0 for none.
        out: The file: an object a line, with "id", "reply", "samples", "calls" and "seconds".
        downstream: The model that answers.
        policy: The model that writes guidance.
        concurrency: Questions in flight at once.
        decoding: Of the samples; each question has a seed of its own.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    held = written(out)
    todo = [question for question in dataset.questions if question.id not in held]
    with out.open("a", encoding="utf-8") as stream:

        async def write(question: Question) -> None:
            line = await _material(question, downstream, policy if guided else None, samples, decoding)
            stream.write(json.dumps(line) + "\n")

        await side_by_side(todo, write, concurrency)


def written(out: Path) -> set[str]:
    """Name the questions that a file holds; a last line that was cut off is taken away."""
    if not out.exists():
        return set()
    lines = out.read_bytes().split(b"\n")
    if lines[-1]:
        out.write_bytes(b"".join(line + b"\n" for line in lines[:-1]))
    return {json.loads(line)["id"] for line in lines[:-1]}


async def _material(
    question: Question, downstream: Downstream, policy: Policy | None, samples: int, decoding: Sampling
) -> dict[str, Any]:
    guidance = await policy.guide(question.text, question.options) if policy else None
    url = data_url(question.image) if question.image else None
    template = load_template(TEMPLATE)
    messages = answer_messages(
        template, question.text, question.options, image_url=url, guidance=guidance.text if guidance else None
    )
    greedy = await downstream.complete(messages, SAMPLING, top_logprobs=ALTERNATIVES)
    reply = first_completion(greedy)
    cost, drawn = greedy.cost + (guidance.cost if guidance else Cost()), []
    if samples:
        seed = derived_seed(SAMPLING.seed or 0, question.text, question.options, url, 0)
        found = await downstream.complete(messages, replace(decoding, seed=seed), n=samples, top_logprobs=1)
        # A sample is a call, as sampling methods of ours count it, though one request asks for all.
        cost, drawn = cost + replace(found.cost, calls=samples), list(found.completions)
    return {
        "id": question.id,
        "reply": server_reply(reply),
        "samples": [server_reply(each) for each in drawn],
        "calls": cost.calls,
        "seconds": cost.seconds,
    }


def server_reply(reply: Completion) -> dict[str, Any]:
    """Write a reply as an OpenAI server does: a token's own log-probability, and those of its alternatives.

    Of a reply without log-probabilities the list of tokens is empty.
    """
    tokens = []
    for token, likely in zip(reply.tokens or (), reply.top_logprobs or (), strict=True):
        ranked = sorted(likely.items(), key=lambda each: -each[1])
        top = [{"token": other, "logprob": value} for other, value in ranked]
        tokens.append({"token": token, "logprob": likely.get(token, top[-1]["logprob"]), "top_logprobs": top})
    return {"text": reply.text, "tokens": tokens}
