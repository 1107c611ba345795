"""An archive, a gateway whose model answers each picture otherwise, and a listener in a process of its own."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request

from services.common.registry.directory import Registry
from services.gateway.app import create_gateway
from services.gateway.settings import GatewaySettings
from tests.services.gateway.conftest import MODEL, TEMPLATE, make_calibrator
from tests.services.listener.orthanc import Orthanc, running_orthanc
from tests.support.servers import free_port, running
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[3]
RULES = """
rules:
  - name: ct-chest
    modality: [CT]
    body_part: [CHEST]
    question: Which shape has the lesion?
    options: [Round, Oval, Spiculated]
    method: verbalized
  - name: mr-head
    modality: [MR]
    question: Is there a mass?
    options: ["Yes", "No"]
    method: verbalized
    max_risk: 0.45
"""


def reading_model() -> FastAPI:
    """A downstream model whose letter and confidence depend on the picture, and on nothing else."""
    app = FastAPI()

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [{"id": MODEL, "object": "model"}]}

    @app.post("/v1/chat/completions")
    async def complete(request: Request) -> dict[str, Any]:
        asked = await request.json()
        [parts] = [each["content"] for each in asked["messages"] if isinstance(each["content"], list)]
        [url] = [each["image_url"]["url"] for each in parts if each["type"] == "image_url"]
        digest = hashlib.sha256(url.encode()).digest()
        text = f"In conclusion, the answer is {'AB'[digest[0] % 2]} with confidence {60 + digest[1] % 40}."
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return {"id": "1", "object": "chat.completion", "choices": [choice]}

    return app


@pytest.fixture(scope="module")
def gateway_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Settings of a gateway in front of that model."""
    folder = tmp_path_factory.mktemp("gateway")
    registry = Registry(folder / "registry")
    registry.calibrators.publish(make_calibrator("verbalized", None, right=0.7))
    with running(reading_model()) as url:
        yield {
            "policy_url": url,
            "downstream_url": f"{url}/v1",
            "downstream_model": MODEL,
            "answer_template": TEMPLATE,
            "methods": ("verbalized",),
            "warm_prefix": "never",
            "registry": registry.root,
            "shipped": folder / "nothing-shipped",
            "max_risk": None,
            "confidence_threshold": 0.7,
            "records_url": f"sqlite:///{folder}/records.db",
            "record_texts": True,
            "record_deadline_s": 20.0,
            "log_level": "debug",
        }


@pytest.fixture(scope="module")
def gateway_url(gateway_settings: dict[str, Any]) -> Iterator[str]:
    with running(create_gateway(GatewaySettings(**gateway_settings))) as url:
        yield url


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Orthanc]:
    with running_orthanc(tmp_path / "orthanc") as archive:
        yield archive


@dataclass
class ListenerProcess:
    """A listener in a process of its own; it goes on where it was when it is started again.

    Attributes:
        environment: Its settings.
        log: Where it writes.
        url: Where it listens.
    """

    environment: dict[str, str]
    log: Path
    url: str
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "services.listener"], cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            self._process = None

    def metric(self, line: str) -> float:
        """A value in its metrics; 0 where there is none, or nobody to ask."""
        with contextlib.suppress(httpx.HTTPError):
            for row in httpx.get(f"{self.url}/metrics", timeout=5).text.splitlines():
                if row.startswith(f"{line} "):
                    return float(row.rsplit(" ", 1)[1])
        return 0.0

    def wait_for(self, stage: str, count: int) -> None:
        """Wait until so many jobs are in a stage."""
        wait_until(lambda: self._has(stage, count), 90 + 4 * count)

    def _has(self, stage: str, count: int) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()[-3_000:]
        return self.metric(f'listener_jobs{{stage="{stage}"}}') >= count


MakeListener = Callable[..., AbstractContextManager[ListenerProcess]]


@pytest.fixture
def make_listener(tmp_path: Path) -> MakeListener:
    """Make a listener between an archive and a gateway; it is not started."""

    @contextlib.contextmanager
    def make(orthanc: Orthanc, gateway_url: str, rules: str = RULES, **settings: object) -> Iterator[ListenerProcess]:
        (tmp_path / "rules.yaml").write_text(rules, encoding="utf-8")
        port = free_port()
        chosen = {
            "port": port,
            "rules": tmp_path / "rules.yaml",
            "state": tmp_path / "listener" / "state.db",
            "pacs_url": orthanc.url,
            "gateway_url": gateway_url,
            "study_days": 0,
            "every_s": 0.2,
            "longest_pause_s": 0.5,
            "registry": tmp_path / "registry",
            "log_level": "debug",
            **settings,
        }
        named = {f"TRUSTVQA_LISTENER_{name.upper()}": str(value) for name, value in chosen.items()}
        listener = ListenerProcess({**os.environ, **named}, tmp_path / "listener.log", f"http://127.0.0.1:{port}")
        try:
            yield listener
        finally:
            listener.kill()

    return make


def asked(gateway_url: str, file: bytes, rule: dict[str, Any]) -> dict[str, Any]:
    """The reply of /vqa about a slice."""
    data = {"question": rule["question"], "options": json.dumps(rule["options"]), "method": "verbalized"}
    data |= {"max_risk": str(rule["max_risk"])} if "max_risk" in rule else {}
    files = {"image": ("slice.dcm", file, "application/dicom")}
    response = httpx.post(f"{gateway_url}/vqa", data=data, files=files, timeout=60)
    assert response.status_code == 200, response.text
    return dict(response.json())
