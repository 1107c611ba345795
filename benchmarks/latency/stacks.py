"""The stacks whose answers are timed: the miniatures and larger models, on the embedded engine and on vLLM."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engine.servers import Contender, running, vllm
from benchmarks.latency.llava import make_llava
from benchmarks.latency.study import Stack
from benchmarks.serving.processes import ROOT, running_service
from prompt4trust.prompts import load_answer_template
from services.gateway.settings import GatewaySettings

_MODEL = ROOT / "models" / "downstream-mini-1"
_RADIOLOGY = ROOT / "models" / "radiology-1"
_PARTS = ROOT / "build" / "parts"
_HELD = "answer-compact-held@1"
"""The wording whose replies vLLM holds to a sentence with a verdict: nobody taught the larger model to state one."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stack is started.

    Attributes:
        folder: A folder of its own, for registry, records and logs.
        port: The first of four ports that are free.
        vllm: A vllm program, for stacks that need one.
    """

    folder: Path
    port: int
    vllm: str = ""

    @property
    def registry(self) -> dict[str, str]:
        """The setting that all of its services are told."""
        return {"REGISTRY": str(self.folder / "registry")}

    @property
    def records(self) -> dict[str, str]:
        """The setting that its gateways are told."""
        return {"RECORDS_URL": f"sqlite:///{self.folder}/records.db"}


Begin = Callable[[Place], AbstractContextManager[Stack]]


@contextmanager
def _embedded(at: Place) -> Iterator[Stack]:
    with running_service("downstream", at.port + 1, at.registry, at.folder) as served:
        url, model = f"{served.url}/v1", GatewaySettings().downstream_model
        with _gateways(at, url, model) as stack:
            yield stack


@contextmanager
def _on_vllm(at: Place) -> Iterator[Stack]:
    # Under the name that the shipped calibrators know it by: to another one they would not be applied.
    contender = vllm(at.vllm, _MODEL, 8, 1, served_as=GatewaySettings().downstream_model)
    with _answering(contender, at.folder), _gateways(at, contender.url, contender.model) as stack:
        yield stack


@contextmanager
def _llava(at: Place) -> Iterator[Stack]:
    contender = vllm(at.vllm, make_llava(ROOT / "build" / "llava", _RADIOLOGY, _PARTS), 8, 1, served_as="llava")
    wording = {"ANSWER_TEMPLATE": _HELD}
    with (
        _answering(contender, at.folder),
        _gateways(at, contender.url, contender.model, wording, without=frozenset({"calibrator"})) as stack,
    ):
        yield stack


@contextmanager
def _radiology(at: Place) -> Iterator[Stack]:
    model = _RADIOLOGY.name
    told = at.registry | {"MODEL_PATH": str(_RADIOLOGY), "MODEL": model, "MAX_MODEL_LEN": "2048"}
    with running_service("downstream", at.port + 1, told, at.folder) as downstream:
        asked = {
            **at.registry,
            **at.records,
            "SHIPPED": str(_RADIOLOGY),
            "POLICY_URL": f"http://127.0.0.1:{at.port}",
            "DOWNSTREAM_URL": f"{downstream.url}/v1",
            "DOWNSTREAM_MODEL": model,
            "METHODS": '["logprob"]',
            "ATYPICALITY_LIMIT": "0.92",
        }
        with running_service("gateway", at.port + 2, asked, at.folder) as gateway:
            template = load_answer_template(GatewaySettings().answer_template)
            yield Stack(gateway.url, gateway.url, None, f"{downstream.url}/v1", model, template, "logprob")


STACKS: Mapping[str, Begin] = {
    "embedded": _embedded,
    "vLLM": _on_vllm,
    "radiology": _radiology,
    "llava": _llava,
}
"""Name -> what starts it."""
NEEDS_VLLM = frozenset({"vLLM", "llava"})
USUAL = ("embedded", "vLLM")


@contextmanager
def _gateways(
    at: Place,
    downstream: str,
    model: str,
    settings: Mapping[str, str] | None = None,
    *,
    without: frozenset[str] = frozenset(),
) -> Iterator[Stack]:
    """Start the miniature policy and two gateways before a downstream model; the second one reads nothing ahead."""
    settings = settings or {}
    with ExitStack() as services:
        policy = services.enter_context(running_service("policy", at.port, at.registry, at.folder))
        told = {
            **at.registry,
            **at.records,
            "POLICY_URL": policy.url,
            "DOWNSTREAM_URL": downstream,
            "DOWNSTREAM_MODEL": model,
            **settings,
        }
        gateways = [
            services.enter_context(
                running_service("gateway", at.port + 2 + place, told | {"WARM_PREFIX": reach}, at.folder)
            )
            for place, reach in enumerate(("near", "never"))
        ]
        template = load_answer_template(settings.get("ANSWER_TEMPLATE", GatewaySettings().answer_template))
        yield Stack(gateways[0].url, gateways[1].url, policy.url, downstream, model, template, without=without)


@contextmanager
def _answering(contender: Contender, folder: Path) -> Iterator[None]:
    with running([contender], folder, patience_s=400) as ready:
        if not ready:
            raise RuntimeError(f"{contender.name} does not answer")
        yield
