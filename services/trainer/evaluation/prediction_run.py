"""Prediction runs against the live services, for the commands `evaluate` and `calibrate` and for evaluation runs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

import anyio.to_thread
import httpx
from pydantic import SecretStr

from prompt4trust.calibration import CalibratorArtifact
from prompt4trust.datasets import Dataset
from prompt4trust.errors import EncoderMissingError
from prompt4trust.estimators import ESTIMATORS, MeaningEncoder, get_estimator
from prompt4trust.estimators.downstream_wrappers import BoundedSamples, SharedReplies
from prompt4trust.evaluation import Prediction, Progress, RunManifest, evaluate
from prompt4trust.meaning.minilm import has_minilm, minilm
from prompt4trust.models import Downstream, Sampling, TransportError
from prompt4trust.prompts import PromptTemplate, load_answer_template
from prompt4trust.shift import QuestionTypicality
from services.common.clients.downstream import DownstreamClient
from services.common.clients.http_pool import HttpPool
from services.common.clients.policy import PolicyClient
from services.common.clients.retries import RetrySettings
from services.common.registry.directory import Registry
from services.trainer.downstream_address import check_downstream
from services.trainer.errors import EvaluationError, KeyRefusedError, WrongAddressError
from services.trainer.model_settings import ModelSettings

ALL = "all"
"""Stands for every method there is."""
# An embedded downstream service runs 32 samples and lets 256 wait; what comes beyond is refused for a while.
_SAMPLES_IN_FLIGHT = 192

Watching = Callable[[Path], AbstractContextManager[Callable[[Progress], None]]]
"""The run's folder -> a block within which progress is told to what it yields."""


@dataclass(frozen=True, slots=True)
class PredictionPlan:
    """The plan of a prediction run.

    Attributes:
        methods: Estimator names, each known and once.
        concurrency: Questions in flight at once.
        deadline_s: Longest wait for one reply, retries included.
        policy_version: Policy version to ask, or None for the active one.
        recheck: Make sure on resuming that the models still reply as they did.
        typicality: Says how near each question is to reference inputs; None where that is not recorded.
    """

    methods: Sequence[str]
    concurrency: int
    deadline_s: float
    policy_version: str | None
    recheck: bool
    typicality: QuestionTypicality | None = None


def method_names(methods: Sequence[str]) -> list[str]:
    """Check a list of estimator names; "all" stands for every one that has here what it needs, of one downstream model.

    Raises:
        EvaluationError: If one is unknown, or none is given.
    """
    given = [name.strip() for name in methods if name.strip()]
    usual = [name for name, entry in ESTIMATORS.items() if not entry.needs_second]
    here = [name for name in usual if name != MeaningEncoder.name or has_minilm()]
    names = list(dict.fromkeys(each for name in given for each in (here if name == ALL else [name])))
    unknown = [name for name in names if name not in ESTIMATORS]
    if unknown or not names:
        listed = "\n".join(f"  {name:<16} {entry.summary}" for name, entry in ESTIMATORS.items())
        wrong = ", ".join(map(repr, unknown)) or "given"
        raise EvaluationError(f"no method {wrong}; there are\n{listed}\n  {ALL:<16} every one of one downstream model")
    return names


async def predict(
    dataset: Dataset, plan: PredictionPlan, settings: ModelSettings, folder: Path | None, watching: Watching
) -> tuple[Path, RunManifest, list[Prediction]]:
    """Ask what has not been asked yet.

    Args:
        dataset: The questions.
        plan: The plan.
        settings: The models.
        folder: Folder of the predictions, or None for a folder named after the configuration.
        watching: Opens a block within which progress is told.

    Returns:
        The folder, the manifest, and every prediction, failures included.

    Raises:
        EvaluationError: If a model cannot be reached, or the answer template cannot be used.
        ManifestError, TableError, RunAbandonedError, PictureEgressRefusedError: See `prompt4trust.evaluation.evaluate`.
    """
    if MeaningEncoder.name in plan.methods:
        await anyio.to_thread.run_sync(_check_encoder)
    template = _answer_template(settings.answer_template)
    sampling = Sampling(
        settings.temperature, settings.top_p, settings.top_k, settings.max_tokens, settings.sampling_seed
    )
    retry = RetrySettings(deadline_s=plan.deadline_s, attempts=4)
    async with AsyncExitStack() as stack:
        downstream_http = await stack.enter_async_context(
            HttpPool(settings.downstream_url, max_connections=plan.concurrency, api_key=settings.downstream_api_key)
        )
        policy_http = await stack.enter_async_context(
            HttpPool(settings.policy_url, max_connections=plan.concurrency, api_key=settings.policy_api_key)
        )
        await _check_reachable(settings.downstream_url, settings.downstream_api_key, "downstream")
        client = partial(
            DownstreamClient,
            retry=retry,
            egress_hosts=settings.egress_hosts,
            vendor_parameters=settings.vendor_parameters,
        )
        first = client(downstream_http, settings.downstream_model)
        downstream = SharedReplies(BoundedSamples(first, max(_SAMPLES_IN_FLIGHT, plan.concurrency)))
        second = await _second_model(plan, settings, client, stack)
        policy, version = None, None
        if any(ESTIMATORS[name].needs_policy for name in plan.methods):
            # The active version may change while a long run is under way: the run keeps to the one it began with.
            version = await _policy_version(policy_http, settings, replace(retry, attempts=2), plan, dataset)
            policy = PolicyClient(policy_http, retry, version=version)
        estimators = [
            get_estimator(name, downstream, policy, template, sampling, second=second) for name in plan.methods
        ]
        reference = {} if plan.typicality is None else {"reference": plan.typicality.artifact.name}
        beside = {} if second is None else {"second downstream address": str(settings.second_downstream_url)}
        manifest = RunManifest.describe(
            dataset,
            list(plan.methods),
            downstream=settings.downstream_model,
            policy=version,
            template=template,
            sampling=sampling,
            created=datetime.now(UTC),
            decoding={each.name: each.decoding.as_sent(takes_top_k=settings.vendor_parameters) for each in estimators},
            notes={"downstream address": settings.downstream_url, **beside, **reference},
            typicality=None if plan.typicality is None else plan.typicality.signal,
            second=None if second is None else settings.second_downstream_model,
        )
        place = folder or Path("var/runs") / _name(dataset, manifest)
        with watching(place) as observe:
            predictions = await evaluate(
                dataset.questions,
                estimators,
                place,
                manifest,
                concurrency=plan.concurrency,
                give_up_after=2 * plan.concurrency + 10,
                recheck=plan.recheck and sampling.temperature == 0,
                takes_burned_in=settings.takes_burned_in,
                typicality=plan.typicality,
                observe=observe,
            )
    return place, manifest, predictions


