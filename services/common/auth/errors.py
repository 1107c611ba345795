"""Errors about API keys.

    KeysError  a file of keys cannot be read

A request whose key is missing or does not suffice is answered with a problem document, not with one of these.
"""

from __future__ import annotations


class KeysError(Exception):
    """A file of keys cannot be read; the message says which and why, and holds nothing of its content."""
