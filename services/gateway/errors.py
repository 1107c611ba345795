"""Errors of the gateway.

    GatewayError
    ├── BusyError                 there is no room
    ├── SampleFolderError         the operator's folder of samples cannot be used
    ├── SteeringGuidanceError     a policy's guidance names an answer or a confidence
    ├── UnknownAlarmError         there is no alarm to acknowledge
    └── RecordsError              see `services.gateway.records.errors`

What comes from elsewhere is not renamed: `PictureError` where a picture is not taken, `TransportError` where a model
could not be asked, `RegistryError` for the registry, `Problem` where a request is refused at once. All of them become
replies in `services.gateway.web.refusals`.
"""

from __future__ import annotations

from typing import Literal

ShedReason = Literal["full", "wait", "deadline"]
"""Why a question is turned away: there is no room in the line, the wait for its turn would be too long, or its answer
would come after its own deadline."""


class GatewayError(Exception):
    """The gateway cannot do what was asked of it."""


class BusyError(GatewayError):
    """There is no free place, and waiting for one is no use.

    Attributes:
        reason: Why not.
        retry_after: Seconds after which there is likely to be room; None where nothing is known of that.
    """

    def __init__(self, reason: ShedReason = "full", retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class SampleFolderError(GatewayError):
    """A folder of samples for the page cannot be used; the message names the file."""


class SteeringGuidanceError(GatewayError):
    """Guidance names an answer or a confidence, so that it must not be used."""


class UnknownAlarmError(GatewayError):
    """There is no such alarm, or somebody has acknowledged it already."""
