"""Schemathesis over the running services: what the documents say holds for requests that nobody thought of.

Checked of every reply: no status that is undocumented and never 500, content type and schema as documented, wrong
requests refused, keys asked for. In `make test` it is a few requests an operation, always the same ones.
`make test-fuzz` takes FUZZ_SECONDS, goes through the bounds of all fields and sequences of operations, and asks
services without keys, too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz.stack import SERVICES, FuzzedStack, fuzzed_stack

ROOT = Path(__file__).resolve().parents[2]
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
SEED = os.environ.get("FUZZ_SEED", "1")
SECONDS = int(os.environ.get("FUZZ_SECONDS", 0))
"""Seconds for all services together; 0 for a few requests."""
SHARES = {"gateway": 0.4, "policy": 0.15, "downstream": 0.2, "trainer": 0.25}
KEYS = ["with keys", "without keys"] if SECONDS else ["with keys"]
REACHED = {
    "gateway": ["POST /vqa", "POST /vqa/{answer_id}/feedback", "POST /v1/chat/completions"],
    "policy": ["POST /v1/cgp", "GET /v1/policies"],
    "downstream": ["POST /v1/chat/completions", "POST /v1/responses", "GET /v1/models"],
    "trainer": ["POST /v1/runs", "POST /v1/evaluations", "POST /v1/tunings", "POST /v1/rewards"],
}
"""Operations of which some request must have got past all checks: else what lies behind them was never asked."""

pytestmark = [pytest.mark.xdist_group("fuzz"), pytest.mark.timeout(SECONDS + 300)]


@pytest.fixture(scope="module", params=KEYS)
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FuzzedStack]:
    with fuzzed_stack(tmp_path_factory.mktemp("fuzzed"), with_keys=request.param == "with keys") as running:
        yield running


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_is_answered_otherwise_than_documented(
    stack: FuzzedStack, service: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = max(5, round(SECONDS * SHARES[service] / len(KEYS)))
    extent = ["--max-time", str(seconds)] if SECONDS else ["--phases", "examples,fuzzing", "--max-examples", "4"]
    report = tmp_path / "report.json"
    key = ["--header", f"Authorization: Bearer {stack.key}"] if stack.key else []
    done = subprocess.run(
        [
            SCHEMATHESIS, "--config-file", ROOT / "tests/fuzz/schemathesis.toml", "--no-color",
            "run", f"{stack.urls[service]}/openapi.json", *key, *extent, "--seed", SEED,
            "--report", "json", "--report-json-path", report,
        ],
        cwd=ROOT,
        env={**os.environ, "FUZZ_KNOWN": json.dumps(stack.known), "FUZZ_SERVICE": service, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=seconds + 240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(report.read_text(encoding="utf-8"))
    cases = found["test_cases"]
    assert found["operations"]["tested"] == found["operations"]["total"] > 0
    assert cases["generated"] > found["operations"]["total"]
    assert cases["with_failures"] == cases["errored"] == 0
    assert [name for name in REACHED[service] if not accepted(found, name)] == []
    with capsys.disabled():
        sys.stdout.write(f"\n{service}: {cases['generated']} cases in {found['running_time']:.0f} s ")


def accepted(report: dict[str, Any], operation: str) -> int:
    """Requests that an operation took, over all phases."""
    return sum(phase["accepted"] for phase in report["valid_rates"].get(operation, {}).values())
