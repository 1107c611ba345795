"""A new policy version takes over from a second vLLM server while questions are asked all the time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import anyio
import httpx
import pytest

from prompt4trust.questions import Question
from tests.support.waiting import until
from tests.vllm.conftest import FIRST, SECOND, Servers, Stack, ask, guides

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900), pytest.mark.xdist_group("vllm")]

Written = Mapping[tuple[str, str], str]
"""(version, question's id) -> what that version writes for it."""


@pytest.fixture(scope="module")
def some(questions: Sequence[Question], written_by: Written) -> list[Question]:
    """Questions on which the two versions differ, so that a text tells who wrote it."""
    found = [q for q in questions[:40] if written_by[FIRST, q.id] != written_by[SECOND, q.id]]
    assert len(found) >= 8
    return found


@pytest.fixture(scope="module")
def written_by(embedded: Stack, questions: Sequence[Question]) -> Written:
    """Each version's guidance on the embedded engine."""
    return {
        (version, question.id): text
        for version in (FIRST, SECOND)
        for question, text in zip(questions[:40], guides(embedded, questions[:40], version=version), strict=True)
    }


async def test_nothing_is_dropped_and_every_reply_names_the_version_that_wrote_it(
    stack: Stack, servers: Servers, some: list[Question], written_by: Written
) -> None:
    prompts: list[str] = []
    answers: list[str] = []
    done = asyncio.Event()

    async def ask_the_policy(http: httpx.AsyncClient, first: int) -> None:
        for turn in itertools.count(first):
            if done.is_set():
                return
            question = some[turn % len(some)]
            body = {"question": question.text, "options": dict(question.options)}
            reply = await http.post("/v1/cgp", json=body)
            assert reply.status_code == 200, reply.text
            version = reply.json()["version"]
            assert reply.json()["prompts"][0]["text"] == written_by[version, question.id]
            prompts.append(version)

    async def ask_the_gateway() -> None:
        for question in itertools.cycle(some):
            if done.is_set():
                return
            reply: dict[str, Any] = (await anyio.to_thread.run_sync(ask, stack, question)).json()
            assert reply["degraded"] == [], reply
            assert reply["calibration"]["calibrated"] is True
            assert reply["guidance_prompt"] == written_by[reply["models"]["policy"], question.id]
            answers.append(reply["models"]["policy"])

    async def activate(http: httpx.AsyncClient, version: str) -> httpx.Response:
        return await http.post(f"/v1/policies/{version}/activate")

    servers.downstream.start()
    servers.first.start()
    async with httpx.AsyncClient(base_url=stack.policy, timeout=90) as http, asyncio.TaskGroup() as tasks:
        refused = await activate(http, SECOND)
        assert refused.status_code == 409
        assert f"no model server has {SECOND}" in refused.json()["detail"]
        await anyio.to_thread.run_sync(servers.second.start)

        for first in range(3):
            tasks.create_task(ask_the_policy(http, first))
        tasks.create_task(ask_the_gateway())
        await until(lambda: len(prompts) > 20 and len(answers) > 2, 120)
        assert set(prompts) == set(answers) == {FIRST}
        switched = await activate(http, SECOND)
        assert switched.json() == {"active": SECOND, "previous": FIRST}
        seen = len(answers)
        await until(lambda: len(answers) > seen + 2, 120)

        # The old server is ended as Compose and Kubernetes end it; whoever names its version still gets an answer.
        by_name = {"question": some[0].text, "options": dict(some[0].options), "version": FIRST}
        assert (await http.post("/v1/cgp", json=by_name)).json()["version"] == FIRST
        servers.first.terminate()
        assert await anyio.to_thread.run_sync(servers.first.process.wait, 60) == 0
        seen = len(answers)
        await until(lambda: len(answers) > seen + 4, 120)
        # Back is no way any more, and that is said before anything changes.
        back = await activate(http, FIRST)
        assert back.status_code == 409
        assert "cannot be asked" in back.json()["detail"]
        assert (await http.get("/health/ready")).status_code == 200
        done.set()
    changes = [pair for pair in itertools.pairwise(answers) if pair[0] != pair[1]]
    assert changes == [(FIRST, SECOND)]
    assert set(prompts) == {FIRST, SECOND}
