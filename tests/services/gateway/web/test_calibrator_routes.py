"""Administrators change what is live: at once, on the record, and back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.common.registry.directory import Registry
from tests.services.gateway.answering.test_selection import make_guard
from tests.services.gateway.checks import assert_problem, body
from tests.services.gateway.conftest import MODEL, TEMPLATE, MakeGateway, make_calibrator
from tests.services.gateway.upstream import Upstream
from tests.support.calibration_keys import whole_key
from tests.support.keys import bearer, keys_at

PAIR = whole_key(downstream=MODEL, policy="policy-1", estimator="cgp", answer_template=TEMPLATE)


@pytest.fixture
def versions(tmp_path: Path) -> Registry:
    """A registry with an older calibrator of 0.5, a newer one of 0.8, and one for another method."""
    registry = Registry(tmp_path / "registry")
    older = make_calibrator("cgp", "policy-1", name="older", right=0.5)
    newer = make_calibrator("cgp", "policy-1", name="newer", right=0.8)
    registry.calibrators.publish(older)
    registry.calibrators.publish(newer.model_copy(update={"created": older.created + timedelta(days=1)}))
    registry.calibrators.publish(make_calibrator("verbalized", None))
    return registry


@pytest.fixture
def client(versions: Registry, make_gateway: MakeGateway, upstream: Upstream) -> Iterator[httpx.Client]:
    # The registry is looked at but once: what changes is seen because it was changed here.
    with (
        make_gateway(registry=versions.root, registry_check_s=3600.0) as url,
        httpx.Client(base_url=url, timeout=20) as http,
    ):
        yield http


def applied(client: httpx.Client, **asked: Any) -> str:
    reply = client.post("/vqa", json=body(**asked)).json()
    return str(reply["calibration"]["calibrator"])


def change(client: httpx.Client, name: str, what: str, who: object = "dr. x") -> httpx.Response:
    return client.post(f"/v1/calibrators/{name}/{what}", json={"who": who})


def test_a_change_must_call_itself_json(client: httpx.Client) -> None:
    """A form of another site's page cannot."""
    for what in ("activate", "retire"):
        for form in ({"data": {"who": "x"}}, {"content": b'{"who": "x"}', "headers": {"Content-Type": "text/plain"}}):
            reply = client.post(f"/v1/calibrators/newer/{what}", **form)
            assert_problem(reply, 415, "unsupported-media-type")
    assert applied(client) == "newer"


def test_what_is_made_live_is_applied_at_once_and_can_be_taken_back(client: httpx.Client) -> None:
    started = datetime.now(UTC)
    assert applied(client) == "newer"
    activated = change(client, "older", "activate")
    assert activated.json() == {"live": "older", "previous": None}
    assert applied(client) == "older"
    assert client.get("/version").json()["live_calibrators"][PAIR.line] == "older"
    assert change(client, "newer", "activate", "dr. y").json() == {"live": "newer", "previous": "older"}
    assert applied(client) == "newer"
    assert change(client, "newer", "retire", "dr. z").json() == {"live": "older", "previous": "newer"}
    assert applied(client) == "older"
    assert client.get("/version").json()["live_calibrators"][PAIR.line] == "older"
    assert applied(client, method="verbalized") == "platt-verbalized"

    listed = client.get("/v1/calibrators").json()
    shown = [(each["name"], each["live"], each["pair"]["estimator"]) for each in listed["calibrators"]]
    assert shown == [("platt-verbalized", True, "verbalized"), ("newer", False, "cgp"), ("older", True, "cgp")]
    artifact = make_calibrator("cgp", "policy-1", name="older", right=0.5)
    assert listed["calibrators"][2] == {
        "name": "older",
        "pair": PAIR.model_dump(),
        "method": "platt",
        "live": True,
        "created": "2026-01-02T00:00:00Z",
        "n": 200,
        "dataset": "phantom-vqa",
        "ece_before": artifact.metrics_before["ece"]["value"],
        "ece_after": artifact.metrics_after["ece"]["value"],
        "warnings": artifact.warnings,
    }
    times = [datetime.fromisoformat(each.pop("at")) for each in listed["history"]]
    assert started <= times[0] <= times[1] <= times[2]
    assert listed["history"] == [
        {"who": "dr. x", "pair": PAIR.line, "previous": "newer", "name": "older", "kind": "activated"},
        {"who": "dr. y", "pair": PAIR.line, "previous": "older", "name": "newer", "kind": "activated"},
        {"who": "dr. z", "pair": PAIR.line, "previous": "newer", "name": "older", "kind": "rolled-back"},
    ]


