"""Calibrators, thresholds and option sets by other packages, by their environment's Python: peer_fits.py MATERIAL OUT.

MATERIAL: {"guard": rows, "test": rows, "hac": {"calibration": rows, "guard": rows, "test": rows}, "risks": numbers}, of
which the last two may be missing. A row is
{"confidence": calibrated or null, "correct": ..., "truth": letter, "options": {letter: probability}}; one of "hac"
{"confidence": stated, "correct": ..., "doubt": how little the answer stands on the picture, in [0, 1]}. OUT gets, by
package and version, at an accepted risk or a wanted coverage: what was answered and wrong of it, or what the sets held
and how large they were; and HAC's confidences of the rows.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

RISKS = (0.05, 0.1)
COVERAGES = (0.9, 0.95)


def main() -> None:
    """Make them."""
    given = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found: dict[str, Any] = {
            "deferguard": {
                "version": version("deferguard"),
                "risks": deferguard_risks(given["guard"], given["test"], given.get("risks", RISKS)),
            },
            "mapie": {"version": version("mapie"), "sets": mapie_sets(given["guard"], given["test"])},
            "crepes": {"version": version("crepes"), "sets": crepes_sets(given["guard"], given["test"])},
        }
    if "hac" in given:
        found["medvlm"] = {"version": version("medvlm"), "confidences": hac_confidences(given["hac"])}
    Path(sys.argv[2]).write_text(json.dumps(found), encoding="utf-8")


def deferguard_risks(
    guard: Sequence[dict[str, Any]], test: Sequence[dict[str, Any]], risks: Sequence[float]
) -> dict[str, Any]:
    """Answer by deferguard's threshold, of the same confidences on the same checked answers."""
    from deferguard import CalibrationExample, Calibrator

    found: dict[str, Any] = {}
    for risk in risks:
        calibrator = Calibrator(alpha=risk)
        examples = [CalibrationExample(signal=row["confidence"] or 0.0, correct=row["correct"]) for row in guard]
        try:
            calibrator.fit(examples)
            acts = [calibrator.decide(signal=row["confidence"] or 0.0).action == "act" for row in test]
        except Exception as error:
            found[str(risk)] = {"refused": f"{type(error).__name__}: {error}"}
            continue
        wrong = sum(not row["correct"] for row, act in zip(test, acts, strict=True) if act)
        found[str(risk)] = {"answered": sum(acts), "wrong": wrong, "n": len(test)}
    return found


def hac_confidences(rows: dict[str, Sequence[dict[str, Any]]]) -> dict[str, list[float]]:
    """Calibrate by medvlm's HAC (hallucination-aware Platt scaling), fitted on the calibration rows."""
    import numpy as np
    from medvlm.evaluation.calibration import CalibrationPipeline

    def column(part: str, name: str) -> Any:
        return np.array([row[name] for row in rows[part]], dtype=float)

    pipeline = CalibrationPipeline(method="hac_platt")
    pipeline.fit(
        column("calibration", "confidence"),
        column("calibration", "correct"),
        hallucination_scores=column("calibration", "doubt"),
    )
    return {
        part: [
            float(value)
            for value in pipeline.transform(column(part, "confidence"), hallucination_scores=column(part, "doubt"))
        ]
        for part in rows
    }


def mapie_sets(guard: Sequence[dict[str, Any]], test: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Make option sets by MAPIE's split conformal classifier (LAC)."""
    import numpy as np
    from mapie.classification import SplitConformalClassifier
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Given(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # sklearn has no types
        """Hands probabilities through."""

        def __init__(self) -> None:
            self.classes_ = np.arange(4)

        def fit(self, *_: Any) -> Given:
            return self

        def predict_proba(self, x: Any) -> Any:
            return x

        def predict(self, x: Any) -> Any:
            return np.argmax(x, axis=1)

        def __sklearn_is_fitted__(self) -> bool:
            return True

    probabilities, places = _arrays(guard)
    asked, truths = _arrays(test)
    found: dict[str, Any] = {}
    for coverage in COVERAGES:
        sets = SplitConformalClassifier(Given(), confidence_level=coverage, conformity_score="lac", prefit=True)
        sets.conformalize(probabilities, places)
        _, chosen = sets.predict_set(asked)
        found[str(coverage)] = _held(np.asarray(chosen)[:, :, 0], truths)
    return found


def crepes_sets(guard: Sequence[dict[str, Any]], test: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Make option sets by crepes' conformal classifier (score 1 - probability, as LAC)."""
    from crepes import ConformalClassifier

    probabilities, places = _arrays(guard)
    asked, truths = _arrays(test)
    classifier = ConformalClassifier()
    classifier.fit(1 - probabilities[range(len(places)), places], seed=0)
    return {
        str(coverage): _held(classifier.predict_set(1 - asked, confidence=coverage, seed=0), truths)
        for coverage in COVERAGES
    }


def _arrays(rows: Sequence[dict[str, Any]]) -> tuple[Any, Any]:
    import numpy as np

    usable = [row for row in rows if row["options"]]
    letters = "ABCD"
    probabilities = np.array([[row["options"].get(letter, 0.0) for letter in letters] for row in usable])
    total = probabilities.sum(axis=1, keepdims=True)
    return probabilities / total, np.array([letters.index(row["truth"]) for row in usable])


def _held(chosen: Any, truths: Any) -> dict[str, Any]:
    import numpy as np

    members = np.asarray(chosen).astype(bool)
    held = members[range(len(truths)), truths]
    return {"n": len(truths), "held": int(held.sum()), "options": float(members.sum(axis=1).mean())}


if __name__ == "__main__":
    main()
