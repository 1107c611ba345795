"""Errors of the gateway.

    GatewayError
    ├── PictureError              a picture is not taken
    ├── BusyError                 there is no room
    ├── UnknownAlarmError         there is no alarm to acknowledge
    └── RecordsError              see `services.gateway.records.errors`

What comes from elsewhere is not renamed: `TransportError` where a model could not be asked, `RegistryError` for the
registry, `Problem` where a request is refused at once. `services.gateway.web.refusals` makes replies of all of them.
"""

from __future__ import annotations

from typing import Literal

ImageFault = Literal[
    "empty-image",
    "unsupported-image",
    "image-type-mismatch",
    "image-too-large",
    "image-too-small",
    "image-too-narrow",
    "animated-image",
    "damaged-image",
]


class GatewayError(Exception):
    """The gateway cannot do what was asked of it."""


class PictureError(GatewayError):
    """A picture that is not taken.

    Attributes:
        fault: What is wrong, as a stable word.
        detail: What is wrong and what to change, for a person; holds nothing of the file.
    """

    def __init__(self, fault: ImageFault, detail: str) -> None:
        super().__init__(detail)
        self.fault: ImageFault = fault
        self.detail = detail


class BusyError(GatewayError):
    """There is no free place, and waiting for one is no use."""


class UnknownAlarmError(GatewayError):
    """There is no such alarm, or somebody has acknowledged it already."""
