"""The predictions table of a run, open for appending."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import ValidationError

from prompt4trust.errors import TableError
from prompt4trust.evaluation.predictions import FILE, Prediction, read_predictions


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
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / FILE
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _repair(self._file)
            self._done = {row.key: row for row in read_predictions(self._path)}
        except BlockingIOError as error:
            os.close(self._file)
            raise TableError(f"{self._path}: another run is writing to it") from error
        except BaseException:
            os.close(self._file)
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
        line = prediction.line()
        written = os.write(self._file, line)
        while written < len(line):  # a nearly full disk
            written += os.write(self._file, line[written:])
        self._done[prediction.key] = prediction

    def close(self) -> None:
        """Force the table to the disk and let others write to it."""
        os.fsync(self._file)
        os.close(self._file)


def _repair(file: int) -> None:
    """Complete or cut off the last line if a crash left it without its newline."""
    size = os.fstat(file).st_size
    data = os.pread(file, size, 0)
    if not data or data.endswith(b"\n"):
        return
    start = data.rfind(b"\n") + 1
    try:
        Prediction.model_validate_json(data[start:])
    except ValidationError:
        os.ftruncate(file, start)
    else:
        os.write(file, b"\n")
