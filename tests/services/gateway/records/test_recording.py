"""Records of a gateway's answers, whatever becomes of the database or of the gateway itself."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from services.common.registry.directory import Registry
from services.gateway.records.connection.hash_key import HashKey
from services.gateway.settings import GatewaySettings
from tests.services.gateway.checks import assert_problem, assert_unharmed, body
from tests.services.gateway.conftest import MODEL, OPTIONS, TEMPLATE, MakeGateway, picture
from tests.services.gateway.records.conftest import Place, hash_secret, keyed, sqlite_place
from tests.services.gateway.upstream import VERDICT, Upstream
from tests.support.calibration_keys import whole_key
from tests.support.servers import free_port
from tests.support.waiting import wait_until

PAIR = whole_key(downstream=MODEL, policy="policy-1", estimator="cgp", answer_template=TEMPLATE).model_dump(mode="json")

ROOT = Path(__file__).resolve().parents[4]


def ask(client: httpx.Client, **changes: Any) -> dict[str, Any]:
    response = client.post("/vqa", json=body(**changes), headers={"X-Request-Id": "case-17"})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def metric(client: httpx.Client, line: str) -> float:
    values = [row.rsplit(" ", 1)[1] for row in client.get("/metrics").text.splitlines() if row.startswith(f"{line} ")]
    assert len(values) == 1, line
    return float(values[0])


def test_an_answer_is_kept_without_what_people_wrote(
    place: Place, make_gateway: MakeGateway, upstream: Upstream
) -> None:
    with make_gateway(records_url=place.url) as url, httpx.Client(base_url=url, timeout=20) as client:
        reply = ask(client, groups={"modality": "CT"}, max_risk=0.9)
        assert reply["recorded"] is True
        response = client.get(f"/vqa/{reply['id']}")
        assert response.headers["cache-control"] == "no-store"
        kept = response.json()
        picture_kept = client.get(f"/vqa/{reply['id']}/picture")
    sent = upstream.asked[0]["messages"][-1]["content"][0]["image_url"]["url"]
    png = base64.b64decode(sent.removeprefix("data:image/png;base64,"))
    assert kept.pop("at")
    assert kept == {
        "id": reply["id"],
        "request_id": "case-17",
        "pair": PAIR,
        "calibrator": "platt-cgp",
        "stated_confidence": 0.95,
        "confidence": reply["confidence"],
        "interval": None,
        "signals": {},
        "guess_signals": {},
        "atypicality": kept["atypicality"],
        "letters": "ABC",
        "answer": "B",
        "guess": None,
        "has_answer": True,
        "decision": "answer",
        "decision_basis": {
            "rule": "confidence-threshold",
            "code": "confident-enough",
            "guarantee": False,
            "max_risk": 0.9,
            "threshold": 0.1,
            "guard": None,
        },
        "groups": {"modality": "CT"},
        "degraded": [],
        "timing_ms": reply["timing_ms"],
        "hashes": {
            "key": HashKey(hash_secret(place)).id,
            "image": keyed(place, png),
            "question": keyed(place, "Which shape?"),
            "options": keyed(place, json.dumps(dict(zip("ABC", OPTIONS, strict=True)))),
            "guidance": keyed(place, "Weigh the border."),
            "explanation": keyed(place, VERDICT),
        },
        "texts": None,
        "has_picture": False,
        "source": None,
        "erased_at": None,
        "feedback": [],
    }
    assert_problem(picture_kept, 404, "unknown-answer")
    dumped = repr([place.query(f"SELECT * FROM {table}") for table in ("answers", "pictures", "feedback")])  # noqa: S608
    plain = [
        hashlib.sha256(each).hexdigest() for each in (png, b"Which shape?", b"Weigh the border.", VERDICT.encode())
    ]
    for secret in ("Which shape", "Spiculated", "Weigh the border", "In conclusion", hash_secret(place), *plain):
        assert secret not in dumped


def test_texts_and_pictures_are_kept_where_that_is_switched_on(
    place: Place, make_gateway: MakeGateway, upstream: Upstream
) -> None:
    with (
        make_gateway(records_url=place.url, record_texts=True, record_pictures=True) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        reply = ask(client)
        kept = client.get(f"/vqa/{reply['id']}").json()
        png = client.get(f"/vqa/{reply['id']}/picture")
        jpeg = client.get(f"/vqa/{ask(client, image=base64.b64encode(picture(form='JPEG')).decode())['id']}/picture")
    assert kept["texts"] == {
        "question": "Which shape?",
        "options": dict(zip("ABC", OPTIONS, strict=True)),
        "guidance": "Weigh the border.",
        "explanation": VERDICT,
        "guess_explanation": None,
    }
    assert kept["has_picture"] is True
    assert png.headers["content-type"] == "image/png"
    assert keyed(place, png.content) == kept["hashes"]["image"]
    with Image.open(BytesIO(png.content)) as found, Image.open(BytesIO(picture())) as original:
        assert found.tobytes() == original.tobytes()
    assert jpeg.headers["content-type"] == "image/jpeg"
    assert jpeg.content == picture(form="JPEG")


def test_texts_that_no_database_takes_are_kept_as_far_as_they_can_be(
    place: Place, make_gateway: MakeGateway, upstream: Upstream
) -> None:
    upstream.text = "The answer is B with confidence 95.\0 Also \N{PILE OF POO}\x01 and half a pair: \ud83d."
    with (
        make_gateway(records_url=place.url, record_texts=True) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        reply = ask(client)
        assert reply["recorded"] is True
        kept = client.get(f"/vqa/{reply['id']}").json()
    told = upstream.text.replace("\ud83d", "?")
    assert (reply["model_text"], reply["guess_model_text"]) == (None, told)
    assert kept["texts"]["guess_explanation"] == told.replace("\0", "\N{REPLACEMENT CHARACTER}")
    assert kept["hashes"]["explanation"] == keyed(place, told)


def test_an_open_question_and_an_unreadable_answer_are_kept_too(
    place: Place, make_gateway: MakeGateway, upstream: Upstream
) -> None:
    with make_gateway(records_url=place.url) as url, httpx.Client(base_url=url, timeout=20) as client:
        opened = client.get(f"/vqa/{ask(client, options=...)['id']}").json()
        upstream.text = "No idea."
        unread = client.get(f"/vqa/{ask(client)['id']}").json()
    names = ("letters", "answer", "guess", "has_answer", "calibrator", "confidence")
    assert [opened[name] for name in names] == ["", None, None, True, None, 0.95]
    assert [unread[name] for name in names] == ["ABC", None, None, False, None, None]
    assert unread["decision_basis"]["code"] == "no-verdict"


def test_refused_requests_leave_no_record(place: Place, make_gateway: MakeGateway, upstream: Upstream) -> None:
    with make_gateway(records_url=place.url) as url, httpx.Client(base_url=url, timeout=20) as client:
        assert client.post("/vqa", json=body(question="")).status_code == 422
        upstream.downstream = 500
        assert client.post("/vqa", json=body()).status_code == 502
        assert place.query("SELECT count(*) FROM answers") == [(0,)]
        upstream.downstream = "reply"
        assert_unharmed(client)
    assert place.query("SELECT count(*) FROM answers") == [(1,)]


def test_two_gateways_on_one_database(place: Place, make_gateway: MakeGateway, upstream: Upstream) -> None:
    """Feedback reaches an answer through whichever gateway, and none of many answers at once is missing."""
    with (
        make_gateway(records_url=place.url) as first,
        make_gateway(records_url=place.url) as second,
        httpx.Client(timeout=20) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        replies = list(pool.map(lambda n: client.post(f"{(first, second)[n % 2]}/vqa", json=body()).json(), range(16)))
        assert all(reply["recorded"] for reply in replies)
        for number, reply in enumerate(replies):
            gateway = (second, first)[number % 2]
            said = client.post(f"{gateway}/vqa/{reply['id']}/feedback", json={"who": "x", "correct_option": "B"})
            assert said.status_code == 201, said.text
        exported = client.get(f"{first}/v1/feedback").json()["answers"]
    assert [each["id"] for each in exported] == [reply["id"] for reply in replies]


def test_answers_go_out_while_the_database_is_away_and_are_kept_once_it_is_back(
    place: Place, make_gateway: MakeGateway, upstream: Upstream
) -> None:
    with (
        make_gateway(records_url=place.url, record_deadline_s=0.2) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        before = ask(client)
        said = {"who": "x", "right": True}
        with place.away():
            missed = [ask(client) for _ in range(3)]
            assert [reply["recorded"] for reply in missed] == [False] * 3
            assert all(reply["answer"]["letter"] == "B" and reply["degraded"] == [] for reply in missed)
            assert metric(client, "gateway_unrecorded_total") == 3
            assert metric(client, "gateway_records_waiting") == 3
            ready = client.get("/health/ready").json()
            assert ready["status"] == "ready"
            assert ready["dependencies"]["records"] == {
                "ok": False,
                "required": False,
                "detail": "the database is away or too slow; 3 wait",
            }
            refused = client.post(f"/vqa/{before['id']}/feedback", json=said)
            assert_problem(refused, 503, "records-unavailable")
            assert int(refused.headers["retry-after"]) >= 1
        wait_until(lambda: metric(client, "gateway_records_waiting") == 0)
        assert metric(client, 'gateway_records_total{outcome="late"}') == 3
        assert client.post(f"/vqa/{missed[1]['id']}/feedback", json=said).status_code == 201
        assert ask(client)["recorded"] is True
        assert client.get("/health/ready").json()["dependencies"]["records"]["ok"] is True


def test_a_gateway_starts_without_its_database_and_finds_it_later(
    tmp_path: Path, make_gateway: MakeGateway, upstream: Upstream
) -> None:
    blocked = tmp_path / "folder"
    blocked.write_text("in the way")
    place = sqlite_place(blocked / "records.db")
    with (
        make_gateway(records_url=place.url, record_deadline_s=0.2, record_max_waiting=2) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        assert [ask(client)["recorded"] for _ in range(4)] == [False] * 4
        # Two are in line; for the others there is no room.
        assert metric(client, 'gateway_records_total{outcome="lost"}') == 2
        assert client.get("/health/ready").json()["dependencies"]["records"]["ok"] is False
        blocked.unlink()
        wait_until(lambda: metric(client, 'gateway_records_total{outcome="late"}') == 2)
        assert ask(client)["recorded"] is True
    assert place.query("SELECT count(*) FROM answers") == [(3,)]


def test_records_can_be_switched_off(make_gateway: MakeGateway, upstream: Upstream) -> None:
    with make_gateway(records_url="") as url, httpx.Client(base_url=url, timeout=20) as client:
        reply = ask(client)
        assert reply["recorded"] is False
        assert "records" not in client.get("/health/ready").json()["dependencies"]
        said = client.post(f"/vqa/{reply['id']}/feedback", json={"who": "x", "right": True})
        assert_problem(said, 404, "records-off")
        assert_problem(client.get(f"/vqa/{reply['id']}"), 404, "records-off")
        assert_problem(client.get("/v1/feedback"), 404, "records-off")


def test_old_records_are_forgotten(tmp_path: Path, make_gateway: MakeGateway, upstream: Upstream) -> None:
    place = sqlite_place(tmp_path / "records.db")
    with make_gateway(records_url=place.url) as url, httpx.Client(base_url=url, timeout=20) as client:
        old, new = ask(client), ask(client)
    place.query(f"UPDATE answers SET at = '2020-01-01 00:00:00.000000' WHERE id = '{old['id']}'")  # noqa: S608
    for days, left in ((0, 2), (30, 1)):
        with make_gateway(records_url=place.url, record_days=days):
            wait_until(partial(_has_answers, place, left))
    assert place.query("SELECT id FROM answers") == [(new["id"],)]


def test_a_gateway_that_is_killed_right_after_a_reply_has_lost_no_record(
    tmp_path: Path, upstream_server: tuple[Upstream, str], upstream: Upstream, registry: Registry
) -> None:
    _, models = upstream_server
    port, file = free_port(), tmp_path / "records.db"
    settings = {
        "PORT": str(port),
        "POLICY_URL": models,
        "DOWNSTREAM_URL": f"{models}/v1",
        "DOWNSTREAM_MODEL": MODEL,
        "REGISTRY": str(registry.root),
        "SHIPPED": str(tmp_path),
        "RECORDS_URL": f"sqlite:///{file}",
        "RECORD_DEADLINE_S": "20",
    }
    environment = {**os.environ, **{f"TRUSTVQA_GATEWAY_{name}": value for name, value in settings.items()}}
    replies: list[dict[str, Any]] = []
    enough = threading.Semaphore(0)
    with subprocess.Popen(
        [sys.executable, "-m", "services.gateway"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as gateway:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
                wait_until(lambda: _is_alive(client), 60)

                def keep_asking() -> None:
                    while True:
                        try:
                            replies.append(client.post("/vqa", json=body()).json())
                        except httpx.HTTPError:
                            return
                        enough.release()

                askers = [threading.Thread(target=keep_asking) for _ in range(4)]
                for asker in askers:
                    asker.start()
                for _ in range(12):
                    assert enough.acquire(timeout=30)
                gateway.send_signal(signal.SIGKILL)
                for asker in askers:
                    asker.join(30)
        finally:
            gateway.kill()
    assert len(replies) >= 12
    assert all(reply["recorded"] for reply in replies)
    with closing(sqlite3.connect(file)) as connection:
        kept = {row[0] for row in connection.execute("SELECT id FROM answers")}
    assert {reply["id"] for reply in replies} <= kept


def _has_answers(place: Place, count: int) -> bool:
    return place.query("SELECT count(*) FROM answers") == [(count,)]


def _is_alive(client: httpx.Client) -> bool:
    try:
        return client.get("/health/live").status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.parametrize("wrong", [{"record_deadline_s": 0}, {"record_max_waiting": 0}, {"record_days": -1}])
def test_settings_of_records_that_cannot_be_meant(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="greater than"):
        GatewaySettings(**wrong)
