"""Overload and outages over real HTTP: who is refused and when, what is left alone, and what metrics say of it."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from tests.services.gateway.checks import assert_problem, assert_unharmed, body
from tests.services.gateway.conftest import MakeGateway
from tests.services.gateway.upstream import Upstream
from tests.support.waiting import wait_until


def post(url: str, **headers: str) -> httpx.Response:
    return httpx.post(f"{url}/vqa", json=body(), headers=headers, timeout=30)


def metric(url: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", httpx.get(f"{url}/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def downstream_of(url: str) -> tuple[int, dict[str, Any]]:
    ready = httpx.get(f"{url}/health/ready")
    found: dict[str, Any] = ready.json()["dependencies"]["downstream"]
    return ready.status_code, found


def test_a_downstream_model_that_keeps_failing_is_left_alone(make_gateway: MakeGateway, upstream: Upstream) -> None:
    with make_gateway(downstream_failures=3, downstream_pause_s=60.0, downstream_attempts=1) as url:
        upstream.downstream = 500
        for _ in range(3):
            assert_problem(post(url), 502, "downstream-failed")
        refused = post(url)
        assert_problem(refused, 503, "downstream-unavailable")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        # Told before the picture is looked at, and nobody is asked; nothing of an answer is in it.
        assert httpx.post(f"{url}/vqa", content=b"{", timeout=30).status_code == 503
        assert not {"answer", "confidence", "decision"} & set(refused.json())
        assert len(upstream.asked) == 3
        assert len(upstream.guided) == 3
        status, downstream = downstream_of(url)
        assert (status, downstream["ok"]) == (503, False)
        assert "left alone" in downstream["detail"]
        assert metric(url, 'gateway_breaker_open{model="downstream"}') == 1
        assert metric(url, 'gateway_breaker_changes_total{model="downstream",state="open"}') == 1


def test_a_model_that_is_back_is_found_by_the_first_question(make_gateway: MakeGateway, upstream: Upstream) -> None:
    with make_gateway(downstream_failures=1, downstream_pause_s=0.0, downstream_attempts=1) as url:
        upstream.downstream = 503
        assert_problem(post(url), 503, "downstream-busy")
        assert metric(url, 'gateway_breaker_open{model="downstream"}') == 1
        assert downstream_of(url)[0] == 200  # a question would be tried: let it come
        upstream.downstream = "reply"
        with httpx.Client(base_url=url, timeout=20) as client:
            assert_unharmed(client)
        assert metric(url, 'gateway_breaker_open{model="downstream"}') == 0
        assert metric(url, 'gateway_breaker_changes_total{model="downstream",state="closed"}') == 1


def test_requests_that_the_model_refuses_leave_it_in_use(make_gateway: MakeGateway, upstream: Upstream) -> None:
    with make_gateway(downstream_failures=1, downstream_pause_s=60.0) as url:
        upstream.downstream = 400
        for _ in range(3):
            assert_problem(post(url), 502, "downstream-failed")
        upstream.downstream = "reply"
        assert post(url).status_code == 200


def test_a_policy_that_is_left_alone_costs_guidance_and_no_answer(
    make_gateway: MakeGateway, upstream: Upstream
) -> None:
    with make_gateway(policy_failures=2, policy_pause_s=60.0, policy_attempts=1) as url:
        upstream.policy = 500
        replies = [post(url).json() for _ in range(4)]
        assert [reply["degraded"] for reply in replies] == [["policy"]] * 4
        assert len(upstream.guided) == 2
        assert metric(url, 'gateway_breaker_open{model="policy"}') == 1


def test_an_outage_is_not_asked_twice_as_much(make_gateway: MakeGateway, upstream: Upstream) -> None:
    with make_gateway(retry_share=0.0, downstream_failures=1000, methods=("verbalized",)) as url:
        upstream.downstream = 500
        with ThreadPoolExecutor(8) as pool:
            assert {reply.status_code for reply in pool.map(lambda _: post(url), range(25))} == {502}
        # Ten that were saved up.
        assert len(upstream.asked) == 35
        assert metric(url, 'gateway_retries_total{model="downstream",outcome="made"}') == 10
        assert metric(url, 'gateway_retries_total{model="downstream",outcome="withheld"}') == 15


def test_a_client_that_will_not_wait_for_long_has_its_reply_in_time(
    make_gateway: MakeGateway, upstream: Upstream
) -> None:
    upstream.downstream = "hang"
    with make_gateway() as url:
        assert_problem(post(url, Prefer="wait=1"), 504, "deadline-exceeded")
        assert upstream.hung_up.wait(20)


def test_a_question_that_would_be_late_is_refused_before_it_is_read(
    make_gateway: MakeGateway, upstream: Upstream
) -> None:
    upstream.downstream = "held"
    with make_gateway(max_in_flight=1, max_waiting=8) as url, ThreadPoolExecutor(1) as pool:
        # An answer that nobody waited for any longer has taught the gateway that they take a second and more.
        wait_until(lambda: post(url, Prefer="wait=1").status_code == 504 and upstream.arrived.acquire(blocking=False))
        held = pool.submit(post, url)
        wait_until(lambda: metric(url, "gateway_in_flight") == 1)
        refused = httpx.post(f"{url}/vqa", content=b"{", headers={"Prefer": "wait=1"}, timeout=30)
        assert "time that this request allows" in assert_problem(refused, 503, "busy")["detail"]
        assert int(refused.headers["retry-after"]) >= 1
        assert metric(url, 'gateway_shed_total{reason="deadline"}') == 1
        upstream.release.set()
        assert held.result(30).status_code == 200


def test_a_client_with_many_questions_leaves_room_for_another(make_gateway: MakeGateway, upstream: Upstream) -> None:
    upstream.downstream = "held"
    other = httpx.HTTPTransport(local_address="127.0.0.2")
    with (
        make_gateway(max_in_flight=1, max_waiting=4, max_wait_s=25) as url,
        httpx.Client(transport=other, base_url=url, timeout=30) as second,
        ThreadPoolExecutor(6) as pool,
    ):
        many = [pool.submit(post, url) for _ in range(5)]
        wait_until(lambda: metric(url, "gateway_waiting") == 4)
        assert_problem(post(url), 503, "busy")
        one = pool.submit(second.post, "/vqa", json=body())
        wait_until(lambda: metric(url, 'gateway_shed_total{reason="full"}') == 2)
        upstream.release.set()
        assert one.result(30).status_code == 200
        assert sorted(each.result(30).status_code for each in many) == [200] * 4 + [503]
