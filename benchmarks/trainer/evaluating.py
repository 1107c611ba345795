"""An evaluation with many questions in flight, beside the same one question after another."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.engine.servers import Contender
from benchmarks.trainer.report import Timing
from prompt4trust.datasets import Dataset, load_dataset
from prompt4trust.datasets.phantoms import generate
from prompt4trust.estimators import get_estimator
from prompt4trust.evaluation import RunManifest, evaluate
from prompt4trust.models import Sampling
from prompt4trust.prompts import load_template
from services.common.clients.downstream import DownstreamClient
from services.common.clients.http_pool import HttpPool
from services.common.clients.retries import RetrySettings

_TEMPLATE = "answer-compact@1"
_SAMPLING = Sampling(temperature=0.0, max_tokens=64)
_METHOD = "verbalized"


def measure(server: Contender, questions: int, concurrency: int, rounds: int, work: Path) -> list[Timing]:
    """Evaluate both ways, in turns.

    Args:
        server: The downstream service.
        questions: How many.
        concurrency: Questions in flight at once in the one way.
        rounds: How often.
        work: Where questions and predictions may be put.

    Returns:
        One timing a round.

    Raises:
        AssertionError: If a question could not be asked, or the two ways do not give the same texts.
    """
    dataset = load_dataset(generate(work / "phantoms", questions, seed=78, split="validation"))
    # What the server does once (buffers, connections) is done before the clock runs.
    asyncio.run(_evaluate(server, _first(dataset, 2 * concurrency), concurrency, work / "warm"))
    timings = []
    for number in range(rounds):
        taken: dict[int, float] = {}
        texts: dict[int, list[str]] = {}
        for bound in (1, concurrency) if number % 2 else (concurrency, 1):
            began = time.perf_counter()
            texts[bound] = asyncio.run(_evaluate(server, dataset, bound, work / f"round-{number}-{bound}"))
            taken[bound] = time.perf_counter() - began
        assert texts[1] == texts[concurrency], "the two ways do not give the same texts"
        timings.append(Timing(taken[1], taken[concurrency]))
    return timings


def _first(dataset: Dataset, count: int) -> Dataset:
    return Dataset(dataset.name, dataset.questions[:count], dataset.skipped, dataset.notes)


async def _evaluate(server: Contender, dataset: Dataset, concurrency: int, out: Path) -> list[str]:
    template = load_template(_TEMPLATE)
    async with HttpPool(server.url, max_connections=concurrency) as http:
        client = DownstreamClient(http, server.model, RetrySettings(deadline_s=120))
        estimators = [get_estimator(_METHOD, client, None, template, _SAMPLING)]
        manifest = RunManifest.describe(
            dataset,
            [_METHOD],
            downstream=server.model,
            policy=None,
            template=template,
            sampling=_SAMPLING,
            created=datetime.now(UTC),
            decoding={each.name: each.decoding for each in estimators},
        )
        rows = await evaluate(dataset.questions, estimators, out, manifest, concurrency=concurrency)
    assert not any(row.failure for row in rows), "a question could not be asked"
    return [row.text or "" for row in rows]
