"""The gateway's working parts, made from its settings, opened and closed together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import structlog

from prompt4trust.calibration import CalibrationKey
from prompt4trust.models import Policy, Sampling
from prompt4trust.prompts import PromptTemplate, load_answer_template
from services.common.clients.breaker import CircuitBreaker
from services.common.clients.chat_reply import lists_model
from services.common.clients.downstream import DownstreamClient
from services.common.clients.http_client import HttpClient
from services.common.clients.http_pool import HttpCallError, HttpPool
from services.common.clients.picture_egress import reaches
from services.common.clients.policy import PolicyClient
from services.common.clients.retries import RetrySettings
from services.common.clients.retry_budget import RetryBudget
from services.common.http.health import Dependency
from services.common.pictures.kept_pictures import KeptPictures
from services.common.pictures.pool import PicturePool
from services.common.registry.directory import Registry
from services.gateway.admission.adaptive_limit import AdaptiveLimit, FixedLimit
from services.gateway.admission.controlled_delay import ControlledDelay
from services.gateway.admission.gate import Gate
from services.gateway.admission.return_times import ReturnTimes
from services.gateway.answering.breakers import GuardedDownstream, GuardedPolicy
from services.gateway.answering.decision import DecisionDefaults
from services.gateway.answering.familiarity import FamiliarityJudge
from services.gateway.answering.guidance.kept_guidance import KeptGuidance, LiveVersion
from services.gateway.answering.guidance.prefix_warming import PrefixWarming
from services.gateway.answering.models import Models, SecondModel
from services.gateway.answering.pipeline import Pipeline
from services.gateway.archives.fetching import Archives
from services.gateway.intake.intake import Intake
from services.gateway.intake.picture_task import prepare_and_describe
from services.gateway.intake.uploads import Uploads
from services.gateway.metrics import GatewayMetrics
from services.gateway.monitoring.monitor import Monitor, open_monitor
from services.gateway.monitoring.observer import Watching
from services.gateway.monitoring.store import MonitoringStore
from services.gateway.monitoring.watched_stream import Fit, Kind
from services.gateway.records.records import Records
from services.gateway.settings import GatewaySettings
from services.gateway.shelves.calibrators import CalibratorShelf
from services.gateway.shelves.evidence import Shelves
from services.gateway.shelves.guards import GuardShelf
from services.gateway.shelves.references import ReferenceShelf

_PROBE_S = 2.0
_MODELS = "models"
_SECOND = "second_downstream"
_OK = 200
_FIRST_LIMIT = 16  # questions at once until more is known
_BREAKER_PROBES = 2
_COMPARED_AT_ONCE = 2  # milliseconds of one core each
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway.

    Attributes:
        settings: Its settings.
        metrics: Counts of its answers.
        pipeline: Answers questions.
        policy_http: Connections to the policy.
        downstream_http: Connections to the downstream model.
        second_http: Connections to the second downstream model; None where there is none.
        monitor: Knows whether calibrated confidence holds on reviewed answers.
        records: The records of answers; None where they are switched off.
    """

    settings: GatewaySettings
    metrics: GatewayMetrics
    pipeline: Pipeline
    policy_http: HttpPool
    downstream_http: HttpPool
    second_http: HttpPool | None
    monitor: Monitor
    records: Records | None = None

    @property
    def shelves(self) -> Shelves:
        """The registry's contents, as this gateway holds them."""
        return self.pipeline.shelves

    async def readiness(self) -> dict[str, Dependency]:
        """Check what answers need: the downstream model; without policy or calibrators it answers, but less well."""
        found: dict[str, Dependency] = {}

        async def probe(
            name: str, http: HttpPool, path: str, model: str | None = None, *, required: bool = False
        ) -> None:
            try:
                reply = await http.get(path, _PROBE_S)
            except HttpCallError as error:
                found[name] = Dependency(ok=False, required=required, detail=str(error))
            else:
                detail = f"status {reply.status}"
                # It may take the name all the same, as servers do that know a model by several.
                if model is not None and reply.status == _OK and not lists_model(reply, model):
                    detail += f", but it does not list the model {model}"
                found[name] = Dependency(ok=reply.status == _OK, required=required, detail=detail)

        async with anyio.create_task_group() as tasks:
            first = partial(probe, "downstream", self.downstream_http, _MODELS, self.settings.downstream_model)
            tasks.start_soon(partial(first, required=True))
            tasks.start_soon(probe, "policy", self.policy_http, "health/ready")
            if self.second_http is not None:
                second = self.settings.second_downstream_model
                tasks.start_soon(probe, _SECOND, self.second_http, _MODELS, second)
        # Only while no question would be tried: without questions a gateway could not find out that it is over.
        breaker = self.pipeline.breaker
        if breaker is not None and breaker.state == "open":
            found["downstream"] = Dependency(ok=False, detail="left alone for now, as it kept failing")
        await self.shelves.calibrators.refresh()
        count, unfit = len(self.shelves.calibrators.names), len(self.shelves.calibrators.unrecorded)
        detail = f"{count} in the registry" + (f", {unfit} of an older kind that fits no answer" if unfit else "")
        found["calibrators"] = Dependency(ok=count > unfit, required=False, detail=detail)
        if self.records is not None:
            found["records"] = self.records.state()
        return found

    async def about(self) -> Mapping[str, Any]:
        """Name the models, the wording and the artifacts, for /version."""
        shelves = self.shelves
        await shelves.calibrators.refresh()
        return {
            "models": self.settings.downstream_names(self.settings.downstream_model),
            "answer_template": self.pipeline.models.template.id,
            "calibrators": shelves.calibrators.names,
            "live_calibrators": shelves.calibrators.live,
            "guards": shelves.guards.names,
            "references": shelves.references.names,
        }


