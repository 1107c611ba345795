"""CDS Hooks over real HTTP: discovery, cards, feedback, and an alarm that overrides alone raise."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from services.gateway.cds_hooks.schemas import DISCOVERY_PATH, HOOK, SERVICE_PATH
from services.gateway.settings import GatewaySettings
from tests.services.gateway.cds_hooks.hooks import BASE, accepted, binary, call, hook, overridden, tell
from tests.services.gateway.checks import assert_problem
from tests.services.gateway.conftest import MakeGateway, picture
from tests.services.gateway.upstream import Upstream
from tests.support.keys import bearer, keys_at
from tests.support.waiting import wait_until

MOST_OVERRIDES = 60
"""The documented delay: overrides that say wrong of all answers raise the alarm after at most so many."""


@pytest.fixture(scope="module")
def url(make_gateway: MakeGateway) -> Iterator[str]:
    with make_gateway(cds_hooks_url=BASE, confidence_threshold=0.2) as url:
        yield url


@pytest.fixture
def http(url: str, upstream: Upstream) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=20) as http:
        yield http


def reviews(http: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = http.get("/v1/reviews").json()["reviews"]
    return found


def test_the_services_are_discovered(http: httpx.Client, client: httpx.Client) -> None:
    [service] = http.get(DISCOVERY_PATH).json()["services"]
    assert (service["hook"], service["id"]) == (HOOK, "image-question")
    assert service["prefetch"] == {"image": "Binary/{{context.binaryId}}"}
    assert service["title"]
    assert service["usageRequirements"]
    for reply in (client.get(DISCOVERY_PATH), client.post(SERVICE_PATH, json=hook())):
        assert_problem(reply, 404, "cds-hooks-off")


def test_an_answer_is_a_card(http: httpx.Client, upstream: Upstream) -> None:
    card = call(http)
    vqa = http.get(f"/vqa/{card['uuid']}").json()
    assert card["indicator"] == "info"
    share = f"{100 * vqa['confidence']:.0f} %"
    assert card["summary"] == f"B: Oval (calibrated confidence {share})"
    assert f"**Confidence:** {share}, calibrated on 200 checked answers" in card["detail"]
    assert card["source"] == {"label": "TrustVQA", "url": BASE}
    assert [link["url"] for link in card["links"]] == [f"{BASE}/vqa/{card['uuid']}", f"{BASE}/calibration"]
    assert card["selectionBehavior"] == "at-most-one"
    assert [each["label"] for each in card["suggestions"]] == ["I agree: B"]
    codes = [each["code"] for each in card["overrideReasons"]]
    assert codes == ["answer-wrong", "right-option-A", "right-option-C", "not-relevant"]
    # Neither the patient nor the client's token has gone anywhere.
    assert "planted" not in json.dumps([upstream.asked, upstream.guided, vqa, card])


def test_a_deferral_shows_no_answer(http: httpx.Client, upstream: Upstream) -> None:
    card = call(http, maxRisk=0.0001)
    assert card["indicator"] == "warning"
    assert card["summary"].startswith("There is no reliable answer")
    assert "suggestions" not in card
    assert [each["code"] for each in card["overrideReasons"]] == [
        "right-option-A", "right-option-B", "right-option-C", "not-relevant",
    ]  # fmt: skip
    del card["overrideReasons"]  # all options, none before the others
    told = json.dumps(card).replace(card["uuid"], "")
    for answer in ("Oval", "B:", "95", "Finding"):
        assert answer not in told


@pytest.mark.parametrize("downstream", [500, "not-json"])
def test_without_a_model_there_is_no_card(http: httpx.Client, upstream: Upstream, downstream: Any) -> None:
    upstream.downstream = downstream
    assert http.post(SERVICE_PATH, json=hook()).status_code in (502, 503)


def test_long_and_marked_texts_are_shown_whole_and_without_meaning(http: httpx.Client, upstream: Upstream) -> None:
    long = "no fracture of the left femur is seen, though " + "x" * 200
    card = call(http, options=["Round", long])
    assert len(card["summary"]) < 140
    assert "its text is below" in card["summary"]
    assert long in card["detail"]
    card = call(http, options=["Round", "[see](https://evil.example) <b>**all**</b>"])
    assert "\\[see\\]\\(https\\:" in card["detail"]
    assert "<b>" not in card["detail"].replace("\\<", "")


@pytest.mark.parametrize(
    "resource",
    [
        {"resourceType": "Media", "content": {"contentType": "image/png", "data": binary()["data"]}},
        {"resourceType": "DocumentReference", "content": [{"attachment": {"data": binary()["data"]}}]},
    ],
)
def test_the_picture_may_come_in_other_resources(http: httpx.Client, resource: dict[str, Any]) -> None:
    assert http.post(SERVICE_PATH, json={**hook(), "prefetch": {"image": resource}}).status_code == 200


def test_the_picture_may_come_in_the_context(http: httpx.Client) -> None:
    asked = {**hook(image=base64.b64encode(picture()).decode(), binaryId=...), "prefetch": None}
    assert http.post(SERVICE_PATH, json=asked).status_code == 200


@pytest.mark.parametrize(
    ("changes", "status", "kind"),
    [
        ({"prefetch": None}, 412, "prefetch-missing"),
        ({"prefetch": {"patient": {}}}, 412, "prefetch-missing"),
        ({"prefetch": {"image": {"resourceType": "Binary"}}}, 422, "invalid-request"),
        ({"prefetch": {"image": {"resourceType": "Patient", "data": "x"}}}, 422, "invalid-request"),
        ({"prefetch": {"image": {"resourceType": "Media", "content": {"url": BASE}}}}, 422, "invalid-request"),
        ({"prefetch": {"image": {"resourceType": "DocumentReference", "content": [1]}}}, 422, "invalid-request"),
        ({"prefetch": {"image": "x"}}, 422, "invalid-request"),
        ({"prefetch": {"image": {"resourceType": "Binary", "data": "AAAA"}}}, 415, "unsupported-image"),
        ({"hook": "patient-view"}, 422, "invalid-request"),
        ({"hookInstance": "1"}, 422, "invalid-request"),
        ({"context": {}}, 422, "invalid-request"),
        ({"context": {"question": "x", "method": "cgp"}}, 422, "invalid-request"),
        ({"context": {"question": "x", "options": ["one"]}}, 422, "invalid-request"),
        ({"context": None}, 422, "invalid-request"),
    ],
)
def test_what_is_wrong_is_said(http: httpx.Client, changes: dict[str, Any], status: int, kind: str) -> None:
    assert_problem(http.post(SERVICE_PATH, json={**hook(), **changes}), status, kind)


def test_other_bodies_are_refused(http: httpx.Client) -> None:
    headers = {"Content-Type": "application/json"}
    assert_problem(http.post(SERVICE_PATH, content=b"{", headers=headers), 400, "malformed-json")
    assert_problem(http.post(SERVICE_PATH, content=b"x", headers={"Content-Type": "text/plain"}), 415,
                   "unsupported-media-type")  # fmt: skip


def test_feedback_becomes_reviews(http: httpx.Client) -> None:
    cards = [call(http) for _ in range(5)]
    deferred = call(http, maxRisk=0.0001)
    before = len(reviews(http))
    told = tell(
        http,
        accepted(cards[0]),
        overridden(cards[1], comment="the border is spiculated"),
        overridden(cards[2], "right-option-C"),
        overridden(cards[3], "not-relevant"),
        overridden(cards[4], None),
        overridden(deferred, "right-option-A"),
    )
    assert told.json() == {"taken": 6, "reviews": 4}
    found = reviews(http)
    assert len(found) == before + 4
    said = [(each["answer_id"], each["right"], each["correct_option"], each["comment"]) for each in found[3::-1]]
    assert said == [
        (cards[0]["uuid"], True, None, None),
        (cards[1]["uuid"], False, None, "the border is spiculated"),
        (cards[2]["uuid"], False, "C", None),
        (deferred["uuid"], False, "A", None),
    ]


@pytest.mark.parametrize(
    ("fate", "status", "kind"),
    [
        (lambda card: {"card": "00000000-0000-4000-8000-000000000000", "outcome": "overridden"}, 404, "unknown-answer"),
        (lambda card: {"card": "x", "outcome": "overridden"}, 422, "invalid-request"),
        (lambda card: {"card": card["uuid"], "outcome": "ignored"}, 422, "invalid-request"),
        (lambda card: {"card": card["uuid"], "outcome": "accepted"}, 422, "feedback-refused"),
        (lambda card: {**accepted(card), "acceptedSuggestions": [{"id": card["uuid"]}]}, 422, "feedback-refused"),
        (lambda card: overridden(card, "right-option-Z"), 422, "feedback-refused"),
        (lambda card: overridden(card, comment="x" * 3000), 422, "invalid-request"),
    ],
)
def test_feedback_that_does_not_fit_is_refused_whole(http: httpx.Client, fate: Any, status: int, kind: str) -> None:
    good, other = call(http), call(http)
    before = len(reviews(http))
    assert_problem(tell(http, *([overridden(good)] if kind != "feedback-refused" else []), fate(other)), status, kind)
    assert len(reviews(http)) == before


def test_of_a_deferral_nobody_can_say_that_its_answer_was_right_or_wrong(http: httpx.Client) -> None:
    deferred = call(http, maxRisk=0.0001)
    assert_problem(tell(http, overridden(deferred)), 422, "feedback-refused")
    agreed = {**accepted(call(http)), "card": deferred["uuid"]}
    assert_problem(tell(http, agreed), 422, "feedback-refused")


def test_too_many_fates_at_once_are_refused(http: httpx.Client) -> None:
    card = call(http)
    assert_problem(tell(http, *[overridden(card, None)] * 101), 422, "invalid-request")
    assert_problem(tell(http), 422, "invalid-request")


def test_overrides_alone_raise_the_alarm_and_then_nothing_is_answered(
    make_gateway: MakeGateway, upstream: Upstream
) -> None:
    with (
        make_gateway(cds_hooks_url=BASE, confidence_threshold=0.2, monitor_every_s=0.05) as url,
        httpx.Client(base_url=url, timeout=20) as http,
    ):

        def report() -> dict[str, Any]:
            found: dict[str, Any] = http.get("/calibration.json").json()
            return found

        def has_heard(of: int) -> bool:
            return bool(report()["reviewed"] == of)

        told = 0
        while report()["status"] != "alarm":
            assert told < MOST_OVERRIDES
            card = call(http)
            assert card["indicator"] == "info"
            assert tell(http, overridden(card)).json() == {"taken": 1, "reviews": 1}
            told += 1
            wait_until(partial(has_heard, told))
        assert told >= 3  # one or two say nothing yet
        card = call(http)
        assert card["indicator"] == "warning"
        assert "Oval" not in json.dumps({**card, "overrideReasons": []})
        assert "no longer holds" in card["detail"]


def test_set_aside_without_a_word_raises_nothing(make_gateway: MakeGateway, upstream: Upstream) -> None:
    with (
        make_gateway(cds_hooks_url=BASE, confidence_threshold=0.2, monitor_every_s=0.05) as url,
        httpx.Client(base_url=url, timeout=20) as http,
    ):
        cards = [call(http) for _ in range(MOST_OVERRIDES)]
        fates = [overridden(card, None if place % 2 else "not-relevant") for place, card in enumerate(cards)]
        assert tell(http, *fates).json() == {"taken": MOST_OVERRIDES, "reviews": 0}
        assert http.get("/calibration.json").json()["status"] == "empty"


def test_pages_of_named_sites_may_call(make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path) -> None:
    sandbox, other = "https://sandbox.example", "https://other.example"
    keys = keys_at(tmp_path / "keys.json", app=["ask", "feedback"])
    settings = {"cds_hooks_url": BASE, "cors_origins": [sandbox], "api_keys": tmp_path / "keys.json"}
    with make_gateway(**settings) as url, httpx.Client(base_url=url, timeout=20) as http:
        asked = {
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        }
        for path in (DISCOVERY_PATH, SERVICE_PATH, f"{SERVICE_PATH}/feedback"):
            for origin, allowed in ((sandbox, sandbox), (other, None)):
                reply = http.options(path, headers={"Origin": origin, **asked})
                assert reply.headers.get("access-control-allow-origin") == allowed
        assert http.get(DISCOVERY_PATH, headers={"Origin": sandbox}).headers["access-control-allow-origin"] == sandbox
        assert_problem(http.post(SERVICE_PATH, json=hook()), 401, "key-required")
        card = call(http, bearer(keys["app"]))
        assert tell(http, overridden(card, None), headers=bearer(keys["app"])).status_code == 200


@pytest.mark.parametrize(
    "settings",
    [
        {"cds_hooks_url": "http://trustvqa.hospital.example"},
        {"cds_hooks_url": "https://trustvqa.hospital.example/path"},
        {"cds_hooks_url": "trustvqa"},
        {"cds_clients": {"https://ehr.example": "https://ehr.example/keys"}},
        {"cds_hooks_url": BASE, "cds_clients": {"https://ehr.example": "http://ehr.example/keys"}},
    ],
)
def test_settings_that_cannot_be_meant_stop_the_start(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GatewaySettings(**settings)
