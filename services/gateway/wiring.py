"""The gateway's working parts, opened and closed together."""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import structlog
from starlette.requests import ClientDisconnect, Request

from prompt4trust.models import Sampling, TransportError
from prompt4trust.prompts import load_template
from services.common.auth.authenticator import key_of
from services.common.clients.downstream import DownstreamClient, ImageEgressRefusedError
from services.common.clients.policy import PolicyClient
from services.common.clients.transport import RetrySettings, make_http_client
from services.common.http.body import read_body
from services.common.http.health import Dependency
from services.common.http.problems import request_id_of
from services.common.registry.directory import Registry
from services.gateway.answering.answering import Answered, Answering
from services.gateway.answering.policy_breaker import PolicyBreaker
from services.gateway.answering.selecting import Defaults, Selecting
from services.gateway.answering.tolerant_downstream import TolerantDownstream
from services.gateway.intake.gate import BusyError, Gate, while_connected
from services.gateway.intake.idempotency import answer_id_of, other_question_problem, reviewed_problem
from services.gateway.intake.pictures import PictureError, PreparedPicture, prepare_picture
from services.gateway.intake.submission import Submission, read_submission
from services.gateway.metrics import GatewayMetrics
from services.gateway.monitoring.monitor import Monitor, open_monitor
from services.gateway.monitoring.observer import Watching
from services.gateway.monitoring.store import MonitoringStore
from services.gateway.monitoring.watched_stream import Fit, Kind
from services.gateway.records.entities import OtherQuestionError, ReviewedError
from services.gateway.records.records import Records
from services.gateway.schemas import VqaReply
from services.gateway.settings import GatewaySettings
from services.gateway.shelves.calibrators import CalibrationKey, CalibratorShelf
from services.gateway.shelves.guards import GuardShelf
from services.gateway.shelves.references import Familiarity
from services.gateway.web.refusals import busy_problem, egress_problem, image_problem, late_problem, transport_problem