@asynccontextmanager
async def open_gateway(
    settings: GatewaySettings, metrics: GatewayMetrics, records: Records | None = None
) -> AsyncIterator[Gateway]:
    """Open connections and read templates and artifacts for the length of a block.

    Args:
        settings: The gateway's settings.
        metrics: Counts of its answers.
        records: Where its answers are kept, or None.

    Raises:
        FileNotFoundError: If there is no such prompt template.
        ValueError: If the template does not ask for an answer, or its parser cannot be imported.
    """
    template = load_answer_template(settings.answer_template)
    registry = Registry(settings.registry)
    await anyio.to_thread.run_sync(_seed, registry, settings.shipped)
    every_s = settings.registry_check_s
    calibrators = CalibratorShelf(registry, every_s)
    guards = GuardShelf(registry, every_s, settings.risk_delta)
    references = ReferenceShelf(registry, every_s, settings.atypicality_limit)
    monitor = _monitor(settings, records, calibrators, guards)
    shelves = Shelves(calibrators, guards, references, partial(_alarm_for, monitor))
    await shelves.refresh()
    gate = _gate(settings, metrics)
    breaker = _breaker("downstream", settings.downstream_failures, settings.downstream_pause_s, metrics)
    connect = partial(HttpPool, max_connections=settings.max_in_flight)
    async with (
        open_monitor(monitor),
        PicturePool(prepare_and_describe, settings.image_worker_limits) as pictures,
        connect(settings.policy_url, api_key=settings.policy_api_key) as policy_http,
        connect(settings.downstream_url, api_key=settings.downstream_api_key) as downstream_http,
        _second_http(settings, connect) as second_http,
        HttpClient(follow_redirects=False, trust_env=False) as archives_http,
    ):
        await pictures.warm()
        kept = _kept_pictures(settings, metrics)
        live = LiveVersion(policy_http, settings.policy_check_s)
        pipeline = Pipeline(
            intake=_intake(settings, pictures, archives_http, kept),
            models=Models(
                GuardedDownstream(
                    _downstream(settings, downstream_http, metrics, "downstream", settings.downstream_model), breaker
                ),
                settings.downstream_model,
                _policy(settings, policy_http, metrics, live),
                template,
                Sampling(settings.temperature, settings.top_p, settings.top_k, settings.max_tokens),
                settings.picture_preparation,
                takes_top_k=settings.vendor_parameters,
                warming=_warming(settings, downstream_http, template, gate, metrics),
                second=_second(settings, second_http, metrics),
            ),
            shelves=shelves,
            judge=FamiliarityJudge(
                settings.atypicality_limit, settings.picture_preparation, anyio.CapacityLimiter(_COMPARED_AT_ONCE)
            ),
            defaults=DecisionDefaults(settings.confidence_threshold, settings.max_risk, settings.coverage),
            alarm_withholds=settings.alarm_withholds,
            gate=gate,
            deadline_s=settings.deadline_s,
            breaker=breaker,
            recorder=records,
        )
        following = asyncio.create_task(live.follow())
        try:
            yield Gateway(settings, metrics, pipeline, policy_http, downstream_http, second_http, monitor, records)
        finally:
            following.cancel()
            if kept is not None:
                kept.clear()


