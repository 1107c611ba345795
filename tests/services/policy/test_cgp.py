"""POST /v1/cgp over HTTP: what is asked of the model, what comes back, what is refused."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import httpx
import pytest
from fastapi.responses import JSONResponse, PlainTextResponse

from tests.services.policy.conftest import ModelServer, Serve, Standing, get, post
from tests.support.servers import free_port
from tests.support.waiting import until

QUESTION = {"question": "What shape are the findings?", "options": ["Round", "Oval"]}


def problem(reply: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    assert reply.status_code == status, reply.text
    assert reply.headers["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = reply.json()
    assert document["type"] == f"urn:trustvqa:problem:{kind}"
    assert document["status"] == status
    assert document["request_id"] == reply.headers["X-Request-Id"]
    return document


def test_a_reply_names_its_version_and_what_it_cost(remote_policy: Serve, model_server: ModelServer) -> None:
    with remote_policy() as url:
        reply = post(f"{url}/v1/cgp", json=QUESTION)
    assert reply.status_code == 200
    body = reply.json()
    prompt = "[policy-a] What shape are the findings? / A. Round\nB. Oval"
    assert body.pop("id").startswith("cgp-")
    assert body == {
        "version": "policy-a",
        "prompts": [{"text": model_server.text("policy-a", prompt), "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12},
        "cached": False,
    }
    assert model_server.bodies == [
        {
            "model": "policy-a",
            "messages": [{"role": "user", "content": prompt}],
            "n": 1,
            "temperature": 0.0,
            "top_p": 1.0,
            "max_tokens": 128,
        }
    ]


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (["Round", "Oval"], "A. Round\nB. Oval"),
        ({"A": "Round", "B": "Oval"}, "A. Round\nB. Oval"),
        ({"b": "Oval", "a": "Round"}, "B. Oval\nA. Round"),
        ({"C": "Same", "Z": "Same"}, "C. Same\nZ. Same"),
        (["x"] * 26, "\n".join(f"{letter}. x" for letter in ascii_uppercase)),
        (["{question}", "{options}"], "A. {question}\nB. {options}"),
        ([], ""),
        ({}, ""),
        (None, ""),
    ],
)  # fmt: skip
def test_options_may_be_a_list_an_object_or_none(standing: Standing, options: Any, shown: str) -> None:
    reply = post(f"{standing.url}/v1/cgp", json={"question": " Which? ", "options": options})
    assert reply.status_code == 200
    assert standing.model_server.bodies[-1]["messages"][-1]["content"] == f"[policy-a] Which? / {shown}"


def test_an_open_question_needs_no_options_field(standing: Standing) -> None:
    assert post(f"{standing.url}/v1/cgp", json={"question": "What is it?"}).status_code == 200
    assert standing.model_server.bodies[-1]["messages"][-1]["content"] == "[policy-a] What is it? / "


def test_a_named_version_answers_with_its_own_wording(remote_policy: Serve, model_server: ModelServer) -> None:
    with remote_policy() as url:
        bodies = [post(f"{url}/v1/cgp", json={**QUESTION, "version": f"policy-{name}"}).json() for name in "cba"]
        assert post(f"{url}/v1/cgp", json=QUESTION).json()["version"] == "policy-a"
    assert [body["version"] for body in bodies] == ["policy-c", "policy-b", "policy-a"]
    assert [asked["messages"][-1]["content"][:10] for asked in model_server.bodies] == [
        "[policy-c]", "[policy-b]", "[policy-a]",
    ]  # fmt: skip


def test_sampling_is_passed_on_and_never_cached(remote_policy: Serve, model_server: ModelServer) -> None:
    with remote_policy(top_p=0.95, top_k=100, max_tokens=64) as url:
        for _ in range(2):
            reply = post(f"{url}/v1/cgp", json={**QUESTION, "n": 3, "temperature": 0.6, "seed": 11}).json()
            assert reply["cached"] is False
            assert len({prompt["text"] for prompt in reply["prompts"]}) == 3
    assert len(model_server.bodies) == 2
    asked = model_server.bodies[0]
    assert {key: asked[key] for key in ("n", "temperature", "top_p", "top_k", "max_tokens", "seed")} == {
        "n": 3, "temperature": 0.6, "top_p": 0.95, "top_k": 100, "max_tokens": 64, "seed": 11,
    }  # fmt: skip


def test_greedy_replies_are_cached_for_each_version(remote_policy: Serve, model_server: ModelServer) -> None:
    with remote_policy() as url:

        def ask(**more: Any) -> dict[str, Any]:
            reply = post(f"{url}/v1/cgp", json={**QUESTION, **more})
            assert reply.status_code == 200
            body: dict[str, Any] = reply.json()
            return body

        first, again = ask(), ask(seed=3)
        assert (first["cached"], again["cached"]) == (False, True)
        assert again["prompts"] == first["prompts"]
        assert again["id"] != first["id"]
        assert again["usage"] == {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        assert ask(options={"A": "Round", "B": "Oval"})["cached"] is True
        assert ask(version="policy-a")["cached"] is True
        assert ask(n=3)["prompts"] == first["prompts"] * 3
        assert ask(version="policy-b")["cached"] is False
        assert ask(version="policy-b")["prompts"] != first["prompts"]
        assert ask(options={"B": "Oval", "A": "Round"})["cached"] is False
        assert ask(options=["Round", "Oval", "Other"])["cached"] is False
        assert ask(question="What shape are the findings")["cached"] is False
    assert len(model_server.bodies) == 5


def test_the_cache_is_bounded(remote_policy: Serve, model_server: ModelServer) -> None:
    with remote_policy(cache_entries=2) as url:
        for number in (1, 2, 3, 3, 2, 1):
            post(f"{url}/v1/cgp", json={"question": f"Number {number}?"})
    assert [body["messages"][-1]["content"] for body in model_server.bodies] == [
        f"[policy-a] Number {number}? / " for number in (1, 2, 3, 1)
    ]


async def test_identical_requests_at_the_same_time_are_generated_once(
    remote_policy: Serve, model_server: ModelServer
) -> None:
    model_server.gate.clear()
    with remote_policy(max_in_flight=2, max_n=1) as url:
        async with httpx.AsyncClient(base_url=url) as http:
            asked = [asyncio.create_task(http.post("/v1/cgp", json=QUESTION)) for _ in range(40)]
            await until(lambda: bool(model_server.bodies))
            other = asyncio.create_task(http.post("/v1/cgp", json={"question": "Another?"}))
            await until(lambda: len(model_server.bodies) == 2)
            metrics = (await http.get("/metrics")).text
            assert "cgp_prompts_in_flight 2.0" in metrics
            model_server.gate.set()
            replies = [reply.json() for reply in await asyncio.gather(*asked)]
            assert (await other).status_code == 200
    assert len(model_server.bodies) == 2
    assert [reply["cached"] for reply in replies].count(False) == 1
    assert len({reply["prompts"][0]["text"] for reply in replies}) == 1
    assert sum(reply["usage"]["completion_tokens"] for reply in replies) == 5


async def test_beyond_the_bound_clients_are_told_to_come_back(remote_policy: Serve, model_server: ModelServer) -> None:
    model_server.gate.clear()
    with remote_policy(max_in_flight=2, max_n=2) as url:
        async with httpx.AsyncClient(base_url=url) as http:
            asked = [asyncio.create_task(http.post("/v1/cgp", json={"question": f"{i}?"})) for i in range(2)]
            await until(lambda: len(model_server.bodies) == 2)
            refused = await http.post("/v1/cgp", json={"question": "One too many?"})
            problem(refused, 429, "busy")
            assert int(refused.headers["Retry-After"]) >= 1
            model_server.gate.set()
            assert [reply.status_code for reply in await asyncio.gather(*asked)] == [200, 200]
            assert (await http.post("/v1/cgp", json={"question": "Now?"})).status_code == 200


def test_a_model_that_never_answers_costs_the_deadline_and_no_more(
    remote_policy: Serve, model_server: ModelServer
) -> None:
    model_server.gate.clear()
    with remote_policy(deadline_s=2.0, max_in_flight=1, max_n=1) as url:
        problem(post(f"{url}/v1/cgp", json=QUESTION), 504, "deadline-exceeded")
        model_server.gate.set()
        assert post(f"{url}/v1/cgp", json=QUESTION).status_code == 200  # its room was given back


EMPTY: dict[str, Any] = {"choices": [], "usage": {}}


@pytest.mark.parametrize(
    ("faults", "status", "kind"),
    [
        ([PlainTextResponse("I would rather talk")], 502, "upstream-failed"),
        ([JSONResponse(EMPTY)], 502, "upstream-failed"),
        ([JSONResponse({"choices": [{"index": 0}]})], 502, "upstream-failed"),
        ([JSONResponse({}, status_code=400)], 502, "upstream-failed"),
        ([JSONResponse({}, status_code=500)] * 3, 502, "upstream-failed"),
        ([JSONResponse({}, status_code=503, headers={"Retry-After": "90"})], 503, "policy-unavailable"),
    ],
)
def test_a_model_server_s_faults_are_named_and_not_repeated(
    standing: Standing, faults: list[Any], status: int, kind: str
) -> None:
    server = standing.model_server
    server.faults = list(faults)
    reply = post(f"{standing.url}/v1/cgp", json=QUESTION)
    document = problem(reply, status, kind)
    assert server.url not in json.dumps(document)
    assert "talk" not in document["detail"]
    assert reply.headers.get("Retry-After") == ("90" if status == 503 else None)
    assert not server.faults


def test_a_failure_is_not_cached(remote_policy: Serve, model_server: ModelServer) -> None:
    model_server.faults = [JSONResponse(EMPTY)]
    with remote_policy() as url:
        assert post(f"{url}/v1/cgp", json=QUESTION).status_code == 502
        assert post(f"{url}/v1/cgp", json=QUESTION).json()["cached"] is False


def test_a_passing_fault_of_the_model_server_is_not_noticed(standing: Standing) -> None:
    server = standing.model_server
    before = len(server.bodies)
    server.faults = [
        JSONResponse({}, status_code=500),
        JSONResponse({}, status_code=429, headers={"Retry-After": "0"}),
    ]
    assert post(f"{standing.url}/v1/cgp", json=QUESTION).status_code == 200
    assert len(server.bodies) == before + 3


def test_the_request_s_id_and_trace_reach_the_model_server(standing: Standing) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"X-Request-Id": "ward-7", "traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    reply = post(f"{standing.url}/v1/cgp", json=QUESTION, headers=headers)
    passed_on = standing.model_server.headers[-1]
    assert passed_on["x-request-id"] == reply.headers["X-Request-Id"] == "ward-7"
    assert passed_on["traceparent"].startswith(f"00-{trace}-")
    assert passed_on["traceparent"] == reply.headers["traceparent"] != headers["traceparent"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"question": ""}, "question must not be blank"),
        ({"question": " \n"}, "question must not be blank"),
        ({"question": "x" * 8001}, "at most 8000 characters, not 8001"),
        ({"question": "x" * 100_000}, "at most 8000"),
        ({"question": "a\x00b"}, "U+0000"),
        ({"question": "a\x1bb"}, "U+001B"),
        ({"question": 7}, "question"),
        ({"question": None}, "question"),
        ({}, "question"),
        ([], "object"),
        ({**QUESTION, "options": ["One"]}, "2 to 26 options, not 1"),
        ({**QUESTION, "options": ["x"] * 27}, "2 to 26 options, not 27"),
        ({**QUESTION, "options": {"A": "x"}}, "2 to 26 options, not 1"),
        ({**QUESTION, "options": ["x", ""]}, "option B must not be blank"),
        ({**QUESTION, "options": ["x", "y" * 2001]}, "option B may have at most 2000"),
        ({**QUESTION, "options": ["x", 3]}, "every option must be a string"),
        ({**QUESTION, "options": {"A": "x", "B": None}}, "every option must be a string"),
        ({**QUESTION, "options": {"A": "x", "AB": "y"}}, "single letters from A to Z"),
        ({**QUESTION, "options": {"A": "x", "": "y"}}, "single letters from A to Z"),
        ({**QUESTION, "options": {"A": "x", "Ä": "y"}}, "single letters from A to Z"),
        ({**QUESTION, "options": {"A": "x", "a": "y"}}, "option A is there twice"),
        ({**QUESTION, "options": "A or B"}, "a list of texts or an object"),
        ({**QUESTION, "n": 0}, "n"),
        ({**QUESTION, "n": 17}, "n may be at most 16"),
        ({**QUESTION, "n": "2"}, "n"),
        ({**QUESTION, "temperature": -0.1}, "temperature"),
        ({**QUESTION, "temperature": 2.1}, "temperature"),
        ({**QUESTION, "seed": 2**63}, "seed"),
        ({**QUESTION, "seed": 0.5}, "seed"),
        ({**QUESTION, "version": ""}, "version"),
        ({**QUESTION, "image": "..."}, "image"),
    ],
)  # fmt: skip
def test_bad_requests_are_told_what_to_change(standing: Standing, body: Any, says: str) -> None:
    document = problem(post(f"{standing.url}/v1/cgp", json=body), 422, "invalid-request")
    assert says in document["detail"]


@pytest.mark.parametrize(
    ("content", "status", "kind"),
    [
        (b"{", 400, "malformed-json"),
        (b"", 422, "invalid-request"),
        (b'"question"', 422, "invalid-request"),
        (b'{"question": "\\ud800"}', 422, "invalid-request"),
        (b'{"question": "Q", "options": ["a", "\\udfff"]}', 422, "invalid-request"),
        (b'{"question": "Q", "options": {"A": "a", "\\udfff": "b"}}', 422, "invalid-request"),
        (b'{"question": "Q", "version": "\\udfff"}', 422, "invalid-request"),
        (b'{"question": "Q", "\\udfff": 1}', 422, "invalid-request"),
        (b'{"question": "Q", "temperature": NaN}', 422, "invalid-request"),
        (b'{"question": "Q", "temperature": 1e999}', 422, "invalid-request"),
        (b'{"question": "\xff"}', 400, "bad-request"),
        (b"[" * 40_000, 400, "bad-request"),
        (b"[" * 100_000, 413, "too-many-values"),
        (b'{"question": "' + b"x" * 300_000 + b'"}', 413, "body-too-large"),
    ],
)
def test_bodies_that_are_no_request_are_refused(standing: Standing, content: bytes, status: int, kind: str) -> None:
    reply = post(f"{standing.url}/v1/cgp", content=content, headers={"Content-Type": "application/json"})
    problem(reply, status, kind)


def test_other_content_types_and_methods_are_refused(standing: Standing) -> None:
    problem(post(f"{standing.url}/v1/cgp", data={"question": "Q"}), 415, "unsupported-media-type")
    problem(get(f"{standing.url}/v1/cgp"), 405, "method-not-allowed")
    problem(get(f"{standing.url}/v1/nothing"), 404, "not-found")


@pytest.mark.parametrize("version", ["policy-x", "../policy-a", "policy-a/", "policy-a\n", ".", "a" * 128])
def test_a_version_that_is_not_there_is_not_found(standing: Standing, version: str) -> None:
    reply = post(f"{standing.url}/v1/cgp", json={**QUESTION, "version": version})
    problem(reply, 404, "unknown-policy-version")


def test_a_version_that_the_model_server_does_not_have_is_refused(
    remote_policy: Serve, model_server: ModelServer
) -> None:
    model_server.served = frozenset({"policy-a"})
    with remote_policy() as url:
        reply = post(f"{url}/v1/cgp", json={**QUESTION, "version": "policy-b"})
        detail = problem(reply, 409, "policy-version-unusable")["detail"]
        assert "no model server has policy-b (the server serves policy-a)" in detail


def test_without_its_model_server_it_is_alive_but_not_ready(serve_policy: Serve, paper_policies: Path) -> None:
    with serve_policy(
        engine="openai", upstream_url=f"http://127.0.0.1:{free_port()}/v1", shipped=paper_policies, deadline_s=5
    ) as url:
        reply = post(f"{url}/v1/cgp", json=QUESTION, timeout=10)
        document = problem(reply, 503, "no-active-policy")
        assert "connection failed" in document["detail"]
        assert int(reply.headers["Retry-After"]) >= 1
        assert get(f"{url}/health/live").status_code == 200
        ready = get(f"{url}/health/ready")
        assert ready.status_code == 503
        assert ready.json()["status"] == "not_ready"


def test_where_no_method_asks_a_policy_it_is_ready_without_one(serve_policy: Serve, tmp_path: Path) -> None:
    with serve_policy(shipped=tmp_path, required=False) as url:
        ready = get(f"{url}/health/ready")
        assert ready.status_code == 200
        assert ready.json()["dependencies"]["policy"]["detail"] == "none, and none is needed"
        problem(post(f"{url}/v1/cgp", json=QUESTION, timeout=10), 503, "no-active-policy")
    with serve_policy(shipped=tmp_path) as url:
        assert get(f"{url}/health/ready").status_code == 503


async def test_it_becomes_ready_once_its_model_server_serves(remote_policy: Serve, model_server: ModelServer) -> None:
    model_server.served = frozenset()
    with remote_policy() as url:

        def status() -> int:
            return get(f"{url}/health/ready").status_code

        assert status() == 503
        model_server.served = frozenset({"policy-a"})
        await until(lambda: status() == 200)