def fitting_calibrators(registry: Registry, manifest: RunManifest) -> list[CalibratorArtifact]:
    """Find the registry's calibrators of a run's very combinations of models, estimator and template."""
    keys = [manifest.calibration_key(estimator) for estimator in manifest.estimators]
    return [each for each in registry.calibrators.load_all() if any(each.applies_to(key) for key in keys)]


def _check_encoder() -> None:
    """Make sure of the encoder before anybody is asked: without it the figures would be another method's."""
    try:
        minilm()
    except EncoderMissingError as error:
        raise EvaluationError(str(error)) from error


def _answer_template(source: str) -> PromptTemplate:
    try:
        return load_answer_template(source)
    except (OSError, ValueError) as error:
        raise EvaluationError(f"answer template {source}: {error}") from error


async def _second_model(
    plan: PredictionPlan,
    settings: ModelSettings,
    client: Callable[[HttpPool, str], Downstream],
    stack: AsyncExitStack,
) -> Downstream | None:
    """Connect with the second model if a method asks one; None where none does."""
    asking = [name for name in plan.methods if ESTIMATORS[name].needs_second]
    url, model = settings.second_downstream_url, settings.second_downstream_model
    if not asking:
        return None
    if url is None or model is None:
        raise EvaluationError(
            f"{asking[0]} takes a second downstream model's opinion, and none is named",
            "name one with --second-url and --second-model",
        )
    key = settings.second_downstream_api_key
    await _check_reachable(url, key, "second")
    return client(await stack.enter_async_context(HttpPool(url, max_connections=plan.concurrency, api_key=key)), model)


async def _check_reachable(url: str, key: SecretStr | None, option: Literal["downstream", "second"]) -> None:
    who = "downstream model" if option == "downstream" else "second downstream model"
    try:
        await anyio.to_thread.run_sync(check_downstream, url, key)
    except WrongAddressError as error:
        raise EvaluationError(str(error), f"name it with --{option}-url {error.better}") from error
    except KeyRefusedError as error:
        raise EvaluationError(
            f"the {who} at {url} takes an API key with the scope ask ({error})",
            "name one in TRUSTVQA_API_KEY",
        ) from error
    except httpx.HTTPError as error:
        raise EvaluationError(
            f"the {who} at {url} cannot be reached ({type(error).__name__})",
            "is it running? "
            + ("`make up` starts it; " if option == "downstream" else "")
            + f"--{option}-url names another",
        ) from error


async def _policy_version(
    http: HttpPool, settings: ModelSettings, retry: RetrySettings, plan: PredictionPlan, dataset: Dataset
) -> str:
    first = dataset.questions[0]
    try:
        guidance = await PolicyClient(http, retry, version=plan.policy_version).guide(first.text, first.options)
    except TransportError as error:
        raise EvaluationError(
            f"the policy at {settings.policy_url} gives no guidance ({error.detail})",
            "is it running? `make up` starts it; --policy-url names another; --methods verbalized does without",
        ) from error
    return guidance.version


def _name(dataset: Dataset, manifest: RunManifest) -> str:
    """Name a run's folder after its configuration, so that the same command finds the same run."""
    # Runs without what could not be recorded at first keep the names that they had then.
    unset = {name for name in ("typicality", "second") if getattr(manifest, name) is None}
    same = manifest.model_dump_json(exclude={"created", "notes", "source"} | unset)
    digest = hashlib.sha256(same.encode()).hexdigest()[:10]
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '-', dataset.name)}-{digest}"
