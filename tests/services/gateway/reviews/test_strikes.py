"""Strikes: false reviews leave monitoring and refits, stay in the records, and can be put back."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect

from prompt4trust.calibration import CalibrationKey
from tests.services.gateway.checks import assert_problem, body
from tests.services.gateway.conftest import MakeGateway
from tests.services.gateway.upstream import Upstream
from tests.support.browser import accessibility_faults, in_browser
from tests.support.keys import bearer, keys_at
from tests.support.waiting import wait_until


@pytest.fixture
def watched(make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path) -> Iterator[httpx.Client]:
    """A gateway without keys that overlooks little and looks often; whoever asks sits at the machine."""
    settings: dict[str, Any] = {"monitor_every_s": 0.02, "monitor_alpha": 0.5}
    with make_gateway(**settings) as url, httpx.Client(base_url=url, timeout=20) as client:
        yield client


def review(client: httpx.Client, who: str, *, right: bool) -> str:
    answer = str(client.post("/vqa", json=body()).json()["id"])
    assert client.post(f"/vqa/{answer}/feedback", json={"who": who, "right": right}).status_code == 201
    return answer


def report(client: httpx.Client) -> dict[str, Any]:
    return dict(client.get("/calibration.json").json())


def raise_alarm(client: httpx.Client) -> None:
    """Reviews of two honest people and of a script that calls everything wrong, until that raises an alarm."""
    for who in ("Dr. A", "Dr. B"):
        review(client, who, right=True)
    for count in range(3, 60):
        review(client, "script", right=False)
        wait_until(lambda count=count: report(client)["reviewed"] >= count)  # type: ignore[misc]
        if report(client)["status"] == "alarm":
            return
    raise AssertionError("no alarm was raised")


def test_struck_reviews_end_the_alarm_that_they_raised_and_leave_refits(watched: httpx.Client) -> None:
    raise_alarm(watched)
    assert watched.post("/vqa", json=body()).json()["decision_basis"]["code"] == "calibration-alarm"
    listed = watched.get("/v1/reviews", params={"who": "script", "limit": 500}).json()
    numbers = [each["number"] for each in listed["reviews"]]
    assert listed["next_before"] is None
    assert {(each["right"], each["key_name"], each["strike"]) for each in listed["reviews"]} == {(False, None, None)}
    word = {"who": "Dr. Admin", "reviews": numbers, "note": "a test script"}
    assert watched.post("/v1/reviews/strike", json=word).status_code == 204
    now = report(watched)
    assert (now["status"], now["reviewed"]) == ("watching", 2)
    assert watched.post("/vqa", json=body()).json()["decision_basis"]["code"] != "calibration-alarm"
    assert {each["who"] for each in watched.get("/v1/feedback").json()["answers"]} == {"Dr. A", "Dr. B"}
    newest = watched.get("/v1/reviews", params={"limit": 1}).json()
    assert newest["next_before"] == numbers[0]
    (struck,) = newest["reviews"]
    of_it = watched.get(f"/vqa/{struck['answer_id']}").json()
    assert struck["answered_at"] == of_it["at"]
    assert CalibrationKey.model_validate(struck["pair"]).is_whole
    assert (struck["strike"]["who"], struck["strike"]["note"]) == ("Dr. Admin", "a test script")
    # What was struck by mistake is put back, and counts as before.
    assert watched.post("/v1/reviews/restore", json=word).status_code == 204
    assert (report(watched)["status"], report(watched)["reviewed"]) == ("alarm", 2 + len(numbers))


def test_another_word_on_an_answer_counts_where_the_first_is_struck(watched: httpx.Client) -> None:
    answer = review(watched, "script", right=False)
    said = {"who": "Dr. A", "right": True}
    assert watched.post(f"/vqa/{answer}/feedback", json=said).status_code == 201
    (honest, false) = watched.get("/v1/reviews").json()["reviews"]
    assert (honest["who"], false["who"]) == ("Dr. A", "script")
    watched.post("/v1/reviews/strike", json={"who": "x", "reviews": [false["number"]]})
    assert report(watched)["figures"]["accuracy"]["value"] == 1.0
    watched.post("/v1/reviews/strike", json={"who": "x", "reviews": [honest["number"]]})
    assert report(watched)["reviewed"] == 0
    # A review that comes after all others were struck is the first.
    assert watched.post(f"/vqa/{answer}/feedback", json=said).status_code == 201
    wait_until(lambda: report(watched)["reviewed"] == 1)


def strike(client: httpx.Client, *numbers: int) -> None:
    struck = client.post("/v1/reviews/strike", json={"who": "x", "reviews": numbers})
    assert struck.status_code == 204


def test_an_answer_whose_reviews_are_struck_may_be_given_again_and_they_are_not_put_back(
    watched: httpx.Client, upstream: Upstream
) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first = watched.post("/vqa", json=body(), headers=key).json()
    said = {"who": "script", "correct_option": "B"}
    assert watched.post(f"/vqa/{first['id']}/feedback", json=said).status_code == 201
    assert_problem(watched.post("/vqa", json=body(), headers=key), 409, "already-reviewed")
    (false,) = watched.get("/v1/reviews").json()["reviews"]
    word = {"who": "x", "reviews": [false["number"]]}
    strike(watched, false["number"])
    assert watched.post("/v1/reviews/restore", json=word).status_code == 204
    assert_problem(watched.post("/vqa", json=body(), headers=key), 409, "already-reviewed")
    strike(watched, false["number"])
    upstream.text = "the answer is C with confidence 80"
    again = watched.post("/vqa", json=body(), headers=key).json()
    assert (again["id"], (again["answer"] or again["guess"])["letter"], again["recorded"]) == (first["id"], "C", True)
    kept = watched.get(f"/vqa/{first['id']}").json()
    assert "C" in (kept["answer"], kept["guess"])
    # It was right of the answer before, and says nothing of this one.
    assert_problem(watched.post("/v1/reviews/restore", json=word), 409, "answer-replaced")
    assert report(watched)["reviewed"] == 0
    assert watched.post(f"/vqa/{first['id']}/feedback", json={"who": "Dr. A", "right": True}).status_code == 201
    wait_until(lambda: report(watched)["reviewed"] == 1)


def test_what_is_no_review_changes_nothing(watched: httpx.Client) -> None:
    review(watched, "Dr. A", right=True)
    (known,) = watched.get("/v1/reviews").json()["reviews"]
    word = {"who": "x", "reviews": [known["number"], 999]}
    assert_problem(watched.post("/v1/reviews/strike", json=word), 404, "unknown-review")
    faults: tuple[dict[str, Any], ...] = (
        {"reviews": []},
        {"reviews": [0]},
        {"reviews": [1], "who": ""},
        {"reviews": ["1"]},
    )
    for wrong in faults:
        refused = watched.post("/v1/reviews/strike", json={"who": "x", **wrong})
        assert_problem(refused, 422, "invalid-request")
    assert watched.get("/v1/reviews").json()["reviews"][0]["strike"] is None


def test_it_is_for_administrators_and_names_keys(make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path) -> None:
    keys = keys_at(tmp_path / "keys.json", ward=["ask", "feedback"], admin="admin")
    with make_gateway(api_keys=tmp_path / "keys.json") as url, httpx.Client(base_url=url, timeout=20) as client:
        client.headers.update(bearer(keys["ward"]))
        review(client, "somebody", right=True)
        word = {"who": "x", "reviews": [1]}
        for refused in (
            client.get("/v1/reviews"),
            client.get("/reviews"),
            client.post("/v1/reviews/strike", json=word),
            client.post("/v1/reviews/restore", json=word),
        ):
            assert refused.status_code == 403
        client.headers.update(bearer(keys["admin"]))
        assert client.get("/v1/reviews").json()["reviews"][0]["key_name"] == "ward"


def test_another_site_s_page_strikes_nothing(watched: httpx.Client) -> None:
    word = {"who": "x", "reviews": [1]}
    for origin in ("http://127.0.0.1:1", "https://evil.example", "null"):
        refused = watched.post("/v1/reviews/strike", json=word, headers={"Origin": origin})
        assert refused.status_code == 403


@in_browser
def test_on_the_pages_an_administrator_strikes_and_acknowledges(watched: httpx.Client, browser: Browser) -> None:
    raise_alarm(watched)
    context = browser.new_context(viewport={"width": 390, "height": 800})
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda line: complaints.append(line.text) if "Failed to load" not in line.text else None)
    page.goto(f"{watched.base_url}/calibration")
    page.wait_for_selector("html[data-ready]")
    assert accessibility_faults(page) == []
    page.get_by_role("link", name="who said what").first.click()
    page.wait_for_selector("html[data-ready]")
    assert accessibility_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_label("Your name").fill("Dr. Admin")
    page.get_by_role("button", name="Strike the chosen reviews").click()
    expect(page.get_by_role("alert")).to_have_text("Choose at least one.")
    expect(page.get_by_role("alert")).to_be_focused()
    page.get_by_role("checkbox", name="by Dr. A").check()
    page.get_by_role("button", name="Strike the chosen reviews").click()
    expect(page.get_by_role("row", name="Dr. A")).to_contain_text("by Dr. Admin")
    page.goto(f"{watched.base_url}/calibration")
    page.wait_for_selector("html[data-ready]")
    page.get_by_label("Your name").fill("Dr. Admin")
    page.get_by_label("What you found").fill("a test script")
    page.get_by_role("button", name="Acknowledge the alarm").click()
    expect(page.get_by_text("Acknowledged by Dr. Admin").first).to_be_visible()
    assert report(watched)["status"] == "watching"
    assert complaints == []
    context.close()


def test_whoever_may_only_ask_sees_no_buttons_and_runs_no_script(
    make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path
) -> None:
    keys = keys_at(tmp_path / "keys.json", ward=["ask", "feedback"])
    with make_gateway(api_keys=tmp_path / "keys.json") as url, httpx.Client(base_url=url, timeout=20) as client:
        page = client.get("/calibration", headers={**bearer(keys["ward"]), "Accept": "text/html"})
    assert page.status_code == 200
    assert "<script" not in page.text
    assert "<form" not in page.text
    assert "script-src" not in page.headers["content-security-policy"]
