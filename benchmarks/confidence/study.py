"""The comparison's questions to be asked, and the rows that come of the answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from benchmarks.confidence import peers
from benchmarks.confidence.answer_runs import Asked, Piece, answers, ask
from benchmarks.confidence.figures import Row, calibrated, row
from benchmarks.confidence.material import write_material, written
from benchmarks.confidence.questions import PARTS, questions
from benchmarks.confidence.typical import shipped, with_signal
from prompt4trust.datasets import Dataset
from prompt4trust.estimators import ESTIMATORS
from prompt4trust.evaluation import Prediction

DEFAULT = "cgp+logprob"
TYPICAL = "cgp+logprob, typicality"
HAC = "medvlm hac_platt, guided, on a blank picture"
_BASE = {False: "verbalized", True: "cgp"}
"""Whether guided -> the method whose answers other packages score."""
_MEASURED = ("calibration", "guard", "test")


@dataclass(frozen=True)
class Study:
    """One comparison.

    Attributes:
        folder: Where questions, answers and calls are kept.
        n: Test questions of methods of few calls.
        costly_n: Test questions of others; 0 for none.
        methods: Methods of few calls.
        costly: Methods of many.
        samples: Samples that other packages compare.
        python: Python of their environment; None to measure none.
        scores: Whether replies are scored by them; without, they only calibrate and defer.
    """

    folder: Path
    n: int
    costly_n: int
    methods: tuple[str, ...]
    costly: tuple[str, ...]
    samples: int
    python: Path | None
    scores: bool = True

    def todo(self) -> list[Piece]:
        """List what has not been asked yet, small things first."""
        pieces: list[Piece] = []
        for part in _MEASURED:
            for method, n in self._asked():
                data, out = self._data(part, n), self._answers(part, n, method)
                if answers(data, out) is None:
                    pieces.append(partial(ask, data, method, out))
            for guided, samples, n in self._scored():
                data, out = self._data(part, n), self._material(part, n, guided, samples)
                if len(written(out)) < len(data.questions):
                    pieces.append(partial(_write_material, data, guided, samples, out))
        return pieces

    @property
    def needs_second(self) -> bool:
        """Whether a method takes a second model's opinion."""
        return any(ESTIMATORS[method].needs_second for method in (*self.methods, *self.costly))

    def rows(self, resamples: int) -> list[Row]:
        """Measure every method, those of few calls first."""
        found = [
            row(method, *(self._rows(part, n, method) for part in _MEASURED), resamples=resamples)
            for method, n in self._asked()
        ]
        found.append(row(TYPICAL, *self._typical(), resamples=resamples))
        for guided, samples, n in self._scored():
            found += self._peer_rows(guided, samples, n, resamples)
        if self.python is not None and "cgp+picture" in self.methods:
            found.append(row(HAC, *self._hac(), resamples=resamples))
        return found

    def others(self) -> dict[str, Any]:
        """Report thresholds and sets by other packages of the default's confidences, and what could not be run."""
        if self.python is None:
            return {}
        fits = {name: {**each} for name, each in self._fits().items()}
        fits.get("medvlm", {}).pop("confidences", None)
        if not self.scores:
            return {"other packages": fits}
        guided, samples, n = next(iter(self._scored()))
        scored = self._scores("test", n, guided, samples)
        return {"other packages": {**fits, **{name: scored[name] for name in ("versions", "refused")}}}

    def _asked(self) -> Iterator[tuple[str, int]]:
        bases = () if self.python is None else tuple(_BASE.values())
        for method in dict.fromkeys((*self.methods, *bases)):
            yield method, self.n
        if self.costly_n not in {0, self.n}:
            # What is paired with them was asked the same questions.
            yield DEFAULT, self.costly_n
            if self.python is not None:
                yield _BASE[True], self.costly_n
        for method in self.costly:
            yield method, self.costly_n

    def _scored(self) -> Iterator[tuple[bool, int, int]]:
        if self.python is not None and self.scores:
            yield False, 0, self.n
            yield True, 0, self.n
            if self.costly_n:
                yield True, self.samples, self.costly_n

    def _peer_rows(self, guided: bool, samples: int, n: int, resamples: int) -> Iterator[Row]:
        parts = {part: self._scores(part, n, guided, samples) for part in _MEASURED}
        for scorer, found in parts["test"].items():
            # Those of one reply have been measured on more questions.
            if not isinstance(found, dict) or "scores" not in found or (samples and not found["samples"]):
                continue
            name = f"{scorer}{', guided' if guided else ''}"
            scored = (
                peers.scored(
                    name,
                    parts[part][scorer],
                    self._rows(part, n, _BASE[guided]),
                    self._material(part, n, guided, samples),
                )
                for part in _MEASURED
            )
            yield row(name, *scored, resamples=resamples)

    @cache  # noqa: B019 - a study lives as long as the command
    def _fits(self) -> dict[str, Any]:
        guard, test = (
            calibrated(*(self._rows(part, self.n, DEFAULT) for part in ("calibration", other)))
            for other in ("guard", "test")
        )
        given: dict[str, Any] = {"guard": peers.checked(guard), "test": peers.checked(test)}
        if "cgp+picture" in self.methods:
            given["hac"] = {part: _doubted(self._rows(part, self.n, "cgp+picture")) for part in _MEASURED}
        assert self.python is not None
        return peers.fits(self.python, given, self.folder)

    def _typical(self) -> Iterator[list[Prediction]]:
        typicality = shipped()
        for part in _MEASURED:
            yield with_signal(TYPICAL, self._rows(part, self.n, DEFAULT), self._data(part, self.n), typicality)

    def _hac(self) -> Iterator[list[Prediction]]:
        for part in _MEASURED:
            rows = self._rows(part, self.n, "cgp+picture")
            usable = iter(self._fits()["medvlm"]["confidences"][part])
            yield [
                each.model_copy(update={"estimator": HAC, "confidence": next(usable), "signals": {}})
                if each.confidence is not None
                else each
                for each in rows
            ]

    def _rows(self, part: str, n: int, method: str) -> list[Prediction]:
        found = answers(self._data(part, n), self._answers(part, n, method))
        if found is None:
            raise RuntimeError(f"{method} has not answered all {part} questions")
        return found

    def _scores(self, part: str, n: int, guided: bool, samples: int) -> dict[str, Any]:
        assert self.python is not None
        material = self._material(part, n, guided, samples)
        return peers.scores(self.python, material, material.with_suffix(".scores.json"))

    def _answers(self, part: str, n: int, method: str) -> Path:
        return self.folder / "answers" / f"{part}-{PARTS[part].count(n)}" / method

    def _material(self, part: str, n: int, guided: bool, samples: int) -> Path:
        name = f"{'guided' if guided else 'plain'}-{samples}.jsonl"
        return self.folder / "material" / f"{part}-{PARTS[part].count(n)}" / name

    @cache  # noqa: B019 - a study lives as long as the command
    def _data(self, part: str, n: int) -> Dataset:
        return questions(self.folder / "questions", part, n)


async def _write_material(data: Dataset, guided: bool, samples: int, out: Path, asked: Asked) -> None:
    await write_material(data, guided, samples, out, asked.downstream, asked.policy, asked.concurrency)


def _doubted(rows: Sequence[Prediction]) -> list[dict[str, Any]]:
    """Take HAC's two inputs from answers that were looked at twice: an answer from the words alone is in doubt."""
    return [
        {
            "confidence": each.confidence,
            "correct": each.correct,
            "doubt": 1 - each.signals.get("picture_shift", 0.0),
        }
        for each in rows
        if each.confidence is not None
    ]
