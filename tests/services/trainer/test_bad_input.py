"""Requests that the trainer refuses, and its words; who may ask; its own health."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.trainer.app import trainer_app
from services.trainer.run_files.records import RunStore
from tests.services.trainer.conftest import Service, Start, make_settings
from tests.support.keys import bearer, keys_at
from tests.support.servers import running
from tests.support.waiting import wait_until

TYPE = "urn:trustvqa:problem:"
FILE = {"kind": "file", "path": "questions.csv"}
PHANTOMS = {"kind": "phantoms", "split": "test", "n": 4}


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all that is refused: it stays as it is."""
    place = tmp_path_factory.mktemp("refusing")
    settings = make_settings(place, max_body_bytes=2048)
    (place / "data" / "questions.csv").write_text("x")
    (place / "elsewhere").mkdir()
    (place / "elsewhere" / "questions.csv").write_text("x")
    (place / "data" / "link").symlink_to(place / "elsewhere")
    with running(trainer_app(settings)) as url, httpx.Client(base_url=url) as http:
        yield Service(http, place / "runs")


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"config": "absent"}, "config"),
        ({"config": "../secrets"}, "config"),
        ({"version": "../b"}, "version"),
        ({"version": ""}, "version"),
        ({"policy": "absent"}, "policy"),
        ({"policy": "/etc"}, "policy"),
        ({"policy": ".."}, "policy"),
        ({"overrides": {"policy": "somebody/model"}}, "policy"),
        ({"steps": 0}, "steps"),
        ({"steps": "many"}, "steps"),
        ({"seed": -1}, "seed"),
        ({"reward": "applause"}, "reward"),
        ({"reward": {"brier": 1, "applause": 1}}, "reward"),
        ({"reward": {"brier": -1}}, "reward"),
        ({"reward": {"brier": "1"}}, "reward"),
        ({"reward": {}}, "reward"),
        ({"reward": 5}, "reward"),
        ({"overrides": {"reward": {"brier": 0}}}, "reward"),
        ({"overrides": {"update.max_steps": "many"}}, "update.max_steps"),
        ({"overrides": {"update.steps": 4}}, "overrides"),
        ({"overrides": {"update.colour": 1}}, "update.colour"),
        ({"overrides": {"device.deeper": 1}}, "overrides"),
        ({"overrides": {"a..b": 1}}, "overrides.a..b.[key]"),
        ({"overrides": {"update": 5}}, "update"),
        ({"overrides": {"prompt_template": "/etc/passwd"}}, "overrides.prompt_template"),
        ({"overrides": {"rollout.vllm_server_base_url": "http://10.0.0.1/"}}, "overrides.rollout.vllm_server_base_url"),
        ({"overrides": {"train": {**PHANTOMS, "split": "test"}}}, "overrides"),
        ({"overrides": {"train": {"kind": "file", "path": "/etc/passwd"}}}, "train.path"),
        ({"overrides": {"train": {"kind": "file", "path": "../registry/policies"}}}, "train.path"),
        ({"overrides": {"train": {"kind": "file", "path": "link/questions.csv"}}}, "train.path"),
        ({"overrides": {"train": {"kind": "file", "path": "absent.csv"}}}, "train.path"),
        ({"overrides": {"train": {"kind": "file", "path": "a\x00b"}}}, "train.path"),
        ({"overrides": {"train": {"kind": "file", "path": "a" * 300}}}, "train.path"),
        ({"overrides": {"train": {"kind": "file", "path": "a/" * 800}}}, "train.path"),
        ({"overrides": {"validation": {**FILE, "images": "../../etc"}}}, "validation.images"),
        ({"overrides": {f"a{'b' * 200}": 1}}, None),
        ([], None),
    ],
)
def test_training_requests_that_are_wrong(refusing: Service, request_: Any, field: str | None) -> None:
    reply = refusing.http.post("/v1/runs", json=request_)
    assert reply.status_code == 422, reply.text
    problem = reply.json()
    assert problem["type"] == TYPE + "invalid-request"
    assert reply.headers["Content-Type"] == "application/problem+json"
    if field is not None:
        assert field in {fault["field"] for fault in problem["errors"]}
    assert str(refusing.runs.parent) not in reply.text
    assert refusing.http.get("/v1/runs").json()["runs"] == []
    assert not list(refusing.runs.glob("*/config.json"))