def test_a_request_that_is_sent_twice_undoes_one_change(client: httpx.Client) -> None:
    change(client, "older", "activate")
    change(client, "newer", "activate")
    assert change(client, "newer", "retire").status_code == 200
    found = assert_problem(change(client, "newer", "retire"), 409, "calibrator-not-live")
    assert found["detail"] == "Nothing changed: calibrator 'newer' is not live, 'older' is."
    assert applied(client) == "older"
    # The newest was live before anybody had named one.
    assert change(client, "older", "retire").json()["live"] == "newer"
    assert_problem(change(client, "newer", "retire"), 409, "calibrator-not-live")


def test_a_guarantee_goes_and_comes_with_the_calibrator_that_it_was_made_for(
    versions: Registry, make_gateway: MakeGateway, upstream: Upstream
) -> None:
    older = next(each for each in versions.calibrators.load_all() if each.name == "older")
    versions.guards.publish(make_guard(calibrator=older))
    with make_gateway(registry=versions.root) as url, httpx.Client(base_url=url, timeout=20) as client:

        def rule() -> str:
            reply = client.post("/vqa", json=body(max_risk=0.4)).json()
            assert reply["decision_basis"]["guarantee"] is (reply["decision_basis"]["rule"] == "risk-control")
            return str(reply["decision_basis"]["rule"])

        assert rule() == "confidence-threshold"
        change(client, "older", "activate")
        assert rule() == "risk-control"
        change(client, "newer", "activate")
        assert rule() == "confidence-threshold"
        change(client, "newer", "retire")
        assert rule() == "risk-control"


@pytest.mark.parametrize("name", ["absent", "%2e%2e", "-", "x" * 300, "nul%00"])
@pytest.mark.parametrize("what", ["activate", "retire"])
def test_calibrators_that_are_not_there(client: httpx.Client, name: str, what: str) -> None:
    assert_problem(change(client, name, what), 404, "unknown-calibrator")


@pytest.mark.parametrize("who", [None, "", "x" * 101, 7, "nul\0"])
def test_nobody_changes_anything(client: httpx.Client, who: object) -> None:
    found = assert_problem(change(client, "older", "activate", who), 422, "invalid-request")
    assert found["errors"][0]["field"] == "who"
    as_json = {"Content-Type": "application/json"}
    for content in (b"", b"{"):
        reply = client.post("/v1/calibrators/older/activate", content=content, headers=as_json)
        assert_problem(reply, 400, "malformed-json")
    assert applied(client) == "newer"


def test_a_calibrator_that_cannot_be_read_is_not_made_live(client: httpx.Client, versions: Registry) -> None:
    (versions.root / "calibrators" / "spoilt.json").write_text("{")
    assert_problem(change(client, "spoilt", "activate"), 409, "calibrator-unusable")
    (versions.root / "active.json").write_text('{"calibrators": []}')
    assert_problem(client.get("/v1/calibrators"), 503, "registry-unreadable")
    assert change(client, "older", "activate").status_code == 200
    assert client.get("/v1/calibrators").status_code == 200


def test_a_registry_that_may_not_be_written_is_said_to_be(client: httpx.Client, versions: Registry) -> None:
    # A folder in the place of the file: root may write anything else.
    (versions.root / "activations.jsonl").mkdir()
    assert_problem(change(client, "older", "activate"), 503, "registry-not-writable")
    assert applied(client) == "newer"


def test_only_administrators_change_what_is_live(
    versions: Registry, make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path
) -> None:
    keys = keys_at(tmp_path / "keys.json", user="ask", admin="admin")
    with (
        make_gateway(registry=versions.root, api_keys=tmp_path / "keys.json") as url,
        httpx.Client(base_url=url, timeout=20, headers=bearer(keys["user"])) as client,
    ):
        assert_problem(client.get("/v1/calibrators"), 403, "key-lacks-scope")
        for what in ("activate", "retire"):
            assert_problem(change(client, "newer", what), 403, "key-lacks-scope")
        assert applied(client) == "newer"
        client.headers = bearer(keys["admin"])
        assert change(client, "older", "activate").status_code == 200
        assert applied(client) == "older"
    with make_gateway(registry=versions.root, host="0.0.0.0") as url, httpx.Client(base_url=url) as client:  # noqa: S104
        assert_problem(change(client, "newer", "activate"), 403, "administration-closed")


def test_answers_that_are_being_made_meanwhile_are_of_the_one_or_the_other(
    client: httpx.Client, upstream: Upstream
) -> None:
    upstream.downstream = "held"
    found: list[str] = []
    asker = threading.Thread(target=lambda: found.append(applied(client)))
    asker.start()
    assert upstream.arrived.acquire(timeout=20)
    change(client, "older", "activate")
    upstream.release.set()
    asker.join(20)
    # The calibrator is chosen when the model has answered.
    assert found == ["older"]
