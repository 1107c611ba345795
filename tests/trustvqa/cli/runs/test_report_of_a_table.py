"""`trustvqa report --csv`, and the same from Python: a full report of answers that no run of ours gave."""

from __future__ import annotations

import csv
import doctest
import json
from pathlib import Path

import numpy as np
import pytest

import trustvqa.reports
from prompt4trust import expected_calibration_error, read_outcomes, report_outcomes
from prompt4trust.evaluation import Report, TableError
from prompt4trust.evaluation.manifest import TableOrigin
from tests.support.html import check_self_contained, parse
from tests.trustvqa.cli.commands import run_command
from trustvqa.reports import write_report

N = 150


@pytest.fixture
def outcomes() -> tuple[list[float], list[bool], list[str]]:
    drawn = np.random.default_rng(5)
    confidence = drawn.uniform(0.3, 1.0, N).round(3)
    right = drawn.random(N) < confidence - 0.2
    return confidence.tolist(), right.tolist(), [("CT", "MRI")[place % 2] for place in range(N)]


def table(folder: Path, outcomes: tuple[list[float], list[bool], list[str]]) -> Path:
    path = folder / "mine.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["Confidence", "note", "correct", "group"])
        writer.writerows([stated, "n,o", right, group] for stated, right, group in zip(*outcomes, strict=True))
    return path


def test_a_table_makes_the_full_report(tmp_path: Path, outcomes: tuple[list[float], list[bool], list[str]]) -> None:
    path = table(tmp_path, outcomes)
    out, err = run_command(tmp_path, "report", "--csv", path, "--resamples", "50")
    assert err == ""
    assert "Not calibrated: stated (overconfident by " in out
    assert "CT (75)" in out
    assert "worst ECE" in out
    assert "  by chance" in out
    assert "model calls" not in out
    files = {kind: tmp_path / f"mine-report.{kind}" for kind in ("json", "csv", "html")}
    assert [line for line in out.splitlines() if line.startswith("/")] == [*map(str, files.values())]
    report = Report.model_validate_json(files["json"].read_bytes())
    [method] = report.methods
    figures = method.figures.all
    assert figures["ece"].value == pytest.approx(expected_calibration_error(*outcomes[:2]))
    assert figures["accuracy"].value == pytest.approx(np.mean(outcomes[1]))
    assert set(figures) > {"auroc", "brier", "nll", "aurc", "smooth_ece", "confident_error_share"}
    assert {value: each.n for value, each in method.groups["group"].items()} == {"CT": 75, "MRI": 75}
    errors = {value: each.valid["ece"].value for value, each in method.groups["group"].items()}
    assert method.worst["group"].ece.value == max(error for error in errors.values() if error is not None)
    page = files["html"].read_text()
    tree = parse(page)
    check_self_contained(page, tree)
    assert tree.all("h1")[0].text == "Evaluation on mine"
    assert {heading.text for heading in tree.all("h2")} >= {"Reliability", "By group", "All figures"}
    assert "worst, of valid replies" in tree.text
    assert "calls_per_answer" not in files["csv"].read_text()


def test_nothing_is_invented(tmp_path: Path, outcomes: tuple[list[float], list[bool], list[str]]) -> None:
    run_command(tmp_path, "report", "--csv", table(tmp_path, outcomes), "--resamples", "5")
    stored = json.loads((tmp_path / "mine-report.json").read_text())
    assert set(stored["run"]) == {"dataset", "questions", "estimators", "software", "created"}
    assert isinstance(Report.model_validate(stored).run, TableOrigin)
    page = (tmp_path / "mine-report.html").read_text()
    for word in ("fingerprint", "downstream model", "answer template", "The most confident errors", "calls an answer"):
        assert word not in page


def test_answers_of_a_cluster_count_for_less(
    tmp_path: Path, outcomes: tuple[list[float], list[bool], list[str]]
) -> None:
    confidence, right, _ = outcomes
    path = tmp_path / "shared.csv"
    # Every answer three times: of as many pictures as there were answers, but for the last two, which name none.
    rows = [(*row, f"p{place}") for place, row in enumerate(zip(confidence, right, strict=True)) for _ in range(3)]
    rows[-2:] = [(*row[:2], "") for row in rows[-2:]]
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([("confidence", "correct", "Cluster"), *rows])
    read = read_outcomes(path)
    assert read.clusters is not None
    assert read.clusters[-3:] == (f"p{N - 1}", "", "")
    run_command(tmp_path, "report", "--csv", path, "--resamples", "100")
    shared = Report.model_validate_json((tmp_path / "shared-report.json").read_bytes()).methods[0].figures.all
    alone = report_outcomes(read.confidence, read.correct, resamples=100).methods[0].figures.all
    for name in ("accuracy", "ece", "brier"):
        assert shared[name].value == alone[name].value
        width, least = ((each[name].high or 0) - (each[name].low or 0) for each in (shared, alone))
        assert width > 1.35 * least, name