def test_a_misspelt_override_is_told_with_the_one_that_may_be_meant(refusing: Service) -> None:
    problem = refusing.http.post("/v1/runs", json={"overrides": {"update.max_stps": 3}}).json()
    assert problem["detail"] == "Check update.max_stps: there is no such setting (is max_steps meant?)."


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/runs", '{"overrides": {"update.learning_rate": Infinity}}', "update.learning_rate"),
        ("/v1/runs", '{"overrides": {"update.learning_rate": 1e999}}', "update.learning_rate"),
        ("/v1/runs", '{"overrides": {"update.beta": NaN}}', "update.beta"),
        ("/v1/runs", '{"overrides": {"update.max_steps": 9223372036854775808}}', "update.max_steps"),
        ("/v1/runs", '{"steps": 1e30}', "steps"),
        ("/v1/evaluations", '{"data": %s, "temperature": Infinity}', "temperature"),
        ("/v1/evaluations", '{"data": %s, "sampling_seed": 9223372036854775808}', "sampling_seed"),
    ],
)
def test_numbers_that_no_run_can_use(refusing: Service, path: str, body: str, field: str) -> None:
    content = body.replace("%s", json.dumps(PHANTOMS))
    reply = refusing.http.post(path, content=content, headers={"Content-Type": "application/json"})
    assert reply.status_code == 422, reply.text
    assert field in {fault["field"] for fault in reply.json()["errors"]}
    assert refusing.http.get("/v1/runs").json()["runs"] == []


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({}, "data"),
        ({"data": PHANTOMS, "colour": "red"}, "colour"),
        ({"data": {"kind": "phantoms", "split": "absent", "n": 4}}, "data.phantoms.split"),
        ({"data": {"kind": "file", "path": "../../etc/passwd"}}, "data.path"),
        ({"data": {"kind": "file", "path": "absent.csv"}}, "data.path"),
        ({"data": PHANTOMS, "methods": ["clairvoyance"]}, "methods"),
        ({"data": PHANTOMS, "methods": []}, "methods"),
        ({"data": PHANTOMS, "probes": ["tea-leaves"]}, "probes"),
        ({"data": PHANTOMS, "concurrency": 0}, "concurrency"),
        ({"data": PHANTOMS, "concurrency": "8"}, "concurrency"),
        ({"data": PHANTOMS, "sampling_seed": True}, "sampling_seed"),
        ({"data": PHANTOMS, "temperature": "0.5"}, "temperature"),
        ({"data": {**PHANTOMS, "n": "4"}}, "data.phantoms.n"),
        ({"data": PHANTOMS, "top_p": 1.5}, "top_p"),
        ({"data": PHANTOMS, "top_k": -1}, "top_k"),
        ({"data": PHANTOMS, "policy_version": "../x"}, "policy_version"),
        ({"data": PHANTOMS, "calibrators": "/etc"}, "calibrators"),
    ],
)
def test_evaluation_requests_that_are_wrong(refusing: Service, request_: Any, field: str) -> None:
    reply = refusing.http.post("/v1/evaluations", json=request_)
    assert reply.status_code == 422, reply.text
    assert field in {fault["field"] for fault in reply.json()["errors"]}
    assert refusing.http.get("/v1/runs").json()["runs"] == []


def test_bodies_that_are_none(refusing: Service) -> None:
    http = refusing.http
    for path in ("/v1/runs", "/v1/evaluations", "/v1/tunings", "/v1/rewards"):
        json_type = {"Content-Type": "application/json"}
        assert http.post(path, content=b"{", headers=json_type).status_code == 400
        assert http.post(path, content=b"x" * 4096, headers=json_type).status_code == 413
        assert http.post(path, content=b"{}", headers={"Content-Type": "text/plain"}).status_code == 415


@pytest.mark.parametrize("run", ["absent", "..", "%2e%2e", "a%2fb", "-x", ".hidden", "x" * 200])
def test_runs_that_there_are_not(refusing: Service, run: str) -> None:
    http = refusing.http
    for method, path in (
        ("GET", ""),
        ("GET", "/events"),
        ("GET", "/samples"),
        ("POST", "/cancel"),
        ("POST", "/resume"),
    ):
        reply = http.request(method, f"/v1/runs/{run}{path}")
        assert reply.status_code in (404, 405), (path, reply.text)
        assert reply.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("query", ["limit=0", "limit=1000", "limit=x", "cursor=absent"])
