"""The benchmark of gateways: what it counts against a server whose behaviour is known, and its arithmetic."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from PIL import Image
from typer.testing import CliRunner

from benchmarks.gateway.__main__ import main
from benchmarks.gateway.page import put
from benchmarks.gateway.pictures_table import render
from benchmarks.gateway.real_size import OPTIONS, another, read_pictures
from benchmarks.gateway.side_by_side import SeveralQuestions, Way
from benchmarks.gateway.sizing import Need, cores, figures, need
from benchmarks.serving.load import Turn, ask_all, one_question, phantom_questions
from benchmarks.serving.processes import Service
from benchmarks.serving.stand_ins import Received
from prompt4trust.options.in_text import split_options
from tests.support.servers import running


class Counting:
    """A gateway that refuses every fourth question and notes what came."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.inside = self.most = 0

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/vqa")
        async def vqa(request: Request) -> JSONResponse:
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.bodies.append(await request.json())
            self.keys.add(request.headers.get("Authorization", ""))
            number = len(self.bodies)
            await asyncio.sleep(0)
            self.inside -= 1
            return JSONResponse({"recorded": number % 2 == 0}, 503 if number % 4 == 0 else 200)

        return app


async def test_every_question_is_asked_once_and_no_more_at_once_than_said() -> None:
    server = Counting()
    questions = [{**each, "question": str(number)} for number, each in enumerate(one_question(24))]
    with running(server.app()) as url:
        turn = await ask_all(url, questions, 3, {"Authorization": "Bearer k"})
    assert sorted(int(body["question"]) for body in server.bodies) == list(range(24))
    assert server.most <= 3
    assert server.keys == {"Bearer k"}
    assert (len(turn.answered), turn.failed, turn.recorded) == (18, {503: 6}, 6)
    assert turn.per_second == pytest.approx(18 / turn.seconds)
    assert max(turn.answered) <= turn.seconds


async def test_a_server_that_is_away_is_counted_not_raised() -> None:
    turn = await ask_all("http://127.0.0.1:9", one_question(3), 2)
    assert (turn.answered, turn.failed) == ((), {0: 3})


def test_no_two_questions_of_a_turn_can_share_guidance() -> None:
    made = [*phantom_questions(20, seed=1), *phantom_questions(20, seed=2)]
    assert len({each["question"] for each in made}) == 40
    assert len({each["image"] for each in made}) == 40
    assert all(2 <= len(each["options"]) <= 26 for each in made)


def test_figures_are_of_all_rounds() -> None:
    slow = Turn(4, 2.0, (0.1,) * 10, {}, 10)
    quick = Turn(4, 1.0, (0.3,) * 10, {429: 2}, 5)
    found = figures([slow, quick, quick])
    assert found["per_second"] == {"median": 10, "least": 5, "most": 10}
    assert (found["p50_ms"], found["p95_ms"]) == (300, 300)
    assert (found["answers"], found["failed"], found["recorded_percent"]) == (30, {"429": 4}, pytest.approx(66.7))


@pytest.mark.parametrize(
    ("rate", "seconds", "at_once", "headroom", "replicas"),
    [
        (10, 0.4, 4, 1, 1),  # four in flight, four at once
        (10, 0.41, 4, 1, 2),
        (10, 0.4, 4, 1.5, 2),
        (0.1, 0.4, 4, 1.5, 1),  # one at least
        (100, 2, 64, 1.5, 5),  # 4.69
        (3, 0.1, 1, 1, 1),  # 0.3, and not by a rounding error more
    ],
)
def test_replicas_are_what_is_in_flight_over_what_one_takes(
    rate: float, seconds: float, at_once: int, headroom: float, replicas: int
) -> None:
    assert Need(rate, seconds, at_once, headroom).replicas == replicas


def test_the_printed_arithmetic_is_that_of_the_figures() -> None:
    found = figures([Turn(8, 4.0, (0.8,) * 40, {}, 40)])
    assert str(need(found, 25, 1.5)) == "25/s x 0.800 s = 20.0 in flight; / 8 at once x 1.5 = 3.75: 4 replicas"


def test_cores_are_rate_times_processor_time() -> None:
    found = {"together": 4, "cpu_ms": {"policy": 15.0, "downstream": 28.0, "gateway": 12.0}}
    assert cores(found, 10, 2) == "4 at once: 10/s x 55.0 ms of a core x 2 = 1.10 cores"


def test_a_deployment_is_measured_by_its_address(tmp_path: Path) -> None:
    import typer

    app = typer.Typer()
    app.command()(main)
    server = Counting()
    with running(server.app()) as url:
        done = CliRunner().invoke(
            app,
            [
                "--url",
                url,
                "--answers",
                "8",
                "--rounds",
                "2",
                "--together",
                "1,2",
                "--output",
                str(tmp_path / "r.json"),
            ],
            env={"TRUSTVQA_API_KEY": "secret-key"},
        )
    assert done.exit_code == 0, done.output
    kept = json.loads((tmp_path / "r.json").read_text())
    assert server.keys == {"Bearer secret-key"}
    assert len(server.bodies) == 8 * 2 * 3  # a warm-up and two rounds at two concurrencies
    listed = kept["deployment"]["concurrencies"]
    assert [each["together"] for each in listed] == [1, 2]
    assert sum(each["answers"] + each["failed"]["503"] for each in listed) == 32
    assert "secret-key" not in (tmp_path / "r.json").read_text() + done.output
    assert "replica" in done.output
    assert set(kept["machine"]) >= {"processor", "cores", "memory_gb", "load_average"}


