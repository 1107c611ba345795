"""LiteLLM's SDK against a gateway, from an environment of its own: `make test-litellm` makes it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.services.gateway.chat.chats import MODEL, messages
from tests.services.gateway.upstream import Upstream

PYTHON = os.environ.get("LITELLM_PYTHON", "")
_QUIET = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}


@pytest.mark.skipif(not PYTHON, reason="no LITELLM_PYTHON names a Python that has litellm (make test-litellm)")
def test_litellm_asks_streams_and_is_refused(gateway_url: str, upstream: Upstream) -> None:
    upstream.more = {"usage": {"prompt_tokens": 300, "completion_tokens": 20, "total_tokens": 320}}
    parameters = {"type": "object", "properties": {"answer": {"type": ["string", "null"]}}, "required": ["answer"]}
    tools = [{"type": "function", "function": {"name": "tell", "parameters": parameters}}]
    named = {"type": "function", "function": {"name": "tell"}}
    asked = {"url": gateway_url, "model": MODEL, "messages": messages(), "max_risk": 0.6}
    asked |= {"tools": tools, "tool_choice": named}
    done = subprocess.run(
        [PYTHON, str(Path(__file__).with_name("litellm_calls.py"))],
        input=json.dumps(asked),
        env={**os.environ, **_QUIET},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["content"].startswith("B (Oval). Of 100 answers like this one about ")
    assert found["streamed"] == found["content"]
    assert found["reasoning"] == "Weigh the border."
    assert found["usage"] == 320
    assert found["called"] == ["tell", {"answer": "Oval"}]
    assert found["called, streamed"] == {"answer": "Oval"}
    assert "one answer" in found["refused"]