def _intake(settings: GatewaySettings, pictures: PicturePool, http: HttpClient, kept: KeptPictures | None) -> Intake:
    return Intake(
        methods=settings.methods,
        limits=settings.image_limits,
        max_image_bytes=settings.max_image_bytes,
        max_body_bytes=settings.max_body_bytes,
        upload_deadline_s=settings.upload_deadline_s,
        deadline_s=settings.deadline_s,
        uploads=Uploads(settings.max_uploads, waiting=settings.max_waiting, delay=_delay(settings)),
        large_uploads=Uploads(settings.max_large_uploads, waiting=settings.max_waiting, delay=_delay(settings)),
        pictures=pictures,
        archives=_archives(settings, http),
        kept=kept,
        dicom_groups=settings.dicom_groups,
    )


def _kept_pictures(settings: GatewaySettings, metrics: GatewayMetrics) -> KeptPictures | None:
    if not settings.kept_picture_bytes:
        return None
    kept = KeptPictures(
        settings.kept_picture_bytes, settings.kept_picture_s, counted=lambda found: metrics.pictures.labels(found).inc()
    )
    metrics.follow_kept_pictures(kept)
    return kept


def _archives(settings: GatewaySettings, http: HttpClient) -> Archives | None:
    if not settings.archives:
        return None
    return Archives(
        http,
        settings.archives,
        settings.archive_authorization,
        max_bytes=settings.max_image_bytes,
        timeout_s=settings.archive_deadline_s,
        places=settings.max_large_uploads,
    )


def _downstream(
    settings: GatewaySettings, http: HttpPool, metrics: GatewayMetrics, part: str, model: str
) -> DownstreamClient:
    budget = _retry_budget(settings, metrics, part)
    return DownstreamClient(
        http,
        model,
        RetrySettings(settings.downstream_deadline_s, settings.downstream_attempts, budget=budget),
        egress_hosts=settings.egress_hosts,
        vendor_parameters=settings.vendor_parameters,
        exact=False,
        refusal_pause_s=settings.refusal_pause_s,
        refused=lambda change: metrics.refusals.labels(change).inc(),
    )


def _second_http(
    settings: GatewaySettings, connect: Callable[..., HttpPool]
) -> AbstractAsyncContextManager[HttpPool | None]:
    url = settings.second_downstream_url
    return nullcontext() if url is None else connect(url, api_key=settings.second_downstream_api_key)


def _second(settings: GatewaySettings, http: HttpPool | None, metrics: GatewayMetrics) -> SecondModel | None:
    name = settings.second_downstream_model
    if http is None or name is None:
        return None
    breaker = _breaker(_SECOND, settings.downstream_failures, settings.downstream_pause_s, metrics)
    return SecondModel(GuardedDownstream(_downstream(settings, http, metrics, _SECOND, name), breaker), name)


