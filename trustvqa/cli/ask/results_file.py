"""The results of a batch in a file: a line a question, and beside it what makes the same command go on."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from prompt4trust.files import write_atomically
from prompt4trust.line_file import LineFile
from trustvqa.cli.errors import CommandError
from trustvqa.client import BatchOutcome, ProblemError

_OLD_NAMES: Final = {"model_guess": "guess"}
"""Fields that versions before called otherwise."""


class ResultsFile:
    """A file of results that is open for appending; a context manager.

    Every line is on the disk before the next one is written, and a torn one at the end is dropped, so that a killed
    command goes on where it was. Questions that failed are asked again: their lines are dropped first. What a version
    before wrote under other names gets those of today, so that all lines of a file are of one form.

    Args:
        path: The file. Beside it, under its name and `.batch.json`, lies the key under which the gateway knows the
            batch again, and what was asked.
        asked: What is asked, which must be the same when the command goes on.
        with_guesses: Whether lines of deferrals show what the model chose.

    Attributes:
        decisions: Id of a question -> "answer" or "defer".
        digests: Id of a question that has a result -> digest of what was asked.

    Raises:
        CommandError: If it is another batch's, is no file of results, or another process writes to it.
    """

    def __init__(self, path: Path, asked: Mapping[str, Any], *, with_guesses: bool = False) -> None:
        self._with_guesses = with_guesses
        self.path = path
        if str(path) == "-" or (path.exists() and not path.is_file()):
            raise CommandError(f"{path}: results go into a file, with which the same command goes on: name one")
        try:
            self.key = _key(path.with_name(f"{path.name}.batch.json"), asked, has_results=path.exists())
            self._file = LineFile(path, _is_result, synced=True)
        except BlockingIOError:
            raise CommandError(f"{path}: another command is writing to it") from None
        except OSError as error:
            raise CommandError(f"{path} cannot be written ({error.strerror or error})") from error
        self._file.close()
        rows = [_row(path, number, line) for number, line in enumerate(path.read_bytes().splitlines(), 1)]
        kept = [_with_todays_names(row) for row in rows if "decision" in row]
        if kept != rows:
            write_atomically(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept), 0o644)
        self._file = LineFile(path, _is_result, synced=True)
        self.decisions = {str(row["id"]): str(row["decision"]) for row in kept}
        self.digests = {str(row["id"]): str(row.get("asked_sha256")) for row in kept}

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._file.close()

    def append(self, outcome: BatchOutcome, digest: str) -> None:
        """Add what came of a question, and the digest of what was asked."""
        row = _line(outcome, with_guesses=self._with_guesses) | {"asked_sha256": digest}
        line = json.dumps(row, ensure_ascii=False)
        self._file.append(line.encode("utf-8", "replace") + b"\n")
        if outcome.result is not None:
            self.decisions[outcome.id] = outcome.result.decision
            self.digests[outcome.id] = digest


def _line(outcome: BatchOutcome, *, with_guesses: bool) -> dict[str, Any]:
    result, error = outcome.result, outcome.error
    if result is None:
        kind = error.kind if isinstance(error, ProblemError) and error.kind else type(error).__name__
        return {"id": outcome.id, "error": kind, "detail": str(error)}
    line: dict[str, Any] = {
        "id": outcome.id,
        "decision": result.decision,
        "answer": None if result.answer is None else asdict(result.answer),
        "confidence": result.confidence,
        "calibrated": result.calibration.calibrated,
        "guarantee": result.decision_basis.guarantee,
        "code": result.decision_basis.code,
        "reason": result.decision_basis.reason,
        "answer_id": result.id,
        "recorded": result.recorded,
        "degraded": list(result.degraded),
        "models": dict(result.models),
    }
    if with_guesses and result.is_deferred:
        line["guess"] = None if result.guess is None else asdict(result.guess)
    return line


def _key(path: Path, asked: Mapping[str, Any], *, has_results: bool) -> str:
    if not path.exists():
        if has_results:
            raise CommandError(f"{path} is missing, so that nobody knows what the results are of: name another file")
        key = str(uuid.uuid4())
        write_atomically(path, json.dumps({"key": key, "asked": dict(asked)}, indent=2) + "\n", 0o644)
        return key
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        key, before = str(found["key"]), dict(found["asked"])
    except (ValueError, KeyError, TypeError):
        raise CommandError(f"{path} cannot be read: name another file for the results") from None
    changed = [name for name in asked if before.get(name) != asked[name]]
    if changed:
        raise CommandError(
            f"{path} is of a batch with another {', '.join(changed)}: give what was given then, or name another file"
        )
    return key


def _is_result(line: bytes) -> bool:
    try:
        found = json.loads(line)
    except ValueError:
        return False
    return isinstance(found, dict) and "id" in found


def _row(path: Path, number: int, line: bytes) -> dict[str, Any]:
    if not _is_result(line):
        raise CommandError(f"{path}: line {number} is no result of a batch: name another file")
    row: dict[str, Any] = json.loads(line)
    return row


def _with_todays_names(row: Mapping[str, Any]) -> dict[str, Any]:
    return {_OLD_NAMES.get(name, name): value for name, value in row.items()}
