"""The four services on the miniatures, in this process, for requests that nobody wrote."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import structlog
from fastapi import FastAPI

from services.common.auth import Right
from services.common.auth.guesses import Guesses
from services.common.http.server import server_config
from services.common.settings import ServiceSettings
from services.downstream.app import downstream_app
from services.downstream.settings import DownstreamSettings
from services.gateway.app import create_gateway
from services.gateway.settings import GatewaySettings
from services.policy.app import policy_app
from services.policy.settings import PolicySettings
from services.trainer.app import trainer_app
from services.trainer.executors.base import Launch
from services.trainer.settings import TrainerSettings
from tests.support.keys import bearer, keys_at
from tests.support.servers import running
from tests.support.waiting import wait_until

SERVICES = ("gateway", "policy", "downstream", "trainer")
# A run's work: some fail, so that there is something to resume. Nothing is ever trained or evaluated.
_WORK = "import sys, zlib; sys.exit(zlib.crc32(sys.argv[1].encode()) % 2)"


@dataclass(frozen=True)
class FuzzedStack:
    """Running services.

    Attributes:
        urls: Address of each.
        key: A key with all scopes; empty where the services ask for none.
        known: Parameter of a path -> names that are there.
    """

    urls: dict[str, str]
    key: str
    known: dict[str, list[str]]

    def client(self, service: str) -> httpx.Client:
        """A client that shows the key."""
        return httpx.Client(base_url=self.urls[service], headers=bearer(self.key) if self.key else {}, timeout=60)


@contextmanager
def fuzzed_stack(place: Path, *, with_keys: bool) -> Iterator[FuzzedStack]:
    """Run the four services for the length of a block.

    Args:
        place: An empty directory for what they write.
        with_keys: Whether they ask for keys.
    """
    key = keys_at(place / "keys.json", everything=tuple(Right))["everything"] if with_keys else ""
    shared: dict[str, Any] = {"registry": place / "registry", "api_keys": place / "keys.json" if with_keys else None}
    shown = key or None
    with ExitStack() as stack:
        stack.callback(structlog.configure, **structlog.get_config())
        # Else every request is a line, and every traceback is drawn with its variables.
        structlog.configure(
            wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
            processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()],
        )

        # The fuzzer shows wrong keys by the hundred, and looks for 401 each time.
        stack.enter_context(patch("services.common.auth.authenticator.Guesses", partial(Guesses, allowed=1e9)))

        def serve(app: FastAPI, settings: ServiceSettings) -> str:
            url = stack.enter_context(running(app, server_config(app, settings)))
            wait_until(lambda: httpx.get(f"{url}/health/ready").status_code == 200, 60)
            return url

        urls = {}
        downstream = DownstreamSettings(max_model_len=1024, max_n=4, deadline_s=20, max_waiting=64, **shared)
        urls["downstream"] = serve(downstream_app(downstream), downstream)
        policy = PolicySettings(max_tokens=16, **shared)
        urls["policy"] = serve(policy_app(policy), policy)
        models: dict[str, Any] = {
            "policy_url": urls["policy"],
            "downstream_url": f"{urls['downstream']}/v1",
            "policy_api_key": shown,
            "downstream_api_key": shown,
        }
        gateway = GatewaySettings(
            records_url=f"sqlite:///{place}/records.db",
            record_texts=True,
            record_pictures=True,
            monitor_every_s=0.5,
            **models,
            **shared,
        )
        urls["gateway"] = serve(create_gateway(gateway), gateway)
        trainer = TrainerSettings(runs=place / "runs", data=place / "data", poll_s=0.05, **models, **shared)
        launch = lambda run: Launch(run.id, trainer.runs / run.id, ("-c", _WORK, run.id))  # noqa: E731
        urls["trainer"] = serve(trainer_app(trainer, launch), trainer)
        made = FuzzedStack(urls, key, {})
        made.known.update(_known(made))
        yield made


def _known(stack: FuzzedStack) -> dict[str, list[str]]:
    """Names of what is there, among them the id of an answer that was recorded."""
    picture = Path("services/gateway/static/samples/ultrasound.png").read_bytes()
    fields = {"question": "What shape are the findings?", "options": ["Round", "Oval"]}
    with stack.client("gateway") as http:
        sent = http.post("/vqa", data=fields, files={"image": ("picture.png", picture)})
        assert sent.status_code == 200, sent.text
        calibrators = [str(each["name"]) for each in http.get("/v1/calibrators").json()["calibrators"]]
    policies = ["policy-mini-grpo-1", "policy-mini-sft-1"]
    answers = [str(sent.json()["id"])]
    return {"answer_id": answers, "name": calibrators, "version": policies, "model": ["downstream-mini-1"]}
