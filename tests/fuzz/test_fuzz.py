"""Schemathesis over the running services: what the documents say holds for requests that nobody thought of.

Checked of every reply: no status that is undocumented and never 500, content type and schema as documented, wrong
requests refused, keys asked for. `make test-fuzz` takes minutes and asks services without keys as well; in `make test`
it is a few seconds a service. The seed is fixed.
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
SEED = 1
BRIEF_S = 20
SECONDS = int(os.environ.get("FUZZ_SECONDS", BRIEF_S))
"""Seconds for all services together."""
IS_BRIEF = SECONDS <= BRIEF_S
SHARES = {"gateway": 0.4, "policy": 0.15, "downstream": 0.2, "trainer": 0.25}
LEAST_CASES = 20
REACHED = {
    "gateway": ["POST /vqa", "POST /vqa/{answer_id}/feedback", "GET /vqa/{answer_id}", "GET /v1/calibrators"],
    "policy": ["POST /v1/cgp", "GET /v1/policies"],
    "downstream": ["POST /v1/chat/completions", "GET /v1/models"],
    "trainer": ["POST /v1/runs", "POST /v1/evaluations", "GET /v1/runs"],
}
"""Operations of which some request must have got past all checks: else what lies behind them was never asked."""

pytestmark = [pytest.mark.xdist_group("fuzz"), pytest.mark.timeout(SECONDS + 240)]


@pytest.fixture(scope="module", params=["with keys"] if IS_BRIEF else ["with keys", "without keys"])
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FuzzedStack]:
    with fuzzed_stack(tmp_path_factory.mktemp("fuzzed"), with_keys=request.param == "with keys") as running:
        yield running


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_is_answered_otherwise_than_documented(stack: FuzzedStack, service: str, tmp_path: Path) -> None:
    seconds = max(3, round(SECONDS * SHARES[service] / (1 if IS_BRIEF else 2)))
    report = tmp_path / "report.json"
    key = ["--header", f"Authorization: Bearer {stack.key}"] if stack.key else []
    done = subprocess.run(
        [
            SCHEMATHESIS, "--config-file", ROOT / "tests/fuzz/schemathesis.toml", "--no-color",
            "run", f"{stack.urls[service]}/openapi.json", *key,
            "--max-time", str(seconds), "--seed", str(SEED),
            "--report", "json", "--report-json-path", report,
        ],
        cwd=ROOT,
        env={**os.environ, "FUZZ_KNOWN": json.dumps(stack.known), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=seconds + 120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(report.read_text(encoding="utf-8"))
    assert found["operations"]["tested"] == found["operations"]["total"] > 0
    assert found["test_cases"]["generated"] >= LEAST_CASES
    assert found["test_cases"]["with_failures"] == found["test_cases"]["errored"] == 0
    assert [name for name in REACHED[service] if not accepted(found, name)] == []
    sys.stdout.write(f" {service}: {found['test_cases']['generated']} cases in {found['running_time']:.0f} s\n")


def accepted(report: dict[str, Any], operation: str) -> int:
    """Requests that an operation took, over all phases."""
    return sum(phase["accepted"] for phase in report["valid_rates"].get(operation, {}).values())
