"""How commands end that cannot go on."""

from __future__ import annotations


class CommandError(Exception):
    """The command cannot go on; the message says what to change."""
