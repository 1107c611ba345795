"""The commands of docs/operations.md, run as they stand there against services with the shipped models."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.common.registry.directory import Registry
from tests.support.postgres import postgres_programs, running_postgres
from tests.support.waiting import wait_until
from tests.system.commands import blocks, run_block
from tests.system.conftest import ROOT, Stack
from tests.system.own_gateway import OwnGateway

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system"), pytest.mark.timeout(300)]

BEFORE, EARLIER = "policy-mini-grpo-1", "policy-mini-sft-1"
GATEWAY, POLICY = "http://127.0.0.1:8080", "http://127.0.0.1:8081"
MOST_REVIEWS = 60


@pytest.fixture(scope="module")
def own_gateway(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnGateway]:
    own = OwnGateway(stack, tmp_path_factory.mktemp("operations"))
    Registry(own.registry).seed(ROOT / "models")
    try:
        yield own
    finally:
        own.stop(signal.SIGKILL)


@pytest.fixture
def gateway(own_gateway: OwnGateway) -> OwnGateway:
    """A gateway that runs, with what the tests before have left in it; one that they left ended is started again."""
    if not own_gateway.is_running:
        own_gateway.start()
    return own_gateway


def state(gateway: OwnGateway) -> dict[str, Any]:
    """Everything that an operator would miss, if it were gone."""
    report = gateway.get("/calibration.json")
    streams = [
        {key: stream[key] for key in ("name", "number", "n", "evidence", "alarm", "applied", "live")}
        for stream in report["streams"]
    ]
    answer = gateway.ask()
    return {
        "calibrators": gateway.get("/v1/calibrators"),
        "feedback": gateway.get("/v1/feedback?limit=1000")["answers"],
        "status": report["status"],
        "reviewed": report["reviewed"],
        "streams": sorted(streams, key=lambda each: each["number"]),
        "answer": {key: answer[key] for key in ("answer", "confidence", "calibration", "decision", "degraded")},
    }


def raise_an_alarm(gateway: OwnGateway) -> list[str]:
    """Call confident answers wrong until the drift test has seen enough; return the answers."""
    said: list[str] = []
    while gateway.get("/calibration.json")["status"] != "alarm":
        assert len(said) < MOST_REVIEWS
        for _ in range(5):
            said.append(gateway.ask()["id"])
            gateway.say(said[-1], right=False)
        wait_until(lambda: gateway.get("/calibration.json")["reviewed"] == len(said), poll_s=0.1)
    return said


def test_policy_versions_are_changed_and_changed_back(stack: Stack) -> None:
    printed = run_block(
        "policies",
        ROOT,
        {"TRUSTVQA_API_KEY": ""},
        {"trustvqa policies": f"trustvqa policies --policy {stack.url('policy')}"},
    )
    listed, there, back = printed.splitlines()[:-2], *printed.splitlines()[-2:]
    assert {BEFORE, EARLIER} <= {word for line in listed for word in line.split()}
    assert there == f"{EARLIER} is live; before it was {BEFORE}"
    assert back == f"{BEFORE} is live; before it was {EARLIER}"
    assert httpx.get(f"{stack.url('policy')}/v1/policies").json()["active"] == BEFORE


def make_live_and_take_back(gateway: OwnGateway) -> None:
    """Run the page's commands for calibrators."""
    name = another_calibrator(gateway.registry)
    before = gateway.get("/version")["live_calibrators"]
    run_block("calibrators", ROOT, {**gateway.environment, "calibrator": name}, {GATEWAY: gateway.url})
    assert gateway.get("/version")["live_calibrators"] == before
    activated, retired = gateway.get("/v1/calibrators")["history"]
    assert (activated["name"], activated["who"], activated["kind"]) == (name, "operator", "activated")
    assert (retired["previous"], retired["who"], retired["kind"]) == (name, "operator", "rolled-back")


def another_calibrator(registry: Path) -> str:
    """Publish a calibrator for the pair of a shipped one; return its name."""
    shipped = next((registry / "calibrators").glob("histogram-verbalized-*.json"))
    content = json.loads(shipped.read_text()) | {"name": "another", "created": "2026-01-01T00:00:00Z"}
    del content["checksum"]  # as a person does who changes a file
    (registry / "calibrators" / "another.json").write_text(json.dumps(content))
    return "another"


