"""From a training run to the answers that people get: the whole way, over the registry and HTTP alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from tests.support.waiting import until
from tests.system.conftest import ROOT, TRUSTVQA, Stack

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

BEFORE, AFTER = "policy-mini-grpo-1", "policy-learned"
OPTIONS = {"A": "Round", "B": "Oval"}
ASKERS, ENOUGH = 8, 24
PATIENCE_S = 150  # a process that imports torch on a machine that others keep busy


@contextlib.contextmanager
def put_back(stack: Stack) -> Iterator[None]:
    """Leave the stack with the policy that other tests know."""
    try:
        yield
    finally:
        httpx.post(f"{stack.url('policy')}/v1/policies/{BEFORE}/activate", timeout=60)


def train(stack: Stack, work: Path) -> None:
    """Run `trustvqa train` for two small steps against the stack's downstream service."""
    training = {
        "policy": BEFORE,
        "version": AFTER,
        "device": "cpu",
        "train": {"kind": "phantoms", "split": "train", "n": 4, "seed": 1},
        "validation": {"kind": "phantoms", "split": "validation", "n": 4, "seed": 2},
        "answer": {"max_tokens": 64},
        "rollout": {"num_generations": 4, "max_completion_length": 48},
        "update": {"max_steps": 2, "learning_rate": 5e-4, "per_device_train_batch_size": 8},
        "checkpoints": {"save_steps": 2},
        "selection": {"must_improve": False, "resamples": 20},
    }
    trainer = {
        "registry": str(stack.registry),
        "downstream_url": f"{stack.url('downstream')}/v1",
        "data": str(work / "data"),
    }
    (work / "tiny.yaml").write_text(yaml.safe_dump({"trainer": trainer, "training": training}))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRUSTVQA_")}
    done = subprocess.run(
        [TRUSTVQA, "train", "--config", work / "tiny.yaml", "--out", work / "run"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.timeout(2 * PATIENCE_S)
async def test_what_a_run_publishes_goes_live_without_a_dropped_request(stack: Stack, tmp_path: Path) -> None:
    train(stack, tmp_path)
    answered: list[list[str]] = [[] for _ in range(ASKERS)]
    done = asyncio.Event()

    def count() -> int:
        return sum(map(len, answered))

    async def keep_asking(asker: int) -> None:
        number = 0
        while not done.is_set():
            number += 1
            # A question that nobody asked before: no reply comes from a cache.
            question = f"Person {asker} asks for the time {number}: which shape has the finding?"
            reply = await http.post("/v1/cgp", json={"question": question, "options": OPTIONS})
            assert reply.status_code == 200, reply.text
            body = reply.json()
            assert body["cached"] is False
            assert body["prompts"][0]["text"]
            answered[asker].append(body["version"])

    with put_back(stack):
        async with httpx.AsyncClient(base_url=stack.url("policy"), timeout=60) as http:
            listed = {each["version"]: each for each in (await http.get("/v1/policies")).json()["policies"]}
            assert (listed[AFTER]["usable"], listed[AFTER]["active"], listed[BEFORE]["active"]) == (True, False, True)
            assert listed[AFTER]["metadata"]["metrics"]["after"]["n"] == 4
            async with asyncio.TaskGroup() as tasks:
                for asker in range(ASKERS):
                    tasks.create_task(keep_asking(asker))
                await until(lambda: count() >= ENOUGH)
                switched = await http.post(f"/v1/policies/{AFTER}/activate")
                assert switched.json() == {"active": AFTER, "previous": BEFORE}
                at_switch = count()
                await until(lambda: count() >= at_switch + ENOUGH)
                done.set()
            picture = (ROOT / "services/gateway/static/samples/ultrasound.png").read_bytes()
            reply = await http.post(
                f"{stack.gateway}/vqa",
                data={"question": "What shape are the findings?", "options": ["Round", "Oval"]},
                files={"image": picture},
            )
    for versions in answered:
        changed = versions.index(AFTER)
        assert set(versions[:changed]) == {BEFORE}
        assert set(versions[changed:]) == {AFTER}  # each person sees one change, and none back
    assert reply.json()["models"]["policy"] == AFTER
    # A calibrator belongs to a pair of models, and nobody fitted one for this pair.
    assert reply.json()["degraded"] == ["calibrator"]
    assert reply.json()["calibration"]["calibrated"] is False
