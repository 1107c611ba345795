"""The report's page: what stands on it is what report.json says, it loads nothing, and no text becomes markup."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from prompt4trust.calibration import CalibratorArtifact
from prompt4trust.evaluation import Prediction, Report, RunManifest, build_report
from prompt4trust.evaluation.predictions import CostRecord, GuidanceRecord
from prompt4trust.evaluation.report import ReportedRun, compare_runs
from prompt4trust.questions import Question
from tests.support.calibration_keys import whole_key
from tests.support.html import Node, check_self_contained, parse
from trustvqa.reports import write_report
from trustvqa.reports.evaluation.confident_errors import confident_errors
from trustvqa.reports.evaluation.evaluation_page import MAIN, render_evaluation_page
from trustvqa.reports.rendering import STYLE

NOW = datetime(2026, 1, 2, tzinfo=UTC)
N = 240
EVIL = "<script>alert('x')</script><img src=http://evil.example/x onerror=alert(1)> & \"q\" ]]> {}"
PAIR = whole_key(downstream="scripted", policy="p1", estimator="cgp", answer_template="answer-compact@1")


def manifest(**changes: str) -> RunManifest:
    given = {"dataset": "numbers", "data_hash": "0" * 64, "downstream": "scripted", "policy": "p1", **changes}
    return RunManifest(
        questions=N, estimators=("verbalized", "cgp"), template="answer-compact@1 (0)", sampling={"temperature": 0.0},
        software="x", created=NOW, **given,
    )  # fmt: skip


def artifact(slope: float, intercept: float) -> CalibratorArtifact:
    return CalibratorArtifact(
        name="platt-x", family="platt", parameters={"slope": slope, "intercept": intercept}, key=PAIR, n=1,
        dataset="d", data_hash="sha256:" + "0" * 64, created=NOW, seed=0, metrics_before={}, metrics_after={},
    )  # fmt: skip


def predictions(reply: str = "The answer is B.") -> list[Prediction]:
    """Verbalized says 0.95 and is right in about 6 of 10; cgp says what is true of it."""
    rng = np.random.default_rng(3)
    rows = []
    for index in range(N):
        groups = {"family": ("side", "size")[index % 2], "difficulty": f"{index / N:.3f}"}
        truth, chance = "A", rng.random()
        stated = float(rng.choice([0.35, 0.6, 0.9]))
        for name, confidence, right in (("verbalized", 0.95, chance < 0.6), ("cgp", stated, rng.random() < stated)):
            guidance = GuidanceRecord(text=f"hint {index}", version="p1") if name == "cgp" else None
            rows.append(
                Prediction(
                    id=f"q{index}", estimator=name, truth=truth, answer="A" if right else "B", confidence=confidence,
                    groups=groups, text=reply, guidance=guidance, cost=CostRecord(calls=2, prompt_tokens=9),
                )
            )  # fmt: skip
    return rows


def asked(image: Path | None = None) -> list[Question]:
    return [Question(f"q{index}", f"Number {index}?", {"A": "x", "B": "y"}, "A", image) for index in range(N)]


@pytest.fixture(scope="module")
def report() -> Report:
    return build_report(predictions(), manifest(), [artifact(0.0, 0.4)], resamples=60, group_resamples=10)


@pytest.fixture(scope="module")
def page(report: Report) -> str:
    return render_evaluation_page(report, [ReportedRun(manifest(), predictions(), [artifact(0.0, 0.4)])], asked())


@pytest.fixture(scope="module")
def tree(page: str) -> Node:
    return parse(page)


def cells(row: Node) -> list[Node]:
    return [each for each in row.children if isinstance(each, Node)]


def test_the_page_loads_nothing_and_its_links_lead_somewhere(page: str, tree: Node) -> None:
    check_self_contained(page, tree)
    assert tree.all("html")[0].attrs["lang"] == "en"
    assert len(tree.all("h1")) == 1
    [policy] = [each for each in tree.all("meta") if each.attrs.get("http-equiv") == "Content-Security-Policy"]
    assert "default-src 'none'" in policy.attrs["content"]
    targets = [link.attrs["href"] for link in tree.all("nav")[0].all("a")]
    listed = "answers summary methods reliability confidences risk groups errors figures run reading"
    assert targets == [f"#{name}" for name in listed.split()]


def test_numbers_and_stars_are_those_of_the_json(tmp_path: Path, report: Report, tree: Node) -> None:
    files = write_report(tmp_path, report, predictions(), asked(), [artifact(0.0, 0.4)])
    stored = Report.model_validate_json(files["json"].read_bytes())
    assert stored == report
    table = tree.all("table")[1]  # the first is that of the first page
    head = [cell.text for cell in cells(table.all("tr")[0])]
    assert head[1:4] == ["accuracy ↑", "mean confidence", "ECE ↓"]
    rows = table.all("tbody")[0].all("tr")
    assert [cells(row)[0].text for row in rows] == [method.name for method in stored.methods]
    stars = 0
    for row, method in zip(rows, stored.methods, strict=True):
        for cell, metric in zip(cells(row)[1:], MAIN, strict=True):
            estimate = method.figures.all[metric]
            if estimate.value is None:
                assert cell.text == "-"
                continue
            assert cell.text == f"{estimate.value:.3f} {estimate.low:.3f} to {estimate.high:.3f}"
            best = method.name in stored.leading.get(metric, ())
            assert bool(cell.all("span", "best")) == best
            stars += best
    assert stars > 0
    changed = tree.all("table")[2].all("tbody")[0].all("tr")
    assert [[each.text for each in cells(row)[:2]] for row in changed] == [
        [each.method, each.than] for each in stored.changes
    ]
    for row, change in zip(changed, stored.changes, strict=True):
        shown = [change.metrics[name] for name in ("accuracy", "ece", "brier", "auroc", "confident_error_share")]
        sure = [each.low is not None and each.high is not None and not each.low <= 0 <= each.high for each in shown]
        assert [bool(each.all("strong")) for each in cells(row)[2:]] == sure
        assert any(sure)
        assert not all(sure)
    first = stored.changes[0].metrics["ece"]
    assert cells(changed[0])[3].text == f"{first.value:+.3f} {first.low:+.3f} to {first.high:+.3f}"


def test_the_summary_says_who_is_calibrated(report: Report, tree: Node) -> None:
    cards = {card.all("h3")[0].text: card for card in tree.all("div", "card")}
    assert list(cards) == ["verbalized", "cgp", "cgp + platt"]
    assert "bad" in cards["verbalized"].attrs["class"]
    assert re.search(r"overconfident by \d\d\.\d points", cards["verbalized"].text)
    assert "fine" in cards["cgp"].attrs["class"]
    assert "as far as 240 answers can show" in cards["cgp"].text
    count = report.methods[0].figures.all["confident_error_count"].value
    wrong = sum(row.estimator == "verbalized" and not row.correct for row in predictions())
    assert count == wrong
    assert f"Stated at 0.9 or more: {wrong} of {wrong} wrong answers." in cards["verbalized"].text
    ideal = report.methods[1].outline
    assert ideal is not None
    assert f"{ideal.ideal['ece'].low:.3f} to {ideal.ideal['ece'].high:.3f}" in cards["cgp"].text


def test_each_method_has_its_diagrams_and_each_group_its_own(tree: Node) -> None:
    def titles(key: str) -> list[str]:
        [found] = [each for each in tree.all("section") if each.attrs["aria-labelledby"] == key]
        return [each.attrs["aria-label"] for each in found.all("svg") if "aria-label" in each.attrs]

    names = ["verbalized", "cgp", "cgp + platt"]
    assert titles("reliability") == [f"Reliability diagram of {name}" for name in names]
    assert titles("confidences") == [f"Confidences of {name}" for name in names]
    assert titles("risk") == ["Risk-coverage curves of the methods"]
    assert [title for title in titles("groups") if title.endswith("by family")] == [
        *(f"{name}: right and stated by family" for name in names),
        "ECE by family",
        "AUROC by family",
        "errors stated >= 0.9 by family",
    ]


def test_groups_show_what_is_right_beside_what_is_stated(report: Report, tree: Node) -> None:
    [drawing] = [each for each in tree.all("svg") if each.attrs.get("aria-label") == "cgp: right and stated by family"]
    for value, figures in report.methods[1].groups["family"].items():
        right, stated = figures.all["accuracy"], figures.all["mean_confidence"]
        told = (
            f"{value} (120): right {right.value:.3f} ({right.low:.3f} to {right.high:.3f}), stated {stated.value:.3f}"
        )
        assert told in drawing.all("desc")[0].text


def test_a_calibrator_that_keeps_the_order_needs_no_curve_of_its_own() -> None:
    same = [artifact(2.0, -0.3)]
    report = build_report(predictions(), manifest(), same, resamples=5, group_resamples=1)
    [risk] = [
        each for each in parse(render_evaluation_page(report)).all("section") if each.attrs["aria-labelledby"] == "risk"
    ]
    assert "hardly changes the order of answers there: cgp + platt" in risk.text
    assert "cgp + platt" not in [each.text for each in risk.all("text")]


def test_errors_are_the_surest_first_with_all_that_was_said(tree: Node) -> None:
    shown = tree.all("article", "error")
    assert len(shown) == 12
    rows = {(row.id, row.estimator): row for row in predictions()}
    wrong = {row.id for row in rows.values() if row.estimator == "verbalized" and not row.correct}
    both = sorted(each for each in wrong if not rows[each, "cgp"].correct)
    # All are stated at 0.95 by one method: those that the other got wrong too come first.
    assert [each.all("small")[-1].text.split(" ")[0] for each in shown] == both[:12]
    first, [hint] = shown[0], [index for index in range(N) if f"q{index}" == both[0]]
    assert "Stated 95 %, and wrong" in first.text
    assert f"Number {hint}?" in first.text
    assert [each.text for each in first.all("span", "truth")] == ["A. x ✓ right"]
    assert [each.text for each in first.all("span", "given")] == ["B. y ✗ answered"]
    stated = rows[both[0], "cgp"].confidence or 0
    assert f"cgp: B, stated {100 * stated:.3g} %, by platt 59.9 %" in first.text  # 1 / (1 + exp(-0.4)) = 0.5987
    assert [each.text for each in first.all("blockquote")] == ["The answer is B.", f"hint {hint}", "The answer is B."]
    assert "no picture belongs to it" in first.text


def test_text_of_models_and_data_stays_text(tmp_path: Path) -> None:
    picture = tmp_path / "<img src=x onerror=alert(1)>.png"
    Image.new("L", (30, 20), 90).save(picture)
    rows = [
        row.model_copy(update={"text": f"{EVIL}\x00\x1b", "groups": {EVIL: EVIL}, "id": f"{row.id}{EVIL}",
                               "guidance": GuidanceRecord(text=EVIL, version=EVIL)})
        for row in predictions()
    ]  # fmt: skip
    questions = [Question(f"q{index}{EVIL}", EVIL, {"A": EVIL, "B": EVIL}, "A", picture) for index in range(N)]
    run = manifest(dataset=EVIL, downstream=EVIL, policy=EVIL)
    report = build_report(rows, run, resamples=5, group_resamples=1)
    page = render_evaluation_page(report, [ReportedRun(run, rows, label=EVIL)], questions, title=EVIL, notes=[EVIL])
    tree = parse(page)
    check_self_contained(page, tree)
    assert "\x00" not in page
    assert "\x1b" not in page
    assert tree.all("h1")[0].text == EVIL
    error = tree.all("article")[0]
    assert [each.text for each in error.all("blockquote")][-1].startswith(EVIL)
    assert f"A. {EVIL} ✓ right" in error.text
    assert len(tree.all("img")) == 12
    assert "evil.example" not in "".join(each.attrs.get("src", "") for each in tree.walk())


def test_what_is_missing_is_said(tmp_path: Path, report: Report) -> None:
    runs = [ReportedRun(manifest(), predictions())]
    gone = parse(render_evaluation_page(report, runs, asked(tmp_path / "gone.png"), notes=["The pictures are gone."]))
    assert gone.all("img") == []
    assert "the picture cannot be read" in gone.all("article")[0].text
    assert "The pictures are gone." in gone.all("header")[0].text
    unknown = parse(render_evaluation_page(report, runs)).all("article")[0]
    assert "the question is not at hand" in unknown.text
    assert "Right: A" in unknown.text
    assert "hint " in unknown.text


def test_a_page_of_figures_alone_and_one_of_nothing(report: Report) -> None:
    alone = parse(render_evaluation_page(report))
    assert alone.all("article") == []
    assert "#errors" not in [link.attrs.get("href") for link in alone.all("a")]
    empty = render_evaluation_page(build_report([], manifest(), resamples=5))
    check_self_contained(empty, parse(empty))
    assert "no answers to judge by" in empty
    assert "240 question(s) without a prediction" in empty


def test_a_report_of_an_earlier_version_is_shown_without_what_it_lacks(report: Report) -> None:
    old = report.model_dump(mode="json", exclude={"others", "changes", "leading", "alike"})
    for method in old["methods"]:
        del method["outline"], method["run"]
    page = render_evaluation_page(Report.model_validate(old))
    check_self_contained(page, parse(page))
    assert "Reliability diagram" not in page


def test_several_runs_stand_side_by_side() -> None:
    again = [row.model_copy(update={"answer": "A"}) if row.estimator == "cgp" else row for row in predictions()]
    runs = [ReportedRun(manifest(), predictions(), label="p1"), ReportedRun(manifest(policy="p2"), again, label="p2")]
    page = render_evaluation_page(compare_runs(runs, resamples=20, group_resamples=1), runs, asked())
    tree = parse(page)
    check_self_contained(page, tree)
    assert tree.all("h1")[0].text == "Comparison on numbers"
    assert "verbalized gave the very same answers in all runs, and is listed once." in tree.text
    assert "cgp (p2) beside cgp (p1): accuracy up by" in tree.text
    first = tree.all("article")[0]
    assert [each.text for each in first.all("strong")] == ["verbalized", "cgp (p1)"]  # p2's cgp is right everywhere
    assert [each.text for each in tree.all("h3") if each.text.startswith("Run ")] == ["Run 1", "Run 2"]


def test_errors_of_several_methods_are_gathered_by_question() -> None:
    errors = confident_errors([ReportedRun(manifest(), predictions(), [artifact(0.0, 0.0)])], most=3)
    assert len(errors) == 3
    for sayings in errors:
        stated = [saying.row.confidence or 0 for saying in sayings]
        assert stated == sorted(stated, reverse=True)
        assert all(not saying.row.correct for saying in sayings)
    assert {name: value for saying in errors[0] for name, value in saying.corrected.items()} == {"platt": 0.5}


def themes() -> list[dict[str, str]]:
    light, dark = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    return [dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", each)) for each in (light, dark)]


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", themes(), ids=["light", "dark"])
def test_every_colour_stands_out_from_its_ground(theme: dict[str, str]) -> None:
    least = {**dict.fromkeys(["ink", "soft", "gap", "good", *(f"s{index}" for index in range(6))], 4.5), "bar": 3.0}
    for name, contrast in least.items():
        for ground in ("paper", "band"):
            pair = sorted((luminance(theme[name]), luminance(theme[ground])))
            assert (pair[1] + 0.05) / (pair[0] + 0.05) >= contrast, (name, ground)


def test_paper_is_light() -> None:
    assert "@media screen and (prefers-color-scheme: dark)" in STYLE
    assert STYLE.count("prefers-color-scheme") == 1
    assert "@page { size: A4" in STYLE
