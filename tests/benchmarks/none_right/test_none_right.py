"""The study of questions without a right option: what it pairs, what it leaves out, and what it counts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.none_right.__main__ import WAYS, agreement, main, without_words
from prompt4trust.evaluation import Prediction

N = 400


def drawn(seed: int, *, none_right: bool = False) -> list[Prediction]:
    """Answers that are right as often as the reply is probable; without a right option, of another finding."""
    random = np.random.default_rng(seed)
    probable = np.clip(random.beta(2, 1, N), 0.02, 0.98)
    right = (random.random(N) < probable) & (not none_right)
    signals = {
        "letter_probability": 0.9,
        "words_agree": 0.0 if none_right else 1.0,
    }
    return [
        Prediction(
            id=f"q{place}",
            estimator="cgp+logprob",
            truth="A",
            answer="A" if right[place] else "B",
            confidence=round(0.5 + float(probable[place]) / 3, 2),
            signals={
                **signals,
                "reply_probability": float(probable[place]),
                "reply_support": float(min(probable[place], 0.25 if none_right else 1)),
            },
        )
        for place in range(N)
    ]


def written(folder: Path, rows: list[Prediction]) -> Path:
    folder.mkdir(parents=True)
    (folder / "predictions.jsonl").write_bytes(b"".join(each.line() for each in rows))
    return folder


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    work = tmp_path_factory.mktemp("none-right")
    runs = {name: written(work / name, drawn(seed)) for seed, name in enumerate(("fitting", "validation", "guard"))}
    # Pairs are found by question, whatever the order in which they were answered.
    runs["test"] = written(work / "test", drawn(3)[::-1])
    for name in ("validation", "test"):
        written(runs[name] / "probe-right-option-removed", drawn(4, none_right=True))
    fitting, validation, guard, test = (runs[name] for name in ("fitting", "validation", "guard", "test"))
    main(fitting, validation, guard, test, resamples=20, output=work / "figures.json")
    found: dict[str, dict[str, dict[str, dict[str, float]]]] = json.loads((work / "figures.json").read_text())
    return found


def test_what_is_said_before_the_letter_takes_confidence_away_where_it_is_another_finding(
    figures: dict[str, dict[str, dict[str, dict[str, float]]]],
) -> None:
    rows, paired = figures["rows"], figures["paired"]
    assert set(rows) == set(WAYS)
    for family in ("two-signal", "several-signal"):
        without, told = rows[f"{family}, without words"], rows[family]
        assert without["none_right_confident_errors"]["value"] > 0.05
        assert told["none_right_confident_errors"]["value"] == 0
        # As asked the words always agree, and nothing moves.
        assert told["nll"]["value"] == pytest.approx(without["nll"]["value"], abs=1e-9)
        assert told["answered_at_10"] == without["answered_at_10"]
    moved = paired["two-signal"]["none_right_confident_errors"]
    assert moved["value"] == -rows["two-signal, without words"]["none_right_confident_errors"]["value"]
    assert moved["high"] < 0


def test_words_are_left_out_and_counted() -> None:
    rows = drawn(0)
    assert agreement(rows) == {"agrees": N, "another finding": 0, "no opinion": 0}
    assert agreement(without_words(rows)) == {"agrees": 0, "another finding": 0, "no opinion": 0}
    assert set(without_words(rows)[0].signals) == {"letter_probability", "reply_probability"}
