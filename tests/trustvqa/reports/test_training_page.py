"""The page of a training run: its curves, its before and after, and what it does without."""

from __future__ import annotations

from typing import Any

from tests.support.html import Node, check_self_contained, parse
from trustvqa.reports.training_history import TrainingHistory
from trustvqa.reports.training_page import render_training_page

EVIL = "<script>alert(1)</script>"


def evaluation(step: int, reward: float | None, ece: float = 0.1) -> dict[str, Any]:
    def around(value: float | None) -> dict[str, float | None]:
        low, high = (None, None) if value is None else (value - 0.05, value + 0.05)
        return {"value": value, "low": low, "high": high}

    return {"step": step, "n": 40, "metrics": {"reward": around(reward), "ece": around(ece), "accuracy": around(0.7)}}


def outcome(index: int, reward: float, guidance: str, answer: str | None = "A") -> dict[str, Any]:
    return {
        "question_id": f"q{index}", "question": f"{EVIL} {index}", "guidance": guidance, "reply": "r", "truth": "A",
        "answer": answer, "confidence": None if answer is None else 0.8, "reward": reward,
    }  # fmt: skip


def history(**changes: Any) -> TrainingHistory:
    given: dict[str, Any] = {
        "name": EVIL,
        "facts": {"policy": EVIL},
        "objective": "reward",
        "steps": [
            {"step": step, "reward": -1 + step / 100, "confidence_sd": 0.2, "ece": None, "masked": step % 2}
            for step in range(1, 61)
        ],
        "evaluations": [evaluation(0, -0.9), evaluation(30, -0.5), evaluation(60, -0.5)],
        "outcomes": {
            0: [outcome(index, -1.0, "start") for index in range(5)],
            30: [
                outcome(0, -0.1, "better"),
                outcome(1, -2.0, "worse", "B"),
                outcome(2, -1.0, "same reward"),
                outcome(3, -0.5, "start"),
                outcome(4, -27.0, "silent", None),
            ],
        },
    }
    return TrainingHistory(**{**given, **changes})


def page_of(made: TrainingHistory) -> Node:
    page = render_training_page(made)
    tree = parse(page)
    check_self_contained(page, tree)
    return tree


def test_curves_table_and_examples() -> None:
    tree = page_of(history())
    assert tree.all("h1")[0].text == f"Training of {EVIL}"
    titles = [each.attrs["aria-label"] for each in tree.all("svg")]
    assert "mean reward on the validation questions" in titles
    assert "ECE on the validation questions" in titles
    assert "spread of confidences (near 0: one number for everything) by step" in titles
    assert not any(title.startswith("ECE of the batch") for title in titles)  # never defined
    assert [title for title in titles if title.startswith("Reliability")] == [
        "Reliability diagram of at the start",
        "Reliability diagram of best, step 30",
    ]
    rows = {row.all("th")[0].text: row for row in tree.all("table")[0].all("tbody")[0].all("tr")}
    assert [cell.text for cell in rows["mean reward ↑"].all("td")] == [
        "-0.900 -0.950 to -0.850",
        "-0.500 -0.550 to -0.450",
    ]
    assert "30 samples were masked out" in tree.text
    rose, fell = tree.all("table")[1:]
    assert [row.all("td")[-1].text for row in rose.all("tbody")[0].all("tr")] == ["+0.90"]
    assert [row.all("td")[-1].text for row in fell.all("tbody")[0].all("tr")] == ["-26.00", "-1.00"]
    assert "no verdict" in fell.text
    assert "B, stated 80 % ✗ wrong" in fell.text


def test_every_evaluation_is_a_dot_at_its_step() -> None:
    tree = page_of(history())
    [drawing] = [each for each in tree.all("svg") if each.attrs["aria-label"].startswith("mean reward on")]
    # The drawing area is 270 wide from 52: steps 0, 30 and 60.
    assert [float(dot.attrs["cx"]) for dot in drawing.all("circle")] == [52, 187, 322]
    heights = [float(dot.attrs["cy"]) for dot in drawing.all("circle")]
    assert heights[0] > heights[1] == heights[2]
    assert "best" in [each.text for each in drawing.all("text")]


def test_a_run_that_has_only_begun() -> None:
    tree = page_of(history(evaluations=[], outcomes={}))
    assert "No checkpoint has been evaluated yet" in tree.text
    assert [link.attrs["href"] for link in tree.all("nav")[0].all("a")] == ["#summary", "#training", "#run"]
    page_of(history(steps=[], outcomes={}))


def test_a_tuning_shows_its_losses_and_figures_before_and_after_and_chooses_nothing() -> None:
    steps = [
        {"step": step, "accuracy": 0.5, "cross_entropy": 1.2, "calibration": 0.1, "separation": 0.3}
        for step in range(1, 51)
    ]
    measured = [evaluation(step, None, ece) for step, ece in ((0, 0.2), (50, 0.1))]
    for each in measured:
        del each["metrics"]["reward"]
    tree = page_of(history(objective=None, steps=steps, evaluations=measured, outcomes={}))
    assert tree.all("h1")[0].text == f"Tuning of {EVIL}"
    assert "50 epochs; the last one stands, none is chosen." in tree.text
    assert "reward" not in tree.text
    assert "has been evaluated yet" not in tree.text
    table = tree.all("table")[0]
    assert [each.text for each in table.all("thead")[0].all("th")] == ["at the start", "tuned, epoch 50"]
    assert "answered greedily" not in table.text
    rows = {row.all("th")[0].text: row for row in table.all("tbody")[0].all("tr")}
    assert [cell.text for cell in rows["ECE ↓"].all("td")] == ["0.200 0.150 to 0.250", "0.100 0.050 to 0.150"]
    titles = [each.attrs["aria-label"] for each in tree.all("svg")]
    assert "gap between mean confidence and frequency (SMAC) by step" in titles
    assert "mean cosine between the classes' texts by step" in titles
