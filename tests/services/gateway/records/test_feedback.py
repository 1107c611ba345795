"""Feedback over HTTP: what is taken, what is refused, what administrators get of it; on SQLite and PostgreSQL."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.services.gateway.checks import assert_problem, body
from tests.services.gateway.conftest import MODEL, TEMPLATE, MakeGateway
from tests.services.gateway.records.conftest import Place
from tests.services.gateway.upstream import Upstream
from tests.support.calibration_keys import whole_key
from tests.support.keys import bearer, keys_at

PAIR = whole_key(downstream=MODEL, policy="policy-1", estimator="cgp", answer_template=TEMPLATE).model_dump(mode="json")


@pytest.fixture
def client(place: Place, make_gateway: MakeGateway, upstream: Upstream) -> Iterator[httpx.Client]:
    with make_gateway(records_url=place.url) as url, httpx.Client(base_url=url, timeout=20) as http:
        yield http


def answered(client: httpx.Client, **changes: Any) -> str:
    reply = client.post("/vqa", json=body(**changes)).json()
    assert reply["recorded"] is True
    return str(reply["id"])


def say(client: httpx.Client, answer: str, **said: Any) -> httpx.Response:
    return client.post(f"/vqa/{answer}/feedback", json={"who": "dr. x", **said})


def test_feedback_is_kept_with_the_record_in_order_and_the_latest_word_counts(client: httpx.Client) -> None:
    answer = answered(client)
    started = datetime.now(UTC)
    first = say(client, answer, correct_option=" b ", comment="  seen in follow-up\r\n")
    assert first.status_code == 201
    assert datetime.fromisoformat(first.json().pop("at")) - started < timedelta(minutes=1)
    assert {**first.json(), "at": ""} == {
        "at": "", "who": "dr. x", "right": True, "correct_option": "B", "comment": "seen in follow-up",
    }  # fmt: skip
    assert say(client, answer, right=False, who="tumour board").json()["right"] is False
    assert say(client, answer, correct_option="C").json()["right"] is False
    kept = client.get(f"/vqa/{answer}").json()["feedback"]
    assert [(each["who"], each["right"], each["correct_option"]) for each in kept] == [
        ("dr. x", True, "B"), ("tumour board", False, None), ("dr. x", False, "C"),
    ]  # fmt: skip
    page = client.get("/v1/feedback").json()
    assert page["next_cursor"] is None
    (exported,) = page["answers"]
    assert exported == {
        "id": answer,
        "at": exported["at"],
        "reviewed_at": kept[-1]["at"],
        "who": "dr. x",
        "pair": PAIR,
        "calibrator": "platt-cgp",
        "stated": 0.95,
        "confidence": exported["confidence"],
        "signals": {},
        "guess_signals": {},
        "decision": "answer",
        "max_risk": None,
        "letters": "ABC",
        "answer": "B",
        "guess": None,
        "correct_option": "C",
        "right": False,
        "groups": {},
        "picture": exported["picture"],
    }
    metrics = client.get("/metrics").text
    assert 'gateway_feedback_total{right="true"} 1.0' in metrics
    assert 'gateway_feedback_total{right="false"} 2.0' in metrics


def test_answers_about_one_picture_share_a_mark_that_tells_nothing_of_it(client: httpx.Client) -> None:
    file = base64.b64decode(body()["image"])
    other = base64.b64encode(picture_of_another_shade()).decode()
    asked = [body(), body(question="Which colour?"), body(image=other)]
    for each in asked:
        say(client, client.post("/vqa", json=each).json()["id"], right=True)
    first, second, third = (each["picture"] for each in client.get("/v1/feedback").json()["answers"])
    assert first == second != third
    assert re.fullmatch("[0-9a-f]{16}", first)
    assert first not in hashlib.sha256(file).hexdigest()
    assert first not in hashlib.sha256(hashlib.sha256(file).digest()).hexdigest()


def picture_of_another_shade() -> bytes:
    found = io.BytesIO()
    Image.new("L", (32, 32), 77).save(found, "PNG")
    return found.getvalue()


def test_feedback_on_what_is_not_there(client: httpx.Client) -> None:
    for unknown in (str(uuid.uuid4()), "17", "%00", "x" * 500, str(uuid.uuid4()).replace("-", "")):
        assert_problem(say(client, unknown, right=True), 404, "unknown-answer")
    assert_problem(client.get(f"/vqa/{uuid.uuid4()}"), 404, "unknown-answer")


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"who": "x"}, ""),
        ({"who": "x", "right": True, "correct_option": "B"}, ""),
        ({"right": True}, "who"),
        ({"who": " ", "right": True}, "who"),
        ({"who": "x" * 101, "right": True}, "who"),
        ({"who": 7, "right": True}, "who"),
        ({"who": "nul\0", "right": True}, "who"),
        ({"who": "half \ud800", "right": True}, "who"),
        ({"who": "x", "right": "yes"}, "right"),
        ({"who": "x", "right": 1}, "right"),
        ({"who": "x", "correct_option": "BB"}, "correct_option"),
        ({"who": "x", "correct_option": "\0"}, "correct_option"),
        ({"who": "x", "correct_option": 1}, "correct_option"),
        ({"who": "x", "right": True, "comment": "c" * 2001}, "comment"),
        ({"who": "x", "right": True, "comment": "nul\0"}, "comment"),
        ({"who": "x", "right": True, "surprise": 1}, "surprise"),
    ],
)
def test_feedback_that_says_nothing_clear(
    gateway_url: str, upstream: Upstream, said: dict[str, Any], field: str
) -> None:
    headers = {"Content-Type": "application/json"}
    with httpx.Client(base_url=gateway_url, timeout=20) as client:
        answer = answered(client)
        response = client.post(f"/vqa/{answer}/feedback", content=json.dumps(said), headers=headers)
        found = assert_problem(response, 422, "invalid-request")
        assert found["errors"][0]["field"] == field
        assert client.get(f"/vqa/{answer}").json()["feedback"] == []


def test_feedback_that_does_not_fit_the_answer(client: httpx.Client, upstream: Upstream) -> None:
    answer = answered(client)
    found = assert_problem(say(client, answer, correct_option="D"), 422, "feedback-refused")
    assert found["detail"] == "The question's options were A, B, C."
    assert_problem(say(client, answered(client, options=...), correct_option="A"), 422, "feedback-refused")
    upstream.text = "No idea."
    assert_problem(say(client, answered(client), right=True), 422, "feedback-refused")


@pytest.mark.parametrize(
    ("content", "kind", "status", "problem"),
    [
        (b"{", "application/json", 400, "malformed-json"),
        (b'{"who": "x", "who": "y", "right": true}', "application/json", 400, "malformed-json"),
        (b'{"who": "x", "right": NaN}', "application/json", 400, "malformed-json"),
        (b"\xff", "application/json", 400, "malformed-json"),
        (b"[" * 15_000, "application/json", 400, "malformed-json"),
        (b"[]", "application/json", 422, "invalid-request"),
        (b"", "application/json", 400, "malformed-json"),
        (b"right=true", "application/x-www-form-urlencoded", 415, "unsupported-media-type"),
        (b'"' + b"x" * 30_000 + b'"', "application/json", 413, "body-too-large"),
    ],
)
def test_bodies_that_are_no_feedback(
    gateway_url: str, upstream: Upstream, content: bytes, kind: str, status: int, problem: str
) -> None:
    with httpx.Client(base_url=gateway_url, timeout=20) as client:
        answer = answered(client)
        response = client.post(f"/vqa/{answer}/feedback", content=content, headers={"Content-Type": kind})
        assert_problem(response, status, problem)


def test_the_export_comes_in_pages_of_what_was_asked_for(client: httpx.Client) -> None:
    answers = [answered(client, method=("cgp", "verbalized")[number % 2]) for number in range(5)]
    for answer in answers:
        assert say(client, answer, right=True).status_code == 201
    answered(client)

    def pages(**wanted: Any) -> Iterator[list[str]]:
        cursor: str | None = None
        while True:
            page = client.get("/v1/feedback", params={**wanted, **({"cursor": cursor} if cursor else {})}).json()
            yield [each["id"] for each in page["answers"]]
            if (cursor := page["next_cursor"]) is None:
                return

    assert list(pages(limit=2)) == [answers[:2], answers[2:4], answers[4:]]
    assert list(pages(limit=5)) == [answers, []]
    assert list(pages(estimator="verbalized")) == [answers[1::2]]
    assert list(pages(estimator="verbalized", policy="policy-1")) == [[]]
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert list(pages(since=tomorrow.isoformat())) == [[]]
    assert list(pages(until=f"{tomorrow:%Y-%m-%d}", downstream=MODEL, answer_template=TEMPLATE)) == [answers]
    counts = client.get("/v1/feedback/counts", params={"estimator": "cgp"}).json()["counts"]
    assert counts == [{"pair": PAIR, "decision": "answer", "answers": 4, "reviewed": 3}]


@pytest.mark.parametrize(
    "wanted",
    [
        {"limit": 0}, {"limit": 5001}, {"since": "yesterday"}, {"until": "9999-12-31T23:59:59-14:00"},
        {"since": "1767312000"}, {"until": "0.5"}, {"until": "2026-02-30"}, {"since": "2026-01-31\n"},
        {"estimator": "nul\0"}, {"cursor": "17"}, {"cursor": "20260101T000000.0~x"}, {"cursor": "\0"},
    ],
)  # fmt: skip
def test_exports_that_cannot_be_meant(gateway_url: str, wanted: dict[str, Any]) -> None:
    assert_problem(httpx.get(f"{gateway_url}/v1/feedback", params=wanted), 422, "invalid-request")


def test_records_are_for_whoever_asked_and_for_administrators(
    make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path
) -> None:
    keys = keys_at(tmp_path / "keys.json", user=["ask", "feedback"], asker="ask", admin="admin")
    with (
        make_gateway(record_pictures=True, api_keys=tmp_path / "keys.json") as url,
        httpx.Client(base_url=url, timeout=20, headers=bearer(keys["user"])) as client,
    ):
        answer = answered(client)
        assert say(client, answer, right=True).status_code == 201
        for place in ("/v1/feedback", "/v1/feedback/counts", f"/vqa/{answer}/picture"):
            assert_problem(client.get(place), 403, "key-lacks-scope")
            assert client.get(place, headers=bearer(keys["admin"])).status_code == 200
        assert client.get(f"/vqa/{answer}").json()["feedback"] is None
        assert len(client.get(f"/vqa/{answer}", headers=bearer(keys["admin"])).json()["feedback"]) == 1
        client.headers = bearer(keys["asker"])
        assert_problem(client.get(f"/vqa/{answer}"), 404, "unknown-answer")
        assert_problem(say(client, answer, right=False), 403, "key-lacks-scope")


def test_without_a_token_records_are_open_on_loopback_alone(make_gateway: MakeGateway, upstream: Upstream) -> None:
    with make_gateway(host="0.0.0.0") as url, httpx.Client(base_url=url, timeout=20) as client:  # noqa: S104
        assert_problem(client.get(f"/vqa/{answered(client)}"), 403, "administration-closed")
        assert_problem(client.get("/v1/feedback"), 403, "administration-closed")
