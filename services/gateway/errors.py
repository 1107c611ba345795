"""Errors of the gateway.

    GatewayError
    ├── BusyError                 there is no room
    ├── SteeringGuidanceError     a policy's guidance names an answer or a confidence
    ├── UnknownAlarmError         there is no alarm to acknowledge
    └── RecordsError              see `services.gateway.records.errors`

What comes from elsewhere is not renamed: `PictureError` where a picture is not taken, `TransportError` where a model
could not be asked, `RegistryError` for the registry, `Problem` where a request is refused at once. All of them become
replies in `services.gateway.web.refusals`.
"""

from __future__ import annotations


class GatewayError(Exception):
    """The gateway cannot do what was asked of it."""


class BusyError(GatewayError):
    """There is no free place, and waiting for one is no use."""


class SteeringGuidanceError(GatewayError):
    """Guidance names an answer or a confidence, so that it must not be used."""


class UnknownAlarmError(GatewayError):
    """There is no such alarm, or somebody has acknowledged it already."""
