"""Entries of the audit log about what administrators do over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from starlette.requests import Request

from services.common.auth.caller import caller_of
from services.gateway.records.audit.entry import Kind
from services.gateway.records.errors import RecordsError
from services.gateway.wiring import Gateway

_log = structlog.get_logger(__name__)


async def note_act(request: Request, gateway: Gateway, kind: Kind, body: Mapping[str, Any]) -> None:
    """Write what an administrator did into the audit log, where there is one.

    What was done stays done where the database is away: the gateway's log says so then, and the registry's state is
    written into the audit log once it is back.

    Args:
        request: The administrator's.
        gateway: The gateway.
        kind: The act.
        body: What it was about.
    """
    if gateway.records is None:
        return
    caller = caller_of(request.scope)
    try:
        await gateway.records.store.note(kind, {**body, "key": None if caller is None else caller.name})
    except RecordsError as error:
        _log.error("an act is not in the audit log", act=str(kind), reason=str(error), **body)
