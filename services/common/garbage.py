"""Pauses of the garbage collection: a service looks for no garbage until it serves.

To look for it among what is imported takes a fifth as long as to import it. So a service's `__main__` begins with::

    from services.common import garbage

    garbage.look_for_none()

This module imports nothing else, since what it imported would be looked through.
"""

import gc


def look_for_none() -> None:
    """Look for no garbage from here on."""
    gc.disable()


def look_for_new() -> None:
    """Look for garbage again, but not among what is there now, once that has been looked through.

    It stays, and is by far the most of what a full collection would look through. While several requests are answered
    at once their objects grow old, so that there is one every second or so.
    """
    gc.collect()
    gc.freeze()
    gc.enable()


def look_for_all() -> None:
    """Look for garbage again, for a process that only starts others."""
    gc.enable()
