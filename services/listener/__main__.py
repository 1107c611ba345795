"""Run the listener: python -m services.listener."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from services.common.auth.startup_check import refuse_to_start_open
from services.common.http.server import serve
from services.common.logs import configure_logging
from services.common.startup import read_settings
from services.listener.rules import RulesError, read_rules
from services.listener.settings import ListenerSettings

_MISUSE = 2


def run(given: Mapping[str, Any]) -> None:
    """Run it until it is told to end.

    Args:
        given: Settings over all others.
    """
    settings = read_settings(ListenerSettings, given)
    refuse_to_start_open(settings, always=False)
    configure_logging(settings.service, level=settings.log_level, form=settings.log_format)
    try:
        rules = read_rules(settings.rules)
    except RulesError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(_MISUSE)
    # Here, because it imports pydicom.
    from services.listener.app import listener_app

    serve(listener_app(settings, rules), settings)


if __name__ == "__main__":
    run({})