_PROBE_S = 2.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Gateway:
    """Answers requests within the settings' bounds.

    Attributes:
        settings: What it was told.
        metrics: What it counts.
        shelf: The calibrators.
        guards: The evidence for guarantees.
        familiarity: The questions that such evidence was made from.
        answering: The pipeline.
        uploads: Bounds the bodies and undecoded pictures that are held at once.
        gate: Bounds what is answered at once.
        image_workers: Bounds what is decoded at once.
        policy_http: Connections to the policy.
        downstream_http: Connections to the downstream model.
        monitor: Says whether calibrated confidence holds on what people reviewed.
        records: What is kept of answers; None where that is switched off.
    """

    settings: GatewaySettings
    metrics: GatewayMetrics
    shelf: CalibratorShelf
    guards: GuardShelf
    familiarity: Familiarity
    answering: Answering
    uploads: Gate
    gate: Gate
    image_workers: anyio.CapacityLimiter
    policy_http: httpx.AsyncClient
    downstream_http: httpx.AsyncClient
    monitor: Monitor
    records: Records | None = None

    async def answer(self, request: Request) -> VqaReply:
        """Answer POST /vqa.

        Raises:
            Problem: With what a client should know.
            RequestValidationError: If the fields are wrong.
            ClientDisconnect: If the client left; what was begun for it has been cancelled.
        """
        try:
            reply = await self._answer(request)
        except ClientDisconnect:
            self.metrics.hangups.inc()
            raise
        except BusyError:
            raise busy_problem(self.settings.retry_after_s) from None
        except PictureError as error:
            raise image_problem(error) from None
        except TransportError as error:
            _log.warning("a model could not be asked", model=error.service, reason=error.detail, status=error.status)
            raise transport_problem(error, self.settings.retry_after_s) from None
        except ImageEgressRefusedError as error:
            _log.error("pictures may not leave", reason=str(error))
            raise egress_problem() from None
        except OtherQuestionError:
            raise other_question_problem() from None
        except ReviewedError:
            raise reviewed_problem() from None
        except TimeoutError:
            raise late_problem(self.settings.deadline_s) from None
        self.metrics.count(reply)
        # Joins the answer's id to the request's; nothing of what was asked or answered.
        _log.info(
            "answered",
            answer_id=reply.id,
            decision=reply.decision,
            degraded=reply.degraded,
            recorded=reply.recorded,
        )
        return reply

    async def _answer(self, request: Request) -> VqaReply:
        key = key_of(request.scope)
        answer_id = answer_id_of(request.headers, "" if key is None else key.name)
        # A client's file takes memory from its first byte until it has become a small picture: one bound for both.
        async with self.uploads.place():
            body = await read_body(
                request.scope, request.receive, self.settings.max_body_bytes, self.settings.upload_deadline_s
            )
            if body is None:
                raise ClientDisconnect
            started = time.perf_counter()
            with anyio.fail_after(self.settings.deadline_s):
                submission = await read_submission(
                    request.headers, body, self.settings.max_image_bytes, self.settings.methods
                )
                image, digest = await while_connected(request.receive, partial(self._prepare, submission))
                ask = submission.ask
                if answer_id is not None and self.records is not None:
                    await self.records.check_repeated(answer_id, ask, digest)
            del body, submission

        async def answer_in_turn() -> Answered:
            async with self.gate.place():
                return await self.answering.reply(ask, image.data_url, started)

        with anyio.fail_after(self.settings.deadline_s - (time.perf_counter() - started)):
            answered = await while_connected(request.receive, answer_in_turn)
        if answer_id is not None:
            answered = replace(answered, reply=answered.reply.model_copy(update={"id": answer_id}))
        if self.records is None:
            return answered.reply
        # Ahead of the reply, so that nobody has an answer of which nothing is known; its own deadline is a short one.
        recorded = await self.records.keep(answered, ask, image, digest, request_id_of(request))
        return answered.reply.model_copy(update={"recorded": recorded})

    async def _prepare(self, submission: Submission) -> tuple[PreparedPicture, str]:
        def work() -> tuple[PreparedPicture, str]:
            image = prepare_picture(
                submission.image,
                self.settings.image_limits,
                media_type=submission.media_type,
                filename=submission.filename,
            )
            return image, hashlib.sha256(image.png).hexdigest()

        # An abandoned thread keeps its token until it ends, so that the bound on memory holds.
        return await anyio.to_thread.run_sync(work, limiter=self.image_workers, abandon_on_cancel=True)

    async def readiness(self) -> dict[str, Dependency]:
        """Check what answers need: the downstream model; without policy or calibrators it answers, but less well."""
        found: dict[str, Dependency] = {}

        async def probe(name: str, http: httpx.AsyncClient, path: str, *, required: bool) -> None:
            try:
                status = (await http.get(path, timeout=_PROBE_S)).status_code
            except httpx.HTTPError as error:
                found[name] = Dependency(ok=False, required=required, detail=type(error).__name__)
            else:
                found[name] = Dependency(ok=status == 200, required=required, detail=f"status {status}")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(probe, "downstream", self.downstream_http, "models", required=True))
            tasks.start_soon(partial(probe, "policy", self.policy_http, "health/ready", required=False))
        await self.shelf.refresh()
        count = len(self.shelf.names)
        found["calibrators"] = Dependency(ok=count > 0, required=False, detail=f"{count} in the registry")
        if self.records is not None:
            found["records"] = self.records.state()
        return found

    async def about(self) -> Mapping[str, Any]:
        """Name the models, the wording and the calibrators, for /version."""
        await self.shelf.refresh()
        return {
            "models": {"downstream": self.settings.downstream_model},
            "answer_template": self.settings.answer_template,
            "calibrators": self.shelf.names,
            "live_calibrators": self.shelf.live,
            "guards": self.guards.names,
            "references": self.familiarity.names,
        }


