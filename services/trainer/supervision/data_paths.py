"""Paths that requests name, kept to the service's data directory."""

from __future__ import annotations

from pathlib import Path


class OutsideDataError(ValueError):
    """A path that is none, leads out of the data directory, or names nothing there; the message says which."""


def find_below(root: Path, path: Path) -> Path:
    """Find a file or folder below a directory, links followed.

    Args:
        root: The directory, resolved.
        path: A path below it.

    Returns:
        The file's or folder's own place.

    Raises:
        OutsideDataError: If there is none.
    """
    try:
        found = (root / path).resolve()
        is_there = found.exists()
    except (OSError, ValueError) as error:  # a name with a NUL, or too long; a loop of links
        raise OutsideDataError("is no path") from error
    if not found.is_relative_to(root):
        raise OutsideDataError("must lie in the service's data directory")
    if not is_there:
        raise OutsideDataError("there is no such file in the service's data directory")
    return found
