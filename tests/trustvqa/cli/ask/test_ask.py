"""The command that asks the gateway, run as a person runs it against a real HTTP server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Form, Request, UploadFile
from fastapi.responses import JSONResponse
from typer.testing import CliRunner

from tests.prompt4trust.pictures.dicom.objects import ct, written
from tests.support.servers import free_port, running
from trustvqa.cli.main import app as cli

REPLY: dict[str, Any] = {
    "id": "1",
    "answer": {"letter": "B", "text": "Oval"},
    "confidence": 0.71,
    "calibration": {"calibrated": True, "stated_confidence": 0.95, "fitted_on": {"n": 2000}},
    "decision": "answer",
    "decision_basis": {"reason": "0.71 is at least 0.50"},
    "option_set": {"letters": ["B", "C"], "reason": "The right option is among these for 90 % of questions."},
    "guidance_prompt": "Look at the [border] first.",
    "explanation": "The answer is B with confidence 95.",
    "models": {"policy": "p-1", "downstream": "d-1"},
    "degraded": [],
    "timing_ms": {"total": 123.4},
}


@pytest.fixture(scope="module")
def gateway() -> Iterator[tuple[str, dict[str, Any]]]:
    """A gateway that repeats what it was asked; its next reply can be set."""
    state: dict[str, Any] = {"reply": REPLY, "status": 200}
    app = FastAPI()

    @app.post("/vqa")
    async def vqa(
        request: Request,
        image: UploadFile,
        question: str = Form(),
        options: list[str] = Form(default=[]),
        max_risk: str = Form(default=""),
        coverage: str = Form(default=""),
        frame: str = Form(default=""),
        window: str = Form(default=""),
        groups: str = Form(default=""),
    ) -> JSONResponse:
        state["asked"] = (await image.read(), question, options, max_risk, coverage)
        state["part"] = (frame, window)
        state["groups"] = groups
        state["shown"] = request.headers.get("Authorization")
        state["keys"] = [*state.get("keys", []), request.headers.get("Idempotency-Key")]
        if state.get("failures"):
            status, headers = state["failures"].pop()
            return JSONResponse({"detail": "come back later"}, status_code=status, headers=headers)
        return JSONResponse(state["reply"], status_code=state["status"])

    with running(app) as url:
        yield url, state


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a picture.png"
    path.write_bytes(b"\x89PNG pixels")
    return path


def run(*arguments: str, **environment: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli, ["ask", *arguments], env={"COLUMNS": "160", **environment})
    return result.exit_code, result.stdout, result.stderr


def test_sends_everything_and_prints_an_answer_a_person_can_read(
    gateway: tuple[str, dict[str, Any]], picture: Path
) -> None:
    url, state = gateway
    state |= {"reply": REPLY, "status": 200}
    status, out, _ = run(
        *(str(picture), "Which shape?", "-o", "Round", "-o", "Oval"),
        *("--max-risk", "0.2", "--coverage", "0.9", "--gateway", url),
    )
    assert status == 0
    assert state["asked"] == (b"\x89PNG pixels", "Which shape?", ["Round", "Oval"], "0.2", "0.9")
    for expected in (
        "B. Oval",
        "71 %",
        "calibrated on 2000 answers",
        "stated 95 %",
        "Look at the [border] first.",
        "B, C: The right option is among these for 90 % of questions.",
        "123 ms",
    ):
        assert expected in out
    assert "NOT calibrated" not in out


def test_an_open_question_is_asked_as_one_whatever_its_lines_are(
    gateway: tuple[str, dict[str, Any]], picture: Path
) -> None:
    url, state = gateway
    state |= {"reply": REPLY, "status": 200}
    text = "What is seen?\nA: before\nB: after"
    for given, sent in ((("--open",), ["[]"]), ((), [])):
        assert run(str(picture), text, *given, "--gateway", url)[0] == 0
        assert state["asked"][1:3] == (text, sent)
    status, _, said = run(str(picture), text, "--open", "-o", "x", "-o", "y", "--gateway", url)
    assert (status, "has no options" in said) == (2, True)


def test_lines_that_may_be_options_are_told_with_the_ways_out(
    gateway: tuple[str, dict[str, Any]], picture: Path
) -> None:
    url, state = gateway
    problem = {"type": "urn:trustvqa:problem:unclear-options", "status": 422, "detail": "Check question: it ends."}
    state |= {"reply": problem, "status": 422}
    status, _, said = run(str(picture), "Which?\n- x\n- y", "--gateway", url)
    assert (status, "Check question: it ends. By this command:" in said, "--open" in said) == (1, True, True)
    state |= {"reply": problem | {"type": "urn:trustvqa:problem:invalid-request"}}
    assert "--open" not in run(str(picture), "Which?", "--gateway", url)[2]


def test_groups_are_named_on_the_command_line(gateway: tuple[str, dict[str, Any]], picture: Path) -> None:
    url, state = gateway
    state |= {"reply": REPLY, "status": 200}
    question = (str(picture), "Which shape?", "--gateway", url)
    assert run(*question, "--group", "modality=CT", "--group", "age band = 60-74")[0] == 0
    assert json.loads(state["groups"]) == {"modality": "CT", "age band": "60-74"}
    for wrong, said in (("modality", "write NAME=VALUE"), ("=CT", "write NAME=VALUE"), ("modality=MR", "named twice")):
        status, _, err = run(*question, "--group", "modality=CT", "--group", wrong)
        assert status == 1
        assert said in err


def test_a_deferral_shows_no_answer_unless_the_guess_is_asked_for(
    gateway: tuple[str, dict[str, Any]], picture: Path
) -> None:
    url, state = gateway
    state["reply"] = REPLY | {"decision": "defer", "decision_basis": {"reason": "0.31 is below 0.50"}}
    status, out, _ = run(str(picture), "Which shape?", "--gateway", url)
    assert status == 3
    assert out.startswith("No answer")
    assert "there is no reliable one: judge the picture yourself" in out
    assert "0.31 is below 0.50" in out
    for said in ("Oval", "71 %", "The answer is"):
        assert said not in out
    status, out, _ = run(str(picture), "Which shape?", "--gateway", url, "--show-guess")
    assert status == 3
    lines = out.splitlines()
    assert lines[0].startswith("No answer")
    assert [line.split()[:3] for line in lines if "Oval" in line] == [["Guess", "B.", "Oval"]]


def test_a_deferral_shows_no_set_of_one_option(gateway: tuple[str, dict[str, Any]], picture: Path) -> None:
    url, state = gateway
    alone = {"letters": ["B"], "reason": "Only B is left."}
    state["reply"] = REPLY | {
        "decision": "defer",
        "decision_basis": {"reason": "0.31 is below 0.50"},
        "option_set": alone,
    }
    status, out, _ = run(str(picture), "Which shape?", "--gateway", url)
    assert status == 3
    assert "Options left" not in out
    assert "B" not in out
    state["reply"] = REPLY | {"decision": "defer"}
    assert "Options left" in run(str(picture), "Which shape?", "--gateway", url)[1]


def test_what_is_not_certain_is_not_shown_as_certain(gateway: tuple[str, dict[str, Any]], picture: Path) -> None:
    url, state = gateway
    state["reply"] = REPLY | {"confidence": 0.9957}
    out = run(str(picture), "Which shape?", "--gateway", url)[1]
    assert "more than 99 %" in out
    assert "100" not in out


def test_an_uncalibrated_deferral_is_said_plainly_and_ends_with_3(
    gateway: tuple[str, dict[str, Any]], picture: Path
) -> None:
    url, state = gateway
    state["reply"] = REPLY | {"calibration": {"calibrated": False, "stated_confidence": 0.95}, "decision": "defer",
                              "degraded": ["policy"]}  # fmt: skip
    status, out, _ = run(str(picture), "Which shape?", "--gateway", url, "--show-guess")
    assert status == 3
    assert "NOT calibrated" in out
    assert "no reliable one" in out
    assert "policy" in out.split("Done without")[1]


@pytest.mark.parametrize("option", ["--gateway", "--url"])
def test_json_prints_the_reply_unchanged(gateway: tuple[str, dict[str, Any]], picture: Path, option: str) -> None:
    url, state = gateway
    state |= {"reply": REPLY, "status": 200}
    status, out, _ = run(str(picture), "Which shape?", "--json", option, url)
    assert status == 0
    assert json.loads(out) == REPLY


def test_it_imports_nothing_that_it_can_do_without(gateway: tuple[str, dict[str, Any]], picture: Path) -> None:
    url, state = gateway
    state |= {"reply": REPLY, "status": 200}
    program = (
        "import sys\nfrom trustvqa.cli.main import app\n"
        f"try:\n    app(['ask', {str(picture)!r}, 'Which shape?', '--json', '--gateway', {url!r}])\n"
        "finally:\n    print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == REPLY
    loaded = set(done.stderr.split())
    # From 0.29 on Typer itself brings pydantic: constraints.txt pins one that does not.
    assert not {"httpx", "stamina", "anyio", "asyncio", "numpy", "pydantic", "services"} & loaded


def test_a_problem_document_is_shown_as_its_detail(gateway: tuple[str, dict[str, Any]], picture: Path) -> None:
    url, state = gateway
    state |= {"reply": {"title": "Not an image", "detail": "send a PNG"}, "status": 415}
    status, out, err = run(str(picture), "Which shape?", "--gateway", url)
    assert (status, out) == (1, "")
    assert "send a PNG" in err


def test_a_busy_gateway_is_asked_again_with_the_same_key(gateway: tuple[str, dict[str, Any]], picture: Path) -> None:
    url, state = gateway
    state |= {"reply": REPLY, "status": 200, "keys": [], "failures": [(503, {"Retry-After": "0"}), (502, {})]}
    status, out, err = run(str(picture), "Which shape?", "--json", "--gateway", url)
    assert status == 0
    assert json.loads(out) == REPLY
    assert err.count("asking again") == 2
    (key,) = set(state["keys"])
    assert len(state["keys"]) == 3
    assert uuid.UUID(key.strip('"')).version == 4
    run(str(picture), "Which shape?", "--gateway", url)
    assert state["keys"][3] != key


def test_a_reply_that_is_cut_short_is_asked_for_again_under_the_same_key(
    gateway: tuple[str, dict[str, Any]], picture: Path
) -> None:
    url, state = gateway
    state |= {"reply": REPLY, "status": 200, "keys": [], "failures": [(200, {"Content-Length": "1000"})]}
    status, _, err = run(str(picture), "Which shape?", "--gateway", url)
    assert status == 0
    assert "the reply broke off; asking again" in err
    assert len(state["keys"]) == 2
    assert len(set(state["keys"])) == 1


def test_a_pipe_is_read_once_however_often_its_picture_is_sent(
    gateway: tuple[str, dict[str, Any]], tmp_path: Path
) -> None:
    url, state = gateway
    state |= {"reply": REPLY, "status": 200, "keys": [], "failures": [(503, {"Retry-After": "0"})]}
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writing = threading.Thread(target=lambda: pipe.write_bytes(b"\x89PNG piped"), daemon=True)
    writing.start()
    assert run(str(pipe), "Which shape?", "--gateway", url)[0] == 0
    assert state["asked"][0] == b"\x89PNG piped"
    assert len(state["keys"]) == 2
    writing.join(20)
    assert not writing.is_alive()


def test_neither_a_key_of_two_lines_nor_bytes_that_are_no_text_are_sent_or_shown(
    gateway: tuple[str, dict[str, Any]], picture: Path, tmp_path: Path
) -> None:
    url, state = gateway
    state |= {"reply": REPLY, "status": 200, "keys": []}
    (tmp_path / "key").write_text("tvqa_secret\nmore")
    for named in ({"TRUSTVQA_API_KEY": "tvqa_secret\nmore"}, {"TRUSTVQA_API_KEY_FILE": str(tmp_path / "key")}):
        status, out, err = run(str(picture), "Which shape?", "--gateway", url, **named)
        assert status == 1
        assert "no key" in err
        assert "secret" not in out + err
    status, _, err = run(str(picture), "Gr\udcf6\udcdfe?", "--gateway", url)
    assert status == 1
    assert "the question holds bytes that are no text" in err
    assert state["keys"] == []


def test_a_gateway_that_stays_busy_is_given_up(gateway: tuple[str, dict[str, Any]], picture: Path) -> None:
    url, state = gateway
    state |= {"reply": REPLY, "status": 200, "keys": [], "failures": [(503, {"Retry-After": "60"})]}
    status, out, err = run(str(picture), "Which shape?", "--gateway", url)
    assert (status, out) == (1, "")
    assert "come back later" in err
    assert len(state["keys"]) == 1  # a minute is longer than the patience
    state |= {"failures": [(503, {})]}
    assert run(str(picture), "Which shape?", "--gateway", url, "--patience", "0")[0] == 1


def test_a_refusal_is_final(gateway: tuple[str, dict[str, Any]], picture: Path) -> None:
    url, state = gateway
    state |= {"reply": {"detail": "no"}, "status": 422, "keys": []}
    assert run(str(picture), "Which shape?", "--gateway", url)[0] == 1
    assert len(state["keys"]) == 1


def test_a_gateway_that_is_not_there_is_named_with_what_to_do(picture: Path) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    status, _, err = run(str(picture), "Which shape?", "--gateway", address, "--patience", "0.3")
    assert status == 1
    assert "asking again" in err
    assert address in err
    assert "make up" in err


def test_without_patience_a_gateway_that_is_away_is_asked_once(picture: Path) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    status, _, err = run(str(picture), "Which shape?", "--gateway", address)
    assert status == 1
    assert "asking again" not in err
    assert "is it running?" in err


def test_it_shows_its_key_and_says_which_one_it_takes(
    gateway: tuple[str, dict[str, Any]], picture: Path, tmp_path: Path
) -> None:
    url, state = gateway
    state |= {"reply": REPLY, "status": 200}
    run(str(picture), "Which shape?", "--gateway", url)
    shown = [state["shown"]]
    assert run(str(picture), "Which shape?", "--gateway", url, TRUSTVQA_API_KEY="tvqa_x")[0] == 0
    assert [*shown, state["shown"]] == [None, "Bearer tvqa_x"]
    (tmp_path / "token").write_text("a.b.c\n")
    token = ("--token-file", str(tmp_path / "token"))
    assert run(str(picture), "Which shape?", "--gateway", url, *token, TRUSTVQA_API_KEY="tvqa_x")[0] == 0
    assert state["shown"] == "Bearer a.b.c"
    problem = {
        "type": "urn:trustvqa:problem:key-lacks-scope",
        "detail": "This key does not allow that.",
        "scope": "ask",
    }
    state |= {"reply": problem, "status": 403}
    status, _, err = run(str(picture), "Which shape?", "--gateway", url, TRUSTVQA_API_KEY="tvqa_x")
    assert status == 1
    assert "a key with the scope ask" in " ".join(err.split())
    status, _, err = run(str(picture), "?", "--gateway", url, TRUSTVQA_API_KEY_FILE=str(tmp_path / "absent"))
    assert status == 1
    assert "cannot be read" in " ".join(err.split())


def test_a_dicom_file_goes_whole_with_the_frame_and_the_window_that_are_meant(
    gateway: tuple[str, dict[str, Any]], tmp_path: Path
) -> None:
    url, state = gateway
    state |= {"reply": REPLY, "status": 200}
    path = tmp_path / "slice.dcm"
    path.write_bytes(written(ct()))
    for window, sent in (("BONE", "BONE"), ("40,400", '{"center": 40.0, "width": 400.0}')):
        status, _, _ = run(str(path), "Which shape?", "--frame", "2", "--window", window, "--gateway", url)
        assert status == 0
        assert state["asked"][0] == path.read_bytes()
        assert state["part"] == ("2", sent)
