"""A check before a service starts: no service is left open by mistake."""

from __future__ import annotations

import sys
from typing import NoReturn

from services.common.auth.errors import KeysError
from services.common.auth.keyring import Keyring
from services.common.settings import ServiceSettings

STATUS = 2


def refuse_to_start_open(settings: ServiceSettings, *, always: bool) -> None:
    """End the process with status 2 where keys are missing or cannot be read; the message says what to do.

    Args:
        settings: The service's settings.
        always: Whether it needs keys wherever it is reached from beyond this machine. Services that sit behind others
            may do without; their administration is then closed.
    """
    variable = f"TRUSTVQA_{settings.service.upper()}_API_KEYS"
    make = "trustvqa keys new --file keys.json --name admin --scope admin"
    if settings.api_keys is None:
        if settings.is_loopback or not always or settings.asks_who:
            return
        _end(
            f"the {settings.service} would listen on {settings.host} and let everybody in: it has no API keys, and no "
            "issuer of tokens.\n"
            f"  make one:    {make}\n"
            f"  name them:   {variable}=/path/to/keys.json\n"
            f"  or stay on this machine: TRUSTVQA_{settings.service.upper()}_HOST=127.0.0.1"
        )
    try:
        keyring = Keyring(settings.api_keys, settings.service)
    except KeysError as error:
        _end(f"the keys that {variable} names cannot be read: {error}\n  make some:   {make}")
    if not keyring.in_force:
        _end(f"{settings.api_keys} ({variable}) holds no key that the {settings.service} takes.\n  make one:    {make}")


def _end(message: str) -> NoReturn:
    sys.stderr.write(f"error: {message}\n")
    raise SystemExit(STATUS)