def _warming(
    settings: GatewaySettings, http: HttpPool, template: PromptTemplate, gate: Gate, metrics: GatewayMetrics
) -> PrefixWarming | None:
    if not reaches(settings.warm_prefix, http.host):
        return None
    client = DownstreamClient(
        http,
        settings.downstream_model,
        RetrySettings(settings.downstream_deadline_s, attempts=1),
        egress_hosts=settings.egress_hosts,
        vendor_parameters=settings.vendor_parameters,
        exact=False,
        refusal_pause_s=settings.refusal_pause_s,
    )
    return PrefixWarming(
        client, template, lambda: gate.is_slack, ended=lambda outcome: metrics.warmings.labels(outcome).inc()
    )


def _policy(settings: GatewaySettings, http: HttpPool, metrics: GatewayMetrics, live: LiveVersion) -> Policy:
    budget = _retry_budget(settings, metrics, "policy")
    client = PolicyClient(http, RetrySettings(settings.policy_deadline_s, settings.policy_attempts, budget=budget))
    guarded = GuardedPolicy(client, _breaker("policy", settings.policy_failures, settings.policy_pause_s, metrics))
    if not settings.kept_guidance:
        return guarded
    return KeptGuidance(
        guarded, live, settings.kept_guidance, counted=lambda source: metrics.guidance.labels(source).inc()
    )


def _breaker(model: str, failures: int, pause_s: float, metrics: GatewayMetrics) -> CircuitBreaker:
    changed = partial(metrics.note_breaker, model)
    return CircuitBreaker(model, failures, pause_s, probes=_BREAKER_PROBES, changed=changed)


def _retry_budget(settings: GatewaySettings, metrics: GatewayMetrics, model: str) -> RetryBudget:
    return RetryBudget(settings.retry_share, asked=lambda granted: metrics.count_retry(model, granted=granted))


def _delay(settings: GatewaySettings) -> ControlledDelay:
    return ControlledDelay(settings.max_wait_s, settings.standing_wait_s)


def _gate(settings: GatewaySettings, metrics: GatewayMetrics) -> Gate:
    most = settings.max_in_flight
    gate = Gate(
        AdaptiveLimit(most, start=_FIRST_LIMIT) if settings.adaptive_limit else FixedLimit(most),
        waiting=settings.max_waiting,
        delay=_delay(settings),
        returns=ReturnTimes(1.0, settings.retry_after_most_s),
        shed=metrics.count_shed,
    )
    metrics.follow(gate)
    return gate


def _monitor(
    settings: GatewaySettings, records: Records | None, calibrators: CalibratorShelf, guards: GuardShelf
) -> Monitor:
    def applied(kind: Kind, key: CalibrationKey) -> Fit | None:
        calibrator = calibrators.content.live(key)
        found = calibrator if kind == "calibrator" else guards.known(key, calibrator)
        return None if found is None else Fit(found.artifact.name, found.artifact.created)

    async def refresh() -> None:
        await calibrators.refresh()
        await guards.refresh()

    watching = Watching(
        settings.monitor_alpha, settings.monitor_tolerance, settings.monitor_window, settings.monitor_groups
    )
    store = None if records is None else MonitoringStore(records.store)
    return Monitor(store, watching, applied, settings.monitor_every_s, refresh=refresh)


def _alarm_for(monitor: Monitor, key: CalibrationKey) -> str | None:
    alarm = monitor.alarm_for(key)
    return None if alarm is None else alarm.reason


def _seed(registry: Registry, shipped: Path) -> None:
    # A registry that may only be read is fine: another service, or a person, puts there what is needed.
    try:
        registry.seed_artifacts(shipped)
    except OSError as error:
        _log.warning("calibrators not copied into the registry", reason=str(error))
