"""The person at the terminal."""

from __future__ import annotations

import getpass


def terminal_user() -> str:
    """Name the user that a command runs as; "unknown" for one without a name, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
