"""Execution of a prepared training run, whether it begins or goes on, with its failures in words."""

from __future__ import annotations

import errno
import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import SecretStr

from prompt4trust.datasets import DatasetError
from services.common.clients.errors import PictureEgressRefusedError
from services.trainer.errors import DataError, RunBusyError, RunError, StartPolicyError, TooManyLostError
from services.trainer.grpo.attempt import TrainingResult, attempt
from services.trainer.grpo.context import RunContext, is_main_process
from services.trainer.grpo.journal import Journal, RunObserver, SilentObserver
from services.trainer.grpo.spec import read_spec

# Python's own words, safetensors', and what torch.save makes of it.
_NO_ROOM = ("No space left", "Disk quota", "os error 28", "PytorchStreamWriter failed", "unexpected pos")


def execute(
    folder: Path,
    *,
    observer: RunObserver | None = None,
    key: SecretStr | None = None,
    stop: threading.Event | None = None,
) -> TrainingResult:
    """Run a prepared run to its end, from wherever it is: anew, from its last whole checkpoint, or only to publish.

    Args:
        folder: The run's folder.
        observer: Listener to every step.
        key: The downstream service's API key.
        stop: Ends the run after the step in progress, with a checkpoint.

    Returns:
        How it ended.

    Raises:
        RunError: If it cannot go on; what was saved stays, and executing it again goes on from there.
    """
    spec = read_spec(folder)
    journal = Journal(folder, spec.config.samples_per_step)
    try:
        with _only_one(folder):
            observer, stop = observer or SilentObserver(), stop or threading.Event()
            result = attempt(RunContext.open(folder, spec, journal, observer, key, stop))
            state = "cancelled" if result.stopped else "succeeded"
            if is_main_process():
                journal.progress(
                    state=state, step=result.step, steps=spec.config.update.max_steps, remark=result.remark
                )
            return result
    except RunBusyError:
        raise  # the other process tells how the run is
    except Exception as error:
        message = _explain(error, folder)
        with suppress(OSError):
            journal.progress(state="failed", error=message)
        if message == str(error) and isinstance(error, RunError):
            raise
        raise RunError(message) from error
    finally:
        journal.close()


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Keep a second process off a run; processes that one launcher started together share it."""
    with (folder / ".lock").open("w") as lock:
        try:
            # Ranks other than 0 hold nothing: rank 0 answers for all.
            if is_main_process():
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunBusyError(f"another process is at work on {folder}") from None
        yield


def _explain(error: Exception, folder: Path) -> str:
    text = str(error) or type(error).__name__
    if isinstance(error, ExceptionGroup):
        return _explain(error.exceptions[0], folder) if isinstance(error.exceptions[0], Exception) else text
    if (isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}) or any(
        words in text for words in _NO_ROOM
    ):
        return f"the disk is full: free space where {folder} lies and resume the run; its last whole checkpoint is kept"
    if isinstance(error, TooManyLostError):
        return f"stopped: {text}. When the downstream service is back, resume the run: it goes on from its checkpoint"
    if isinstance(error, RunError | StartPolicyError | DataError | DatasetError | PictureEgressRefusedError):
        return text
    return f"{type(error).__name__}: {text}"
