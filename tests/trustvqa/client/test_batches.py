"""Batches of the client: every question has one outcome, whatever breaks on the way."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from itertools import count
from typing import Any

import pytest

from tests.trustvqa.client.gateways import ANSWER, DEFERRAL, FakeGateway, problem
from trustvqa.client import (
    AsyncClient,
    BatchOutcome,
    BusyGatewayError,
    Client,
    ClientError,
    GatewayUnreachableError,
    InvalidQuestionError,
    RefusedKeyError,
    UnusablePictureError,
    VqaQuestion,
)


@pytest.fixture
def client(gateway: FakeGateway) -> Iterator[Client]:
    with Client(gateway.url, deadline_s=20) as made:
        yield made


def questions(number: int, **more: Any) -> Iterator[VqaQuestion]:
    return (VqaQuestion(b"\x89PNG pixels", "Which?", ["Round", "Oval"], f"q{each}", **more) for each in range(number))


def sent(gateway: FakeGateway) -> list[dict[str, Any]]:
    return [json.loads(line) for each in gateway.requests for line in each["body"].splitlines()]


def test_every_question_has_one_outcome(client: Client, gateway: FakeGateway) -> None:
    gateway.line = lambda asked: {"status": 200, "reply": ANSWER if asked["id"] != "q7" else DEFERRAL}
    outcomes = list(client.batch(questions(50, max_risk=0.1), key="0123456789abcdef"))
    assert Counter(each.id for each in outcomes) == Counter(f"q{number}" for number in range(50))
    assert {each.id: each.unwrap().decision for each in outcomes if each.unwrap().is_deferred} == {"q7": "defer"}
    assert {each["id"] for each in sent(gateway)} == {f"q{number}" for number in range(50)}
    assert sent(gateway)[0] | {"id": ""} == {
        "id": "",
        "image": "iVBORyBwaXhlbHM=",
        "question": "Which?",
        "options": ["Round", "Oval"],
        "max_risk": 0.1,
    }
    assert set(gateway.keys) == {'"0123456789abcdef"'}
    assert next(client.batch([VqaQuestion(b"\x89PNG pixels", "Which?")])).id == "0"
    assert gateway.keys[-1] != gateway.keys[0]


def test_only_what_has_no_outcome_is_sent_again(client: Client, gateway: FakeGateway) -> None:
    tried: Counter[str] = Counter()

    def line(asked: dict[str, Any]) -> dict[str, Any] | None:
        tried[asked["id"]] += 1
        if asked["id"] == "q3" and tried["q3"] == 1:
            return None  # the connection breaks
        if asked["id"] == "q6" and tried["q6"] <= 2:
            return {"status": 503, "problem": problem("busy", 503), "retry_after": 0}
        if asked["id"] == "q8":
            return {"status": 422, "problem": problem("invalid-request", 422)}
        return {"status": 200, "reply": ANSWER, "replayed": tried[asked["id"]] > 1}

    gateway.line = line
    found = {each.id: each for each in client.batch(questions(10), concurrency=16)}
    assert set(found) == {f"q{number}" for number in range(10)}
    assert isinstance(found["q8"].error, InvalidQuestionError)
    with pytest.raises(InvalidQuestionError):
        found["q8"].unwrap()
    assert found["q3"].unwrap().replayed
    assert not found["q0"].unwrap().replayed
    assert (tried["q0"], tried["q3"], tried["q6"], tried["q8"]) == (1, 2, 3, 1)
    assert len(set(gateway.keys)) == 1


def test_what_stays_busy_fails_at_its_deadline_and_the_others_go_on(client: Client, gateway: FakeGateway) -> None:
    gateway.line = lambda asked: (
        {"status": 503, "problem": problem("busy", 503), "retry_after": 60}
        if asked["id"] == "q1"
        else {"status": 200, "reply": ANSWER}
    )
    found = {each.id: each for each in client.batch(questions(3), deadline_s=5.0)}
    assert isinstance(found["q1"].error, BusyGatewayError)
    assert found["q1"].error.detail == "busy: change it"
    assert [found[name].unwrap().decision for name in ("q0", "q2")] == ["answer", "answer"]


def test_a_gateway_that_always_breaks_off_fails_what_it_did_not_answer(client: Client, gateway: FakeGateway) -> None:
    gateway.line = lambda asked: None if asked["id"] == "q1" else {"status": 200, "reply": ANSWER}
    found = {each.id: each for each in client.batch(questions(2), concurrency=1, deadline_s=1.0)}
    assert found["q0"].unwrap().decision == "answer"
    assert isinstance(found["q1"].error, GatewayUnreachableError)


def test_what_is_refused_as_a_whole_is_raised(client: Client, gateway: FakeGateway) -> None:
    gateway.replies = [(401, problem("key-required", 401), {})] * 8
    with pytest.raises(RefusedKeyError):
        list(client.batch(questions(3)))


def test_a_picture_that_cannot_be_read_fails_its_question_alone(client: Client, gateway: FakeGateway) -> None:
    lost = VqaQuestion("absent.png", "Which?", id="lost")
    found = {each.id: each for each in client.batch([lost, *questions(2)])}
    assert isinstance(found["lost"].error, UnusablePictureError)
    assert found["q1"].error is None
    assert {each["id"] for each in sent(gateway)} == {"q0", "q1"}


def test_an_id_that_is_given_twice_is_said(client: Client, gateway: FakeGateway) -> None:
    outcomes = list(client.batch([*questions(1), *questions(1)], concurrency=64))
    assert sorted(each.error is None for each in outcomes) == [False, True]
    assert [str(each.error) for each in outcomes if each.error] == ["two questions of the batch have the id 'q0'"]
    assert type(next(each.error for each in outcomes if each.error)) is ClientError


def test_an_endless_source_is_read_no_faster_than_outcomes_are_taken(client: Client, gateway: FakeGateway) -> None:
    taken = count()
    endless = (VqaQuestion(b"\x89PNG pixels", "Which?", id=str(next(taken))) for _ in iter(int, 1))
    outcomes = client.batch(endless, concurrency=4)
    for _ in range(20):
        assert next(outcomes).error is None
    outcomes.close()  # type: ignore[attr-defined]
    assert next(taken) < 20 + 40
    assert client.about() == ANSWER  # the client goes on


async def test_questions_may_come_from_an_asynchronous_source(gateway: FakeGateway) -> None:
    async def source() -> AsyncIterator[VqaQuestion]:
        for each in questions(5):
            yield each

    async with AsyncClient(gateway.url) as client:
        outcomes: list[BatchOutcome] = [each async for each in client.batch(source())]
    assert {each.id for each in outcomes} == {f"q{number}" for number in range(5)}


def test_an_error_of_the_source_is_raised_and_threads_may_share_a_client(client: Client, gateway: FakeGateway) -> None:
    def broken() -> Iterator[VqaQuestion]:
        yield from questions(1)
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        list(client.batch(broken()))
    seen: list[int] = []
    threads = [threading.Thread(target=lambda: seen.append(len(list(client.batch(questions(9)))))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert seen == [9, 9, 9]


@pytest.mark.parametrize("concurrency", [0, 65])
def test_concurrency_has_bounds(client: Client, concurrency: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 64"):
        client.batch([], concurrency=concurrency)
    assert list(client.batch([])) == []
