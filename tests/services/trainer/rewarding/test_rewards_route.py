"""`POST /v1/rewards`: replies are read, pictures are asked about, and what cannot be rewarded is told."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from services.trainer.rewarding.attempts import MAX_ATTEMPTS
from tests.services.trainer.conftest import Service, Start
from tests.support.keys import bearer, keys_at
from tests.support.openai_app import ScriptedServer
from tests.support.servers import running

ASKED = {"question": "Which side?", "options": ["left", "right"], "truth": "A"}
RIGHT = "The answer is A with confidence 80."
WRONG = "The answer is B with confidence 90."


def replied(reply: str, **more: Any) -> dict[str, Any]:
    return {**ASKED, "reply": reply, **more}


def rewards(service: Service, **request: Any) -> dict[str, Any]:
    reply = service.http.post("/v1/rewards", json=request)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def test_replies_are_read_and_rewarded_in_their_order(start: Start) -> None:
    attempts = [replied(RIGHT), replied(WRONG), replied("I cannot say."), replied(RIGHT, cut_off=True)]
    attempts[0]["truth"] = " a "
    found = rewards(start(), reward={"brier": 1, "tail_weighted": 0.5}, attempts=attempts)
    assert found["reward"] == "1 x brier + 0.5 x tail_weighted"
    assert found["rewards"] == [each["reward"] for each in found["attempts"]]
    right, wrong, invalid, _ = found["attempts"]
    assert right["parts"] == pytest.approx({"brier": 0.96, "tail_weighted": 1 - 0.04 * (1 + 1.6 + 1.92) / 3})
    assert right["reward"] == pytest.approx(right["parts"]["brier"] + 0.5 * right["parts"]["tail_weighted"])
    assert (right["correct"], right["answer"], right["confidence"]) == (True, "A", 0.8)
    assert wrong["parts"] == pytest.approx({"brier": -0.81, "tail_weighted": -(0.9**4)})
    assert (wrong["correct"], wrong["invalid"]) == (False, None)
    assert (invalid["reward"], invalid["correct"], invalid["invalid"]) == (-1.5, None, "no_answer")


def test_without_a_reply_the_model_is_asked_with_the_guidance_and_the_picture(start: Start, tmp_path: Path) -> None:
    server = ScriptedServer(lambda prompt: RIGHT if "edges" in prompt else 500 if "fail" in prompt else WRONG)
    with running(server.app) as url:
        service = start(downstream_url=f"{url}/v1", downstream_model="scripted", reward_deadline_s=20)
        Image.new("L", (8, 8), 3).save(tmp_path / "data" / "a.png")
        asked = {**ASKED, "image": "a.png"}
        attempts = [{**asked, "guidance": "Weigh the edges."}, asked, replied(WRONG)]
        found = rewards(service, attempts=attempts)
    assert found["rewards"] == pytest.approx([math.log(0.8), math.log(0.1) - 1, math.log(0.1) - 1])
    assert len(server.bodies) == 2
    assert all("data:image/" in str(body["messages"]) for body in server.bodies)


def test_an_attempt_that_nobody_could_be_asked_for_has_no_reward(start: Start, tmp_path: Path) -> None:
    server = ScriptedServer(lambda prompt: 400)
    with running(server.app) as url:
        service = start(downstream_url=f"{url}/v1", downstream_model="scripted")
        Image.new("L", (8, 8), 3).save(tmp_path / "data" / "a.png")
        (tmp_path / "data" / "b.png").write_bytes(b"no picture")
        attempts = [{**ASKED, "image": "a.png"}, {**ASKED, "image": "b.png"}, replied(RIGHT)]
        found = rewards(service, reward="brier", attempts=attempts)
    assert found["rewards"] == [None, None, pytest.approx(0.96)]
    lost = found["attempts"][0]
    assert (lost["parts"], lost["lost"]) == ({}, "the picture or the model could not be reached")
    assert str(tmp_path) not in str(found)


def test_what_is_late_or_too_much_at_once_is_told(start: Start, tmp_path: Path) -> None:
    server = ScriptedServer(lambda prompt: None)
    with running(server.app) as url:
        service = start(
            downstream_url=f"{url}/v1",
            downstream_model="scripted",
            reward_deadline_s=0.5,
            reward_batches=1,
            reward_in_flight=1,
        )
        Image.new("L", (8, 8), 3).save(tmp_path / "data" / "a.png")
        request = {"attempts": [{**ASKED, "image": "a.png"}] * 8}  # one after another, each until half the time is over

        async def both() -> list[httpx.Response]:
            async with httpx.AsyncClient(base_url=service.http.base_url, timeout=30) as http:
                return await asyncio.gather(*(http.post("/v1/rewards", json=request) for _ in range(2)))

        replies = asyncio.run(both())
    assert sorted(each.status_code for each in replies) == [429, 504]
    full = next(each for each in replies if each.status_code == 429)
    assert full.json()["type"].endswith("too-many-batches")
    assert full.headers["Retry-After"] == "1"


def test_pictures_leave_for_no_host_that_is_not_switched_on(start: Start, tmp_path: Path) -> None:
    service = start(downstream_url="http://models.example.org/v1")
    Image.new("L", (8, 8), 3).save(tmp_path / "data" / "a.png")
    reply = service.http.post("/v1/rewards", json={"attempts": [{**ASKED, "image": "a.png"}]})
    assert (reply.status_code, reply.json()["type"].split(":")[-1]) == (503, "picture-egress-refused")


@pytest.fixture(scope="module")
def wrongs() -> dict[str, dict[str, Any]]:
    one = replied(RIGHT)
    return {
        "none": {"attempts": []},
        "too many": {"attempts": [one] * (MAX_ATTEMPTS + 1)},
        "unknown reward": {"reward": "applause", "attempts": [one]},
        "weight": {"reward": {"brier": -1}, "attempts": [one]},
        "neither": {"attempts": [ASKED]},
        "both": {"attempts": [{**one, "image": "a.png"}]},
        "truth": {"attempts": [{**one, "truth": "C"}]},
        "no letter": {"attempts": [{**one, "truth": "AB"}]},
        "open": {"attempts": [{**one, "options": []}]},
        "blank": {"attempts": [{**one, "question": " "}]},
        "long": {"attempts": [{**one, "reply": "x" * 32_001}]},
        "cut off": {"attempts": [{**ASKED, "image": "a.png", "cut_off": True}]},
        "absent": {"attempts": [{**ASKED, "image": "absent.png"}]},
        "outside": {"attempts": [{**ASKED, "image": "../registry"}]},
        "absolute": {"attempts": [{**ASKED, "image": "/etc/passwd"}]},
        "nul": {"attempts": [{**ASKED, "image": "a\x00b"}]},
    }


def test_batches_that_are_wrong(start: Start, wrongs: dict[str, dict[str, Any]]) -> None:
    service = start()
    for name, request in wrongs.items():
        reply = service.http.post("/v1/rewards", json=request)
        assert reply.status_code == 422, (name, reply.text)
        assert reply.json()["errors"], name


def test_rewards_are_for_administrators(start: Start, tmp_path: Path) -> None:
    keys = keys_at(tmp_path / "keys.json", user=["ask"], admin="admin")
    http = start(api_keys=tmp_path / "keys.json", host="0.0.0.0", key=keys["admin"]).http  # noqa: S104 - the setting
    body = {"attempts": [replied(RIGHT)]}
    assert http.post("/v1/rewards", json=body, headers={"Authorization": ""}).status_code == 401
    assert http.post("/v1/rewards", json=body, headers=bearer(keys["user"])).status_code == 403
    assert http.post("/v1/rewards", json=body).status_code == 200