def test_what_is_lost_comes_back_as_it_was_at_the_backup(gateway: OwnGateway) -> None:
    """Backed up while questions are answered and an alarm stands; then killed, all deleted, restored, started."""
    said = raise_an_alarm(gateway)
    make_live_and_take_back(gateway)
    # A report may have been made while the other calibrator was live, which nobody has called wrong.
    wait_until(lambda: gateway.get("/calibration.json")["status"] == "alarm")
    before = state(gateway)
    assert before["status"] == "alarm"
    assert before["answer"]["degraded"] == ["calibration-alarm"]
    assert len(before["feedback"]) == len(said)

    answered = asking = [gateway.ask()["id"]]
    done = threading.Event()
    thread = threading.Thread(target=lambda: keep_asking(gateway.ask, asking, done))
    thread.start()
    try:
        wait_until(lambda: len(asking) > 2)
        answered = list(asking)
        printed = run_block("backup", gateway.folder, gateway.environment)
        at_end = len(asking)
        wait_until(lambda: len(asking) > at_end + 1)
    finally:
        done.set()
        thread.join()
    assert "backed up" in printed
    assert "whole" in printed
    late = asking[at_end + 1 :]  # one may have been stored while the backup ended
    assert late

    gateway.stop(signal.SIGKILL)
    shutil.rmtree(gateway.registry)
    shutil.rmtree(gateway.file.parent)
    run_block("restore", gateway.folder, gateway.environment)
    gateway.start()
    wait_until(lambda: gateway.get("/calibration.json")["status"] == before["status"])
    assert state(gateway) == before
    for answer in (*said, *answered):
        assert gateway.get(f"/vqa/{answer}")["id"] == answer
    for answer in late:
        with pytest.raises(httpx.HTTPStatusError, match="404"):
            gateway.get(f"/vqa/{answer}")


def keep_asking(ask: Callable[[], dict[str, Any]], answered: list[str], done: threading.Event) -> None:
    while not done.is_set():
        answered.append(ask()["id"])


def test_a_rollback_across_a_change_of_tables_begins_with_the_backup(gateway: OwnGateway, tmp_path: Path) -> None:
    """A newer version's migration adds: who runs goes on storing; who starts refuses, until the backup is back."""
    kept = gateway.ask()["id"]
    run_block("backup", tmp_path, gateway.environment)
    with contextlib.closing(sqlite3.connect(gateway.file)) as newer, newer:
        newer.execute("ALTER TABLE answers ADD COLUMN of_a_newer_version TEXT")
        newer.execute("UPDATE records_version SET version_num = 'r9999'")
    assert gateway.ask()["recorded"] is True
    gateway.stop()
    gateway.start(expect_end=True)
    assert "r9999" in gateway.log
    assert "newer version" in gateway.log
    run_block("restore", tmp_path, gateway.environment)
    gateway.start()
    assert gateway.get(f"/vqa/{kept}")["id"] == kept


def test_postgres_is_backed_up_by_its_own_programs(stack: Stack, tmp_path: Path) -> None:
    if shutil.which("pg_dump") is None or postgres_programs() is None:
        pytest.skip("PostgreSQL's programs are not installed")
    with running_postgres() as server, server.database() as name:
        gateway = OwnGateway(stack, tmp_path, server.url(name))
        environment = {**gateway.environment, "RECORDS": server.url(name)}
        gateway.start()
        try:
            kept = gateway.ask()["id"]
            gateway.say(kept, right=True)
            before = gateway.get(f"/vqa/{kept}")
            run_block("postgres-backup", gateway.folder, environment)
            later = gateway.ask()["id"]
            gateway.stop()
            server.execute("DELETE FROM feedback", name)
            shutil.rmtree(gateway.registry)
            run_block("postgres-restore", gateway.folder, environment)
            gateway.start()
            assert gateway.get(f"/vqa/{kept}") == before
            with pytest.raises(httpx.HTTPStatusError, match="404"):
                gateway.get(f"/vqa/{later}")
            assert gateway.ask()["calibration"]["calibrated"] is True
        finally:
            gateway.stop()


def test_every_block_that_is_said_to_be_run_is_run_here() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert {name for name in blocks() if f'"{name}"' not in source} == set()
