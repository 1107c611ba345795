"""Real evaluations by API, and runs whose models are not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.services.trainer.conftest import Start
from tests.services.trainer.grpo.conftest import write_questions
from tests.services.trainer.test_event_stream import listening
from tests.support.models import overconfident
from tests.support.openai_app import ScriptedServer
from tests.support.servers import running
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(300)  # processes that import torch on a machine that others keep busy


def test_an_evaluation_is_a_run_like_the_others(start: Start, tmp_path: Path) -> None:
    server = ScriptedServer()
    with running(server.app) as url:
        keys = {"policy_api_key": "key-of-policy", "downstream_api_key": "key-of-downstream"}
        service = start(real=True, downstream_url=f"{url}/v1", downstream_model="scripted", policy_url=url, **keys)
        write_questions(tmp_path / "data" / "numbers", 0, 20)
        request = {"data": {"kind": "file", "path": "numbers"}, "methods": ["verbalized", "cgp"], "resamples": 20}
        request["probes"] = ["blank-image"]
        reply = service.http.post("/v1/evaluations", json=request)
        assert reply.status_code == 202, reply.text
        run = reply.json()["id"]
        with listening(service, run) as told:
            heard = list(told)
    shown = service.get(run)
    assert (shown["kind"], shown["status"], shown["error"]) == ("evaluation", "succeeded", None)
    assert (shown["progress"]["done"], shown["progress"]["total"]) == (40, 40)  # of the probe, the last part
    figures = {method["name"]: method for method in shown["report"]}
    assert figures.keys() == {"verbalized", "cgp"}
    right = sum("is A" in overconfident(f"Question: Number {n}?\n") for n in range(20)) / 20
    assert figures["verbalized"]["metrics"]["accuracy"]["value"] == pytest.approx(right)
    assert figures["verbalized"]["metrics"]["mean_confidence"]["value"] == pytest.approx(0.95)
    assert {"state", "progress", "end"} <= {event.event for event in heard}
    assert [event.data["name"] for event in heard if event.event == "method"] == ["verbalized", "cgp"]
    probed = [event.data for event in heard if event.event == "probe"]
    assert [(each["probe"], each["n"]) for each in probed] == [("blank-image", 20)] * 2
    assert (service.runs / run / "evaluation" / "report.html").is_file()
    assert server.shown >= {
        ("/v1/cgp", "Bearer key-of-policy"),
        ("/v1/models", "Bearer key-of-downstream"),
        ("/v1/chat/completions", "Bearer key-of-downstream"),
    }
    written = [each.read_text(errors="replace") for each in (service.runs / run).rglob("*") if each.is_file()]
    assert not any("key-of-" in text or "api_key" in text for text in written)


def test_what_could_not_be_asked_is_asked_on_resuming(start: Start, tmp_path: Path) -> None:
    server = ScriptedServer(lambda prompt: 503 if "Number 7?" in prompt else overconfident(prompt))
    with running(server.app) as url:
        service = start(real=True, downstream_url=f"{url}/v1", downstream_model="scripted")
        write_questions(tmp_path / "data" / "numbers", 0, 12)
        data = {"kind": "file", "path": "numbers"}
        request = {"data": data, "methods": ["verbalized"], "resamples": 20, "deadline_s": 2}
        run = service.http.post("/v1/evaluations", json=request).raise_for_status().json()["id"]
        shown = service.wait(run, "failed", 200)
        assert "1 predictions could not be made" in shown["error"]
        assert shown["report"][0]["n"] == 11
        asked = len(server.prompts)
        server.script = overconfident
        service.http.post(f"/v1/runs/{run}/resume").raise_for_status()
        shown = service.wait(run, "succeeded", 200)
    assert (shown["resumed"], shown["error"], shown["report"][0]["n"]) == (1, None, 12)
    # The missing one, and one that was known, to see whether the model still replies as it did.
    assert len(server.prompts) - asked == 2


def test_an_evaluation_is_cancelled_however_long_its_answers_take(start: Start, tmp_path: Path) -> None:
    server = ScriptedServer(lambda _: None)
    with running(server.app) as url:
        service = start(real=True, downstream_url=f"{url}/v1", downstream_model="scripted")
        write_questions(tmp_path / "data" / "numbers", 0, 3)
        data = {"kind": "file", "path": "numbers"}
        request = {"data": data, "methods": ["verbalized"]}
        run = service.http.post("/v1/evaluations", json=request).raise_for_status().json()["id"]
        wait_until(lambda: server.in_flight == 3, 200)
        service.http.post(f"/v1/runs/{run}/cancel").raise_for_status()
        shown = service.wait(run, "cancelled")
    assert (shown["error"], shown["progress"]["state"]) == (None, "cancelled")


def test_models_that_are_not_there_are_a_clear_error_and_no_hang(start: Start, tmp_path: Path) -> None:
    service = start(real=True, slots=2)
    write_questions(tmp_path / "data" / "numbers", 0, 3)
    data = {"kind": "file", "path": "numbers"}
    evaluation = service.http.post("/v1/evaluations", json={"data": data}).json()["id"]
    training = service.post("policy-b")
    for run in (evaluation, training):
        assert "cannot be reached (ConnectError)" in service.wait(run, "failed", 200)["error"]
    told = json.loads((service.runs / evaluation / "progress.json").read_text())
    assert told["state"] == "failed"
