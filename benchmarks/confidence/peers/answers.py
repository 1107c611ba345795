"""Other packages' scores as answers with a confidence: scored by a Python of their own, measured as ours are."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scipy.special import expit

from prompt4trust.estimators.option_signals import option_probabilities
from prompt4trust.evaluation import Prediction
from prompt4trust.evaluation.predictions import CostRecord

_SCORES = Path(__file__).with_name("peer_scores.py")
_FITS = Path(__file__).with_name("peer_fits.py")


def scores(python: Path, material: Path, out: Path) -> dict[str, Any]:
    """Have replies scored, where that is not done yet.

    Args:
        python: The Python of the packages' environment.
        material: The replies; see `material.py`.
        out: The scores' file; see `peer_scores.py`.

    Raises:
        subprocess.CalledProcessError: If scoring fails.
    """
    if not out.exists() or out.stat().st_mtime < material.stat().st_mtime:
        _run(python, _SCORES, material, out)
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found


def fits(python: Path, given: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Have calibrators, thresholds and option sets made by other packages; see `peer_fits.py`."""
    material, out = folder / "fits.json", folder / "peer-fits.json"
    material.write_text(json.dumps(given), encoding="utf-8")
    _run(python, _FITS, material, out)
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found


def checked(rows: Sequence[Prediction]) -> list[dict[str, Any]]:
    """Write answers of known truth as `peer_fits.py` reads them, their confidences as they are."""
    return [
        {
            "confidence": each.confidence,
            "correct": each.correct,
            "truth": each.truth,
            "options": option_probabilities(each.signals),
        }
        for each in rows
    ]


def scored(method: str, found: Mapping[str, Any], replies: Sequence[Prediction], material: Path) -> list[Prediction]:
    """Give replies a package's score as their confidence.

    An uncertainty u, which may be any number, becomes 1 / (1 + e^u): the order is kept, which is all that calibrators
    of a rising curve, and figures of the order, look at.

    Args:
        method: Name of the row.
        found: The scorer's scale and scores.
        replies: The answers that were scored.
        material: What was scored; it tells the cost.
    """
    lines = (json.loads(line) for line in material.read_text(encoding="utf-8").splitlines())
    costs = {each["id"]: CostRecord(calls=each["calls"], seconds=each["seconds"]) for each in lines}

    def confidence(reply: Prediction) -> float | None:
        if reply.confidence is None:
            return None
        score = float(found["scores"][reply.id])
        return min(max(score, 0.0), 1.0) if found["scale"] == "confidence" else float(expit(-score))

    return [
        reply.model_copy(
            update={"estimator": method, "confidence": confidence(reply), "signals": {}, "cost": costs[reply.id]}
        )
        for reply in replies
    ]


def _run(python: Path, script: Path, material: Path, out: Path) -> None:
    # -P: what lies in the working directory is not what the packages import.
    subprocess.run([str(python), "-P", "-W", "ignore", str(script), str(material), str(out)], check=True)
