"""instructor against the downstream service: any model is held to the object that an app wants."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from services.downstream.app import downstream_app
from services.downstream.settings import DownstreamSettings
from tests.services.downstream.conftest import MODEL
from tests.support.instructor.running import MODES, by_instructor, needs_instructor
from tests.support.servers import running
from tests.support.waiting import wait_until


@pytest.fixture
def roomy_server(settings: DownstreamSettings, model_path: Path, tmp_path: Path) -> Iterator[str]:
    """The base URL of a server whose model takes a schema that is told in many words."""
    roomy = tmp_path / "model"
    shutil.copytree(model_path, roomy)
    config = json.loads((roomy / "config.json").read_text(encoding="utf-8"))
    for part in (config, config.get("text_config", {})):
        if "max_position_embeddings" in part:
            part["max_position_embeddings"] = 2_048
    (roomy / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with running(downstream_app(settings.model_copy(update={"model_path": str(roomy)}))) as url:
        wait_until(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
        yield url


@needs_instructor
def test_instructor_gets_its_objects(roomy_server: str) -> None:
    messages = [{"role": "user", "content": "Which side?\nA: Left\nB: Right"}]
    asks = {f"seed {seed}": {"seed": seed, "max_tokens": 400} for seed in (1, 2)}
    asked = {
        "url": roomy_server,
        "model": MODEL,
        "messages": messages,
        "asks": asks,
        "modes": MODES,
        "refused": ["PARALLEL_TOOLS"],
    }
    found = by_instructor("downstream", asked)
    assert len(found) == 4 * len(MODES) + 1
    for name, choice in found.items():
        if name != "refused":
            assert choice["answer"] in ("A", "B")
            assert choice["sure"] in (True, False)
    assert "tool_choice" in found["refused"]["PARALLEL_TOOLS"]
