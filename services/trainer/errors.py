"""Errors of runs.

TrainerError
├── UnknownRunError
├── TransitionError
├── QueueFullError
├── ExecutorError
│   ├── ClusterError
│   └── UnreachableError
├── DataError
├── ConfigError
├── StartPolicyError
├── RunError
│   ├── VersionTakenError
│   └── RunBusyError
├── TooManyLostError
├── KeyRefusedError, WrongAddressError (each an httpx.HTTPError, too)
├── EvaluationError
├── EvaluationFailedError
└── EvaluationStoppedError
"""

from __future__ import annotations

import httpx


class TrainerError(Exception):
    """A run, or the service that keeps runs, cannot do something; the message says why, for a person."""


class UnknownRunError(TrainerError):
    """There is no such run."""


class TransitionError(TrainerError):
    """A run cannot do that in the state that it is in; the message says so."""


class QueueFullError(TrainerError):
    """No more runs may wait."""


class ExecutorError(TrainerError):
    """A job could not be started, looked at or stopped; the message says why, for the operator.

    From ``state`` it means that nothing could be learned just now (an engine that is away for a minute), never that
    the job is gone: the caller asks again.
    """


class ClusterError(ExecutorError):
    """The cluster refused.

    Attributes:
        status: HTTP status.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class UnreachableError(ExecutorError):
    """The cluster did not answer."""


class DataError(TrainerError):
    """The questions cannot be used; the message says why."""


class ConfigError(TrainerError):
    """A configuration cannot be used; the message names the file, the value and what is wrong."""


class StartPolicyError(TrainerError):
    """There is no policy to begin with, or it cannot be used; the message says why."""


class RunError(TrainerError):
    """A run cannot begin or cannot go on; the message says why and what may be done."""


class VersionTakenError(RunError):
    """The registry has a version of the name already."""


class RunBusyError(RunError):
    """Another process is at work on the run."""


class TooManyLostError(TrainerError):
    """The downstream service failed for more completions than a run may lose."""


class KeyRefusedError(TrainerError, httpx.HTTPError):
    """The downstream service takes another API key, or any."""


class WrongAddressError(TrainerError, httpx.HTTPError):
    """The downstream model's API is at another address than the one that was given.

    Attributes:
        better: That other address.
    """

    def __init__(self, given: str, better: str) -> None:
        super().__init__(f"the downstream model's API is at {better}, not at {given}")
        self.better = better


class EvaluationError(TrainerError):
    """An evaluation cannot begin; the message says why, and the hint what a person at a terminal may do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class EvaluationFailedError(TrainerError):
    """The run cannot go on, or some questions could not be asked; resuming it asks what is missing."""


class EvaluationStoppedError(TrainerError):
    """The run was asked to stop; what was finished is kept."""
