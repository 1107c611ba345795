"""A newcomer's way through the whole stack, and the death of a part of it."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from openai import OpenAI

from prompt4trust.datasets import load_dataset
from prompt4trust.datasets.phantoms.generator import generate
from prompt4trust.questions import Question
from tests.services.gateway.checks import said
from tests.support.waiting import wait_until
from tests.system.conftest import ROOT, TRUSTVQA, Stack
from tests.system.readme import differences, first_example, run_example

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

SAMPLE = ROOT / "services/gateway/static/samples/ultrasound.png"
OPTIONS = ["Round", "Oval", "Spiculated", "Ring-shaped"]
QUESTION = "What shape are the findings?"
METHOD = "verbalized"


def ask(stack: Stack, image: Path = SAMPLE, **fields: Any) -> httpx.Response:
    return httpx.post(
        f"{stack.gateway}/vqa",
        data={"question": QUESTION, "options": OPTIONS, **fields},
        files={"image": image.read_bytes()},
        timeout=60,
    )


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> list[Question]:
    """Held-out phantoms from a stream that no model and no calibrator was fitted on."""
    folder = tmp_path_factory.mktemp("phantoms") / "test"
    generate(folder, n=240, seed=11, split="test")
    return list(load_dataset(folder / "questions.csv").questions)


def test_every_service_is_ready_and_tells_its_version(stack: Stack) -> None:
    for service in ("gateway", "policy", "downstream", "trainer"):
        ready = httpx.get(f"{stack.url(service)}/health/ready")
        assert ready.status_code == 200, ready.text
        version = httpx.get(f"{stack.url(service)}/version").json()
        assert version["service"] == service
        assert version["software"]
        assert "http_requests_in_flight" in httpx.get(f"{stack.url(service)}/metrics").text


def test_the_doctor_finds_no_fault(stack: Stack) -> None:
    named = [f"--{service}={stack.url(service)}" for service in ("gateway", "policy", "downstream", "trainer")]
    done = subprocess.run([TRUSTVQA, "doctor", "--json", *named], cwd=ROOT, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)
    assert [each for each in found if each["state"] == "fault"] == []
    assert done.returncode == 0
    assert {"gateway", "policy", "downstream", "trainer", "calibrator"} <= {
        each["of"] for each in found if each["state"] == "ok"
    }


def test_one_question_is_found_by_its_id_in_the_logs_of_three_services_all_of_json(stack: Stack) -> None:
    fields = {"question": "What shape is the largest finding?", "options": OPTIONS}
    asked = httpx.post(
        f"{stack.gateway}/vqa",
        data=fields,
        files={"image": SAMPLE.read_bytes()},
        headers={"X-Request-Id": "followed-through"},
        timeout=60,
    )
    assert asked.status_code == 200

    def services() -> set[str]:
        logs = [path.read_text().splitlines() for path in stack.logs.glob("*.log")]
        lines = [json.loads(line) for log in logs for line in log]
        return {line["service"] for line in lines if line.get("request_id") == "followed-through"}

    # An access line is written after the reply.
    wait_until(lambda: services() == {"gateway", "policy", "downstream"})
    assert len(list(stack.logs.glob("*.log"))) == 4


def test_a_picture_and_a_question_get_a_calibrated_answer(stack: Stack) -> None:
    reply = ask(stack).json()
    assert said(reply)["letter"] in "ABCD"
    assert said(reply)["text"] == OPTIONS["ABCD".index(said(reply)["letter"])]
    assert reply["calibration"]["calibrated"] is True
    assert reply["calibration"]["fitted_on"]["n"] >= 1000
    assert 0 < reply["confidence"] < 1
    assert reply["confidence"] != reply["calibration"]["stated_confidence"]
    assert reply["guidance_prompt"]
    assert reply["degraded"] == []
    assert reply["models"] == {"policy": "policy-mini-grpo-1", "downstream": "downstream-mini-1"}


def test_the_readme_shows_an_answer_that_is_right_and_what_a_reader_gets(stack: Stack) -> None:
    command, shown = first_example()
    reply = run_example(command, stack.gateway)
    assert list(differences(shown, reply)) == []
    assert (shown["decision"], shown["answer"]["text"]) == ("answer", "Left")  # both findings lie left of the middle
    assert shown["decision_basis"]["guarantee"] is True


def test_the_api_page_shows_a_whole_reply(stack: Stack) -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    written = re.search(r"A whole reply.*?```json\n(.*?)```", page, re.DOTALL)
    assert written
    shown, reply = json.loads(written[1]), run_example(first_example()[0], stack.gateway)
    for changing in ("id", "timing_ms", "usage"):
        assert set(shown) == set(reply)
        del shown[changing], reply[changing]
    assert reply == shown


def test_the_readme_s_second_question_is_left_to_a_person(stack: Stack) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    written = re.search(r"```sh\n(\.venv/bin/trustvqa ask .*?)```\n+```\n(.*?)```", readme, re.DOTALL)
    assert written
    command = f"{written[1].strip()} --gateway {stack.gateway}".replace(".venv/bin/trustvqa", f"'{TRUSTVQA}'")
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    for line in written[2].splitlines():
        assert " ".join(line.split()) in lines


def test_an_app_that_knows_only_openais_client_gets_the_same_answer(stack: Stack) -> None:
    options = "\n".join(f"{letter}: {text}" for letter, text in zip("ABCD", OPTIONS, strict=True))
    picture = base64.b64encode(Path(SAMPLE).read_bytes()).decode()
    content: list[Any] = [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}},
        {"type": "text", "text": f"{QUESTION}\n{options}"},
    ]
    with OpenAI(base_url=f"{stack.gateway}/v1", api_key="none", max_retries=0) as client:
        asked: dict[str, Any] = {"model": "calibrated-vqa", "messages": [{"role": "user", "content": content}]}
        reply = client.chat.completions.create(**asked, extra_body={"max_risk": 0.9})
        chunks = list(client.chat.completions.create(**asked, stream=True, extra_body={"max_risk": 0.9}))
    posted = ask(stack, max_risk="0.9").json()
    assert reply.calibration["decision"] == posted["decision"] == "answer"
    assert reply.calibration["answer"] == posted["answer"]
    assert reply.calibration["confidence"] == posted["confidence"]
    assert reply.choices[0].message.content.startswith(f"{posted['answer']['letter']} ({posted['answer']['text']}). ")
    assert "".join(each.choices[0].delta.content or "" for each in chunks) == reply.choices[0].message.content


def test_the_terminal_command_gives_the_same_answer(stack: Stack) -> None:
    options = [argument for text in OPTIONS for argument in ("-o", text)]
    done = subprocess.run(
        [TRUSTVQA, "ask", SAMPLE, QUESTION, *options, "--gateway", stack.gateway, "--json"],
        capture_output=True,
        timeout=60,
    )
    assert done.returncode in (0, 3), done.stderr
    printed, posted = json.loads(done.stdout), ask(stack).json()
    assert (said(printed), printed["confidence"]) == (said(posted), posted["confidence"])


def test_commands_find_the_stack_that_runs_here(stack: Stack) -> None:
    def run(*arguments: str | Path, status: tuple[int, ...] = (0,)) -> Any:
        environment = {key: value for key, value in os.environ.items() if key != "TRUSTVQA_URL"}
        done = subprocess.run(
            [TRUSTVQA, *arguments, "--json"], cwd=ROOT, env=environment, capture_output=True, timeout=60
        )
        assert done.returncode in status, done.stderr
        return json.loads(done.stdout)

    options = [argument for text in OPTIONS for argument in ("-o", text)]
    answer = run("ask", SAMPLE, QUESTION, *options, status=(0, 3))
    kept = run("feedback", answer["id"], "--right", said(answer)["letter"].lower(), "--who", "a radiologist")
    assert (kept["right"], kept["who"]) == (True, "a radiologist")
    assert run("runs", "list") == httpx.get(f"{stack.url('trainer')}/v1/runs").json()["runs"]
    assert run("policies") == httpx.get(f"{stack.url('policy')}/v1/policies").json()


def test_calibrated_confidence_is_honest_where_the_stated_one_is_not(stack: Stack, questions: list[Question]) -> None:
    def answer(question: Question) -> tuple[float, float, bool]:
        assert question.image is not None
        reply = ask(stack, question.image, question=question.text, options=[*question.options.values()], method=METHOD)
        told = reply.json()
        return told["calibration"]["stated_confidence"], told["confidence"], said(told)["letter"] == question.answer

    with ThreadPoolExecutor(12) as askers:
        stated, calibrated, correct = zip(*askers.map(answer, questions), strict=True)
    accuracy = float(np.mean(correct))
    # n = 240: the standard error of accuracy is 0.03.
    assert accuracy > 0.5
    assert np.mean(stated) - accuracy > 0.1
    assert abs(np.mean(calibrated) - accuracy) < 0.1


def test_without_the_policy_it_answers_says_so_and_recovers(stack: Stack) -> None:
    stack.child("policy").send_signal(signal.SIGKILL)
    # A question that was not asked before: guidance that the gateway keeps is told for two seconds more.
    reply = ask(stack, question="What is the shape of the findings?").json()
    assert reply["degraded"] == ["policy"]
    assert reply["guidance_prompt"] is None
    assert reply["calibration"]["calibrated"] is True
    assert "verbalized" in reply["calibration"]["calibrator"]
    wait_until(lambda: ask(stack).json()["degraded"] == [], 60)


def test_without_the_downstream_model_it_says_when_to_come_back_and_recovers(stack: Stack) -> None:
    stack.child("downstream").send_signal(signal.SIGKILL)
    refused = ask(stack)
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert httpx.get(f"{stack.gateway}/health/live").status_code == 200
    wait_until(lambda: ask(stack).status_code == 200, 60)


def test_make_up_names_a_taken_port_and_the_way_out(stack: Stack) -> None:
    done = subprocess.run(
        # With the programs of these tests, and as they are: whether an environment is up to date, and what brings it
        # there, is another matter, which takes minutes.
        ["make", "-o", ".venv/.installed", f"BIN={os.path.relpath(TRUSTVQA.parent, ROOT)}", "up", f"PORT={stack.port}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        env={**{k: v for k, v in os.environ.items() if not k.startswith("MAKE")}, "LC_ALL": "C"},
    )
    assert done.returncode == 2, done.stderr
    assert f"{stack.port} (gateway)" in done.stderr
    assert "make up PORT=" in done.stderr
    assert "Error 1" in done.stderr  # what the command ended with, as make tells it


def test_the_first_curl_line_is_printed_for_the_ports_in_use(stack: Stack) -> None:
    assert f"curl -s {stack.gateway}/vqa" in stack.output.read_text()