def test_pages_that_there_are_not(refusing: Service, query: str) -> None:
    assert refusing.http.get(f"/v1/runs?{query}").status_code == 422


def test_a_versions_name_is_given_once(start: Start, tmp_path: Path) -> None:
    service = start()
    reply = service.http.post("/v1/runs", json={"version": "policy-a"})
    assert reply.status_code == 409
    assert reply.json()["type"] == TYPE + "version-taken"
    run = service.post("policy-b")
    reply = service.http.post("/v1/runs", json={"version": "policy-b"})
    assert reply.status_code == 409
    assert reply.json()["run"] == run

    # Cancelled, it no longer stands in the way; but once another made the version, it cannot go on.
    service.wait(run, "running")
    service.http.post(f"/v1/runs/{run}/cancel")
    service.wait(run, "cancelled")
    taken = tmp_path / "registry" / "policies" / "policy-b"
    taken.mkdir()
    (taken / "config.json").write_text("{}")
    reply = service.http.post(f"/v1/runs/{run}/resume")
    assert reply.status_code == 409
    assert service.status(run) == "cancelled"


# --- Who may ask ------------------------------------------------------------------------------------------------------

CHANGING = (
    "/v1/runs",
    "/v1/evaluations",
    "/v1/tunings",
    "/v1/rewards",
    "/v1/runs/run-1/cancel",
    "/v1/runs/run-1/resume",
)


def test_with_keys_runs_are_for_administrators(start: Start, tmp_path: Path) -> None:
    keys = keys_at(tmp_path / "keys.json", user=["ask", "feedback", "metrics"], admin="admin")
    http = start(api_keys=tmp_path / "keys.json", host="0.0.0.0", key=keys["admin"]).http  # noqa: S104
    for path in CHANGING:
        assert http.post(path, json={}, headers={"Authorization": ""}).status_code == 401
        assert http.post(path, json={}, headers=bearer(keys["user"])).status_code == 403
        assert http.post(path, json={"x": 1}).status_code in (404, 422)
    assert http.get("/v1/runs", headers=bearer(keys["user"])).status_code == 403
    assert http.get("/v1/runs").status_code == 200


def test_without_keys_only_this_machines_user_does(start: Start) -> None:
    http = start().http
    for path in CHANGING:
        assert http.post(path, json={}, headers={"Origin": "http://example.org"}).status_code == 403


# --- Health -----------------------------------------------------------------------------------------------------------


def test_it_is_ready_once_it_can_keep_runs(start: Start) -> None:
    service = start()
    assert service.http.get("/health/live").status_code == 200
    reply = service.http.get("/health/ready")
    assert reply.status_code == 200
    found = reply.json()["dependencies"]
    assert {name for name, each in found.items() if each["ok"]} == {"runs", "registry", "executor", "training"}
    assert found["downstream"] == {"ok": False, "required": False, "detail": "ConnectError"}
    assert service.runs.is_dir()
    assert service.http.get("/version").json()["service"] == "trainer"


def test_it_is_not_ready_where_it_cannot_keep_runs(start: Start, tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file is in the way")
    http = start().http
    reply = http.get("/health/ready")
    assert reply.status_code == 503
    assert reply.json()["dependencies"]["runs"] == {
        "ok": False,
        "required": True,
        "detail": "the directory for runs cannot be made",
    }
    for path, body in (("/v1/runs", {"version": "policy-b"}), ("/v1/evaluations", {"data": PHANTOMS})):
        reply = http.post(path, json=body)
        assert reply.status_code == 503, reply.text
        assert reply.json()["type"] == TYPE + "not-writable"


def test_a_record_that_cannot_be_read_is_no_run(start: Start) -> None:
    service = start()
    (service.runs / "run-1").mkdir(parents=True)
    (service.runs / "run-1" / "run.json").write_text(json.dumps({"id": "run-1"}))
    assert service.http.get("/v1/runs/run-1").status_code == 404
    wait_until(lambda: service.metric("trainer_queue_length") == 0)
    assert RunStore(service.runs).all() == []