async def test_pictures_are_sent_as_they_lie_there_and_weighed_where_they_arrive(tmp_path: Path) -> None:
    path = tmp_path / "scan"
    Image.new("L", (30, 20), 7).save(path, "JPEG")
    [sent] = read_pictures([path])
    assert (sent.name, sent.media_type) == ("30 x 20 JPEG, 0 KB", "image/jpeg")
    received = Received(sent.chat_body("model-1"))
    assert received.picture_bytes() == len(path.read_bytes())
    [asked] = [part["text"] for part in json.loads(received.body)["messages"][0]["content"] if part["type"] == "text"]
    assert split_options(asked).options == OPTIONS  # the gateway's other way takes it, too
    server = Counting()
    with running(server.app()) as url:
        await ask_all(url, [sent.vqa_body()], 1)
    assert base64.b64decode(server.bodies[0]["image"]) == path.read_bytes()


def test_seven_questions_are_about_each_of_several_pictures_of_one_size(tmp_path: Path) -> None:
    path = tmp_path / "noise.jpg"
    noise = np.random.default_rng(0).integers(0, 255, (96, 120), dtype=np.uint8)
    Image.fromarray(noise).save(path, quality=80)
    (picture,) = read_pictures([path])
    asked = SeveralQuestions(picture, 3)
    way = Way("gateway", "http://localhost", "/vqa", None)
    bodies = [json.loads(body) for _ in range(2) for body in asked(way)]
    by_picture = Counter(body["image"] for body in bodies)
    assert list(by_picture.values()) == [7] * 6
    assert len({body["question"] for body in bodies}) == 42
    assert all(
        abs(len(base64.b64decode(file)) / len(picture.file) - 1) < 0.1 and base64.b64decode(file) != picture.file
        for file in by_picture
    )
    assert another(picture, 1) == another(picture, 1)


def test_the_table_compares_with_the_peer() -> None:
    way = {
        "together": 1, "p50_ms": 30.0, "p95_ms": 41.0, "p99_ms": 45.0, "cpu_ms": 10.0, "per_second": {"median": 31.0},
        "failed": {},
    }  # fmt: skip
    bare = way | {"p50_ms": 4.0, "p95_ms": 5.0, "p99_ms": 5.0, "cpu_ms": 0}
    ways = {"gateway": way, "LiteLLM": way | {"p50_ms": 20.0, "p99_ms": 25.0, "cpu_ms": 5.0}, "model alone": bare}
    broken = ways | {"LiteLLM": bare | {"p50_ms": None, "failed": {"500": 3}}}
    sizes = {"gateway": 47_100, "LiteLLM": 47_000, "model alone": 47_000}
    picture = {"picture": "a scan", "downstream_bytes": sizes, "concurrencies": [ways, broken]}
    lines = render({"litellm": "1.108.7", "load_average": [2.0, 3.5], "pictures": [picture]})
    assert "beside LiteLLM 1.108.7, in turns; load average 2 before and 3.5 after" in lines[0]
    assert "| 1 | gateway | 30 (1.50) | 41 | 40 (2.00) | 10 | 100 (0.50) | 31 | 47 |" in lines
    assert "| 1 | LiteLLM | 20 | 41 | 20 | 5 | 200 | 31 | 47 |" in lines
    assert "| 1 | model alone | 4 | 5 |  |  |  | 31 | 47 |" in lines
    assert "| 1 | gateway | 30 | 41 | 40 | 10 | 100 | 31 | 47 |" in lines  # beside a peer that answered nothing
    assert any("LiteLLM | none answered" in line for line in lines)
    assert len({line.count("|") for line in lines if line.startswith("| 1 |")}) == 1


def test_a_service_counts_what_its_processes_spend() -> None:
    code = (
        "import subprocess, sys, time\n"
        "subprocess.run([sys.executable, '-c', 'x = sum(i * i for i in range(1_500_000))'])\n"
        "print('done', flush=True)\nsys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    service = Service("some", "", process)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"done\n"
        own = psutil.Process(process.pid).cpu_times()
        assert service.cpu_s() > own.user + own.system
        assert service.rss_mb() > 1
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait()


def test_the_page_has_the_figures_that_were_measured() -> None:
    """`make bench-gateway ARGS="--page docs/operations.md"` measures anew and changes both."""
    root = Path(__file__).resolve().parents[2]
    page = (root / "docs" / "operations.md").read_text(encoding="utf-8")
    measured = json.loads((root / "benchmarks" / "gateway" / "results.json").read_text(encoding="utf-8"))
    assert put(page, measured) == page
    assert f"| 32 | {measured['embedded']['concurrencies'][-1]['per_second']['median']:.3g} (" in page
    with pytest.raises(ValueError, match="no marks"):
        put("a page without", measured)
