"""`trustvqa batch` against a gateway over real HTTP: a line a question, and a command that goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.trustvqa.cli.commands import run_command
from tests.trustvqa.client.gateways import ANSWER, DEFERRAL, FakeGateway, fake_gateway, problem


@pytest.fixture(scope="module")
def server() -> Iterator[FakeGateway]:
    with fake_gateway() as gateway:
        yield gateway


@pytest.fixture
def gateway(server: FakeGateway) -> FakeGateway:
    server.replies.clear()
    server.requests.clear()
    server.line = lambda asked: {"status": 200, "reply": DEFERRAL if asked["question"].endswith("1?") else ANSWER}
    return server


@pytest.fixture
def data(tmp_path: Path) -> Path:
    Image.new("L", (32, 24), 90).save(tmp_path / "a.png")
    rows = "".join(f"Which shape {number}?,Round,Oval,Oval,a.png\n" for number in range(20))
    path = tmp_path / "mine.csv"
    path.write_text("asked,left,right,truth,file\n" + rows)
    return path


def run(data: Path, gateway: FakeGateway, *more: str, status: int = 0) -> tuple[list[dict[str, Any]], str]:
    columns = "question=asked,options=left+right,answer=truth,image=file"
    out = data.parent / "results.jsonl"
    arguments: tuple[str | Path, ...] = (
        "batch",
        data,
        "-o",
        out,
        "--columns",
        columns,
        "--gateway",
        gateway.url,
        *more,
    )
    _, said = run_command(data.parent, *arguments, status=status)
    lines = out.read_text().splitlines() if out.exists() else []
    return [json.loads(line) for line in lines], " ".join(said.split())


def asked(gateway: FakeGateway) -> list[dict[str, Any]]:
    return [json.loads(line) for each in gateway.requests for line in each["body"].splitlines()]


def test_every_question_has_a_line_and_no_deferral_shows_an_answer(data: Path, gateway: FakeGateway) -> None:
    rows, said = run(data, gateway, "--max-risk", "0.1")
    assert len({row["id"] for row in rows}) == len(rows) == 20
    assert "18 answered, 2 deferred to a person, 0 failed" in said
    deferred = [row for row in rows if row["decision"] == "defer"]
    assert [row["answer"] for row in deferred] == [None, None]
    assert "Oval" not in json.dumps(deferred)
    (answer,) = {json.dumps(row["answer"]) for row in rows if row["decision"] == "answer"}
    assert json.loads(answer) == {"letter": "B", "text": "Oval"}
    assert {(each["max_risk"], each["question"][:11]) for each in asked(gateway)} == {(0.1, "Which shape")}
    assert not [each for each in asked(gateway) if "truth" in each or "answer" in each]


def test_the_same_command_goes_on_and_drops_a_torn_line(data: Path, gateway: FakeGateway) -> None:
    rows, _ = run(data, gateway)
    keys = set(gateway.keys)
    out = data.parent / "results.jsonl"
    whole = out.read_bytes().splitlines(keepends=True)
    out.write_bytes(b"".join(whole[:7]) + whole[7][:20])  # killed in the middle of a line
    gateway.requests.clear()
    again, said = run(data, gateway)
    assert sorted(row["id"] for row in again) == sorted(row["id"] for row in rows)
    assert len(asked(gateway)) == 13
    assert set(gateway.keys) == keys
    assert "7 of them from before" in said
    gateway.requests.clear()
    run(data, gateway)
    assert gateway.requests == []


def test_what_failed_is_asked_again_and_has_one_line(data: Path, gateway: FakeGateway) -> None:
    well = gateway.line
    gateway.line = lambda line: (
        {"status": 422, "problem": problem("invalid-request", 422)} if line["question"].endswith("5?") else well(line)
    )
    rows, said = run(data, gateway, status=4)
    assert [row["error"] for row in rows if "error" in row] == ["invalid-request"] * 2
    assert "2 failed" in said
    assert "2 × invalid-request: change it" in said
    gateway.line = well
    gateway.requests.clear()
    rows, _ = run(data, gateway)
    assert len(rows) == len({row["id"] for row in rows}) == 20
    assert len(asked(gateway)) == 2


def test_results_of_another_batch_are_left_alone(data: Path, gateway: FakeGateway) -> None:
    run(data, gateway)
    before = (data.parent / "results.jsonl").read_bytes()
    assert "another method" in run(data, gateway, "--method", "verbalized", status=1)[1]
    (data.parent / "results.jsonl.batch.json").unlink()
    assert "is missing" in run(data, gateway, status=1)[1]
    assert (data.parent / "results.jsonl").read_bytes() == before
    other = data.parent / "other.txt"
    other.write_text("a note\n")
    _, said = run_command(data.parent, "batch", data, "-o", other, "--gateway", gateway.url, status=1)
    assert "error" in said
    assert other.read_text() == "a note\n"


@pytest.mark.parametrize("change", ["text", "options", "picture"])
def test_results_of_other_questions_under_the_same_ids_are_not_taken(
    data: Path, gateway: FakeGateway, change: str
) -> None:
    # Ids of the file's own: without them they are made of what is asked.
    named = ("--columns", "question=asked,options=left+right,answer=truth,image=file,id=name")
    rows = "".join(f"Which shape {number}?,Round,Oval,Oval,a.png,n{number}\n" for number in range(20))
    data.write_text("asked,left,right,truth,file,name\n" + rows)
    run(data, gateway, *named)
    before = (data.parent / "results.jsonl").read_bytes()
    gateway.requests.clear()
    run(data, gateway, *named)
    if change == "picture":
        Image.new("L", (32, 24), 91).save(data.parent / "a.png")
    else:
        old, new = ("Which shape 4?", "What colour?") if change == "text" else ("4?,Round", "4?,Square")
        data.write_text(data.read_text().replace(old, new))
    said = run(data, gateway, *named, status=1)[1]
    assert "results of other questions, options or pictures" in said
    assert ("'n0', 'n1'" if change == "picture" else "'n4'") in said
    assert gateway.requests == []
    assert (data.parent / "results.jsonl").read_bytes() == before


def test_a_key_that_is_refused_ends_the_command(data: Path, gateway: FakeGateway) -> None:
    gateway.replies = [(401, problem("key-required", 401, scope="ask"), {})] * 16
    _, said = run(data, gateway, status=1)
    assert "a key with the scope ask" in said


def test_guesses_are_written_where_they_are_asked_for_and_by_that_name(data: Path, gateway: FakeGateway) -> None:
    rows, _ = run(data, gateway, "--with-guesses")
    deferred = [row for row in rows if row["decision"] == "defer"]
    assert [(row["answer"], row["guess"]) for row in deferred] == [(None, {"letter": "B", "text": "Oval"})] * 2


def test_a_file_of_a_version_before_goes_on_with_todays_names(data: Path, gateway: FakeGateway) -> None:
    rows, _ = run(data, gateway, "--with-guesses")
    out = data.parent / "results.jsonl"
    old = [{{"guess": "model_guess"}.get(name, name): value for name, value in row.items()} for row in rows]
    out.write_text("".join(json.dumps(row) + "\n" for row in old[:-1]))
    assert any("model_guess" in row for row in old[:-1])
    gateway.requests.clear()
    again, _ = run(data, gateway, "--with-guesses")
    assert len(asked(gateway)) == 1
    assert [row["id"] for row in again] == [row["id"] for row in rows]
    assert again[:-1] == rows[:-1]


def test_frame_and_window_are_asked_for_and_belong_to_the_results(data: Path, gateway: FakeGateway) -> None:
    run(data, gateway, "--frame", "3", "--window", "-600,1500")
    assert {(each["frame"], json.dumps(each["window"])) for each in asked(gateway)} == {
        (3, '{"center": -600.0, "width": 1500.0}')
    }
    _, said = run(data, gateway, "--frame", "3", "--window", "BONE", status=1)
    assert "window" in said


def test_only_groups_that_are_named_are_sent(data: Path, gateway: FakeGateway) -> None:
    rows = "".join(
        f"Which shape {number}?,Round,Oval,Oval,a.png,{'CT' if number % 2 else ''},hard\n" for number in range(4)
    )
    data.write_text("asked,left,right,truth,file,modality,difficulty\n" + rows)
    columns = ("--columns", "question=asked,options=left+right,answer=truth,image=file,group=modality+difficulty")

    def sent(*named: str) -> list[Any]:
        gateway.requests.clear()
        (data.parent / "results.jsonl").unlink(missing_ok=True)
        (data.parent / "results.jsonl.batch.json").unlink(missing_ok=True)
        run(data, gateway, *columns, *named)
        return [each.get("groups") for each in sorted(asked(gateway), key=lambda each: str(each["question"]))]

    assert sent() == [None] * 4
    assert sent("--group", "modality") == [None, {"modality": "CT"}] * 2
    assert sent("--group", "modality", "--group", "sex=F") == [{"sex": "F"}, {"sex": "F", "modality": "CT"}] * 2
    said = run(data, gateway, *columns, "--group", "modalty", status=1)[1]
    assert "no question of" in said
    assert "its groups are difficulty, modality" in said or "its groups are modality, difficulty" in said
    assert "is named twice" in run(data, gateway, *columns, "--group", "sex=F", "--group", "sex", status=1)[1]
    for twice in (("sex", "Sex=F"), ("sex", "SEX "), ("sex=F", "Sex=M")):
        assert "is named twice" in run(data, gateway, *columns, "--group", twice[0], "--group", twice[1], status=1)[1]
    assert "write NAME=VALUE" in run(data, gateway, *columns, "--group", "sex=", status=1)[1]
    # A result of other groups is one of another question.
    assert "has results of other questions" in run(data, gateway, *columns, status=1)[1]


@pytest.mark.parametrize("out", ["-", "/dev/null", "."])
def test_results_go_into_a_file(data: Path, gateway: FakeGateway, out: str) -> None:
    arguments = ("batch", data, "-o", out, "--columns", "question=asked,options=left+right", "--gateway", gateway.url)
    _, said = run_command(data.parent, *arguments, status=1)
    assert "results go into a file" in " ".join(said.split())
    assert gateway.requests == []
    assert not (data.parent / "-").exists()
