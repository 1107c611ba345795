"""Runs the gateway without its audit log, for the comparison alone: python -m benchmarks.records.without_log."""

from __future__ import annotations

import runpy
from collections.abc import Mapping
from typing import Any

from services.gateway.records import store
from services.gateway.records.audit.log import AuditLog


def _no_event(*_: Any) -> None:
    """Make no event, so that no digest is computed either."""


def _no_entry(*_: Any) -> None:
    """Write no entry."""


def _no_state(*_: Any, **__: Mapping[str, Any]) -> bool:
    """Write no state."""
    return False


if __name__ == "__main__":
    vars(store).update(answer_event=_no_event)
    for name, instead in (("append", _no_entry), ("note_state", _no_state)):
        setattr(AuditLog, name, instead)
    runpy.run_module("services.gateway", run_name="__main__")
