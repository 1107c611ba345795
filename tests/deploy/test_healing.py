"""Any container dies: the stack heals by itself, and whoever asked gets the right answer, recorded once."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.deploy.containers import ROOT, Stack
from tests.support.waiting import wait_until
from trustvqa.client import Client, ClientError

pytestmark = [pytest.mark.deploy, pytest.mark.xdist_group("deploy"), pytest.mark.timeout(300)]

SAMPLES = ROOT / "services" / "gateway" / "static" / "samples"
# What of an answer is the same for everybody who asks.
SAME = (
    *("answer", "guess", "confidence", "calibration", "decision"),
    *("guidance_prompt", "explanation", "guess_explanation", "models", "degraded"),
)
ASKERS = 3


@dataclass(frozen=True)
class Question:
    """A question of the gateway's page, with what is right to answer to it.

    Attributes:
        fields: The form's fields.
        image: The picture.
        whole: The answer when nothing is amiss.
        without_policy: The answer of the method that does without guidance.
    """

    fields: dict[str, Any]
    image: bytes
    whole: dict[str, Any] = field(repr=False)
    without_policy: dict[str, Any] = field(repr=False)

    def is_right(self, reply: dict[str, Any]) -> bool:
        """Whether a reply is one of the two, and says which."""
        if reply["degraded"]:
            # Less well answered, but said so, and by the calibrator for that.
            return same(reply) == {**same(self.without_policy), "degraded": ["policy"]}
        return same(reply) == same(self.whole)


def same(reply: dict[str, Any]) -> dict[str, Any]:
    """The parts of a reply that must not differ."""
    return {name: reply[name] for name in SAME}


@pytest.fixture(scope="module")
def questions(stack: Stack) -> list[Question]:
    found = []
    with Client(stack.gateway, api_key=stack.key) as client:
        for sample in json.loads((SAMPLES / "samples.json").read_text(encoding="utf-8"))[:ASKERS]:
            fields = {"question": sample["question"], "options": sample["options"]}
            image = (SAMPLES / sample["image"]).read_bytes()
            whole = dict(client.ask(image, **fields).raw)
            without = dict(client.ask(image, **fields, method="verbalized").raw)
            assert whole["degraded"] == without["degraded"] == []
            assert whole["guidance_prompt"]
            found.append(Question(fields, image, whole, without))
    return found


class Asker(threading.Thread):
    """A client as ours are: asks one question after the other, each until it has an answer."""

    def __init__(self, stack: Stack, question: Question) -> None:
        super().__init__(daemon=True)
        self.stack = stack
        self.question = question
        self.stopping = threading.Event()
        self.replies: list[dict[str, Any]] = []
        self.refused: list[ClientError] = []
        self.asked_again = 0
        self.waits: list[tuple[float, float]] = []

    def run(self) -> None:
        with Client(self.stack.gateway, api_key=self.stack.key, deadline_s=180, patience_s=120) as client:
            while not self.stopping.is_set():
                asked_at = time.monotonic()
                try:
                    result = client.ask(self.question.image, **self.question.fields, try_s=60, on_retry=self._note)
                except ClientError as error:
                    self.refused.append(error)
                    return
                self.replies.append(dict(result.raw))
                self.waits.append((asked_at, time.monotonic()))
                self.stopping.wait(0.25)  # what comes back needs processors, too

    def _note(self, _why: str) -> None:
        self.asked_again += 1

    def waited_between(self, start: float, end: float) -> bool:
        """Whether any answer was waited for in that time."""
        return any(asked_at < end and answered_at > start for asked_at, answered_at in self.waits)


@pytest.fixture
def askers(stack: Stack, questions: list[Question]) -> Iterator[list[Asker]]:
    threads = [Asker(stack, question) for question in questions]
    for thread in threads:
        thread.start()
    yield threads
    for thread in threads:
        thread.stopping.set()
    for thread in threads:
        thread.join(200)


def kill(stack: Stack, service: str) -> None:
    """Kill all processes of a container but its init, as if the service had crashed."""
    started = stack.inspect(service)["State"]["StartedAt"]
    program = "import os, signal; os.kill(-1, signal.SIGKILL)"
    subprocess.run(
        stack.command("exec", "-T", service, "python", "-c", program),
        cwd=stack.place,
        env={**os.environ, **stack.environment},
        capture_output=True,
        timeout=60,
    )
    wait_until(lambda: stack.inspect(service)["State"]["StartedAt"] != started, 60)


def is_healthy(stack: Stack, service: str) -> bool:
    state = stack.inspect(service)["State"]
    return bool(state["Running"] and state["Health"]["Status"] == "healthy")


def recorded(stack: Stack) -> int:
    """How many answers there are records of."""
    counts = stack.administer("/v1/feedback/counts").json()["counts"]
    return sum(each["answers"] for each in counts)


@pytest.mark.parametrize("service", ["trainer", "policy", "downstream", "gateway"])
def test_every_question_gets_its_answer_and_one_record_whatever_dies(
    stack: Stack, service: str, questions: list[Question], request: pytest.FixtureRequest
) -> None:
    before = recorded(stack)
    askers: list[Asker] = request.getfixturevalue("askers")
    wait_until(lambda: all(len(each.replies) >= 2 or each.refused for each in askers), 60)
    kill(stack, service)
    gone = time.monotonic()
    wait_until(lambda: is_healthy(stack, service), 120)
    back = time.monotonic()
    answered = [len(each.replies) for each in askers]
    wait_until(
        lambda: all(
            each.refused or (len(each.replies) > count + 1 and not each.replies[-1]["degraded"])
            for each, count in zip(askers, answered, strict=True)
        ),
        60,
    )
    for each in askers:
        each.stopping.set()
    for each in askers:
        each.join(60)
    assert [each.refused for each in askers] == [[]] * len(askers)
    replies = [(each.question, reply) for each in askers for reply in each.replies]
    wrong = [reply for question, reply in replies if not question.is_right(reply)]
    assert wrong == []
    assert all(reply["recorded"] for _, reply in replies)
    assert len({reply["id"] for _, reply in replies}) == len(replies)
    assert recorded(stack) - before == len(replies)
    for asker in askers:
        last = asker.replies[-1]
        kept = stack.administer(f"/vqa/{last['id']}").json()
        said = [last[name] and last[name]["letter"] for name in ("answer", "guess")]
        assert [kept["answer"], kept["guess"], kept["confidence"]] == [*said, last["confidence"]]
    assert any(each.waited_between(gone, back) for each in askers), "nobody asked while it was away"
    # Whether anybody notices a model's absence is luck: the gateway's retries may bridge it, but not its own.
    if service == "gateway":
        assert sum(each.asked_again for each in askers) > 0, "nobody noticed that it was away"
