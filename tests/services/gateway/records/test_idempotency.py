"""A client that lost its answer asks again under the same key, and one record stands at the end."""

from __future__ import annotations

import base64
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.datastructures import Headers

from services.gateway.intake.idempotency import HEADER, answer_id_of
from tests.services.gateway.checks import assert_problem, assert_unharmed, body
from tests.services.gateway.conftest import MakeGateway, picture
from tests.services.gateway.records.conftest import Place, keyed, sqlite_place
from tests.services.gateway.upstream import Upstream


def post(client: httpx.Client, key: str | None, **changes: Any) -> httpx.Response:
    return client.post("/vqa", json=body(**changes), headers={} if key is None else {HEADER: key})


def kept(where: Place) -> list[tuple[Any, ...]]:
    return where.query("SELECT id, letter, estimator FROM answers")


def test_a_question_asked_again_has_one_record_of_what_was_told_last(
    place: Place, make_gateway: MakeGateway, upstream: Upstream
) -> None:
    key = str(uuid.uuid4())
    with make_gateway(records_url=place.url) as url, httpx.Client(base_url=url, timeout=20) as client:
        first = post(client, key).json()
        same = post(client, f'"{key}"').json()
        assert {first["id"], same["id"]} == {str(uuid.UUID(first["id"]))}
        assert (same["answer"], same["confidence"], same["recorded"]) == (first["answer"], first["confidence"], True)
        assert kept(place) == [(first["id"], "B", "cgp")]
    # Another gateway knows the answer to be the same; what it says without guidance goes over what was said with it.
    upstream.policy, upstream.text = 503, "the answer is C with confidence 80"
    with make_gateway(records_url=place.url) as url, httpx.Client(base_url=url, timeout=20) as client:
        assert post(client, key).json()["id"] == first["id"]
        assert kept(place) == [(first["id"], "C", "verbalized")]
        assert {post(client, None).json()["id"] for _ in range(2)}.isdisjoint({first["id"]})
    assert len(kept(place)) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"question": "Which colour?"},
        {"options": ["Round", "Oval", "Square"]},
        {"options": {"A": "Oval", "B": "Round", "C": "Spiculated"}},
        {"groups": {"modality": "CT"}},
        {"image": None},
    ],
    ids=["question", "options", "order", "groups", "picture"],
)
def test_another_question_under_the_key_is_refused_and_asks_no_model(
    client: httpx.Client, upstream: Upstream, changes: dict[str, Any]
) -> None:
    key = str(uuid.uuid4())
    assert post(client, key).status_code == 200
    asked = len(upstream.asked)
    if "image" in changes:
        changes = {"image": base64.b64encode(picture(size=(41, 30))).decode()}
    assert_problem(post(client, key, **changes), 422, "idempotency-key-reused")
    assert len(upstream.asked) == asked
    assert_unharmed(client)


def test_what_somebody_has_judged_stands(client: httpx.Client) -> None:
    key = str(uuid.uuid4())
    answer = post(client, key).json()
    feedback = {"who": "reviewer", "right": True}
    assert client.post(f"/vqa/{answer['id']}/feedback", json=feedback).status_code == 201
    assert_problem(post(client, key), 409, "already-reviewed")


def test_many_at_once_under_one_key_have_one_record(make_gateway: MakeGateway, tmp_path: Path) -> None:
    where, key = sqlite_place(tmp_path / "records.db"), str(uuid.uuid4())
    with make_gateway(records_url=where.url) as url, httpx.Client(base_url=url, timeout=20) as client:
        with ThreadPoolExecutor(8) as pool:
            replies = [each.json() for each in pool.map(lambda _: post(client, key), range(16))]
        assert len({reply["id"] for reply in replies}) == 1
        assert all(reply["recorded"] for reply in replies)
        assert kept(where) == [(replies[0]["id"], "B", "cgp")]


def test_different_questions_at_once_under_one_key_have_one_winner(place: Place, make_gateway: MakeGateway) -> None:
    key, questions = str(uuid.uuid4()), [f"Which shape has finding {number}?" for number in range(8)]
    with make_gateway(records_url=place.url) as url, httpx.Client(base_url=url, timeout=20) as client:
        client.get("/health/ready")
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda question: post(client, key, question=question), questions))
        won = [reply for reply in replies if reply.status_code == 200]
        assert len(won) == 1
        for reply in replies:
            if reply is not won[0]:
                assert_problem(reply, 422, "idempotency-key-reused")
        asked = questions[replies.index(won[0])]
        [(kept_hash,)] = place.query("SELECT question_sha256 FROM answers")
        assert kept_hash == keyed(place, asked)
        assert post(client, key, question=asked).json()["id"] == won[0].json()["id"]


def test_answers_go_on_while_nobody_can_look_whether_they_were_given(
    make_gateway: MakeGateway, tmp_path: Path, upstream: Upstream
) -> None:
    where, key = sqlite_place(tmp_path / "records.db"), str(uuid.uuid4())
    settings = {"records_url": where.url, "record_deadline_s": 0.3}
    with make_gateway(**settings) as url, httpx.Client(base_url=url, timeout=20) as client:
        first = post(client, key).json()
        with where.away():
            assert post(client, key).json()["id"] == first["id"]
    with make_gateway(records_url="") as url, httpx.Client(base_url=url, timeout=20) as client:
        assert post(client, key).json()["id"] == first["id"]


@pytest.mark.parametrize(
    "key",
    [
        "",
        "short",
        "x" * 129,
        '"' + "x" * 20,
        "a key with blanks in it",
        'quoted"quoted"quoted',
        "back\\slash\\back\\slash",
    ],
)
def test_what_is_no_key_is_refused_before_anything_is_done(client: httpx.Client, upstream: Upstream, key: str) -> None:
    assert_problem(post(client, key), 400, "bad-idempotency-key")
    assert upstream.asked == []


def test_two_keys_are_none(client: httpx.Client) -> None:
    both = [(HEADER, "k" * 20), (HEADER, "l" * 20)]
    assert_problem(client.post("/vqa", json=body(), headers=both), 400, "bad-idempotency-key")


def test_keys_of_different_callers_do_not_meet() -> None:
    headers = Headers({HEADER: "k" * 20})
    ids = {answer_id_of(headers, caller) for caller in ("", "ward-1", "ward-2")}
    assert len(ids) == 3
    assert answer_id_of(headers, "ward-1") in ids
    assert answer_id_of(Headers({}), "ward-1") is None
