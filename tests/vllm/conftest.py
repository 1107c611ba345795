"""The whole stack on real vLLM servers, and beside it the same stack on the embedded engine."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from prompt4trust.datasets import load_dataset
from prompt4trust.datasets.phantoms.generator import generate
from prompt4trust.questions import Question
from services.downstream.app import downstream_app
from services.downstream.settings import DownstreamSettings
from services.gateway.app import create_gateway
from services.gateway.settings import GatewaySettings
from services.policy.app import policy_app
from services.policy.settings import PolicySettings
from tests.support.servers import running
from tests.support.waiting import wait_until
from tests.vllm.servers import ROOT, VllmServer, cleared, downstream_server, policy_server

T = TypeVar("T")
S = TypeVar("S")
FIRST, SECOND = "policy-mini-grpo-1", "policy-mini-sft-1"
MODEL = "downstream-mini-1"


@dataclass(frozen=True)
class Stack:
    """Addresses of a gateway and of what stands behind it; the downstream model's ends in /v1."""

    gateway: str
    policy: str
    downstream: str


@dataclass(frozen=True)
class Servers:
    """vLLM servers: the downstream model, and the two places that a policy version may be served from."""

    downstream: VllmServer
    first: VllmServer
    second: VllmServer


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The servers, two of them running; the second place of the policy is empty."""
    vllm = os.environ.get("VLLM")
    if not vllm:
        pytest.skip("VLLM names no vllm command")
    place = tmp_path_factory.mktemp("vllm")
    made = Servers(
        downstream_server(vllm, place), policy_server(vllm, place, FIRST), policy_server(vllm, place, SECOND)
    )
    with cleared(made.downstream, made.first, made.second):
        for server in (made.downstream, made.first):
            server.begin()
        for server in (made.downstream, made.first):
            server.wait_ready()
        yield made


def _gateway(registry: Path, policy: str, downstream: str) -> GatewaySettings:
    return GatewaySettings(
        registry=registry,
        policy_url=policy,
        downstream_url=downstream,
        policy_pause_s=0.2,
        registry_check_s=0.2,
        records_url="",
        # Others may keep the machine busy.
        policy_deadline_s=60,
        downstream_deadline_s=90,
        deadline_s=120,
    )


@pytest.fixture(scope="session")
def stack(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Gateway and policy service in front of the vLLM servers."""
    registry = tmp_path_factory.mktemp("registry")
    settings = PolicySettings(
        registry=registry,
        engine="openai",
        upstream_url=f"{servers.first.url}/v1,{servers.second.url}/v1",
        version=FIRST,
        deadline_s=60,
        poll_interval_s=0.2,
        cache_entries=0,  # every prompt is written by the server
    )
    with running(policy_app(settings)) as policy:
        wait_until(lambda: httpx.get(f"{policy}/health/ready").status_code == 200)
        downstream = f"{servers.downstream.url}/v1"
        with running(create_gateway(_gateway(registry, policy, downstream))) as gateway:
            yield Stack(gateway, policy, downstream)


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The same on the transformers engine, in this process."""
    registry = tmp_path_factory.mktemp("embedded")
    policy_settings = PolicySettings(registry=registry, engine="transformers", device="cpu", version=FIRST)
    downstream_settings = DownstreamSettings(device="cpu", dtype="float32", threads=1)
    with running(policy_app(policy_settings)) as policy, running(downstream_app(downstream_settings)) as downstream:
        for url in (policy, downstream):
            wait_until(lambda url=url: httpx.get(f"{url}/health/ready").status_code == 200)  # type: ignore[misc]
        with running(create_gateway(_gateway(registry, policy, f"{downstream}/v1"))) as gateway:
            yield Stack(gateway, policy, f"{downstream}/v1")


@pytest.fixture(scope="session")
def questions(tmp_path_factory: pytest.TempPathFactory) -> list[Question]:
    """200 held-out questions, always the same."""
    folder = tmp_path_factory.mktemp("questions") / "test"
    generate(folder, n=200, seed=31, split="test")
    return list(load_dataset(folder / "questions.csv").questions)


@pytest.fixture(scope="session")
def guidance(embedded: Stack, questions: Sequence[Question]) -> list[str]:
    """The policy's guidance for each question on the embedded engine."""
    return guides(embedded, questions)


def guides(stack: Stack, questions: Sequence[Question], **more: Any) -> list[str]:
    """The greedy guidance for each question."""

    def one(question: Question) -> str:
        body = {"question": question.text, "options": dict(question.options), **more}
        reply = httpx.post(f"{stack.policy}/v1/cgp", json=body, timeout=90)
        assert reply.status_code == 200, reply.text
        return str(reply.json()["prompts"][0]["text"])

    return in_parallel(one, questions)


def in_parallel(function: Callable[[S], T], items: Sequence[S]) -> list[T]:
    """Apply a function to all, 16 at a time."""
    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(function, items))


def ask(stack: Stack, question: Question, **more: Any) -> httpx.Response:
    """Ask a gateway."""
    assert question.image is not None
    body = {
        "image": base64.b64encode(question.image.read_bytes()).decode(),
        "question": question.text,
        "options": dict(question.options),
        **more,
    }
    return httpx.post(f"{stack.gateway}/vqa", json=body, timeout=120)


def ready(stack: Stack) -> tuple[int, Mapping[str, Mapping[str, Any]]]:
    """A gateway's readiness: the status and what it says of each dependency."""
    reply = httpx.get(f"{stack.gateway}/health/ready", timeout=30)
    return reply.status_code, reply.json()["dependencies"]


__all__ = ["ROOT", "Servers", "Stack", "ask", "guides", "in_parallel", "ready"]
