"""A refit from feedback where records tell words of questions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from services.common.registry.directory import Registry
from tests.trustvqa.cli.models.test_refit import Stream, refit, serving


def right_in(share: float) -> Callable[[float, int], bool]:
    """Right in a share of the cases, whatever is stated."""
    return lambda _, index: index * 7 % 20 < round(20 * share)


def test_a_refit_learns_from_the_words_that_records_tell(tmp_path: Path) -> None:
    """Where a word says more than the stated confidence, the family that has weights for words passes the guard."""
    stream = Stream()
    signals = {"words_described": 1.0}
    stream.add(120, right_in(0.95), signals={**signals, "asks:7": 1.0})
    stream.add(120, right_in(0.25), signals=signals)
    with serving(tmp_path, stream) as url:
        out, _ = refit(tmp_path, url)
    (fitted,) = Registry(tmp_path / "reg").calibrators.load_all()
    assert (fitted.family, fitted.parameters["words"]) == ("correctness", "asks:7"), out
    told = {"words_described": [1.0] * 2, "asks:7": [1.0, 0.0]}
    assert fitted.calibrator().apply([0.8] * 2, told) == pytest.approx([0.95, 0.25], abs=0.05)
