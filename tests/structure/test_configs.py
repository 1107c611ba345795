"""Shipped configurations: a gateway's answers and those that its trainer evaluates and fits on are asked for alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from services.gateway.settings import GatewaySettings
from services.trainer.model_settings import ModelSettings
from tests.deploy import compose
from tests.structure.sources import ROOT

SHARED = (
    "downstream_model", "answer_template", "temperature", "top_p", "top_k", "max_tokens", "vendor_parameters",
)  # fmt: skip
"""Settings of both that evidence is keyed by."""
CONFIGS = [
    "configs/embedded.yaml",
    "configs/pmcvqa.yaml",
    "configs/radiology.yaml",
    "deploy/containers-radiology.yaml",
    "deploy/containers.yaml",
    "k8s/overlays/embedded/trustvqa.yaml",
    "k8s/overlays/gpu/trustvqa.yaml",
]


def read(path: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
    return found


def shared(settings: GatewaySettings | ModelSettings) -> dict[str, object]:
    return {name: getattr(settings, name) for name in SHARED}


def test_every_file_with_both_sections_is_looked_at() -> None:
    named = (path for pattern in ("configs/*.yaml", "deploy/*.yaml", "k8s/**/*.yaml") for path in ROOT.glob(pattern))
    held = [path for path in named if {"gateway", "trainer"} <= sections(path)]
    assert sorted(str(path.relative_to(ROOT)) for path in held) == CONFIGS


def sections(path: Path) -> set[str]:
    documents = yaml.safe_load_all(path.read_text(encoding="utf-8"))
    return {name for document in documents if isinstance(document, dict) for name in document}


@pytest.mark.parametrize("path", CONFIGS)
def test_gateway_and_trainer_ask_the_same_model_alike(path: str) -> None:
    config = read(path)
    assert shared(ModelSettings(**config["trainer"])) == shared(GatewaySettings(**config["gateway"]))


def test_so_do_an_evaluation_job_and_the_gateway_of_its_cluster() -> None:
    job, cluster = read("k8s/overlays/batch-evaluation/evaluation.yaml"), read("k8s/overlays/gpu/trustvqa.yaml")
    assert shared(ModelSettings(**job["trainer"])) == shared(GatewaySettings(**cluster["gateway"]))


def test_so_do_the_containers_of_the_gpu_stack() -> None:
    services = compose.read(ROOT / "docker-compose.yml", ROOT / "compose.gpu.yml")["services"]
    told = {
        name: {key: services[name]["environment"].get(f"TRUSTVQA_{name.upper()}_{key.upper()}") for key in SHARED}
        for name in ("gateway", "trainer")
    }
    assert told["trainer"] == told["gateway"]
    assert None not in [told["gateway"][name] for name in ("downstream_model", "temperature", "top_p", "top_k")]
