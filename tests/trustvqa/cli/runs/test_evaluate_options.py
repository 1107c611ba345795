"""`trustvqa evaluate`: the address of the API, decoding, and question files of any format, against a real server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route

from prompt4trust.evaluation import read_manifest, read_predictions
from tests.support.openai_app import ScriptedServer
from tests.support.servers import running
from tests.trustvqa.cli.commands import run_command

ASKED = ["evaluate", "--methods", "verbalized", "--calibrator", "none", "--resamples", "5", "--model", "scripted"]


def questions(folder: Path, n: int = 6) -> Path:
    path = folder / "mine.csv"
    path.write_text("q,a,b,truth\n" + "".join(f"Number {place}?,x,y,x\n" for place in range(n)))
    return path


TABLE = ["--columns", "question=q,options=a+b,answer=truth"]


@pytest.mark.parametrize("given", ["", "/", "/v1/models", "/v1/chat/completions", "/chat/completions"])
def test_an_address_beside_the_api_is_named_with_the_right_one(tmp_path: Path, given: str) -> None:
    server = ScriptedServer()
    with running(server.app) as url:
        _, err = run_command(
            tmp_path, *ASKED, "--data", questions(tmp_path), *TABLE, "--downstream-url", f"{url}{given}", status=1
        )
    assert f"the downstream model's API is at {url}/v1, not at {url}{given}" in err.replace("\n", " ")
    assert f"name it with --downstream-url {url}/v1" in err
    assert server.prompts == []
    assert not (tmp_path / "var").exists()


def test_an_address_that_answers_everything_with_a_page_is_seen_through(tmp_path: Path) -> None:
    server = ScriptedServer()

    async def page(_: object) -> HTMLResponse:
        return HTMLResponse("<h1>welcome</h1>")

    app = Starlette(routes=[*server.app.routes, Route("/{rest:path}", page)])
    with running(app) as url:
        _, err = run_command(tmp_path, *ASKED, "--data", questions(tmp_path), *TABLE, "--downstream-url", url, status=1)
    assert f"the downstream model's API is at {url}/v1, not at {url}" in err


def test_a_prefix_before_v1_is_kept(tmp_path: Path) -> None:
    server = ScriptedServer()
    with running(Starlette(routes=[Mount("/hub", app=server.app)])) as url:
        _, err = run_command(
            tmp_path, *ASKED, "--data", questions(tmp_path), *TABLE, "--downstream-url", f"{url}/hub", status=1
        )
        assert f"is at {url}/hub/v1, not at {url}/hub" in err
        run_command(tmp_path, *ASKED, "--data", "mine.csv", *TABLE, "--downstream-url", f"{url}/hub/v1", "--out", "run")
    assert len(server.prompts) == 6


def test_a_server_that_lists_no_models_is_asked_all_the_same(tmp_path: Path) -> None:
    server = ScriptedServer()
    app = Starlette(routes=[route for route in server.app.routes if getattr(route, "path", "") != "/v1/models"])
    with running(app) as url:
        run_command(
            tmp_path, *ASKED, "--data", questions(tmp_path), *TABLE, "--downstream-url", f"{url}/v1", "--out", "run"
        )
    assert len(read_predictions(tmp_path / "run")) == 6


def test_figures_of_nothing_are_not_printed(tmp_path: Path) -> None:
    with running(Starlette()) as url:
        out, err = run_command(
            tmp_path, *ASKED, "--data", questions(tmp_path), *TABLE, "--downstream-url", url, "--out", "run", status=4
        )
    assert out == ""
    assert "no question could be asked, so there are no figures: downstream:" in err
    assert "ends in /v1 as a rule" in err
    assert not (tmp_path / "run" / "report.json").exists()


def test_decoding_is_sent_and_on_the_record(tmp_path: Path) -> None:
    server = ScriptedServer()
    with running(server.app) as url:
        options = ["--downstream-url", f"{url}/v1", "--top-p", "0.9", "--top-k", "40", "--temperature", "0.7"]
        run_command(tmp_path, *ASKED, "--data", questions(tmp_path), *TABLE, *options, "--out", "run")
        for wrong in (["--top-p", "0"], ["--top-p", "1.5"]):
            _, err = run_command(tmp_path, *ASKED, "--data", "mine.csv", *TABLE, *options, *wrong, status=1)
            assert "top_p" in err
        hosted = {"TRUSTVQA_TRAINER_VENDOR_PARAMETERS": "false"}
        _, err = run_command(tmp_path, *ASKED, "--data", "mine.csv", *TABLE, *options, status=1, environment=hosted)
        assert "the model's server takes no top_k" in err
    assert {(body["temperature"], body["top_p"], body["top_k"]) for body in server.bodies} == {(0.7, 0.9, 40)}
    sampling = read_manifest(tmp_path / "run").sampling
    assert (sampling["top_p"], sampling["top_k"]) == (0.9, 40)


def test_a_table_is_reported_again_without_naming_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps({"q": f"{n}?", "o": ["x", "y", "z"], "t": n % 2 + 1}) + "\n" for n in range(8)))
    columns = ["--columns", "question=q,options=o,answer=t"]
    with running(ScriptedServer().app) as url:
        given: list[str | Path] = [*ASKED, "--data", path, *columns, "--downstream-url", f"{url}/v1", "--out", "run"]
        _, err = run_command(tmp_path, *given, status=1)
        assert "say so with --cop-base 0 or --cop-base 1" in " ".join(err.split())
        run_command(tmp_path, *given, "--cop-base", "1")
        _, err = run_command(tmp_path, *given, "--format", "coco", status=1)
        assert "no format 'coco'; there are pmc-vqa, medmcqa, vqa-rad" in " ".join(err.split())
    assert {row.truth for row in read_predictions(tmp_path / "run")} == {"A", "B"}
    source = read_manifest(tmp_path / "run").source
    assert source is not None
    assert (source.kind, source.cop_base) == ("columns", 1)
    _, err = run_command(tmp_path, "report", "run", "--resamples", "5", "--registry", "registry")
    assert err == ""


PLACES = ("At the apex", "At the apex", "At the base")


def test_open_questions_are_asked_and_kept_out_of_every_figure(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    rows = [f"Number {n}?,x,y,x" for n in range(4)] + [f"Where is {n}?,,,{place}" for n, place in enumerate(PLACES)]
    path.write_text("\n".join(["q,a,b,truth", *rows]) + "\n")

    def script(prompt: str) -> str:
        return (
            "The answer is at the apex with confidence 99."
            if "Where" in prompt
            else "The answer is A with confidence 80."
        )

    with running(ScriptedServer(script).app) as url:
        given: list[str | Path] = [*ASKED, "--data", path, *TABLE, "--downstream-url", f"{url}/v1"]
        out, _ = run_command(tmp_path, *given, "--out", "run")
        judged, _ = run_command(tmp_path, *given, "--out", "judged", "--judge", "normalised-1")
        _, err = run_command(tmp_path, *given, "--judge", "oracle", status=1)
    assert "no judge 'oracle' of open answers" in " ".join(err.split())
    assert "3 question(s) without a known right option are in no figure: open ones" in " ".join(out.split())
    [method] = json.loads((tmp_path / "run" / "report.json").read_text())["methods"]
    assert (method["figures"]["n"], method["unlabelled"], method["figures"]["all"]["accuracy"]["value"]) == (4, 3, 1.0)
    kept = [(row.expected, row.truth, row.answer) for row in read_predictions(tmp_path / "run") if row.expected]
    assert sorted(kept) == sorted((place, None, "at the apex") for place in PLACES)  # kept as they are answered

    # With a judge the open ones alone are asked, have figures, and a calibration key of their own.
    assert "open questions; answers that the judge normalised-1 takes for the expected text are right" in judged
    [method] = json.loads((tmp_path / "judged" / "report.json").read_text())["methods"]
    assert (method["figures"]["n"], method["unlabelled"]) == (3, 0)
    assert method["figures"]["all"]["accuracy"]["value"] == pytest.approx(2 / 3)
    judged_rows = [(row.expected, row.right, row.correct) for row in read_predictions(tmp_path / "judged")]
    assert sorted(judged_rows) == [("At the apex", True, True)] * 2 + [("At the base", False, False)]
    keys = [read_manifest(tmp_path / run).calibration_key("verbalized") for run in ("run", "judged")]
    assert keys[1].answer_template == f"{keys[0].answer_template}, open questions judged by normalised-1"
