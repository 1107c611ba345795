"""The asking: every method, every part of the questions, one server; what is answered already is not asked again."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import anyio

from benchmarks.confidence.kept_calls import KeptCalls
from benchmarks.serving.processes import ROOT, running_service
from prompt4trust.datasets import Dataset
from prompt4trust.errors import TableError
from prompt4trust.estimators import ESTIMATORS, get_estimator
from prompt4trust.evaluation import Prediction, RunManifest, evaluate, read_predictions
from prompt4trust.models import Downstream, Policy, Sampling
from prompt4trust.prompts import load_template
from services.common.clients.downstream import DownstreamClient
from services.common.clients.http_pool import HttpPool
from services.common.clients.policy import PolicyClient
from services.common.clients.retries import RetrySettings

DOWNSTREAM = "downstream-mini-1"
SECOND = "downstream-mini-2"
POLICY = "policy-mini-grpo-1"
TEMPLATE = "answer-compact@1"
ASKED_WITH: Mapping[str, str] = {"downstream": DOWNSTREAM, "policy": POLICY, "template": TEMPLATE}
"""Models and wording, as results files name them."""
SAMPLING = Sampling(seed=0)
"""Greedy, as the gateway asks; the seed is that of the methods that draw."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The models of a run, and how many questions are in flight at once.

    Attributes:
        downstream: The model that answers.
        policy: The model that writes guidance.
        concurrency: Questions in flight at once.
        second: Another downstream model, for methods that take its opinion; None where none is served.
    """

    downstream: Downstream
    policy: Policy
    concurrency: int
    second: Downstream | None = None


_RETRY = RetrySettings(deadline_s=120, attempts=4)
Piece = Callable[[Asked], Awaitable[object]]
"""A piece of asking."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Servers:
    """Addresses of the models' services, each without the API's version; no second one where none is served."""

    policy: str
    downstream: str
    second: str | None = None


@contextmanager
def servers(port: int, folder: Path, model: Path | None = None, *, second: bool = False) -> Iterator[Servers]:
    """Run policy and downstream service with the shipped miniatures.

    Args:
        port: First of two ports, of three with a second model.
        folder: For their logs and registry.
        model: Another downstream model's directory, served under the shipped one's name; None for that one.
        second: Whether `SECOND` is served beside it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        policy = stack.enter_context(running_service("policy", port, {"REGISTRY": str(folder / "registry")}, folder))

        def served(at: int, path: Path | None, name: str = DOWNSTREAM) -> str:
            settings = {} if path is None else {"MODEL_PATH": str(path), "MODEL": name}
            return stack.enter_context(running_service("downstream", at, settings, folder)).url

        first = served(port + 1, model)
        yield Servers(policy.url, first, served(port + 2, ROOT / "models" / SECOND, SECOND) if second else None)


@asynccontextmanager
async def models(found: Servers, calls: Path, concurrency: int) -> AsyncIterator[tuple[Downstream, Policy]]:
    """Open clients of both; the downstream model's replies are kept in a file."""
    async with (
        _kept(found.downstream, DOWNSTREAM, calls, concurrency) as kept,
        HttpPool(found.policy, max_connections=concurrency) as policy_http,
    ):
        yield kept, PolicyClient(policy_http, _RETRY, version=POLICY)


@asynccontextmanager
async def second_model(found: Servers, calls: Path, concurrency: int) -> AsyncIterator[Downstream | None]:
    """Open a client of the second model, whose replies are kept in a file of its own; None where none is served."""
    if found.second is None:
        yield None
        return
    async with _kept(found.second, SECOND, calls, concurrency) as kept:
        yield kept


@asynccontextmanager
async def _kept(server: str, model: str, calls: Path, concurrency: int) -> AsyncIterator[Downstream]:
    async with HttpPool(f"{server}/v1", max_connections=concurrency) as http:
        with KeptCalls(DownstreamClient(http, model, _RETRY, exact=True), calls) as kept:
            yield kept


async def ask(dataset: Dataset, method: str, out: Path, asked: Asked) -> list[Prediction]:
    """Answer a data set's questions by a method, going on where an earlier run stopped.

    Args:
        dataset: The questions.
        method: One of `ESTIMATORS`.
        out: Folder of the answers.
        asked: The models.

    Raises:
        RunAbandonedError: If the server is away.
    """
    template = load_template(TEMPLATE)
    estimator = get_estimator(method, asked.downstream, asked.policy, template, SAMPLING, second=asked.second)
    manifest = RunManifest.describe(
        dataset,
        [method],
        downstream=DOWNSTREAM,
        policy=POLICY if ESTIMATORS[method].needs_policy else None,
        template=template,
        sampling=SAMPLING,
        created=datetime.now(UTC),
        decoding={method: estimator.decoding},
        second=SECOND if ESTIMATORS[method].needs_second else None,
    )
    return await evaluate(dataset.questions, [estimator], out, manifest, concurrency=asked.concurrency)


async def ask_all(work: Sequence[Piece], found: Servers, calls: Path, concurrency: int, seconds: float) -> bool:
    """Do pieces of work one after the other while there is time.

    Args:
        work: What to ask.
        found: The servers.
        calls: File of calls; those of the second model are in one beside it.
        concurrency: Questions in flight at once.
        seconds: Time that there is; what is in flight at its end is asked again by the next run.

    Returns:
        Whether all is answered.
    """
    with anyio.move_on_after(seconds) as scope:
        others = calls.with_name(f"{calls.stem}-{SECOND}{calls.suffix}")
        async with (
            models(found, calls, concurrency) as (downstream, policy),
            second_model(found, others, concurrency) as second,
        ):
            for piece in work:
                await piece(Asked(downstream, policy, concurrency, second))
    return not scope.cancelled_caught


async def side_by_side(todo: Iterable[T], work: Callable[[T], Awaitable[None]], concurrency: int) -> None:
    """Do work on each of many things in their order, on some at once.

    Args:
        todo: The things.
        work: Done on each.
        concurrency: Things in work at once.
    """
    left = iter(todo)

    async def take() -> None:
        for each in left:
            await work(each)

    async with anyio.create_task_group() as group:
        for _ in range(concurrency):
            group.start_soon(take)


def answers(dataset: Dataset, out: Path) -> list[Prediction] | None:
    """Read a folder's answers to a data set, in its order; None where some are missing."""
    with contextlib.suppress(TableError):
        held = {row.id: row for row in read_predictions(out) if row.failure is None}
        if all(question.id in held for question in dataset.questions):
            return [held[question.id] for question in dataset.questions]
    return None
