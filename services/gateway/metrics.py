"""Prometheus metrics of the gateway's answers; those of records and monitoring are in their packages' metrics.py."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from services.common.clients.breaker import BreakerState
from services.common.metrics_registry import MetricsRegistry
from services.common.pictures.kept_pictures import KeptPictures
from services.gateway.admission.gate import Gate
from services.gateway.errors import ShedReason
from services.gateway.schemas import VqaReply

_UNUSUAL = (0.5, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0)
_TENTHS = tuple(step / 10 for step in range(1, 11))


class GatewayMetrics:
    """Counts of answers, by what was decided and what was done without.

    Args:
        registry: Where they are registered.
    """

    def __init__(self, registry: MetricsRegistry) -> None:
        self._answers = Counter(
            "gateway_answers", "Answers given or deferred.", ("decision", "code"), registry=registry
        )
        self._degraded = Counter("gateway_degraded", "Answers that lack something.", ("without",), registry=registry)
        # A drift of this distribution, or one value for all, is the first sign that calibration no longer holds.
        self._confidence = Histogram(
            "gateway_confidence", "Calibrated confidences.", buckets=_TENTHS, registry=registry
        )
        # As many in each part as its width says, while questions are like those that promises rest on.
        self._atypicality = Histogram(
            "gateway_atypicality",
            "How unlike the questions that promises rest on.",
            ("reference",),
            buckets=_UNUSUAL,
            registry=registry,
        )
        self.refusals = Counter(
            "gateway_downstream_refusals",
            "Times that the model's server refused a part of a request and answered without it.",
            ("part",),
            registry=registry,
        )
        self.warmings = Counter(
            "gateway_prefix_warmings",
            "Questions that the downstream model was to read while guidance was being written.",
            ("outcome",),
            registry=registry,
        )
        self.guidance = Counter(
            "gateway_guidance",
            "Guidance by where it came from: asked of the policy, or kept from an earlier question.",
            ("source",),
            registry=registry,
        )
        self.pictures = Counter(
            "gateway_pictures",
            "Pictures of questions by where they came from: made, kept from an earlier question, or awaited from one "
            "that asks at the same time; none are counted where none are kept.",
            ("found",),
            registry=registry,
        )
        self._kept_pictures = Gauge(
            "gateway_kept_pictures_bytes",
            "Memory that prepared pictures take which are kept.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.hangups = Counter("gateway_hangups", "Clients that left before their answer.", registry=registry)
        self._registry = registry
        self._waiting = Gauge(
            "gateway_waiting", "Questions that wait for their turn.", registry=registry, multiprocess_mode="livesum"
        )
        self._in_flight = Gauge(
            "gateway_in_flight", "Questions that are being answered.", registry=registry, multiprocess_mode="livesum"
        )
        self._in_flight_limit = Gauge(
            "gateway_in_flight_limit",
            "Questions that are answered at once at most, as learnt.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._shed = Counter(
            "gateway_shed", "Questions that were told at once to come back.", ("reason",), registry=registry
        )
        self._retries = Counter(
            "gateway_retries", "Failed calls of a model's server that were to be tried again.", ("model", "outcome"),
            registry=registry,
        )  # fmt: skip
        self._breaker_open = Gauge(
            "gateway_breaker_open", "Whether a model is left alone because it kept failing.", ("model",),
            registry=registry, multiprocess_mode="livemax",
        )  # fmt: skip
        for model in ("policy", "downstream"):
            self._breaker_open.labels(model)
        self._breaker_changes = Counter(
            "gateway_breaker_changes", "New states of a model's breaker.", ("model", "state"), registry=registry
        )

    def follow(self, gate: Gate) -> None:
        """Show who is in and who waits at the gate."""
        self._registry.follow(self._waiting, lambda: gate.waiting)
        self._registry.follow(self._in_flight, lambda: gate.in_flight)
        self._registry.follow(self._in_flight_limit, lambda: gate.limit)

    def follow_kept_pictures(self, kept: KeptPictures) -> None:
        """Show the memory of the pictures that are kept."""
        self._registry.follow(self._kept_pictures, lambda: kept.held_bytes)

    def count_shed(self, reason: ShedReason) -> None:
        """Count a question that was turned away."""
        self._shed.labels(reason).inc()

    def count_retry(self, model: str, *, granted: bool) -> None:
        """Count a retry that was asked for."""
        self._retries.labels(model, "made" if granted else "withheld").inc()

    def note_breaker(self, model: str, state: BreakerState) -> None:
        """Note the new state of a model's breaker; half open it counts as open until the model has answered."""
        self._breaker_open.labels(model).set(state != "closed")
        self._breaker_changes.labels(model, state).inc()

    def count(self, reply: VqaReply) -> None:
        """Count one reply."""
        self._answers.labels(reply.decision, reply.decision_basis.code).inc()
        for without in reply.degraded:
            self._degraded.labels(without).inc()
        if reply.atypicality is not None:
            self._atypicality.labels(reply.atypicality.reference).observe(reply.atypicality.score)
        if reply.calibration.calibrated and reply.confidence is not None:
            self._confidence.observe(reply.confidence)