@asynccontextmanager
async def open_gateway(
    settings: GatewaySettings, metrics: GatewayMetrics, records: Records | None = None
) -> AsyncIterator[Gateway]:
    """Open connections and read templates and calibrators for the length of a block.

    Args:
        settings: What the gateway is told.
        metrics: What it counts.
        records: Where its answers are kept, or None.

    Raises:
        FileNotFoundError: If there is no such prompt template.
        ValueError: If the template does not ask for an answer.
    """
    template = load_template(settings.answer_template)
    if template.role != "answer":
        raise ValueError(f"template {template.id} does not ask for an answer")
    registry = Registry(settings.registry)
    await anyio.to_thread.run_sync(_seed, registry, settings.shipped)
    shelf = CalibratorShelf(registry, settings.registry_check_s)
    await shelf.refresh()
    guards = GuardShelf(registry, settings.registry_check_s, settings.risk_delta)
    await guards.refresh()
    image_workers = anyio.CapacityLimiter(settings.image_workers)
    familiarity = Familiarity(registry, settings.registry_check_s, settings.atypicality_limit, image_workers)
    await familiarity.refresh()
    defaults = Defaults(settings.confidence_threshold, settings.max_risk, settings.coverage)
    monitor = _monitor(settings, records, shelf, guards)
    metrics.monitoring.report = lambda: monitor.report
    alarm_for = partial(_alarm_for, monitor)
    async with (
        open_monitor(monitor),
        make_http_client(
            settings.policy_url, max_connections=settings.max_in_flight, api_key=settings.policy_api_key
        ) as policy_http,
        make_http_client(
            settings.downstream_url, max_connections=settings.max_in_flight, api_key=settings.downstream_api_key
        ) as downstream_http,
    ):
        client = DownstreamClient(
            downstream_http,
            settings.downstream_model,
            RetrySettings(settings.downstream_deadline_s, settings.downstream_attempts),
            egress_hosts=settings.egress_hosts,
            vendor_parameters=settings.vendor_parameters,
        )
        downstream = TolerantDownstream(client, settings.logprobs_pause_s, metrics.logprobs_refused.inc)
        policy = PolicyBreaker(
            PolicyClient(policy_http, RetrySettings(settings.policy_deadline_s, settings.policy_attempts)),
            settings.policy_failures,
            settings.policy_pause_s,
        )
        sampling = Sampling(settings.temperature, settings.top_p, settings.top_k, settings.max_tokens)
        gate = Gate(settings.max_in_flight, waiting=settings.max_waiting, max_wait_s=settings.max_wait_s)
        metrics.waiting.set_function(lambda: gate.waiting)
        yield Gateway(
            settings=settings,
            metrics=metrics,
            shelf=shelf,
            guards=guards,
            familiarity=familiarity,
            answering=Answering(
                downstream,
                settings.downstream_model,
                policy,
                template,
                sampling,
                shelf,
                Selecting(guards, shelf, defaults, alarm_for if settings.alarm_withholds else None),
                familiarity,
                alarm_for,
            ),
            uploads=Gate(settings.max_uploads, waiting=settings.max_waiting, max_wait_s=settings.max_wait_s),
            gate=gate,
            image_workers=image_workers,
            policy_http=policy_http,
            downstream_http=downstream_http,
            monitor=monitor,
            records=records,
        )


def _monitor(settings: GatewaySettings, records: Records | None, shelf: CalibratorShelf, guards: GuardShelf) -> Monitor:
    def applied(kind: Kind, pair: CalibrationKey) -> Fit | None:
        found = shelf.known(pair) if kind == "calibrator" else guards.known(pair)
        return None if found is None else Fit(found.artifact.name, found.artifact.created)

    async def refresh() -> None:
        await shelf.refresh()
        await guards.refresh()

    watching = Watching(
        settings.monitor_alpha, settings.monitor_tolerance, settings.monitor_window, settings.monitor_groups
    )
    kept = None if records is None else MonitoringStore(records.store)
    return Monitor(kept, watching, applied, settings.monitor_every_s, refresh=refresh)


def _alarm_for(monitor: Monitor, pair: CalibrationKey) -> str | None:
    """Say why what is promised of a pair's answers no longer holds, if that is so."""
    alarm = monitor.alarm_for(pair)
    return None if alarm is None else alarm.reason


def _seed(registry: Registry, shipped: Path) -> None:
    # A registry that may only be read is fine: another service, or a person, puts there what is needed.
    try:
        registry.seed_artifacts(shipped)
    except OSError as error:
        _log.warning("calibrators not copied into the registry", reason=str(error))
