"""Policies to serve: tiny random ones on the real engine, and a model server whose pace the test sets."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from services.policy.app import policy_app
from services.policy.settings import PolicySettings
from tests.support.servers import running

SHIPPED = Path(__file__).resolve().parents[3] / "models" / "policy-mini-sft-1"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "prompt.json")


def post(url: str, **request: Any) -> httpx.Response:
    """Post to a server on this machine; without the CA bundle, whose reading takes longer than most requests here."""
    return httpx.post(url, verify=False, **request)  # noqa: S501 - plain HTTP


def get(url: str) -> httpx.Response:
    """Get from a server on this machine."""
    return httpx.get(url, verify=False)  # noqa: S501 - plain HTTP


def make_policy(path: Path, *, seed: int) -> Path:
    """Save a random Qwen2 of a few thousand parameters, with the shipped tokenizer and template."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(SHIPPED)
    config.update(
        {
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "layer_types": ["full_attention"],
            "initializer_range": 0.5,  # large enough for two seeds to write different things
        }
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        untyped: Any = AutoModelForCausalLM
        untyped.from_config(config).save_pretrained(path)
    for name in TOKENIZER_FILES:
        shutil.copy(SHIPPED / name, path / name)
    return path


@pytest.fixture(scope="session")
def tiny_policies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory as the project ships it: policy-a and policy-b, which write different things."""
    directory = tmp_path_factory.mktemp("shipped")
    make_policy(directory / "policy-a", seed=1)
    make_policy(directory / "policy-b", seed=2)
    return directory


@pytest.fixture(scope="session", autouse=True)
def _plain_logs() -> None:
    # Unless told otherwise structlog draws tracebacks with every local variable, which takes seconds.
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()])


@pytest.fixture(scope="session")
def paper_policies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions for a model server: no weights here, and each with its own wording."""
    directory = tmp_path_factory.mktemp("paper")
    for name in ("policy-a", "policy-b", "policy-c"):
        (directory / name).mkdir(parents=True)
        (directory / name / "config.json").write_text("{}")
        template = json.loads((SHIPPED / "prompt.json").read_text())
        template |= {"name": f"{name}-wording", "user": f"[{name}] {{question}} / {{options}}"}
        (directory / name / "prompt.json").write_text(json.dumps(template))
    return directory


@dataclass
class ModelServer:
    """An OpenAI-compatible server that repeats what it was asked, at the test's pace.

    Attributes:
        url: Its base URL.
        bodies: What it was asked, trial tokens of newly loaded versions left out.
        headers: The same requests' headers.
        gate: Replies wait until it is set.
        listing: Lists of models wait until it is set.
        faults: Replies to give instead, one for each request to come.
        served: Models that it has.
        listed: Models that it says it has; None for those.
        key: What callers must show, or None.
    """

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    listing: threading.Event = field(default_factory=threading.Event)
    faults: list[Response] = field(default_factory=list)
    served: frozenset[str] = frozenset({"policy-a", "policy-b", "policy-c"})
    listed: frozenset[str] | None = None
    key: str | None = None

    @staticmethod
    def text(model: str, prompt: str, index: int = 0) -> str:
        return f"{model} on <{prompt}> #{index}"


@contextmanager
def model_serving() -> Iterator[ModelServer]:
    """Run a model server, its gate open."""
    server = ModelServer()
    server.gate.set()
    server.listing.set()
    app = FastAPI()

    @app.middleware("http")
    async def wants_key(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        if server.key is not None and request.headers.get("Authorization") != f"Bearer {server.key}":
            return JSONResponse({"error": "Unauthorized"}, status_code=401)
        return await go_on(request)

    @app.get("/v1/models")
    async def models() -> Response:
        while not server.listing.is_set():  # noqa: ASYNC110 - as below
            await asyncio.sleep(0.005)
        listed = sorted(server.served if server.listed is None else server.listed)
        return JSONResponse({"object": "list", "data": [{"id": name, "object": "model"} for name in listed]})

    @app.post("/v1/chat/completions")
    async def complete(request: Request) -> Response:
        body = await request.json()
        if body["model"] not in server.served:
            return JSONResponse({"error": {"message": "no such model"}}, status_code=404)
        if body["max_tokens"] > 1:
            server.bodies.append(body)
            server.headers.append(dict(request.headers))
            while not server.gate.is_set():  # noqa: ASYNC110 - the gate belongs to another thread
                await asyncio.sleep(0.005)
            if server.faults:
                return server.faults.pop(0)
        prompt = body["messages"][-1]["content"]
        choices = [
            {
                "index": index,
                "message": {"role": "assistant", "content": server.text(body["model"], prompt, index)},
                "finish_reason": "stop",
            }
            for index in range(body["n"])
        ]
        return JSONResponse({"choices": choices, "usage": {"prompt_tokens": 7, "completion_tokens": 5 * body["n"]}})

    with running(app) as url:
        server.url = f"{url}/v1"
        yield server
        server.gate.set()
        server.listing.set()


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    with model_serving() as server:
        yield server


Serve = Callable[..., AbstractContextManager[str]]


@pytest.fixture
def serve_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Serve policies with given settings, in a registry of the test's own."""
    monkeypatch.chdir(tmp_path)  # away from the project's configuration file

    def serve(**values: Any) -> AbstractContextManager[str]:
        settings = PolicySettings(**{"registry": tmp_path / "registry", "poll_interval_s": 0.05, **values})
        return running(policy_app(settings))

    return serve


def remote_settings(model_server: ModelServer, shipped: Path) -> dict[str, Any]:
    """Settings of a service whose policies the model server runs."""
    return {
        "engine": "openai",
        "upstream_url": model_server.url,
        "shipped": shipped,
        "version": "policy-a",
    }


@pytest.fixture
def remote_policy(serve_policy: Serve, paper_policies: Path, model_server: ModelServer) -> Serve:
    """Serve policies that the model server runs."""

    def serve(**values: Any) -> AbstractContextManager[str]:
        return serve_policy(**{**remote_settings(model_server, paper_policies), **values})

    return serve


@dataclass
class Standing:
    """A service for tests that leave no trace in it, and the model server behind it."""

    url: str
    model_server: ModelServer


@pytest.fixture(scope="module")
def standing(paper_policies: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    registry = tmp_path_factory.mktemp("standing")
    with model_serving() as server:
        values = remote_settings(server, paper_policies) | {"registry": registry, "cache_entries": 0}
        with running(policy_app(PolicySettings(**values))) as url:
            yield Standing(url, server)
