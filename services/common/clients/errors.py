"""Errors of the clients, below the library's one error for a model that could not be asked.

prompt4trust.models.TransportError  a model could not be asked or did not reply
├── RefusedError                    a server replied with an error
└── LogprobsRefusedError            a server answers, but not with log-probabilities
PictureEgressRefusedError           a picture would have left for a host that was not switched on
"""

from __future__ import annotations

from prompt4trust.models import TransportError


class RefusedError(TransportError):
    """A server replied with an error.

    Attributes:
        said: The reply's beginning. It may quote what was asked, so it is neither logged nor passed on.
    """

    def __init__(self, service: str, detail: str, *, status: int, retry_after: float | None, said: str) -> None:
        super().__init__(service, detail, status=status, retry_after=retry_after)
        self.said = said


class LogprobsRefusedError(TransportError):
    """A server answers, but not with log-probabilities."""

    def __init__(self, status: int | None) -> None:
        super().__init__("downstream", "it refuses log-probabilities", status=status)


class PictureEgressRefusedError(Exception):
    """A picture would have left for a host that was not switched on by name."""