def test_three_lines_of_python_do_the_same(
    tmp_path: Path, outcomes: tuple[list[float], list[bool], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = read_outcomes(table(tmp_path, outcomes))
    assert (list(read.confidence), list(read.correct), list(read.groups or ())) == outcomes
    report = report_outcomes(*outcomes, name=read.name, resamples=50)
    files = write_report(tmp_path / "python", report)
    run_command(tmp_path, "report", "--csv", "mine.csv", "--resamples", "50", "--out", "page.html")
    assert report.methods == report_outcomes(read.confidence, read.correct, read.groups, resamples=50).methods
    assert files["html"].stat().st_size == pytest.approx((tmp_path / "page.html").stat().st_size, abs=200)
    assert not (tmp_path / "mine-report.json").exists()

    # The lines that the docs show.
    shown = doctest.DocTestFinder().find(
        trustvqa.reports, globs={"folder": tmp_path / "shown", "write_report": write_report}
    )
    assert sum(len(each.examples) for each in shown) >= 3
    runner = doctest.DocTestRunner()
    for each in shown:
        runner.run(each)
    assert runner.summarize(verbose=False).failed == 0
    assert (tmp_path / "shown" / "report.html").is_file()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("confidence,right\n0.5,1\n", "no column correct; there are confidence, right"),
        ("a,b\n0.5,1\n", "no column confidence and no correct"),
        ("confidence,correct\n", "the table has no rows"),
        (
            "confidence,correct\n0.5,1\n85,1\n",
            "1 row.s. cannot be used, a number from 0 to 1 .*\n  line 3: confidence is '85'",
        ),
        ("confidence,correct\n85%,1\n", "line 2: confidence is '85%'"),
        ("confidence,correct\nnan,1\n", "line 2: confidence is 'nan'"),
        ("confidence,correct\n,1\n", "line 2: confidence is ''"),
        ("confidence,correct\n0.5,maybe\n", "true or false is expected .*\n  line 2: correct is 'maybe'"),
        ("confidence,correct\n0.5,2\n", "line 2: correct is '2'"),
        ("confidence,correct\n0.5\n", "line 2: row does not have 2 cells"),
        ('confidence,correct\n0.5,"1\n0.4,1\n', "line 2: a quotation mark opens a cell that is not closed"),
        ("confidence,Confidence,correct\n0.5,0.4,1\n", "two columns differ in case alone"),
        ("", "the file is empty"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_its_rows(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(text)
    with pytest.raises((TableError, ValueError), match=rf"mine\.csv: (?:.|\n)*{fault}"):
        read_outcomes(path)
    _, err = run_command(tmp_path, "report", "--csv", path, status=1)
    assert "mine.csv" in err
    assert "Traceback" not in err


def test_tables_of_other_forms(tmp_path: Path) -> None:
    rows = [{"confidence": 0.9, "correct": True, "group": 1}, {"confidence": 1, "correct": 0, "group": None}]
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    read = read_outcomes(path)
    assert (read.confidence, read.correct, read.groups) == ((0.9, 1.0), (True, False), ("1", "(none)"))


def test_a_table_goes_with_no_run(tmp_path: Path) -> None:
    assert "--csv is reported by itself" in run_command(tmp_path, "report", "run", "--csv", "x.csv", status=1)[1]
    assert "name the folder of a run, or a table" in run_command(tmp_path, "report", status=1)[1]
    assert "No such file" in run_command(tmp_path, "report", "--csv", "gone.csv", status=1)[1]


@pytest.mark.parametrize(
    ("confidence", "correct", "fault"),
    [([0.5], [True, False], "of one length"), ([], [], "nothing to report on"), ([50.0], [True], r"in \[0, 1\]"),
     ([float("nan")], [True], r"in \[0, 1\]")],
)  # fmt: skip
def test_wrong_arguments(confidence: list[float], correct: list[bool], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        report_outcomes(confidence, correct)


def test_tables_as_r_and_excel_write_them(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"  # write.csv2: semicolons, decimal commas, row names, TRUE and NA
    path.write_text('"";"confidence";"correct";"group";"cluster"\n"1";0,9;TRUE;"CT";NA\n"2";1;FALSE;NA;"p 1"\n')
    read = read_outcomes(path)
    assert (read.confidence, read.correct) == ((0.9, 1.0), (True, False))
    assert (read.groups, read.clusters) == (("CT", "(none)"), ("", "p 1"))
    path = tmp_path / "python.jsonl"
    path.write_text('{"confidence": 0.5, "correct": 1.0, "group": NaN, "cluster": NaN}\n')
    assert (read_outcomes(path).groups, read_outcomes(path).clusters) == (("(none)",), ("",))
