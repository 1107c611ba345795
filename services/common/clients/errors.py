"""Errors of the clients, below the library's one error for a model that could not be asked.

prompt4trust.models.TransportError  a model could not be asked or did not reply
└── RefusedError                    a server replied with an error
    └── ParameterRefusedError       a server answers, but only to another request than the one that counts
PictureEgressRefusedError           a picture would have left for a host that was not switched on
"""

from __future__ import annotations

from collections.abc import Mapping

from prompt4trust.models import Omission, TransportError


class RefusedError(TransportError):
    """A server replied with an error.

    Attributes:
        said: The reply's beginning. It may quote what was asked, so it is neither logged nor passed on.
    """

    def __init__(self, service: str, detail: str, *, status: int, retry_after: float | None, said: str) -> None:
        super().__init__(service, detail, status=status, retry_after=retry_after)
        self.said = said


class ParameterRefusedError(RefusedError):
    """A server answers, but only to another request than the one that counts.

    Attributes:
        omission: What its answer would be without.
    """

    def __init__(self, service: str, omission: Omission, refused: RefusedError) -> None:
        super().__init__(
            service,
            f"it refuses {_REFUSED[omission]}, and what it says without would not be what was asked for",
            status=refused.status or 400,
            retry_after=None,
            said=refused.said,
        )
        self.omission = omission


_REFUSED: Mapping[Omission, str] = {
    "logprobs": "log-probabilities",
    "seed": "a seed",
    "decoding": "this temperature, top_p or top_k (settings that it takes: mostly temperature 1, top_p 1, top_k 0)",
    "system-message": "a system message (a template without one is taken)",
    "response-format": "this response_format (a template without one is taken)",
}


class PictureEgressRefusedError(Exception):
    """A picture would have left for a host that was not switched on by name."""
