"""GET /calibration over HTTP, from the first answer to an alarm and its acknowledgement."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from prompt4trust.calibration import CalibrationKey
from tests.services.gateway.conftest import OPTIONS, MakeGateway, picture
from tests.services.gateway.upstream import Upstream
from tests.support.keys import bearer, keys_at
from tests.support.waiting import wait_until

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture
def watched(make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path) -> Iterator[httpx.Client]:
    """A gateway that overlooks little and looks often."""
    settings: dict[str, Any] = {
        "records_url": f"sqlite:///{tmp_path}/records.db",
        "monitor_every_s": 0.02,
        "monitor_alpha": 0.5,
        "api_keys": tmp_path / "keys.json",
    }
    keys = keys_at(tmp_path / "keys.json", user=["ask", "feedback", "metrics"], admin="admin")
    (tmp_path / "admin").write_text(keys["admin"])
    with (
        make_gateway(**settings) as url,
        httpx.Client(base_url=url, timeout=20, headers=bearer(keys["user"])) as http,
    ):
        yield http


def ask(http: httpx.Client, **fields: Any) -> dict[str, Any]:
    data = {"question": "What shape?", "options": OPTIONS, "groups": '{"modality": "CT"}', **fields}
    reply = http.post("/vqa", data=data, files={"image": ("a.png", picture(), "image/png")})
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


def report(http: httpx.Client) -> dict[str, Any]:
    reply = http.get("/calibration")
    assert reply.status_code == 200
    return dict(reply.json())


def disappoint(http: httpx.Client, most: int = 60) -> dict[str, Any]:
    """Review answer after answer as wrong until an alarm stands; the report then."""
    for count in range(1, most + 1):
        said = http.post(f"/vqa/{ask(http)['id']}/feedback", json={"who": "Dr. A", "right": False})
        assert said.status_code == 201, said.text
        wait_until(lambda count=count: report(http)["reviewed"] >= count)  # type: ignore[misc]
        if (found := report(http))["status"] == "alarm":
            return found
    raise AssertionError("no alarm was raised")


def test_from_the_first_answer_to_an_alarm_and_its_end(watched: httpx.Client, tmp_path: Path) -> None:
    wait_until(lambda: report(watched)["status"] == "empty")
    page = watched.get("/calibration", headers={"Accept": BROWSER})
    assert page.headers["content-type"].startswith("text/html")
    assert "no reviewed answers" in page.text
    assert "POST /vqa/{id}/feedback" in page.text
    before = ask(watched)
    assert before["calibration"]["calibrated"]
    assert before["calibration"]["alarm"] is None

    found = disappoint(watched)
    (stream,) = found["streams"]
    assert stream["live"]
    assert stream["name"] == before["calibration"]["calibrator"]
    assert stream["alarm"]["state"] == "standing"
    assert stream["alarm"]["finding"]["direction"] in ("overconfident", "too extreme")
    assert found["by"]["modality"][0]["value"] == "CT"
    assert found["figures"]["reviewed"] == stream["n"] == stream["alarm"]["answer"]

    # In the replies: nothing is promised, and it is said why.
    after = ask(watched, max_risk=0.9)
    assert after["decision"] == "defer"
    assert after["decision_basis"]["code"] == "calibration-alarm"
    assert not after["calibration"]["calibrated"]
    assert "no longer holds" in after["calibration"]["alarm"]
    assert "calibration-alarm" in after["degraded"]
    # Another method has another calibrator, which nobody has complained of.
    other = ask(watched, method="verbalized")
    assert other["calibration"]["calibrated"]
    assert other["degraded"] == []

    metrics = watched.get("/metrics").text
    pair = CalibrationKey.model_validate(stream["pair"]).line
    assert pair.startswith("cgp | model-1 | policy-1 | answer-compact@1 | greedy, 256 tokens | pictures ")
    labels = f'{{kind="calibrator",name="{stream["name"]}",pair="{pair}"}}'
    assert f"gateway_calibration_alarm{labels} 1.0" in metrics
    assert f"gateway_calibration_evidence{labels} {stream['evidence']}" in metrics
    assert f'gateway_calibration_reviewed_count{{by="all",value=""}} {float(stream["n"])}' in metrics
    assert 'gateway_calibration_ece{by="modality",value="CT"}' in metrics
    assert "Alarm" in watched.get("/calibration", headers={"Accept": BROWSER}).text

    # An administrator takes note of it; the stream begins anew.
    path = f"/calibration/alarms/{stream['alarm']['id']}/acknowledge"
    admin = bearer((tmp_path / "admin").read_text())
    assert watched.post(path, json={"who": "Dr. B"}).status_code == 403
    assert watched.post(path, json={}, headers=admin).status_code == 422
    as_json = {**admin, "Content-Type": "application/json"}
    assert watched.post(path, content=b"{", headers=as_json).status_code == 400
    assert watched.post("/calibration/alarms/none/acknowledge", json={"who": "B"}, headers=admin).status_code == 404
    assert watched.post(path, content=b'{"who": "B"}', headers=admin).status_code == 415  # does not call itself JSON
    done = watched.post(path, json={"who": "Dr. B", "note": "a test"}, headers=admin)
    assert done.status_code == 200
    assert done.json()["status"] == "watching"
    assert done.json()["streams"][0]["alarm"]["acknowledged"]["note"] == "a test"
    assert watched.post(path, json={"who": "Dr. B"}, headers=admin).status_code == 404
    assert ask(watched)["calibration"]["calibrated"]
    assert f"gateway_calibration_alarm{labels}" not in watched.get("/metrics").text
    again = watched.post(f"/vqa/{ask(watched)['id']}/feedback", json={"who": "Dr. A", "right": True})
    assert again.status_code == 201
    wait_until(lambda: len(report(watched)["streams"]) == 2)
    assert f"gateway_calibration_alarm{labels} 0.0" in watched.get("/metrics").text


def test_an_alarm_may_be_told_without_withholding_anything(
    make_gateway: MakeGateway, upstream: Upstream, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"monitor_every_s": 0.02, "monitor_alpha": 0.5, "alarm_withholds": False}
    with (
        make_gateway(records_url=f"sqlite:///{tmp_path}/records.db", **settings) as url,
        httpx.Client(base_url=url, timeout=20) as http,
    ):
        disappoint(http)
        reply = ask(http, max_risk=0.9)
        assert reply["calibration"]["calibrated"]
        assert "no longer holds" in reply["calibration"]["alarm"]
        assert reply["degraded"] == ["calibration-alarm"]
        assert reply["decision"] == "answer"


@pytest.mark.parametrize(
    ("accept", "is_page"),
    [
        (BROWSER, True),
        ("text/html", True),
        ("*/*", False),
        ("", False),
        ("application/json", False),
        ("application/json, text/html;q=0.5", False),
        ("text/html;q=0, */*", False),
        ("text/html;q=nonsense", False),
    ],
)
def test_who_asks_for_a_page_gets_one(client: httpx.Client, accept: str, is_page: bool) -> None:
    reply = client.get("/calibration", headers={"Accept": accept})
    assert reply.headers["content-type"].startswith("text/html") == is_page
    assert reply.headers["vary"] == "Accept"
    assert client.get("/calibration.json", headers={"Accept": accept}).json()["window"] == 500


def test_without_records_there_is_nothing_to_say(make_gateway: MakeGateway) -> None:
    with make_gateway(records_url="") as url, httpx.Client(base_url=url, timeout=20) as http:
        assert report(http)["status"] == "off"
        page = http.get("/calibration", headers={"Accept": BROWSER}).text
        assert "keeps no records" in page
        assert "gateway_calibration_as_of" not in http.get("/metrics").text
