"""The predictions table of a run, open for appending."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import ValidationError

from prompt4trust.errors import TableError
from prompt4trust.evaluation.predictions import FILE, Prediction, read_predictions
from prompt4trust.line_file import LineFile


class PredictionLog:
    """A predictions table that is open for appending by this process alone.

    Every line is handed to the operating system at once, so that a killed process loses nothing that it had finished;
    `close` also forces the file to the disk. Use as a context manager.

    Args:
        folder: The run's folder; it is made where it is missing.

    Raises:
        TableError: If another process has the table open, or a line of it cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / FILE
        try:
            self._file = LineFile(path, _is_prediction)
        except BlockingIOError as error:
            raise TableError(f"{path}: another run is writing to it") from error
        try:
            self._done = {row.key: row for row in read_predictions(path)}
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def rows(self) -> Iterable[Prediction]:
        """Every prediction and failure in the table, the last word on each key."""
        return self._done.values()

    def has(self, question: str, estimator: str) -> bool:
        """Whether there is a prediction; a failure is none."""
        row = self._done.get((question, estimator))
        return row is not None and row.failure is None

    def get(self, question: str, estimator: str) -> Prediction:
        """Look up the last word on a question; KeyError where there is none."""
        return self._done[question, estimator]

    def append(self, prediction: Prediction) -> None:
        """Add one line."""
        self._file.append(prediction.line())
        self._done[prediction.key] = prediction

    def close(self) -> None:
        """Force the table to the disk and let others write to it."""
        self._file.close()


def _is_prediction(line: bytes) -> bool:
    try:
        Prediction.model_validate_json(line)
    except ValidationError:
        return False
    return True
